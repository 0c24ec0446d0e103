"""The schema of the database, forward and back."""
