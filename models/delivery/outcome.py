"""The outcome of one delivery transaction."""

from dataclasses import dataclass, field
from uuid import UUID

from lib.rendering.delivered_items import DeliveredItems


@dataclass(frozen=True)
class Delivery:
    """The delivered items, and the notifications that were not delivered.

    `remaining` need another transaction, `broadcasts` a fan-out. `behind`: an earlier one of their batch waits, perhaps
    for the same recipients; `models.delivery.batch_order` says which of them may go. `batches`: of the delivered ones.
    """

    items: DeliveredItems
    remaining: list[UUID]
    broadcasts: list[UUID]
    behind: list[UUID] = field(default_factory=list)
    batches: list[UUID] = field(default_factory=list)
