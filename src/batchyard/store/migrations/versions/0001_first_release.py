"""The schema of the first release.

Until the first release is tagged this migration follows tables.py; from then on it is frozen and each change of
tables.py brings a migration of its own.
"""

from alembic import op

from batchyard.store.tables import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table and index."""
    metadata.create_all(op.get_bind())
