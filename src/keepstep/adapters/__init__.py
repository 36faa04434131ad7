"""Implementations of the ports; they meet only in `keepstep.bootstrap`."""
