"""Widen topics to 260 characters, for `user:` and an id of 255 characters.

PostgreSQL changes only its catalogue and rewrites no table. It would rebuild the partial index ix_inbox_items_topic
while the largest table is locked; so the index is dropped before and created afterwards, both concurrently. Meanwhile
filtering an inbox by topic is slow. The downgrade rewrites each table under a lock.

SQLite does not enforce lengths. The previous version works on this schema. On PostgreSQL its running processes may
answer 500 ("cached plan must not change result type") until they are restarted.
"""

import sqlalchemy as sa
from alembic import op

from migrations.indexes import add_index, drop_index
from migrations.locks import alter_in_use

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TABLES = ("notifications", "inbox_items", "inbox_changes", "subscriptions")
INDEX = "ix_inbox_items_topic"
INDEXED = ["recipient_id", "topic", "state", "seq"]
LENGTH = "SELECT atttypmod - 4 FROM pg_attribute WHERE attrelid = CAST(:table AS regclass) AND attname = 'topic'"
HAS_INDEX = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:index)"
TOO_LONG = "SELECT EXISTS (SELECT FROM {table} WHERE length(topic) > 255)"


def upgrade() -> None:
    _set_length(260)


def downgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        return
    for table in TABLES:
        if _found(TOO_LONG.format(table=table)):
            raise RuntimeError(f"{table} has topics of more than 255 characters: delete them first")
    _set_length(255)


def _set_length(length: int) -> None:
    """Each step is committed separately, and skipped if it is already done."""
    if op.get_context().dialect.name == "sqlite":
        return
    for table in TABLES:
        if _found(LENGTH, table=table) == length:
            continue
        if table == "inbox_items":
            drop_index(INDEX)
        alter_in_use(table, f'ALTER TABLE {table} ALTER COLUMN topic TYPE VARCHAR({length}) COLLATE "C"')
    if not _found(HAS_INDEX, index=INDEX):
        add_index(INDEX, "inbox_items", INDEXED, "topic IS NOT NULL")


def _found(query: str, **parameters: str) -> int | None:
    """None for `alembic upgrade --sql`, which writes all statements without executing any."""
    if op.get_context().as_sql:
        return None
    found: int | None = op.get_bind().scalar(sa.text(query), parameters)
    return found
