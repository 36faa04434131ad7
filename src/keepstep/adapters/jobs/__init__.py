"""The job engine behind ports.jobs: procrastinate on PostgreSQL (`engine`), and its twin for tests (`inline`)."""
