"""The engine of the jobs: procrastinate on the same PostgreSQL."""
