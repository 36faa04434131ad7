"""The schema's steps, run by Alembic; each says in SQL what it changes.

Revisions are four digits and rise, so that code can tell a newer schema from an older one without Alembic. A step
expands first; what older code still needs goes a release later.
"""

HEAD = "0005"
"""The newest revision this code knows."""
