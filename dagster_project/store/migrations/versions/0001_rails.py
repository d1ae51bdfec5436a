"""The first tables of the hub.

They are taken from the declarations as they are now; a later version that changes a table freezes this one
by writing out the tables as they were, so that old and new homes arrive at the same place.
"""

from alembic import op
from sqlalchemy.schema import CreateSchema, DropSchema

from dagster_project.store.people.tables import VIEWS
from dagster_project.store.schema import SCHEMAS
from dagster_project.store.tables import metadata

revision = "0001_rails"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    for schema in SCHEMAS:
        op.execute(CreateSchema(schema, if_not_exists=True))
    metadata.create_all(op.get_bind(), checkfirst=False)
    for name, query in VIEWS.items():
        op.execute(f"create view {name} as {query}")


def downgrade() -> None:
    for schema in SCHEMAS:
        op.execute(DropSchema(schema, cascade=True, if_exists=True))
