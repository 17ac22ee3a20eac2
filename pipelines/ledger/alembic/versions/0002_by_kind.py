"""An index for the question that is asked most, who is champion.

And on PostgreSQL the triggers that SQLite has had from the start.

A model's newest entry of a kind is found without reading its other ones: entries only grow, and so
would every answer's time.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

_POSTGRESQL = """
CREATE FUNCTION ledger_in_order() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
IF NOT EXISTS (SELECT 1 FROM head WHERE head.seq + 1 = NEW.seq AND head.hash = NEW.previous)
THEN RAISE EXCEPTION 'the ledger only grows'; END IF;
RETURN NEW; END $$
---
CREATE TRIGGER entries_in_order BEFORE INSERT ON entries FOR EACH ROW
EXECUTE FUNCTION ledger_in_order()
---
CREATE TRIGGER head_no_insert BEFORE INSERT ON head FOR EACH ROW
EXECUTE FUNCTION ledger_only_grows()
"""


def upgrade() -> None:
    """Add the index, and the triggers where they are missing.

    No entry is touched, so the chain stays as it is.
    """
    op.create_index("entries_by_kind", "entries", ["model", "kind", "seq"])
    if op.get_context().dialect.name == "postgresql":
        for statement in _POSTGRESQL.split("---"):
            op.execute(statement.strip())
