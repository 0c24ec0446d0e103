"""All events of a moment are accepted by one call.

Revision: 0004
"""

from migrations.scripts import read_script, run_script

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BACK = """
drop function frontdesk_accept, frontdesk_store, frontdesk_refused, frontdesk_job;
drop type frontdesk_event, frontdesk_outcome;
drop function frontdesk_lock, frontdesk_concerned, frontdesk_interrupt, frontdesk_known;
"""


def upgrade() -> None:
    """Put the functions for many events in the place of those for one."""
    run_script(read_script("0004_accept.sql"))


def downgrade() -> None:
    """Bring those for one event back."""
    run_script(BACK)
    run_script(read_script("0003_accept.sql"))
