"""Secrets at rest: each sealed with a key of its own, which is wrapped by a key that is not in the database."""
