"""The entries, the head, and the triggers that let both only grow."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_SEQ = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_GENESIS = "0" * 64

_SQLITE = """
CREATE TRIGGER entries_no_update BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END
---
CREATE TRIGGER entries_no_delete BEFORE DELETE ON entries
BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END
---
CREATE TRIGGER entries_in_order BEFORE INSERT ON entries
WHEN NEW.seq <> (SELECT seq + 1 FROM head) OR NEW.previous <> (SELECT hash FROM head)
OR EXISTS (SELECT 1 FROM entries WHERE model = NEW.model AND kind = NEW.kind AND key = NEW.key)
BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END
---
CREATE TRIGGER head_no_delete BEFORE DELETE ON head
BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END
---
CREATE TRIGGER head_no_insert BEFORE INSERT ON head
BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END
---
CREATE TRIGGER head_onwards BEFORE UPDATE ON head WHEN NEW.seq <> OLD.seq + 1 OR NEW.id <> OLD.id
BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END
"""
# Not only UPDATE and DELETE: in SQLite, INSERT OR REPLACE deletes without firing a DELETE trigger.

_POSTGRESQL = """
CREATE FUNCTION ledger_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the ledger only grows'; END $$
---
CREATE TRIGGER entries_no_change BEFORE UPDATE OR DELETE ON entries FOR EACH ROW
EXECUTE FUNCTION ledger_only_grows()
---
CREATE TRIGGER entries_no_truncate BEFORE TRUNCATE ON entries FOR EACH STATEMENT
EXECUTE FUNCTION ledger_only_grows()
---
CREATE TRIGGER head_no_delete BEFORE DELETE ON head FOR EACH ROW
EXECUTE FUNCTION ledger_only_grows()
---
CREATE TRIGGER head_no_truncate BEFORE TRUNCATE ON head FOR EACH STATEMENT
EXECUTE FUNCTION ledger_only_grows()
---
CREATE TRIGGER head_onwards BEFORE UPDATE ON head FOR EACH ROW
WHEN (NEW.seq <> OLD.seq + 1 OR NEW.id <> OLD.id)
EXECUTE FUNCTION ledger_only_grows()
"""


def upgrade() -> None:
    """Create both tables; there is no way back, since entries are never deleted."""
    op.create_table(
        "entries",
        sa.Column("seq", _SEQ, primary_key=True, autoincrement=False),
        sa.Column("at", sa.String(40), nullable=False),
        sa.Column("model", sa.String(48), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("key", sa.String(512), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.UniqueConstraint("model", "kind", "key", name="entries_once"),
    )
    head = op.create_table(
        "head",
        sa.Column(
            "id",
            sa.Integer,
            sa.CheckConstraint("id = 1", name="head_single"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.bulk_insert(head, [{"id": 1, "seq": 0, "hash": _GENESIS}])
    triggers = {"sqlite": _SQLITE, "postgresql": _POSTGRESQL}[op.get_context().dialect.name]
    for statement in triggers.split("---"):
        op.execute(statement.strip())
