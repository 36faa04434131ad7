"""Everything that speaks to PostgreSQL: the embedded server, pools, locks, signals and the stored things."""
