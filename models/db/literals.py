"""Numbers that stand in the text of a statement."""

from sqlalchemy import ColumnElement, Integer, literal_column


def inline_literal(number: int) -> ColumnElement[int]:
    """A number that the planner can see, where it makes one plan for all parameters.

    As a LIMIT, so that the plan suits a page; in a condition, so that a partial index with the same condition is used.
    """
    return literal_column(str(int(number)), Integer)
