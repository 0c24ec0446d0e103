"""PostgreSQL with pgvector: the only store of record."""
