"""The caller's own inbox: reading it, following its changes, and changing it. Other inboxes cannot be named."""

from hashlib import sha256
from typing import Any

from werkzeug.http import parse_etags

from api.framework.cursors import INBOX_ITEMS
from api.framework.endpoint import CACHING, RequestContext, Response, endpoint
from api.framework.headers import ETAG, LINK, link_to_next
from api.framework.problems import INVALID_CURSOR, NOT_FOUND, RESYNC_REQUIRED, Problem
from api.schemas.fields import Seq
from api.schemas.inbox_responses import Changes, InboxPage, Item, Marked, Summary
from api.schemas.requests import ChangesQuery, InboxQuery, ItemPatch, Mark
from auth.scopes import INBOX
from lib.rendering.rendered_json import Json
from models.inbox import marking, reading

NO_SUCH_ITEM = "There is no such item in the caller's inbox."


@endpoint("GET", "/v1/inbox", scope=INBOX, responses={200: InboxPage}, problems=(INVALID_CURSOR,), headers=(LINK,))
def read_inbox(context: RequestContext, query: InboxQuery) -> Response:
    """Items, newest first. Without `state`: all that are not archived. Filters combine."""
    before = INBOX_ITEMS.place(context.caller, query.cursor)
    filters = query.model_dump(exclude={"cursor"})
    with context.database.autocommit() as conn:
        page = reading.page(conn, context.caller, before=before, **filters)
    _open_if_new(context, page.summary)
    next_cursor = None if page.next_before is None else INBOX_ITEMS.cursor(context.caller, page.next_before)
    body = {"next_cursor": next_cursor, **_counts(page.summary)}
    headers = link_to_next("/v1/inbox", query, next_cursor)
    return Response(body, headers=headers, lists={"items": page.items})


@endpoint("GET", "/v1/inbox/summary", scope=INBOX, responses={200: Summary, 304: None}, headers=(ETAG,))
def read_summary(context: RequestContext) -> Response:
    """The counts at the current version."""
    with context.database.autocommit() as conn:
        summary = reading.current_summary(conn, context.caller)
    _open_if_new(context, summary)
    tag = f"{summary.epoch}.{_owner_tag(context.caller)}.{summary.version}"
    headers = {"ETag": f'"{tag}"', **CACHING}
    if parse_etags(context.headers.get("If-None-Match")).contains_weak(tag):
        return Response(None, 304, headers)
    return Response(_counts(summary), 200, headers)


@endpoint("GET", "/v1/inbox/changes", scope=INBOX, responses={200: Changes}, problems=(RESYNC_REQUIRED,))
def read_changes(context: RequestContext, query: ChangesQuery) -> Response:
    """All changes after version `since`, oldest first. While `more` is true, repeat with `since` = `version`."""
    with context.database.autocommit() as conn:
        found = reading.changes(conn, context.caller, query.since, query.limit)
    if query.epoch not in (None, str(found.summary.epoch)):
        raise Problem(RESYNC_REQUIRED)
    _open_if_new(context, found.summary)
    body = {**_counts(found.summary), "version": found.version, "more": found.more}
    return Response(body, lists={"changes": found.changes})


@endpoint("GET", "/v1/inbox/{seq}", scope=INBOX, responses={200: Item})
def read_item(context: RequestContext, seq: Seq) -> Response:
    """One item."""
    with context.database.autocommit() as conn:
        return Response(_existing(reading.item(conn, context.caller, seq)))


@endpoint("PATCH", "/v1/inbox/{seq}", scope=INBOX, responses={200: Item})
def change_item(context: RequestContext, seq: Seq, body: ItemPatch) -> Response:
    """Set the state of one item. A state that it has already changes nothing and takes no version."""
    with context.database.transaction() as conn:
        versions = marking.set_state(conn, context.caller, seq, now=context.now, **body.model_dump())
        item = reading.item(conn, context.caller, seq)
    _announce(context, versions or [])
    return Response(_existing(item))


@endpoint("DELETE", "/v1/inbox/{seq}", scope=INBOX, responses={204: None})
def delete_item(context: RequestContext, seq: Seq) -> Response:
    """Delete one item from the inbox."""
    with context.database.transaction() as conn:
        version = marking.delete_item(conn, context.caller, seq, now=context.now)
    if version is None:
        raise Problem(NOT_FOUND, NO_SUCH_ITEM)
    _announce(context, [version])
    return Response()


@endpoint("POST", "/v1/inbox/read", scope=INBOX, responses={200: Marked})
def mark_read(context: RequestContext, body: Mark) -> Response:
    """Mark items as read, which also marks them as seen."""
    return _mark(context, body, "read")


@endpoint("POST", "/v1/inbox/seen", scope=INBOX, responses={200: Marked})
def mark_seen(context: RequestContext, body: Mark) -> Response:
    """Mark items as seen."""
    return _mark(context, body, "seen")


@endpoint("POST", "/v1/inbox/archive", scope=INBOX, responses={200: Marked})
def mark_archived(context: RequestContext, body: Mark) -> Response:
    """Archive items, which also marks them as read."""
    return _mark(context, body, "archived")


def _mark(context: RequestContext, body: Mark, state: str) -> Response:
    with context.database.transaction() as conn:
        marked = marking.mark(conn, context.caller, state, marking.Selection(**body.model_dump()), now=context.now)
    _announce(context, [] if marked.version is None else [marked.version])
    summary = marked.summary
    return Response(
        Marked(changed=marked.changed, version=summary.version, unread=summary.unread, unseen=summary.unseen)
    )


def _announce(context: RequestContext, versions: list[int]) -> None:
    """Enqueue the announcement to the caller's devices; call it after the commit."""
    if versions:
        context.enqueuer.announce(context.caller, versions)


def _open_if_new(context: RequestContext, shown: reading.Summary) -> None:
    """Create the inbox at the first read, so that `everyone` includes the caller from now on.

    The response shows the state before. The client asks for later changes, whose versions it lacks.
    """
    if isinstance(shown, reading.NeverOpened):
        with context.database.autocommit_write() as conn:
            reading.open_inbox(conn, context.caller, context.now)


def _owner_tag(caller: str) -> str:
    """Makes an ETag the owner's own: users who share a browser share its cache."""
    return sha256(caller.encode()).hexdigest()[:16]


def _existing(item: Json | None) -> Json:
    if item is None:
        raise Problem(NOT_FOUND, NO_SUCH_ITEM)
    return item


def _counts(summary: reading.Summary) -> dict[str, Any]:
    return {**vars(summary), "epoch": str(summary.epoch)}
