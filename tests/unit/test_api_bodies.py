"""JSON bodies: read quickly where that reads the same as the reader that sees every key."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.bodies import parse_json
from api.refusals import Refusal

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)
BODIES = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5), VALUES, min_size=1, max_size=5
)


@given(BODIES)
def test_a_body_is_read_as_json_has_it(body: dict[str, Any]) -> None:
    read = parse_json(json.dumps(body).encode())
    assert read == body
    # Numbers without a fraction are integers, however they are written.
    assert json.dumps(read) == json.dumps(_with_integers(body))


@given(BODIES, VALUES, st.sampled_from([":", " : "]), st.data())
def test_a_key_given_twice_is_refused(
    body: dict[str, Any], value: Any, colon: str, data: st.DataObject
) -> None:
    twice = data.draw(st.sampled_from(sorted(body)))
    pairs = [*body.items(), (twice, value)]
    text = ",".join(f"{json.dumps(name)}{colon}{json.dumps(value)}" for name, value in pairs)
    with pytest.raises(Refusal, match="names a key twice"):
        parse_json(f"{{{text}}}".encode())


def _with_integers(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_with_integers(item) for item in value]
    if isinstance(value, dict):
        return {name: _with_integers(item) for name, item in value.items()}
    return value
