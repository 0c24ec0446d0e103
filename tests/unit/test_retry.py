"""Pauses stay inside the deadline and obey the server; a breaker rests and probes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.openai.retry import Breaker, RetryPolicy, retry_after_s

POLICY = RetryPolicy(tries=3, base_s=0.5, cap_s=0.8)


@given(tries=st.integers(1, 2), left_s=st.floats(1, 60))
def test_a_pause_is_between_zero_and_a_ceiling_that_doubles(tries, left_s):
    pause_s = POLICY.pause_s(tries, None, left_s)
    assert pause_s is not None
    assert 0 <= pause_s <= (0.5, 0.8)[tries - 1]


def test_pauses_differ_so_that_clients_do_not_come_back_together():
    assert len({POLICY.pause_s(1, None, 60) for _ in range(20)}) > 10


def test_there_is_no_pause_after_the_last_try():
    assert POLICY.pause_s(3, None, 60) is None
    assert POLICY.pause_s(3, 0, 60) is None


def test_the_server_s_own_word_is_kept_exactly():
    assert POLICY.pause_s(1, 7.5, 60) == 7.5
    assert POLICY.pause_s(1, 0.0, 60) == 0


@given(left_s=st.floats(-5, 5), retry_after=st.none() | st.floats(0, 10))
def test_no_pause_outlives_the_deadline(left_s, retry_after):
    pause_s = POLICY.pause_s(1, retry_after, left_s)
    assert pause_s is None or pause_s < left_s


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3),
        ({"retry-after": " 2.5 "}, 2.5),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9),
        ({"retry-after": "-4"}, 0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, float("inf")),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT", "date": "Wed, 21 Oct 2015 07:27:18 GMT"}, 42),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 -0000", "date": "Wed, 21 Oct 2015 07:27:18 GMT"}, 42),
        ({"retry-after": "Wed, 99 Oct 2015 07:28:00 GMT"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 +99999999999999999"}, None),
        ({"retry-after": "Wed, 21 Oct 99999999999999999999 07:28:00 GMT"}, None),
    ],
)
def test_retry_after_is_read_in_every_form(headers, seconds):
    assert retry_after_s(headers) == seconds


@given(st.text(max_size=30))
def test_no_retry_after_is_an_error(text):
    seconds = retry_after_s({"retry-after": text, "date": text})
    assert seconds is None or seconds >= 0


class Clock:
    def __init__(self):
        self.time_s = 100.0

    def __call__(self):
        return self.time_s


def open_breaker(clock):
    breaker = Breaker(failures=5, rest_s=30, now=clock)
    for _ in range(5):
        assert breaker.admit()
        breaker.fail()
    return breaker


def test_a_breaker_opens_after_five_failures_in_a_row():
    assert open_breaker(Clock()).open


def test_an_answer_in_between_starts_the_count_again():
    breaker = Breaker(failures=2, now=Clock())
    breaker.fail()
    breaker.succeed()
    breaker.fail()
    assert breaker.admit()


def test_an_open_breaker_admits_one_probe_after_its_rest_and_none_beside_it():
    clock = Clock()
    breaker = open_breaker(clock)
    clock.time_s += 29.9
    assert not breaker.admit()
    clock.time_s += 0.1
    assert breaker.admit()
    assert not breaker.admit()


def test_a_probe_that_fails_begins_another_rest():
    clock = Clock()
    breaker = open_breaker(clock)
    clock.time_s += 30
    assert breaker.admit()
    clock.time_s += 10
    breaker.fail()
    clock.time_s += 29.9
    assert not breaker.admit()
    clock.time_s += 0.1
    assert breaker.admit()


def test_a_probe_that_succeeds_closes_the_breaker():
    clock = Clock()
    breaker = open_breaker(clock)
    clock.time_s += 30
    assert breaker.admit()
    breaker.succeed()
    assert [breaker.admit() for _ in range(3)] == [True, True, True]


def test_a_probe_that_never_reports_makes_room_for_another_after_one_rest():
    clock = Clock()
    breaker = open_breaker(clock)
    clock.time_s += 30
    assert breaker.admit()
    clock.time_s += 30
    assert breaker.admit()
