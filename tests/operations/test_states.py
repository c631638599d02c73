"""The canonical JSON of states, and the differences between two states."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import random
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from agentdata.operations.states import canonical, changes, state_hash

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

NUMBERS = st.one_of(
    st.integers(-(2**63), 2**64 - 1),
    st.integers(-3, 3),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**60), 2**60).map(float),
    st.sampled_from([1e20, 1e21, 1e22, 1e-6, 1e-7, 5e-324, 1.7976931348623157e308, -0.0, 2.0**53, 2**53 + 1]),
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4)
KEYS = st.one_of(st.sampled_from("abc"), TEXTS)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=12,
)
STATES = st.dictionaries(KEYS, VALUES, max_size=4)


@st.composite
def pairs_of_states(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """Draw a state, and a similar one."""
    before = draw(STATES)
    after = copy.deepcopy(before)
    for _ in range(draw(st.integers(0, 4))):
        inside: dict[str, Any] = after
        while objects := [each for each in inside.values() if isinstance(each, dict)]:
            if draw(st.booleans()):
                break
            inside = draw(st.sampled_from(objects))
        key = draw(st.sampled_from([*inside, "new"]))
        if draw(st.booleans()):
            inside.pop(key, None)
        else:
            inside[key] = draw(VALUES)
    return before, after


def rewrite(value: Any, chance: random.Random) -> Any:
    """Return equal JSON with keys in another order, and some whole numbers as doubles or vice versa."""
    if isinstance(value, dict):
        members = list(value.items())
        chance.shuffle(members)
        return {key: rewrite(each, chance) for key, each in members}
    if isinstance(value, list):
        return [rewrite(each, chance) for each in value]
    if isinstance(value, bool) or not isinstance(value, int | float) or chance.random() < 0.5:
        return value
    if isinstance(value, int):
        return float(value) if abs(value) <= 2**53 else value
    return int(value) if value.is_integer() and abs(value) <= 2**53 else value


def apply_changes(value: dict[str, Any], removed: dict[str, Any], added: dict[str, Any]) -> dict[str, Any]:
    """Return a state after applying changes."""
    after = dict(value)
    for key in removed.keys() | added.keys():
        inner = [part.get(key, {}) for part in (removed, added)]
        nested = isinstance(value.get(key), dict) and all(isinstance(each, dict) for each in inner)
        if nested:
            after[key] = apply_changes(value[key], *inner)
            if not after[key] and key not in added:
                del after[key]
        elif key in added:
            after[key] = added[key]
        else:
            del after[key]
    return after


@pytest.mark.parametrize(
    ("value", "written"),
    [
        # The examples of RFC 8785, section 3.2.3 and appendix B, except numbers of more than 64 bits.
        (
            {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\x80": 6, "\xf6": 7},
            '{"\\r":2,"1":4,"\x80":6,"\xf6":7,"\u20ac":1,"\U0001f600":5,"\ufb33":3}',
        ),
        (
            [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
            "[333333333.3333333,1e+30,4.5,0.002,1e-27]",
        ),
        ('\u20ac$\u000f\u000aA\'\u0042\u0022\u005c\\"/', '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'),
        ([None, True, False, [], {}], "[null,true,false,[],{}]"),
        ([-0.0, 0, 0.0], "[0,0,0]"),
        ([5e-324, -5e-324, 1.7976931348623157e308], "[5e-324,-5e-324,1.7976931348623157e+308]"),
        ([9007199254740992.0, -9007199254740992.0], "[9007199254740992,-9007199254740992]"),
        ([295147905179352830000.0, 1e21, 1e20], "[295147905179352830000,1e+21,100000000000000000000]"),
        ([9.999999999999997e22, 1e23], "[9.999999999999997e+22,1e+23]"),
        ([999999999999999700000.0, 1e-6, 1e-7, 1.5e-7], "[999999999999999700000,0.000001,1e-7,1.5e-7]"),
        ([-0.0000033333333333333333, 1424953923781206.2], "[-0.0000033333333333333333,1424953923781206.2]"),
        # Unlike RFC 8785, whole numbers keep their digits.
        ([2**53 + 1, 2**64 - 1, -(2**63)], "[9007199254740993,18446744073709551615,-9223372036854775808]"),
    ],
)  # fmt: skip
def test_canonical_json_follows_rfc_8785(value: Any, written: str) -> None:
    assert canonical(value) == written


def test_the_hash_is_the_sha256_of_the_canonical_json() -> None:
    assert state_hash({"b": 1.0, "a": [True]}) == hashlib.sha256(b'{"a":[true],"b":1}').hexdigest()
    assert state_hash({"a": 1}) != state_hash({"a": True})
    assert state_hash({"a": 2**53}) != state_hash({"a": 2**53 + 1})
    assert state_hash({"a": None}) != state_hash({})


@given(STATES, st.randoms(use_true_random=False))
def test_equal_states_have_equal_canonical_json(state: dict[str, Any], chance: random.Random) -> None:
    assert canonical(rewrite(state, chance)) == canonical(state)


@given(STATES)
def test_canonical_json_parses_to_the_same_state(state: dict[str, Any]) -> None:
    """Therefore states with the same canonical JSON are equal."""

    def exact(written: str) -> Any:
        """Parse JSON with exact numbers, which doubles might round."""
        return json.loads(written, parse_int=Decimal, parse_float=Decimal)

    again = exact(canonical(state))
    assert again == exact(orjson.dumps(state).decode())
    # Python's == does not distinguish true from 1.
    assert canonical(json.loads(canonical(state))) == canonical(state)


@given(pairs_of_states())
def test_changes_are_empty_exactly_if_the_states_are_equal(
    both: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    before, after = both
    assert (changes(before, after) == ({}, {})) == (canonical(before) == canonical(after))


@given(pairs_of_states())
def test_changes_lead_from_one_state_to_the_other_and_back(
    both: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    before, after = both
    was, is_ = changes(before, after)
    assert canonical(apply_changes(before, was, is_)) == canonical(after)
    assert canonical(apply_changes(after, is_, was)) == canonical(before)


@given(pairs_of_states())
def test_changes_contain_no_unchanged_values(both: tuple[dict[str, Any], dict[str, Any]]) -> None:
    def check(
        was: dict[str, Any], is_: dict[str, Any], before: dict[str, Any], after: dict[str, Any]
    ) -> None:
        for key in was.keys() | is_.keys():
            old, new = before.get(key), after.get(key)
            if isinstance(old, dict) and old and isinstance(new, dict) and new:
                check(was.get(key, {}), is_.get(key, {}), old, new)
                assert was.get(key) or is_.get(key)
            else:
                assert (key in was, key in is_) == (key in before, key in after)
                assert key not in before or key not in after or canonical(old) != canonical(new)

    before, after = both
    check(*changes(before, after), before, after)


@pytest.mark.parametrize(
    ("before", "after", "was", "is_"),
    [
        ({"a": 1, "b": {"c": 1, "d": 2}}, {"a": 1, "b": {"c": 1, "d": 3}}, {"b": {"d": 2}}, {"b": {"d": 3}}),
        ({"a": 1}, {"a": 1.0}, {}, {}),
        ({"a": 1}, {"a": True}, {"a": 1}, {"a": True}),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": {}}}, {"a": {"b": {"c": 1}}}, {"a": {"b": {}}}),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": None}}, {}, {"a": {"c": None}}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, {"a": {"c": 2}}, {}),
        ({"a": None}, {}, {"a": None}, {}),
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, {"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}),
        ({"a": {"b": 1}}, {"a": [1]}, {"a": {"b": 1}}, {"a": [1]}),
        ({}, {"a": {}}, {}, {"a": {}}),
    ],
)
def test_changes_of_examples(
    before: dict[str, Any], after: dict[str, Any], was: dict[str, Any], is_: dict[str, Any]
) -> None:
    assert changes(before, after) == (was, is_)


async def test_storing_a_state_keeps_its_canonical_json(owner: AsyncEngine) -> None:
    chance = random.Random(3)  # noqa: S311  # made-up numbers
    doubles = [chance.uniform(-1, 1) * 10.0 ** chance.randrange(-320, 308) for _ in range(2_000)]
    whole = [chance.randrange(-(2**63), 2**64) for _ in range(500)]
    near = [sign * math.ldexp(1, power) for power in range(-1074, 1024) for sign in (1, -1)]
    state = {
        "numbers": [*doubles, *whole, *near, -0.0, 0.1, 1e16, 1e21],
        "\U0001f600\ufb33é\x7f": "\x01\u2028\\/",
    }
    async with owner.connect() as connection:
        stored = await connection.scalar(
            text("SELECT CAST(CAST(:state AS jsonb) AS text)"), {"state": orjson.dumps(state).decode()}
        )
    assert canonical(orjson.loads(stored)) == canonical(state)
