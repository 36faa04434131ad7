"""Chaos: the whole service under faults, kills and edits by many people; then peace, and a count of what is left."""
