"""Fills a database with millions of inbox items in about a minute, in any mixture of states, by SQL alone.

The rows are those that deliveries and readers would have left, with correct counts. Indexes and constraints of the
large tables are dropped during the fill and created again from their definitions.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql

HEAVY = "heavy"
HEAVY_CHANGES = 1_000  # the latest versions of the heavy inbox; the latest version of each other is a change, too
FULL_ITEMS = 1_000
PRODUCER = "shop"
END = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)  # the time of the last notification; they are a second apart
FILLED = ("notifications", "inbox_items")

# UUIDv7: the time of notification n in milliseconds, and its number.
_MOMENT = "extract(epoch FROM %(end)s::timestamptz)::bigint * 1000 - (%(notifications)s - {n}) * 1000"
_ID = f"(lpad(to_hex({_MOMENT}), 12, '0') || '70008' || lpad(to_hex({{n}}), 15, '0'))::uuid"

_NOTIFICATIONS = f"""
INSERT INTO notifications (id, producer_id, content, kind, actor, severity, recipients, topic, everyone,
    created_at, delivered_at, recipient_count, enqueued, fingerprint)
SELECT id, %(producer)s,
    json_build_object('id', id, 'kind', kind, 'actor', actor, 'title', 'Your order ' || n || ' has been shipped',
        'body', 'It left our house this morning and will be with you in two days.',
        'url', 'https://shop.example/orders/' || n, 'data', json_build_object('order', n), 'severity', severity,
        'topic', topic, 'created_at', to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'expires_at', NULL)::text,
    kind, actor, severity, CASE WHEN n %% 5 > 0 THEN '["someone"]'::json END, topic, false, moment, moment, 1, 0,
    repeat('0', 64)
FROM (SELECT n, {_ID.format(n="n")} id, 'kind' || n %% 10 kind, 'actor' || n %% 1000 actor,
    (ARRAY['none', 'low', 'medium', 'high'])[1 + n %% 4] severity,
    CASE WHEN n %% 5 = 0 THEN 'topic' || n %% 100 END topic,
    %(end)s::timestamptz - make_interval(secs => %(notifications)s - n) AS moment
    FROM generate_series(1, %(notifications)s) n) said
"""

_INBOXES = """
INSERT INTO inboxes VALUES (%(heavy)s, %(heavy_items)s + %(changes)s, 0, 0, 0, %(end)s);
INSERT INTO inboxes SELECT 'other' || n, %(items_each)s + 1, 0, 0, 0, %(end)s FROM generate_series(1, %(others)s) n;
INSERT INTO inboxes SELECT 'full' || n, %(full_items)s, 0, 0, 0, %(end)s FROM generate_series(1, %(full)s) n
"""

_CHANGES = """
INSERT INTO inbox_changes SELECT %(heavy)s, %(heavy_items)s + n, 'seen', json_build_array(n), NULL, NULL, NULL,
    %(end)s::timestamptz - make_interval(secs => %(changes)s - n), 0, 0 FROM generate_series(1, %(changes)s) n;
INSERT INTO inbox_changes SELECT 'other' || n, %(items_each)s + 1, 'read', NULL, 1, NULL, NULL,
    %(end)s::timestamptz - make_interval(secs => n), 0, 0 FROM generate_series(1, %(others)s) n
"""

_ITEMS = f"""
INSERT INTO inbox_items (recipient_id, seq, version, notification_id, seen_at, read_at, archived_at, kind, topic,
    severity, actor)
SELECT recipient, seq, seq, {_ID.format(n="n")}, CASE WHEN state <> 'unseen' THEN %(end)s::timestamptz END,
    CASE WHEN state IN ('read', 'archived') THEN %(end)s::timestamptz END,
    CASE WHEN state = 'archived' THEN %(end)s::timestamptz END,
    'kind' || n %% 10, CASE WHEN n %% 5 = 0 THEN 'topic' || n %% 100 END,
    (ARRAY['none', 'low', 'medium', 'high'])[1 + n %% 4], 'actor' || n %% 1000
