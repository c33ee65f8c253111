"""What a request may say: bodies and queries. Unknown fields are refused, and no type is bent into another."""

from typing import Annotated, Literal, LiteralString, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from api.fields import (
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


class Schema(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Follow(Schema):
    target: Id


class Message(Schema):
    to: Id
    text: Text


class Notification(Schema):
    """A notification for exactly one of: these `recipients`, the subscribers of a `topic`, `everyone`."""

    recipients: Annotated[list[Id], Field(min_length=1, max_length=limits.RECIPIENTS_MAX), NoDuplicates] | None = None
    topic: Topic | None = None
    everyone: OnlyTrue | None = None
    kind: Kind
    title: Title
    body: Text | None = None
    url: Url | None = None
    data: Data | None = None
    actor: Id | None = None
    severity: Severity = "none"
    expires_at: Timestamp | None = None
    deliver_at: Timestamp | None = None

    @model_validator(mode="after")
    def _has_one_target(self) -> Self:
        _demand_one_of(self, "recipients", "topic", "everyone")
        return self


class Batch(Schema):
    notifications: Annotated[list[Notification], Field(min_length=1, max_length=limits.BATCH_MAX)]


class Subscribers(Schema):
    """Who is to receive what is sent to a topic from now on, and who no longer."""

    add: Ids = Field(default=[])
    remove: Ids = Field(default=[])

    @model_validator(mode="after")
    def _is_neither_empty_nor_too_much(self) -> Self:
        named = len(self.add) + len(self.remove)
        if not named:
            raise _at("add", "missing", "name someone to add or to remove")
        if named > limits.SUBSCRIBERS_MAX:
            raise _at("add", "too_long", f"add and remove name more than {limits.SUBSCRIBERS_MAX} together")
        for index, one in enumerate(self.remove):
            if one in set(self.add):
                raise _at(f"remove.{index}", "contradiction", "is to be added as well")
        return self


class ItemPatch(Schema):
    """The state an item is to have. Read implies seen, archived implies read; what was seen stays seen."""

    read: bool | None = None
    seen: OnlyTrue | None = None
    archived: bool | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if self.read is self.seen is self.archived is None:
            raise _at("read", "missing", "say at least one of read, seen, archived")
        if self.read is False and self.archived is True:
            raise _at("read", "contradiction", "what is archived is read")
        return self


class Mark(Schema):
    """Which items: `seqs` names them, or `through` means all up to the version that the device had seen."""

    seqs: Annotated[list[Seq], Field(min_length=1, max_length=limits.SEQS_MAX)] | None = None
    through: Version | None = None
    kind: Kind | None = None
    topic: Topic | None = None

    @model_validator(mode="after")
    def _names_items_one_way(self) -> Self:
        _demand_one_of(self, "seqs", "through")
        return self


class InboxQuery(Schema):
    state: State | None = None
    kind: Kind | None = None
    topic: Topic | None = None
    severity: Severity | None = None
    actor: Id | None = None
    limit: Annotated[int, Field(ge=1, le=limits.PAGE_MAX), FromQuery] = limits.PAGE_DEFAULT
    cursor: str | None = None


class HistoryQuery(Schema):
    """`since` is included, `until` is not."""

    kind: Kind | None = None
    topic: Topic | None = None
    recipient: Id | None = None
    status: Status | None = None
    since: Timestamp | None = None
    until: Timestamp | None = None
    limit: Annotated[int, Field(ge=1, le=limits.PAGE_MAX), FromQuery] = limits.PAGE_DEFAULT
    cursor: str | None = None


class ChangesQuery(Schema):
    """`epoch` is the history that the client knows; when it is another now, its versions mean nothing."""

    since: Annotated[Version, FromQuery]
    limit: Annotated[int, Field(ge=1, le=limits.CHANGES_MAX), FromQuery] = limits.CHANGES_MAX
    epoch: Annotated[str, Field(max_length=100)] | None = None


def _demand_one_of(schema: Schema, *names: str) -> None:
    given = [name for name in names if getattr(schema, name) is not None]
    if len(given) != 1:
        raise _at(given[-1] if given else names[0], "exactly_one", f"give exactly one of {', '.join(names)}")


def _at(field: str, code: LiteralString, message: str) -> PydanticCustomError:
    """A rule about several fields, blamed on one of them."""
    return broken_rule(code, message, field=field)
