"""What every test may use."""

pytest_plugins = ["postgres_server", "redmine_server"]
