"""Run the ledger's migrations, in process, on the connection (and in the transaction) that
`pipelines.ledger.sql` hands over.
"""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)

with context.begin_transaction():
    context.run_migrations()
