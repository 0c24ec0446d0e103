"""What the revisions share: scripts of SQL with functions in them."""

from pathlib import Path
from typing import Any

from alembic import op
from sqlalchemy.util import await_only


def read_script(name: str) -> str:
    """Return the script NAME of the folder sql."""
    return (Path(__file__).parent / "sql" / name).read_text(encoding="utf-8")


def run_script(script: str) -> None:
    """Run many statements at once, function bodies included, which a prepared statement cannot."""
    op.execute("select 1")  # opens the transaction that what follows runs in
    driver: Any = op.get_bind().connection.driver_connection
    await_only(driver.execute(script))
