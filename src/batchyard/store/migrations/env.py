"""Alembic's entry: the connection comes from `batchyard.store.migrations.upgrade`."""

from alembic import context

from batchyard.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
