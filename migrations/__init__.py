"""The schema of the database, forward and back."""

HEAD = "0004"
"""The newest revision; a database at any other is not opened."""
