"""`make bench`: what Keepstep costs and how fast it is, measured from outside on real processes.

The service runs as a user would run it, with its embedded database, against both emulators, each a process of its
own in a fresh temporary folder. Times come from the emulators' journals where they can: one clock, and no instrument in
the service. `docs/performance.md` says what was found.
"""
