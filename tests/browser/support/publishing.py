"""Publishing to one recipient."""

from tests.support.people import Person


def tell(shop: Person, to: str, *titles: str, **fields: object) -> None:
    for title in titles:
        shop.notify(recipients=[to], title=title, **fields)