FROM ({{items}}) item
"""

_HEAVY_ITEMS = "SELECT %(heavy)s recipient, seq, seq n, {state} state FROM generate_series(1, %(heavy_items)s) seq"
_OTHER_ITEMS = """
SELECT 'other' || r recipient, seq,
    CASE seq WHEN 1 THEN 1 ELSE (r * 37 + seq * 1009) %% (%(notifications)s - 1) + 2 END n,
    CASE WHEN seq > %(items_each)s - 2 THEN 'unseen' ELSE 'read' END state
FROM generate_series(1, %(others)s) r, generate_series(1, %(items_each)s) seq
"""

_FULL_ITEMS = """
SELECT 'full' || r recipient, seq, (r * 37 + seq * 7) %% (%(notifications)s - 1) + 2 n, 'unseen' state
FROM generate_series(1, %(full)s) r, generate_series(1, %(full_items)s) seq
"""

_COUNTS = """
UPDATE inboxes SET unread = counted.unread, unseen = counted.unseen FROM (
    SELECT recipient_id, count(*) FILTER (WHERE read_at IS NULL) unread, count(*) FILTER (WHERE seen_at IS NULL) unseen
    FROM inbox_items GROUP BY recipient_id) counted
WHERE inboxes.recipient_id = counted.recipient_id
"""


@dataclass(frozen=True)
class Mixture:
    """How many rows of each sort; `heavy_state` is an SQL expression for the state of the heavy recipient's item `seq`.

    The first notification was sent to everyone; the last two items of the other recipients are unseen.
    """

    heavy_items: int
    heavy_state: str
    others: int
    items_each: int
    full: int = 0  # recipients with a thousand unread items each

    @property
    def parameters(self) -> dict[str, Any]:
        return {
            "heavy": HEAVY,
            "heavy_items": self.heavy_items,
            "others": self.others,
            "items_each": self.items_each,
            "notifications": self.heavy_items,
            "producer": PRODUCER,
            "full": self.full,
            "full_items": FULL_ITEMS,
            "changes": HEAVY_CHANGES,
            "end": END,
        }


def fill(url: str, mixture: Mixture) -> None:
    """Fill a migrated, empty PostgreSQL database. The user must be a superuser."""
    with psycopg.connect(url, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute("SET synchronous_commit = off")
        connection.execute("SET maintenance_work_mem = '512MB'")
        connection.execute("SET session_replication_role = replica")  # foreign keys are correct by construction
        with _without_indices(connection):
            heavy_items = _HEAVY_ITEMS.format(state=mixture.heavy_state)
            items = (_ITEMS.format(items=one) for one in (heavy_items, _OTHER_ITEMS, _FULL_ITEMS))
            for statement in (_NOTIFICATIONS, _INBOXES, _CHANGES, *items):
                connection.execute(statement.encode(), mixture.parameters)
        connection.execute(_COUNTS)
        connection.execute("VACUUM (ANALYZE)")


@contextmanager
def _without_indices(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Drop the indexes of the large tables for the fill; keep the keys that others refer to."""
    found = connection.execute(
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conrelid = ANY(%s::regclass[]) AND contype IN ('p', 'u')"
        " AND NOT EXISTS (SELECT FROM pg_constraint f WHERE f.contype = 'f' AND f.conindid = pg_constraint.conindid)",
        [list(FILLED)],
    ).fetchall()
    for table, name, _ in found:
        drop = sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(sql.Identifier(table), sql.Identifier(name))
        connection.execute(drop)
    indices = connection.execute(
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index"
        " WHERE indrelid = ANY(%s::regclass[]) AND NOT EXISTS"
        " (SELECT FROM pg_constraint WHERE conindid = indexrelid)",
        [list(FILLED)],
    ).fetchall()
    for name, _ in indices:
        connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
    yield
    for table, name, definition in found:
        head = sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} ").format(sql.Identifier(table), sql.Identifier(name))
        connection.execute(head + sql.SQL(definition))
    for _, definition in indices:
        connection.execute(definition)
