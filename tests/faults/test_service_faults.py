"""A running Frontdesk of real processes, killed, stopped and cut off: the short form of `python -m bench.faults`."""

import pytest

from bench.faults import scenarios
from bench.faults.load import acknowledge

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


async def test_every_message_delivered_three_times_is_answered_once():
    outcome = await scenarios.thrice(100)
    assert outcome.broken == []
    assert outcome.figures["answers"] == 100


async def test_killed_workers_lose_nothing_and_answer_nothing_twice():
    outcome = await scenarios.kill_workers(8, per_second=5)
    assert outcome.broken == []
    assert sum(outcome.figures["kills"].values()) >= 8
    assert set(outcome.figures["endings"]) == {"answered"}


async def test_a_killed_database_comes_back_under_the_running_program_and_nothing_acknowledged_is_lost():
    outcome = await scenarios.kill_postgres(2)
    assert outcome.broken == []
    assert set(outcome.figures["endings"]) == {"answered"}


async def test_a_killed_web_process_loses_nothing_it_has_acknowledged():
    outcome = await scenarios.kill_web(2)
    assert outcome.broken == []


async def test_a_database_that_hangs_is_refused_in_time_and_taken_up_again():
    outcome = await scenarios.hang_postgres(5)
    assert outcome.broken == []


async def test_a_drain_under_load_ends_in_time_and_loses_nothing():
    outcome = await scenarios.drain(40)
    assert outcome.broken == []


async def test_a_message_that_kills_its_worker_each_time_ends_in_a_stated_failure_with_a_ticket():
    outcome = await scenarios.poison(1)
    assert outcome.broken == []
    assert outcome.figures["tickets"] == 1


async def test_what_is_acknowledged_under_load_is_stored_and_answered():
    outcome = await acknowledge(2, 100)
    assert outcome.broken == []
    assert outcome.figures["stored"] == 300
