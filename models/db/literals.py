"""What keeps a page's cost that of a page, however long the list is that it is a page of."""

from sqlalchemy import ColumnElement, Integer, literal_column


def exactly(size: int) -> ColumnElement[int]:
    """A number that the planner can see. As a limit: so that the one plan it makes for all parameters is for a page.
    In a condition: so that it knows the index that has only such rows."""
    return literal_column(str(int(size)), Integer)
