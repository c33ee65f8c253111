"""Rendered JSON: what is embedded in it is read back as if the whole had been rendered at once."""

import json

from lib.rendering.rendered_json import (
    array,
    members_format,
    members_of,
    object_format,
    object_of,
    render,
    render_ascii,
    with_arrays,
)

AWKWARD: dict[str, object] = {'"quoted", \\ and }': ["☂", "%s", "\n"], "empty": {}, "n": None}


def test_text_is_rendered_without_white_space_and_escaped_only_where_asked() -> None:
    assert render({"a": ["☂", 1]}) == '{"a":["☂",1]}'
    assert render_ascii({"a": ["☂", "\ud800"]}) == '{"a":["\\u2602","\\ud800"]}'


def test_objects_and_arrays_are_joined_of_what_is_rendered() -> None:
    joined = object_of(members_of(render(AWKWARD)), members_of(render({"last": 1})))
    assert json.loads(joined) == {**AWKWARD, "last": 1}
    assert json.loads(array([render(AWKWARD), render(2)])) == [AWKWARD, 2]
    assert array([]) == "[]"


def test_arrays_are_added_to_an_object() -> None:
    page = with_arrays(render({"next": None}), {"items": [render(AWKWARD)] * 2, "none": []})
    assert json.loads(page) == {"next": None, "items": [AWKWARD] * 2, "none": []}


def test_formats_take_rendered_values_and_numbers() -> None:
    item = object_of(members_format(seq="%d"), "%s")
    text = object_format(version="%d", change='"added"', item=item) % (8, 7, members_of(render(AWKWARD)))
    assert json.loads(text) == {"version": 8, "change": "added", "item": {"seq": 7, **AWKWARD}}
