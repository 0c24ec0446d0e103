from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import TooLarge
from core.payloads import (
    digest,
    flag_at,
    integer_at,
    object_at,
    objects_at,
    parse_object,
    read_capped,
    retry_after_s,
    text_at,
    value_at,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=9,
)


@given(JSON, st.lists(st.sampled_from("ab"), max_size=3))
def test_whatever_lies_there_has_the_type_that_was_asked_for(payload, path):
    found = value_at(payload, *path)
    kept = found.replace("\0", "\ufffd") if isinstance(found, str) else ""
    assert text_at(payload, *path) == kept
    assert object_at(payload, *path) == (found if isinstance(found, dict) else {})
    assert all(isinstance(item, dict) for item in objects_at(payload, *path))
    assert integer_at(payload, *path) is None or -(1 << 63) <= found < 1 << 63
    assert flag_at(payload, *path) is (found is True)


def test_a_text_that_no_database_keeps_is_one_that_it_does():
    assert text_at({"a": "x\0y\ud800z"}, "a") == "x\ufffdy\ufffdz"
    assert text_at({"a": "na\u00efve \U0001f600"}, "a") == "na\u00efve \U0001f600"


@given(st.binary(max_size=40) | st.text(max_size=40))
def test_what_is_no_object_is_none(written):
    assert parse_object(written) is None or isinstance(parse_object(written), dict)


def test_objects_are_read_and_deep_ones_are_none():
    assert parse_object(b'{"a": 1}') == {"a": 1}
    assert parse_object("[" * 100_000) is None


def test_the_same_has_the_same_digest_whatever_its_order():
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 2, "b": 1})


async def test_a_body_is_read_no_further_than_its_limit():
    taken = []

    async def pieces():
        for piece in (b"ab", b"cd", b"ef"):
            taken.append(piece)
            yield piece

    assert await read_capped(pieces(), at_most=6) == b"abcdef"
    taken.clear()
    with pytest.raises(TooLarge):
        await read_capped(pieces(), at_most=3)
    assert taken == [b"ab", b"cd"]


@pytest.mark.parametrize(
    ("value", "seconds"), [("7", 7.0), ("", 1.0), ("soon", 1.0), ("nan", 1.0), ("-3", 0.0), ("1e9", 3600.0)]
)
def test_a_retry_after_is_read_within_bounds(value, seconds):
    assert retry_after_s(value) == seconds


@pytest.mark.parametrize(
    ("value", "least_s", "most_s"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0.0, 0.0),
        ("Sun, 06 Nov 1994 08:49:37 -0000", 0.0, 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600.0, 3600.0),
        ("Sun, 99 Nov 1994 08:49:37 GMT", 1.0, 1.0),
        ("Sun, 06 Nov 99999999999999999999 08:49:37 GMT", 1.0, 1.0),
        (format_datetime(datetime.now(UTC) + timedelta(minutes=30), usegmt=True), 600.0, 1800.0),
    ],
)
def test_a_retry_after_may_be_a_date(value, least_s, most_s):
    assert least_s <= retry_after_s(value) <= most_s


@given(st.text(max_size=40))
def test_whatever_a_retry_after_says_it_is_a_time(value):
    assert 0.0 <= retry_after_s(value) <= 3600.0
