"""The items that one transaction delivered, as the workers write them and the push servers are told of them."""

from dataclasses import dataclass, field
from uuid import UUID


@dataclass(frozen=True)
class DeliveredItems:
    """Columns with one entry for each inbox item, in order: an object for each would cost more than all the rest.

    `items` is what recipients of a notification share: the item as JSON without its `seq` and `version`, which are
    equal when it is delivered. `places` has each entry's index in `items`.
    """

    items: list[str] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    unread: list[int] = field(default_factory=list)
    unseen: list[int] = field(default_factory=list)
    epoch: UUID | None = None  # None only without items

    def __len__(self) -> int:
        return len(self.recipients)

    def add(self, place: int, recipient: str, version: int, unread: int, unseen: int) -> None:
        self.places.append(place)
        self.recipients.append(recipient)
        self.versions.append(version)
        self.unread.append(unread)
        self.unseen.append(unseen)
