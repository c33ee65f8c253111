"""Store the content of a notification as rendered JSON.

Processes of the previous version cannot accept or read notifications on this schema. Replace them at once.
"""

import json
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BATCH = 1_000
Moment = sa.DateTime(timezone=True)
SHOWN: dict[str, sa.types.TypeEngine[Any]] = {
    "id": sa.Uuid(),
    "kind": sa.String(),
    "actor": sa.String(),
    "title": sa.Text(),
    "body": sa.Text(),
    "url": sa.String(2_048),
    "data": sa.JSON(none_as_null=True),
    "severity": sa.String(),
    "topic": sa.String(),
    "created_at": Moment,
    "expires_at": Moment,
}
NOW_INSIDE = ("title", "body", "url", "data")

notifications = sa.table(
    "notifications", *(sa.column(name, type_) for name, type_ in SHOWN.items()), sa.column("content", sa.Text())
)


def upgrade() -> None:
    op.add_column("notifications", sa.Column("content", sa.Text()))
    _each(lambda row: {"content": _rendered(row)}, *SHOWN)
    with op.batch_alter_table("notifications") as table:
        table.alter_column("content", existing_type=sa.Text(), nullable=False)
        for name in NOW_INSIDE:
            table.drop_column(name)


def downgrade() -> None:
    for name in NOW_INSIDE:
        op.add_column("notifications", sa.Column(name, SHOWN[name]))
    _each(lambda row: {name: json.loads(row["content"])[name] for name in NOW_INSIDE}, "id", "content")
    with op.batch_alter_table("notifications") as table:
        table.alter_column("title", existing_type=sa.Text(), nullable=False)
        table.drop_column("content")


def _each(change: Any, *names: str) -> None:
    """Update the columns of each row to the values that `change` returns for it."""
    bind = op.get_bind()
    last: Any = None
    while True:
        some = sa.select(*(notifications.c[name] for name in names)).order_by(notifications.c.id).limit(BATCH)
        rows = bind.execute(some if last is None else some.where(notifications.c.id > last)).mappings().all()
        if not rows:
            return
        last = rows[-1]["id"]
        changed = [{"row_id": row["id"], **change(row)} for row in rows]
        values = {name: sa.bindparam(name, type_=notifications.c[name].type) for name in changed[0] if name != "row_id"}
        own = notifications.c.id == sa.bindparam("row_id", type_=sa.Uuid())
        bind.execute(sa.update(notifications).where(own).values(values), changed)


def _rendered(row: Any) -> str:
    shown = {**row, "id": str(row["id"]), **{name: _time(row[name]) for name in ("created_at", "expires_at")}}
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":"))


def _time(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    utc = moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
    return utc.isoformat(timespec="microseconds") + "Z"
