"""One suite for every platform: what a person does in a thread, and what must stand there afterwards."""

import asyncio
import shutil
import tempfile
from functools import partial
from pathlib import Path

import pytest

from tests.platform import contract, http_member, slack_member, teams_member, telegram_member
from tests.platform import house as houses
from tests.platform.contract import until

MEMBERS = {
    "http-read": http_member.pulled,
    "http-called": http_member.called,
    "slack": slack_member.opened,
    "teams": teams_member.opened,
    "telegram": telegram_member.opened,
    "telegram-topics": telegram_member.topics,
}
VACATION = "How many vacation days do full-time employees have?"
LUNCH = "Up to how much is lunch reimbursed?"
DAYS = "Full-time employees have 28 days of paid vacation [1]."
EURO = "Lunch is reimbursed up to 18 euro a day [1]."
YEAR = " In a calendar year they have 28 days of it [1]."


@pytest.fixture(params=MEMBERS)
async def opened(request, addresses):
    home = Path(tempfile.mkdtemp(prefix="frontdesk-platform-"))
    open_house = partial(houses.open_house, addresses, home)
    async with MEMBERS[request.param](contract, open_house) as (house, client):
        yield house, client
        assert client.faults.none, client.faults
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def house(opened):
    return opened[0]


@pytest.fixture
def client(opened):
    return opened[1]


async def settled(house, client):
    """Wait until everything was answered and read."""

    async def look():
        return await house.is_idle() and await client.is_settled()

    await until(look)


async def texts(house, client, thread="t1"):
    await settled(house, client)
    return [seen.text for seen in await client.seen(thread)]


def showing(client, text, thread="t1"):
    """Look for TEXT in a thread."""

    async def look():
        return any(text in seen.text for seen in await client.seen(thread))

    return look


async def count(house, table):
    ((rows,),) = await house.fetch(f"select count(*) from {table}")
    return rows


async def test_a_question_is_answered_with_its_source(house, client):
    await client.ask(VACATION)
    await settled(house, client)
    (seen,) = await client.seen()
    assert seen.text == DAYS
    assert seen.sources[0].endswith("time-off.md")


async def test_a_follow_up_knows_what_was_said(house, client):
    await client.ask(VACATION)
    await settled(house, client)
    await client.ask("And in the second year?")
    await settled(house, client)
    assert VACATION in house.model.asked[-1]
    assert len(await client.seen()) == 2


async def test_threads_do_not_know_each_other(house, client):
    await asyncio.gather(client.ask(VACATION, thread="t1"), client.ask(LUNCH, thread="t2", author="u2"))
    await settled(house, client)
    assert [len(await client.seen(thread)) for thread in ("t1", "t2")] == [1, 1]


async def test_what_is_delivered_three_times_is_answered_once(house, client):
    message_id = await client.ask(VACATION)
    again = await asyncio.gather(*(client.redeliver(message_id) for _ in range(3)))
    assert all(accepted.acknowledged and accepted.duplicate for accepted in again)
    assert await texts(house, client) == [DAYS]
    assert (await client.redeliver(message_id)).duplicate
    assert await texts(house, client) == [DAYS]
    assert await count(house, "turns") == 2


async def test_an_edit_during_the_answer_is_what_is_answered(house, client):
    # One sentence, which is shown after a while only, as it might be the whole answer; two are shown at once.
    house.model.says(DAYS, " And then", stall=True)
    message_id = await client.ask(VACATION)
    await until(showing(client, "28 days"))
    house.model.says(EURO)
    await client.edit(message_id, LUNCH)
    assert await texts(house, client) == [EURO]


async def test_an_edit_after_the_answer_changes_the_answer_in_place(house, client):
    message_id = await client.ask(VACATION)
    assert await texts(house, client) == [DAYS]
    house.model.says(EURO)
    await client.edit(message_id, LUNCH)
    assert await texts(house, client) == [EURO]
    assert client.posted == 1


async def test_a_deleted_question_takes_its_answer_with_it(house, client):
    if not getattr(client, "hears_deletions", True):
        pytest.skip("this platform tells nobody of deletions")
    message_id = await client.ask(VACATION)
    assert await texts(house, client) == [DAYS]
    await client.delete(message_id)
    assert await texts(house, client) == []
    assert await count(house, "turns") == 0


