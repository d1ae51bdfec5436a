"""Alembic runs the versions on the connection that `database.migrate` opened, inside its transaction."""

from alembic import context

from dagster_project.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, include_schemas=True)
context.run_migrations()
