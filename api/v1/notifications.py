"""What producers publish, and what became of it."""

import hashlib
import json
import time
from typing import Literal
from uuid import UUID

from api.framework.cursors import PUBLISHED
from api.framework.endpoint import Answer, Call, endpoint
from api.framework.headers import LINK, LOCATION, link_to_next
from api.framework.problems import DELIVERY_UNDER_WAY, IDEMPOTENCY_KEY_REUSED, INVALID_CURSOR, NOT_FOUND, Problem
from api.schemas.fields import NotificationId
from api.schemas.publishing_responses import NotificationAccepted, NotificationsAccepted, PublishedInFull, PublishedPage
from api.schemas.requests import Batch, HistoryQuery, Notification
from auth.scopes import NOTIFY
from models.notifications import accept, cancel, published
from models.notifications.accept import NewNotification

WRITERS_SECONDS = 2.0  # a chunk of a fan-out is written in a tenth of a second; its lock waits end after half a second
WRITERS_LOOK_EVERY_SECONDS = 0.02


@endpoint(
    "POST",
    "/v1/notifications",
    scope=NOTIFY,
    answers={202: NotificationAccepted},
    problems=(IDEMPOTENCY_KEY_REUSED,),
    keyed=True,
    headers=(LOCATION,),
)
def notify(call: Call, body: Notification) -> Answer:
    """Publish a notification to recipients, to the subscribers of a topic, or to everyone."""
    new = _new(call, body, key=call.idempotency_key)
    accepted = NotificationAccepted(id=str(call.acceptor.accept(new)), status=_status(call, new))
    return Answer(accepted, headers={"Location": f"/v1/notifications/{accepted.id}"})


@endpoint(
    "POST",
    "/v1/notifications/batch",
    scope=NOTIFY,
    answers={202: NotificationsAccepted},
    problems=(IDEMPOTENCY_KEY_REUSED,),
    keyed=True,
)
def notify_many(call: Call, body: Batch) -> Answer:
    """Publish up to 1,000 notifications, all or none; they keep their order.

    One that waits (for another attempt, or for an inbox that is in use) holds back those after it in the batch that
    share a recipient with it, until it is delivered or parked, and no others. A scheduled one does so from its time on.
    A notification for a topic or for everyone shares a recipient with those that name a member of its audience, and
    with every other one for a topic or for everyone.

    What is wrong with one of them is named by its place, such as `notifications.3.title`. An Idempotency-Key covers
    the whole batch: the same batch again answers the same ids, and any other batch is refused. It is no key of
    `POST /v1/notifications`: the same key may be used there for something else.
    """
    whole = hashlib.sha256(json.dumps(body.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()
    keys = _keys_of_batch(call.idempotency_key, len(body.notifications))
    new = [_new(call, one, key, batch=whole) for one, key in zip(body.notifications, keys, strict=True)]
    with call.database.write() as session:
        ids = accept.accept(session, new, call.now)
    due = [id_ for id_, one in zip(ids, new, strict=True) if accept.is_due(one, call.now)]
    if due:
        call.enqueuer.deliver(due)
    accepted = [NotificationAccepted(id=str(id_), status=_status(call, one)) for id_, one in zip(ids, new, strict=True)]
    return Answer(NotificationsAccepted(notifications=accepted))


@endpoint(
    "GET",
    "/v1/notifications",
    scope=NOTIFY,
    answers={200: PublishedPage},
    problems=(INVALID_CURSOR,),
    headers=(LINK,),
)
def read_published(call: Call, query: HistoryQuery) -> Answer:
    """The caller's own notifications, newest first; filters combine."""
    before = PUBLISHED.place(call.caller, query.cursor)
    filters = query.model_dump(exclude={"cursor"})
    with call.database.read() as session:
        page = published.page(session, call.caller, now=call.now, before=before, **filters)
    next_cursor = None if page.next_before is None else PUBLISHED.cursor(call.caller, page.next_before)
    body = {"notifications": page.notifications, "next_cursor": next_cursor}
    return Answer(body, headers=link_to_next("/v1/notifications", query, next_cursor))


@endpoint("GET", "/v1/notifications/{notification_id}", scope=NOTIFY, answers={200: PublishedInFull})
def read_one_published(call: Call, notification_id: NotificationId) -> Answer:
    """One of the caller's notifications: where it stands, whom it reached, and how many of them saw and read it."""
    with call.database.read() as session:
        found = published.one(session, call.caller, notification_id, call.now)
    if found is None:
        raise Problem(NOT_FOUND)
    return Answer(found)


@endpoint(
    "DELETE",
    "/v1/notifications/{notification_id}",
    scope=NOTIFY,
    answers={204: None},
    problems=(DELIVERY_UNDER_WAY,),
)
def withdraw(call: Call, notification_id: NotificationId) -> Answer:
    """Cancel a notification: it is delivered to nobody else, and recalled from every inbox that has it.

    After the `204` it arrives in no inbox any more; what was being written at that moment is waited for. (An
    announcement of that may reach a socket later. Clients apply changes by version, so the order does no harm.) It
    leaves the inboxes that have it within 5 seconds while database, broker and workers do well, and otherwise as soon
    as they do; where many thousands have it, within 5 seconds the first of them.

    After `503` with `delivery_under_way` it is cancelled too, but a part of its delivery had not ended; repeat the
    request to wait for it. Doing it again changes nothing.
    """
    with call.database.write() as session:
        found = cancel.cancel(session, call.caller, notification_id, call.now)
    if not found:
        raise Problem(NOT_FOUND)
    is_over = _wait_for_writers(call, notification_id)
    call.enqueuer.withdraw(notification_id)
    if not is_over:
        raise Problem(DELIVERY_UNDER_WAY)
    return Answer()


def _wait_for_writers(call: Call, notification_id: UUID) -> bool:
    """Wait, without a connection, until nobody writes items of it; False when that takes too long."""
    deadline = time.monotonic() + WRITERS_SECONDS
    while True:
        with call.database.write_at_once() as session:
            if not cancel.is_being_written(session, notification_id):
                return True
        if time.monotonic() > deadline:
            return False
        time.sleep(WRITERS_LOOK_EVERY_SECONDS)


def _status(call: Call, new: NewNotification) -> Literal["accepted", "scheduled"]:
    return "accepted" if accept.is_due(new, call.now) else "scheduled"


def _keys_of_batch(key: str | None, size: int) -> list[str | None]:
    """One for each place; the space in it keeps it from being the key of a single notification."""
    if key is None:
        return [None] * size
    hashed = hashlib.sha256(key.encode()).hexdigest()
    return [f"batch {hashed} {place}" for place in range(size)]


def _new(call: Call, said: Notification, key: str | None, batch: str | None = None) -> NewNotification:
    return NewNotification(
        producer_id=call.caller,
        kind=said.kind,
        title=said.title,
        body=said.body,
        url=said.url,
        data=said.data,
        actor=said.actor,
        severity=said.severity,
        recipients=None if said.recipients is None else tuple(said.recipients),
        topic=said.topic,
        everyone=said.everyone is True,
        expires_at=said.expires_at,
        deliver_at=said.deliver_at,
        idempotency_key=key,
        batch=batch,
    )
