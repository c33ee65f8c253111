"""Revoked tokens: all tokens of a user that were issued before a certain time."""

from datetime import datetime, timedelta

from sqlalchemy import select

from lib.token_keys import TOKEN_LIFETIME_MAX
from models.db.database import Connection
from models.db.insert import insert_into
from models.schema.revocations import revocations

KEPT = TOKEN_LIFETIME_MAX + timedelta(days=1)  # an issuer's clock may be ahead of ours


def revoke(conn: Connection, user_id: str, now: datetime) -> None:
    """Refuse this user's tokens issued before `now`; an earlier `now` than the stored one changes nothing."""
    insert = insert_into(conn, revocations).values(user_id=user_id, revoked_before=now)
    conn.execute(
        insert.on_conflict_do_update(
            index_elements=[revocations.c.user_id],
            set_={"revoked_before": insert.excluded.revoked_before},
            where=revocations.c.revoked_before < insert.excluded.revoked_before,
        )
    )


def all_revocations(conn: Connection, since: datetime | None = None) -> dict[str, datetime]:
    """For each user, the time before which tokens are refused; with `since`, only the times at or after it."""
    query = select(revocations.c.user_id, revocations.c.revoked_before)
    if since is not None:
        query = query.where(revocations.c.revoked_before >= since)
    return {user_id: revoked_before for user_id, revoked_before in conn.execute(query)}
