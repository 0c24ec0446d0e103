"""What platforms send, up to its row in the real inbox: whatever is in it, it is stored clean or refused."""

import asyncio

import pytest

from adapters.postgres.inbox import PostgresInbox
from core.accepting import Acceptance
from core.domain import Author, Message
from core.errors import Overloaded, UsageError
from core.inbox import Incoming, Kind
from core.meter import Unmetered
from core.places import Place, Platform

ODD = [
    "\x00",
    "a\x00b",
    "\ud800",
    "\U000e0041\U000e007f",
    "\u202egnp.exe",
    "x" * 100_000,
    "𝕳𝖊𝖑𝖑𝖔 " * 500,
    "'; drop table inbox; --",
    "\\u0000 and \\x00",
    "{{7*7}} ${7*7} <script>",
]


def event(text, number=1, **more):
    message = Message(1, Place(Platform.API, "general", "t\x00"), Author("u1", "name\x00\ud800"), text)
    address = more.pop("address", {"reply": "to\x00\ud800", "numbers": [float("nan"), 1]})
    return Incoming(message, "ours", f"e{number}", f"m{number}", address=address, **more)


@pytest.mark.parametrize("text", ODD)
async def test_odd_texts_are_stored_clean(inbox, text):
    accepted = await Acceptance(inbox, Unmetered()).accept(event(text))
    kept = (await inbox.entry(1, accepted.inbox_id)).incoming
    assert "\x00" not in kept.message.text
    assert len(kept.message.text) <= 32_000
    assert kept.message.author.name == "name\ufffd"
    assert kept.address == {"reply": "to\ufffd", "numbers": [None, 1]}


async def test_secrets_are_gone_before_anything_is_stored(inbox, database):
    text = "Pay with 4111 1111 1111 1111, please."
    await Acceptance(inbox, Unmetered()).accept(event(text, detail={"reason": text}))
    async with database.tenant(1) as connection:
        row = await connection.fetchval("select inbox::text from inbox")
        jobs = await connection.fetchval("select count(*) from procrastinate_jobs where args::text like '%4111%'")
    assert "4111" not in row
    assert "card number hidden" in row
    assert jobs == 0


async def test_the_same_event_many_times_at_once_is_stored_and_signalled_once(inbox):
    heard = []
    acceptance = Acceptance(inbox, Unmetered(), signal=heard.append)
    accepted = await asyncio.gather(*(acceptance.accept(event("Hello?")) for _ in range(20)))
    assert len({each.inbox_id for each in accepted}) == 1
    assert sorted(each.duplicate for each in accepted) == [False] + [True] * 19
    assert len(heard) == 1


async def test_the_longest_ids_fit_and_longer_ones_are_refused(inbox):
    place = Place(Platform.API, "c" * 512, "t" * 512)
    message = Message(1, place, Author("a" * 512), "Hello?")
    longest = Incoming(message, "i" * 512, "e" * 512, "m" * 512)
    accepted = await Acceptance(inbox, Unmetered()).accept(longest)
    assert not accepted.duplicate
    with pytest.raises(UsageError):
        await Acceptance(inbox, Unmetered()).accept(Incoming(message, "i", "e" * 513, "m2"))


async def test_who_sends_too_much_is_told_when_to_come_back(database):
    acceptance = Acceptance(PostgresInbox(database, author_limit=2), Unmetered())
    for number in (1, 2):
        await acceptance.accept(event("Hello?", number))
    with pytest.raises(Overloaded) as refused:
        await acceptance.accept(event("Hello?", 3))
    assert refused.value.retry_after_s >= 1
    await acceptance.accept(event("", 4, kind=Kind.STOP))
