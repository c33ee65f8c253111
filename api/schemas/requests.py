"""The schemas of request bodies and queries. Unknown fields are refused, and types are not converted.

The OpenAPI document is made from them; their docstrings, including those below fields, are its descriptions.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, LiteralString, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from api.schemas.fields import (
    Data,
    FromQuery,
    Id,
    Kind,
    NoDuplicates,
    OnlyTrue,
    Seq,
    Text,
    Timestamp,
    Title,
    Topic,
    Url,
    Version,
    broken_rule,
)
from models import limits

Severity = Literal["none", "low", "medium", "high"]
Status = Literal["accepted", "scheduled", "delivering", "delivered", "cancelled"]
State = Literal["unread", "read", "archived", "all"]
Ids = Annotated[list[Id], NoDuplicates]
Limit = Annotated[int, Field(ge=1, le=limits.PAGE_MAX), FromQuery]
A_CURSOR = "NDI.yR_fHs5PmuSMTyRA80TEXBqmMfEV-M9N-3hJqBpPSH0"
Cursor = Annotated[str, Field(examples=[A_CURSOR])]

TARGETS = ("recipients", "topic", "everyone")
WAYS_TO_MARK = ("seqs", "through")
NARROWS_THROUGH = ("kind", "topic")  # `seqs` needs no filter


class Schema(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)


def _described(
    example: Mapping[str, Any],
    exactly_one: tuple[str, ...] = (),
    without: Mapping[str, tuple[str, ...]] = {},
) -> ConfigDict:
    """Describe a body in the document. `without` names the fields that have no effect beside a certain field."""
    alternatives = [
        {
            "required": [name],
            "properties": {name: {"not": {"type": "null"}}}
            | {other: {"type": "null"} for other in without.get(name, ())},
        }
        for name in exactly_one
    ]
    one_of = {"oneOf": alternatives} if alternatives else {}
    keywords: JsonDict = {"examples": [dict(example)], **one_of}  # type: ignore[dict-item]
    return ConfigDict(json_schema_extra=keywords)


class NoFields(Schema):
    """A body or a query without fields."""


class Follow(Schema):
    model_config = _described({"target": "bob"})

    target: Id
    """The user to follow."""


class Message(Schema):
    model_config = _described({"to": "bob", "text": "Hello bob!"})

    to: Id
    """The user who receives it."""
    text: Text


class Notification(Schema):
    """A notification for exactly one of: these `recipients`, the subscribers of a `topic`, `everyone`."""

    model_config = _described(
        {"recipients": ["bob", "carol"], "kind": "order.shipped", "title": "Order 41 is on its way"}, TARGETS
    )

    recipients: Annotated[list[Id], Field(min_length=1, max_length=limits.RECIPIENTS_MAX), NoDuplicates] | None = None
    """The users who receive it."""
    topic: Topic | None = None
    """Its subscribers at the time of delivery receive it."""
    everyone: OnlyTrue | None = None
    """All recipients that ever received a notification, subscribed to a topic, or opened an inbox receive it."""
    kind: Kind
    """A word of your application for the event; inboxes can be filtered by it."""
    title: Title
    body: Text | None = None
    url: Url | None = None
    """Where the item leads: an http(s) address, a path of your own site, or an app's address of an allowed scheme."""
    data: Data | None = None
    """Data for your application, at most 65,536 bytes as JSON."""
    actor: Id | None = None
    """The user who caused it."""
    severity: Severity = "none"
    expires_at: Timestamp | None = None
    """From this time on it is delivered to nobody, and it leaves every inbox within 5 seconds while database, broker
    and workers are available, otherwise as soon as they are. If many thousands have it, the first within 5 seconds."""
    deliver_at: Timestamp | None = None
    """It is delivered at this time; until then it is `scheduled`."""

    @model_validator(mode="after")
    def _has_one_target(self) -> Self:
        _demand_one_of(self, *TARGETS)
        if self.expires_at is not None and self.deliver_at is not None and self.expires_at <= self.deliver_at:
            raise _at("expires_at", "contradiction", "is not later than deliver_at: it would never be delivered")
        return self