async def test_a_question_deleted_during_its_answer_leaves_nothing(house, client):
    if not getattr(client, "hears_deletions", True):
        pytest.skip("this platform tells nobody of deletions")
    house.model.says(DAYS, YEAR, " And then", stall=True)
    message_id = await client.ask(VACATION)
    await until(showing(client, "28 days"))
    await client.delete(message_id)
    assert await texts(house, client) == []
    await house.model.hung_up.wait()


async def test_a_stop_keeps_what_was_written(house, client):
    house.model.says(DAYS, YEAR, " And then", stall=True)
    await client.ask(VACATION)
    await until(showing(client, "28 days"))
    await client.stop()
    (text,) = await texts(house, client)
    assert text.startswith("Full-time employees have 28 days")
    await house.model.hung_up.wait()


async def test_a_busy_platform_is_called_when_it_says_and_in_order(house, client):
    if not client.is_called:
        pytest.skip("this application is not called: it comes for its answers itself")
    client.be_busy(2)
    await client.ask(VACATION)

    async def refused():
        return client.refused

    await until(refused)
    house.model.says(EURO)
    await client.ask(LUNCH)
    assert await texts(house, client) == [DAYS, EURO]
    assert client.posted == 2


async def test_a_platform_that_is_out_gets_one_answer_when_it_is_back(house, client):
    if not client.is_called:
        pytest.skip("this application is not called: it comes for its answers itself")
    client.be_out(3)
    await client.ask(VACATION)
    assert await texts(house, client) == [DAYS]
    assert client.posted == 1
    assert await count(house, "turns") == 2


async def test_a_long_answer_arrives_whole(house, client):
    sentence = "Full-time employees have 28 days of paid vacation in a calendar year [1]."
    code = "\n".join(f"days_{number} = {number}" for number in range(200))
    long = "\n\n".join([*[sentence] * 60, f"```python\n{code}\n```", sentence])
    house.model.says(*(long[start : start + 500] for start in range(0, len(long), 500)), pause_s=0.01)
    await client.ask(VACATION)
    parts = await texts(house, client)
    assert all(len(part) <= client.limit for part in parts) or not client.is_called
    together = "\n".join(parts)
    assert together.count(sentence) == 61
    assert all(f"days_{number} = {number}\n" in together for number in (0, 99, 199))


async def test_markup_arrives_as_it_was_written(house, client):
    written = f"**{DAYS[:-5]}** [1].\n\n- `28` days & <28\n- 😀 _ü_ \\*"
    house.model.says(written)
    await client.ask(VACATION)
    assert await texts(house, client) == [written]


async def test_odd_text_is_answered(house, client):
    await client.ask("How many \u202evacation\u0007 days\U000e0041 do full-time employees have? \ufeff\u2028")
    assert await texts(house, client) == [DAYS]


async def test_a_file_is_read_for_the_conversation(house, client):
    await client.ask("What is the office cat called?", files={"cat.txt": b"The office cat is called Ambrose."})
    await settled(house, client)
    assert any("called Ambrose" in asked for asked in house.model.asked)


async def test_a_rating_is_kept_with_its_answer(house, client):
    await client.ask(VACATION)
    await settled(house, client)
    await client.rate(1)
    await client.rate(-1)
    await settled(house, client)
    assert [row["rating"] for row in await house.fetch("select rating from feedback")] == [-1]


async def test_a_person_is_asked_for_and_answers_in_the_thread(house, client):
    await client.ask(VACATION)
    await settled(house, client)
    await client.ask("I want to talk to a person")
    await settled(house, client)
    ((number, question),) = await house.fetch("select number, question from tickets")
    assert question == VACATION
    assert any(f"#{number}" in seen.text or str(number) in seen.text for seen in await client.seen())
    await house.answer_ticket(number, "Ask me again in March.")
    await until(showing(client, "Ask me again in March."))


async def test_a_worker_that_stops_in_the_middle_leaves_the_rest_to_another(house, client):
    house.model.says(DAYS, YEAR, " And then", stall=True)
    await client.ask(VACATION)
    await until(showing(client, "28 days"))
    await house.stop_worker()
    house.model.says(DAYS)
    await house.start_worker()
    assert await texts(house, client) == [DAYS]
    assert client.posted == 1
    assert await count(house, "turns") == 2


async def test_without_postgresql_the_platform_is_told_to_deliver_again(house, client, server):
    async with house.without_postgresql(server.owner_url("postgres")):
        assert not (await client.try_to_ask(VACATION)).acknowledged

    async def accepted():
        return (await client.try_to_ask(VACATION)).acknowledged

    await until(accepted)
    assert await texts(house, client) == [DAYS]
