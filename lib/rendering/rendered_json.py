"""JSON as text: what is rendered once is embedded in larger JSON without being parsed and rendered again.

Only this module joins JSON text or takes it apart. Its functions trust their arguments: a string that is not JSON
makes the result invalid. "Members" is the text of an object between its braces. For what is rendered often there are
%-formats, which take rendered JSON for `%s` and numbers for `%d`.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NewType, cast

Json = NewType("Json", str)  # a JSON value, rendered without white space

_Render = Callable[[Any], Json]

render = cast(_Render, json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode)
render_ascii = cast(_Render, json.JSONEncoder(separators=(",", ":")).encode)  # escapes lone surrogates too


def array(elements: Iterable[str]) -> Json:
    """The array of rendered elements."""
    return Json(f"[{','.join(elements)}]")


def members_of(rendered_object: str) -> str:
    return rendered_object[1:-1]


def object_of(*members: str) -> Json:
    """The object with all these members, in order. No argument may be empty."""
    return Json(f"{{{','.join(members)}}}")


def with_arrays(rendered_object: str, arrays: Mapping[str, Iterable[str]]) -> Json:
    """The object, which must not be empty, with further members: arrays of rendered elements."""
    text = rendered_object
    for name, elements in arrays.items():
        text = f'{text[:-1]},"{name}":[{",".join(elements)}]}}'
    return Json(text)


def members_format(**values: str) -> str:
    """A %-format of members. Each value is a conversion or rendered JSON.

    >>> members_format(seq="%d", state='"unread"') % 7
    '"seq":7,"state":"unread"'
    """
    return ",".join(f'"{name}":{value}' for name, value in values.items())


def object_format(**values: str) -> str:
    """A %-format of an object, as `members_format`."""
    return object_of(members_format(**values))
