"""Publishing notifications, reading what became of them, and cancelling them."""

import hashlib
import json
import time
from typing import Literal
from uuid import UUID

from api.framework.cursors import PUBLISHED
from api.framework.endpoint import RequestContext, Response, endpoint
from api.framework.headers import LINK, LOCATION, link_to_next
from api.framework.problems import DELIVERY_UNDER_WAY, IDEMPOTENCY_KEY_REUSED, INVALID_CURSOR, NOT_FOUND, Problem
from api.schemas.fields import NotificationId
from api.schemas.publishing_responses import NotificationAccepted, NotificationsAccepted, PublishedInFull, PublishedPage
from api.schemas.requests import Batch, HistoryQuery, Notification
from auth.scopes import NOTIFY
from models.notifications import accept, cancel, published
from models.notifications.accept import NewNotification

WRITERS_SECONDS = 2.0  # a chunk of a fan-out takes 0.1 s to write, and waits for a lock for 0.5 s at most
WRITERS_POLL_SECONDS = 0.02


@endpoint(
    "POST",
    "/v1/notifications",
    scope=NOTIFY,
    responses={202: NotificationAccepted},
    problems=(IDEMPOTENCY_KEY_REUSED,),
    keyed=True,
    headers=(LOCATION,),
)
def notify(context: RequestContext, body: Notification) -> Response:
    """Publish a notification to recipients, to the subscribers of a topic, or to everyone."""
    new = _new(context, body, key=context.idempotency_key)
    accepted = NotificationAccepted(id=str(context.publisher.publish(new)), status=_status(context, new))
    return Response(accepted, headers={"Location": f"/v1/notifications/{accepted.id}"})


@endpoint(
    "POST",
    "/v1/notifications/batch",
    scope=NOTIFY,
    responses={202: NotificationsAccepted},
    problems=(IDEMPOTENCY_KEY_REUSED,),
    keyed=True,
)
def notify_many(context: RequestContext, body: Batch) -> Response:
    """Publish up to 1,000 notifications, all or none, in their order.

    A notification that waits, for a retry or for a locked inbox, delays the later ones of the batch that share a
    recipient with it, until it is delivered or parked. It delays no others. A scheduled one does so from its time on.
    A notification for a topic or for everyone shares a recipient with those that name a member of its audience, and
    with every other one for a topic or for everyone.

    Errors name the place in the batch, such as `notifications.3.title`. An Idempotency-Key covers the whole batch: the
    same batch returns the same ids, and another batch is refused. The key is separate from those of
    `POST /v1/notifications`, where the same key may be used for something else.
    """
    digest = hashlib.sha256(json.dumps(body.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()
    keys = _keys_of_batch(context.idempotency_key, len(body.notifications))
    new = [_new(context, one, key, batch=digest) for one, key in zip(body.notifications, keys, strict=True)]
    ids = context.publisher.publish_all(new, context.now)
    accepted = [
        NotificationAccepted(id=str(id_), status=_status(context, one)) for id_, one in zip(ids, new, strict=True)
    ]
    return Response(NotificationsAccepted(notifications=accepted))


@endpoint(
    "GET",
    "/v1/notifications",
    scope=NOTIFY,
    responses={200: PublishedPage},
    problems=(INVALID_CURSOR,),
    headers=(LINK,),
)
def read_published(context: RequestContext, query: HistoryQuery) -> Response:
    """The caller's own notifications, newest first; filters combine."""
    before = PUBLISHED.place(context.caller, query.cursor)
    filters = query.model_dump(exclude={"cursor"})
    with context.database.snapshot() as conn:
        page = published.page(conn, context.caller, now=context.now, before=before, **filters)
    next_cursor = None if page.next_before is None else PUBLISHED.cursor(context.caller, page.next_before)
    body = {"notifications": page.notifications, "next_cursor": next_cursor}
    return Response(body, headers=link_to_next("/v1/notifications", query, next_cursor))


@endpoint("GET", "/v1/notifications/{notification_id}", scope=NOTIFY, responses={200: PublishedInFull})
def read_one_published(context: RequestContext, notification_id: NotificationId) -> Response:
    """One of the caller's notifications: its status, and how many recipients received, saw and read it."""
    with context.database.snapshot() as conn:
        found = published.one(conn, context.caller, notification_id, context.now)
    if found is None:
        raise Problem(NOT_FOUND)
    return Response(found)


@endpoint(
    "DELETE",
    "/v1/notifications/{notification_id}",
    scope=NOTIFY,
    responses={204: None},
    problems=(DELIVERY_UNDER_WAY,),
)
def cancel_notification(context: RequestContext, notification_id: NotificationId) -> Response:
    """Cancel a notification: it is delivered to nobody else and recalled from every inbox that has it.

    After the `204` it arrives in no further inbox; the request waits for transactions that are writing it. (Their
    announcements may reach a socket later. Clients apply changes by version, so the order does no harm.) It leaves the
    inboxes that have it within 5 seconds while database, broker and workers are available, otherwise as soon as they
    are. If many thousands have it, it leaves the first of them within 5 seconds.

    After `503` with `delivery_under_way` it is cancelled too, but a part of its delivery has not ended. Repeat the
    request to wait for that. Repeating it is safe.
    """
    with context.database.transaction() as conn:
        found = cancel.cancel(conn, context.caller, notification_id, context.now)
    if not found:
        raise Problem(NOT_FOUND)
    has_ended = _wait_for_writers(context, notification_id)
    context.enqueuer.withdraw(notification_id)
    if not has_ended:
        raise Problem(DELIVERY_UNDER_WAY)
    return Response()


def _wait_for_writers(context: RequestContext, notification_id: UUID) -> bool:
    """Wait until no transaction writes items of it, holding no connection. False: it took too long."""
    deadline = time.monotonic() + WRITERS_SECONDS
    while True:
        with context.database.autocommit_write() as conn:
            if not cancel.is_being_written(conn, notification_id):
                return True
        if time.monotonic() > deadline:
            return False
        time.sleep(WRITERS_POLL_SECONDS)


def _status(context: RequestContext, new: NewNotification) -> Literal["accepted", "scheduled"]:
    return "accepted" if accept.is_due(new, context.now) else "scheduled"


def _keys_of_batch(key: str | None, size: int) -> list[str | None]:
    """A key for each place in the batch. Its space keeps it distinct from the keys of single notifications."""
    if key is None:
        return [None] * size
    hashed = hashlib.sha256(key.encode()).hexdigest()
    return [f"batch {hashed} {place}" for place in range(size)]


def _new(context: RequestContext, body: Notification, key: str | None, batch: str | None = None) -> NewNotification:
    return NewNotification(
        producer_id=context.caller,
        kind=body.kind,
        title=body.title,
        body=body.body,
        url=body.url,
        data=body.data,
        actor=body.actor,
        severity=body.severity,
        recipients=None if body.recipients is None else tuple(body.recipients),
        topic=body.topic,
        everyone=body.everyone is True,
        expires_at=body.expires_at,
        deliver_at=body.deliver_at,
        idempotency_key=key,
        batch=batch,
    )
