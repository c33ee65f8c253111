"""What keeps a page's cost that of a page, however long the list is that it is a page of."""

from sqlalchemy import ColumnElement, Integer, literal_column


def exactly(size: int) -> ColumnElement[int]:
    """A limit that the planner can see, so that the one plan it makes for all parameters is a plan for a page."""
    return literal_column(str(int(size)), Integer)