class Batch(Schema):
    model_config = _described(
        {
            "notifications": [
                {"recipients": ["bob"], "kind": "order.shipped", "title": "Order 41 is on its way"},
                {"topic": "boots", "kind": "offer", "title": "New boots"},
            ]
        }
    )

    notifications: Annotated[list[Notification], Field(min_length=1, max_length=limits.BATCH_MAX)]


class Subscribers(Schema):
    """Users to subscribe to a topic and users to unsubscribe: at most 1,000 together, none twice."""

    model_config = _described({"add": ["bob"], "remove": ["carol"]})

    add: Ids = Field(default=[])
    remove: Ids = Field(default=[])

    @model_validator(mode="after")
    def _names_some_but_not_too_many(self) -> Self:
        named = len(self.add) + len(self.remove)
        if not named:
            raise _at("add", "missing", "name someone to add or to remove")
        if named > limits.SUBSCRIBERS_MAX:
            raise _at("add", "too_long", f"add and remove name more than {limits.SUBSCRIBERS_MAX} together")
        for index, one in enumerate(self.remove):
            if one in set(self.add):
                raise _at(f"remove.{index}", "contradiction", "is to be added as well")
        return self


class Revoke(Schema):
    model_config = _described({"user": "mallory"})

    user: Id
    """The `sub` of the tokens to revoke."""


class ItemPatch(Schema):
    """The new state of an item. Read implies seen, and archived implies read. A seen item stays seen."""

    model_config = _described({"read": True})

    read: bool | None = None
    seen: OnlyTrue | None = None
    archived: bool | None = None

    @model_validator(mode="after")
    def _changes_something_consistently(self) -> Self:
        if self.read is self.seen is self.archived is None:
            raise _at("read", "missing", "say at least one of read, seen, archived")
        if self.read is False and self.archived is True:
            raise _at("read", "contradiction", "what is archived is read")
        return self


class Mark(Schema):
    """The items to change: those in `seqs`, or all up to `through`, the version that the device had seen."""

    model_config = _described({"through": 42}, WAYS_TO_MARK, {"seqs": NARROWS_THROUGH})

    seqs: Annotated[list[Seq], Field(min_length=1, max_length=limits.SEQS_MAX)] | None = None
    through: Version | None = None
    kind: Kind | None = None
    """Only those of this kind; only with `through`."""
    topic: Topic | None = None
    """Only those of this topic; only with `through`."""

    @model_validator(mode="after")
    def _names_items_one_way(self) -> Self:
        _demand_one_of(self, *WAYS_TO_MARK)
        for name in NARROWS_THROUGH:
            if self.seqs is not None and getattr(self, name) is not None:
                raise _at(name, "not_allowed", "has no effect beside seqs; leave it out")
        return self


class InboxQuery(Schema):
    state: State | None = None
    """Without it: all that are not archived."""
    kind: Kind | None = None
    topic: Topic | None = None
    severity: Severity | None = None
    actor: Id | None = None
    limit: Limit = limits.PAGE_DEFAULT
    cursor: Cursor | None = None
    """The `next_cursor` of the previous page."""


class HistoryQuery(Schema):
    kind: Kind | None = None
    topic: Topic | None = None
    recipient: Id | None = None
    """Only those that name this recipient, or that are in its inbox if sent to a topic or to everyone."""
    status: Status | None = None
    since: Timestamp | None = None
    """Accepted at this time or later."""
    until: Timestamp | None = None
    """Accepted before this time."""
    limit: Limit = limits.PAGE_DEFAULT
    cursor: Cursor | None = None
    """The `next_cursor` of the previous page."""


class ChangesQuery(Schema):
    since: Annotated[Version, FromQuery]
    """The version that the client has."""
    limit: Annotated[int, Field(ge=1, le=limits.CHANGES_MAX), FromQuery] = limits.CHANGES_MAX
    epoch: Annotated[str, Field(max_length=100)] | None = None
    """The history that the client has. If it is not the current one, the response is 410."""


def _demand_one_of(schema: Schema, *names: str) -> None:
    present = [name for name in names if getattr(schema, name) is not None]
    if len(present) != 1:
        raise _at(present[-1] if present else names[0], "exactly_one", f"give exactly one of {', '.join(names)}")


def _at(field: str, code: LiteralString, message: str) -> PydanticCustomError:
    """An error of a rule about several fields, reported for one of them."""
    return broken_rule(code, message, field=field)
