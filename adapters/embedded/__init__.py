"""What runs with no server and no key: a PostgreSQL of our own, a small embedder, extractive answers."""
