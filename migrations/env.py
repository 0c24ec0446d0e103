"""What Alembic runs: the migrations, on the connection migrations/run.py hands over."""

from alembic import context
from sqlmodel import SQLModel

from adapters.postgres import tables, tables_service  # noqa: F401  (fill SQLModel.metadata)

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
