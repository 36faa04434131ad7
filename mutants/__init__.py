"""Deliberate bugs in the real code, and whether the convergence machine finds them: `python -m mutants`.

A state machine that never fails proves nothing about itself. Each bug here is one that somebody might honestly write;
it is put in by replacing a function of the running service, in a process of its own, and the machine must find it from
several seeds. What each one is and what found it stands in `docs/correctness.md`.
"""
