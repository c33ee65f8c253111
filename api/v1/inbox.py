"""The caller's own inbox: reading it, following its changes, changing it. Nobody can name another's."""

from hashlib import sha256
from typing import Any

from werkzeug.http import parse_etags

from api.framework.cursors import INBOX_ITEMS
from api.framework.endpoint import CACHING, Answer, Call, endpoint
from api.framework.headers import ETAG, LINK, link_to_next
from api.framework.problems import INVALID_CURSOR, NOT_FOUND, RESYNC_REQUIRED, Problem
from api.schemas.fields import Seq
from api.schemas.inbox_responses import Changes, InboxPage, Item, Marked, Summary
from api.schemas.requests import ChangesQuery, InboxQuery, ItemPatch, Mark
from auth.scopes import INBOX
from models.inbox import marking, reading
from models.inbox.rendering import Json

NO_SUCH_ITEM = "There is no such item in the caller's inbox."


@endpoint("GET", "/v1/inbox", scope=INBOX, answers={200: InboxPage}, problems=(INVALID_CURSOR,), headers=(LINK,))
def read_inbox(call: Call, query: InboxQuery) -> Answer:
    """Items newest first, all that are not archived unless `state` says otherwise; filters combine."""
    before = INBOX_ITEMS.place(call.caller, query.cursor)
    filters = query.model_dump(exclude={"cursor"})
    with call.database.glance() as session:
        page = reading.page(session, call.caller, before=before, **filters)
    _make_known(call, page.summary)
    next_cursor = None if page.next_before is None else INBOX_ITEMS.cursor(call.caller, page.next_before)
    body = {"next_cursor": next_cursor, **_counts(page.summary)}
    headers = link_to_next("/v1/inbox", query, next_cursor)
    return Answer(body, headers=headers, lists={"items": page.items})


@endpoint("GET", "/v1/inbox/summary", scope=INBOX, answers={200: Summary, 304: None}, headers=(ETAG,))
def read_summary(call: Call) -> Answer:
    """The counts at the present version."""
    with call.database.glance() as session:
        summary = reading.current_summary(session, call.caller)
    _make_known(call, summary)
    tag = f"{summary.epoch}.{_whose(call.caller)}.{summary.version}"
    headers = {"ETag": f'"{tag}"', **CACHING}
    if parse_etags(call.headers.get("If-None-Match")).contains_weak(tag):
        return Answer(None, 304, headers)
    return Answer(_counts(summary), 200, headers)


@endpoint("GET", "/v1/inbox/changes", scope=INBOX, answers={200: Changes}, problems=(RESYNC_REQUIRED,))
def read_changes(call: Call, query: ChangesQuery) -> Answer:
    """All that happened after version `since`, oldest first; ask again from `version` while there is `more`."""
    with call.database.glance() as session:
        found = reading.changes(session, call.caller, query.since, query.limit)
    if query.epoch not in (None, str(found.summary.epoch)):
        raise Problem(RESYNC_REQUIRED)
    _make_known(call, found.summary)
    body = {**_counts(found.summary), "version": found.version, "more": found.more}
    return Answer(body, lists={"changes": found.changes})


@endpoint("GET", "/v1/inbox/{seq}", scope=INBOX, answers={200: Item})
def read_item(call: Call, seq: Seq) -> Answer:
    """One item."""
    with call.database.glance() as session:
        return Answer(_existing(reading.item(session, call.caller, seq)))


@endpoint("PATCH", "/v1/inbox/{seq}", scope=INBOX, answers={200: Item})
def change_item(call: Call, seq: Seq, body: ItemPatch) -> Answer:
    """Bring one item to a state. What is so already changes nothing and takes no version."""
    with call.database.write() as session:
        versions = marking.set_state(session, call.caller, seq, now=call.now, **body.model_dump())
        item = reading.item(session, call.caller, seq)
    _announce(call, versions or [])
    return Answer(_existing(item))


@endpoint("DELETE", "/v1/inbox/{seq}", scope=INBOX, answers={204: None})
def delete_item(call: Call, seq: Seq) -> Answer:
    """Remove one item from the inbox for good."""
    with call.database.write() as session:
        version = marking.delete_item(session, call.caller, seq, now=call.now)
    if version is None:
        raise Problem(NOT_FOUND, NO_SUCH_ITEM)
    _announce(call, [version])
    return Answer()


@endpoint("POST", "/v1/inbox/read", scope=INBOX, answers={200: Marked})
def mark_read(call: Call, body: Mark) -> Answer:
    """Mark items read, and so seen."""
    return _mark(call, body, "read")


@endpoint("POST", "/v1/inbox/seen", scope=INBOX, answers={200: Marked})
def mark_seen(call: Call, body: Mark) -> Answer:
    """Mark items seen."""
    return _mark(call, body, "seen")


@endpoint("POST", "/v1/inbox/archive", scope=INBOX, answers={200: Marked})
def mark_archived(call: Call, body: Mark) -> Answer:
    """Put items away, which reads them."""
    return _mark(call, body, "archived")


def _mark(call: Call, body: Mark, state: str) -> Answer:
    with call.database.write() as session:
        marked = marking.mark(session, call.caller, state, marking.Selection(**body.model_dump()), now=call.now)
    _announce(call, [] if marked.version is None else [marked.version])
    summary = marked.summary
    return Answer(Marked(changed=marked.changed, version=summary.version, unread=summary.unread, unseen=summary.unseen))


def _announce(call: Call, versions: list[int]) -> None:
    """Tell the caller's other devices, after the commit."""
    if versions:
        call.enqueuer.announce(call.caller, versions)


def _make_known(call: Call, shown: reading.Summary) -> None:
    """Whoever reads an inbox for the first time opens it: from now on `everyone` means them too.

    The answer stays the moment that was read: what arrives meanwhile has a version that the client lacks, and asks for.
    """
    if isinstance(shown, reading.NeverOpened):
        with call.database.write_at_once() as session:
            reading.open_inbox(session, call.caller, call.now)


def _whose(caller: str) -> str:
    """Two people may share a browser, whose cache asks for the one with the other's tag."""
    return sha256(caller.encode()).hexdigest()[:16]


def _existing(item: Json | None) -> Json:
    if item is None:
        raise Problem(NOT_FOUND, NO_SUCH_ITEM)
    return item


def _counts(summary: reading.Summary) -> dict[str, Any]:
    return {**vars(summary), "epoch": str(summary.epoch)}
