"""An index for the history of one model: its newest entries are found without reading its others,
nor those of other models.
"""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the index. No entry is touched, so the chain stays as it is."""
    op.create_index("entries_by_model", "entries", ["model", "seq"])
