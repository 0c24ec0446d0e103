"""What people do on Telegram besides asking: voice messages, buttons, reactions, groups that are upgraded."""

from dataclasses import replace

import pytest

from adapters.postgres.bots import PostgresBots
from core import wording
from core.channels import ChannelSettings, Listens
from core.documents import Citation
from core.domain import Answer, BotConfiguration, DeliveryKey, Origin
from core.inbox import Kind
from core.outbox import Doubt, Posting, Purpose, Target
from core.places import Place, Platform
from core.wording import say
from tests.platform.telegram_listener import open_listener

ANSWER = Answer("Twenty days.", Origin.DOCUMENTS, None)
VOICED = {"voice": {"file_id": "a", "file_unique_id": "a", "duration": 1}}
STUCK = {"sticker": {"file_id": "a", "file_unique_id": "a", "emoji": "👍"}}


@pytest.fixture
async def listener(database):
    async with open_listener(database) as listener:
        yield listener


# What holds nothing to be read


async def test_what_cannot_be_read_is_answered_kindly_and_not_stored(listener):
    now_s = 0.0
    listener.intake._told_kindly._clock = lambda: now_s
    for media in (VOICED, {"game": {"title": "A"}}, STUCK):
        await listener.telegram.say(listener.chat, listener.user, media=media)
        await listener.settle()
        now_s += 4.0
    assert await listener.stored() == []
    assert await listener.notices() == [
        say(word, "de") for word in (wording.NO_VOICE, wording.NO_OTHER, wording.NO_STICKER)
    ]


async def test_that_is_said_once_however_often_it_is_delivered_and_not_to_each_of_many(listener):
    listener.telegram.updates.repeat = 3
    for _ in range(20):
        await listener.telegram.say(listener.chat, listener.user, media=STUCK)
    await listener.settle()
    assert len(await listener.notices()) == 1


async def test_in_a_group_it_is_said_to_whoever_replies_to_the_bot(listener):
    listener.bot.can_read_all = True
    group = listener.telegram.add_group(listener.user, listener.bot.user)
    ours = await listener.answered(ANSWER, group)
    await listener.telegram.say(group, listener.user, media=VOICED)
    await listener.settle()
    assert await listener.notices() == []
    await listener.telegram.say(group, listener.user, media=VOICED, reply_to=ours)
    await listener.settle()
    assert await listener.notices() == [say(wording.NO_VOICE, "de")]


async def test_a_pinned_message_is_nothing_to_answer(listener):
    await listener.telegram.say(listener.chat, listener.user, media={"pinned_message": {"message_id": 1}})
    await listener.settle()
    assert (await listener.stored(), await listener.notices()) == ([], [])


# Buttons and reactions


async def open_ticket(listener, tickets, sessions, place):
    """Open a ticket as a worker does that was asked for a person."""
    session = await sessions.open(1, place, str(listener.user.user_id))
    return (await tickets.open(1, session.session_id, "How long?", "", "")).number


async def test_a_person_is_asked_for_once_however_often_the_button_is_pressed(listener, tickets, sessions):
    message = await listener.answered(ANSWER)
    place = Place(Platform.TELEGRAM, str(listener.chat.chat_id))
    for _ in range(2):
        await listener.telegram.press(message, listener.user, "Talk")
    await listener.settle()
    assert await listener.texts() == ["/human"]
    number = await open_ticket(listener, tickets, sessions, place)
    query = await listener.telegram.press(message, listener.user, "Talk")
    await listener.settle()
    assert await listener.texts() == ["/human"]
    assert str(number) in query.answered["text"]
    assert query.answered["show_alert"]
    await tickets.close(1, number)
    await listener.telegram.press(message, listener.user, "Talk")
    await listener.settle()
    assert await listener.texts() == ["/human"] * 2


async def growing(listener, group):
    """Let an answer to the person grow in a group; return its message."""
    reply = listener.reply(await listener.posting(group))
    await reply.write("Twenty ")
    await reply.write("days.")
    return listener.telegram.from_bot(group)[-1]


async def test_an_answer_is_stopped_by_whoever_asked_and_by_nobody_else(listener):
    stranger = listener.telegram.add_user("u2", language="en")
    group = listener.telegram.add_group(listener.user, listener.bot.user, stranger)
    message = await growing(listener, group)
    refused = await listener.telegram.press(message, stranger, "Stop")
    await listener.settle()
    assert await listener.stored() == []
    assert refused.answered == {"text": wording.STOPS_OWN, "show_alert": True}
    stopped = await listener.telegram.press(message, listener.user, "Stop")
    await listener.settle()
    (incoming,) = await listener.stored()
    assert (incoming.kind, incoming.target) == (Kind.STOP, str(message.message_id))
    assert stopped.answered["text"] == ""


async def test_what_was_asked_in_the_name_of_the_group_may_be_stopped_there(listener):
    group = listener.telegram.add_group(listener.user, listener.bot.user)
    listener.user, member = type(listener.user)(group.chat_id, "Group"), listener.user
    message = await growing(listener, group)
    await listener.telegram.press(message, member, "Stop")
    await listener.settle()
    assert [incoming.kind for incoming in await listener.stored()] == [Kind.STOP]


def with_source(quote):
    citation = Citation(1, 1, 1, "Time off", "time-off.md", None, quote)
    return replace(ANSWER, text="Twenty days [1].", citations=(citation,), private=True)


async def answered_alone(listener, group, answer):
    """Answer a question of the group to its author alone; return the message in the author's own chat."""
    await listener.answered(answer, group)
    return listener.telegram.from_bot(listener.chat)[-1]


async def test_buttons_below_a_private_answer_of_a_group_speak_for_the_group(listener, tickets, sessions):
    group = listener.telegram.add_group(listener.user, listener.bot.user)
    message = await answered_alone(listener, group, with_source("Short."))
    asked = await listener.telegram.press(message, listener.user, "Talk")
    await listener.telegram.press(message, listener.user, "👍")
    await listener.settle()
    human, rated = await listener.stored()
    assert asked.answered is not None
    place = Place(Platform.TELEGRAM, str(group.chat_id))
    assert (human.message.text, human.message.place) == ("/human", place)
    assert human.address["chat_id"] == listener.chat.chat_id
    found = await listener.outbox.of_message(1, rated.installation, rated.message.place, rated.target)
    assert found.target.place == place
    number = await open_ticket(listener, tickets, sessions, place)
    again = await listener.telegram.press(message, listener.user, "Talk")
    await listener.settle()
    assert str(number) in again.answered["text"]
    assert len(await listener.stored()) == 2


async def test_what_a_person_says_privately_of_a_group_s_question_is_found_again(listener):
    group = listener.telegram.add_group(listener.user, listener.bot.user)
    for _ in range(3):  # so that the numbers in the two chats differ
        await listener.answered(ANSWER)
    place = Place(Platform.TELEGRAM, str(group.chat_id))
    own = {"chat_id": listener.chat.chat_id, "chat_type": "private"}
    target = Target(1, listener.account.api.bot_id, place, str(listener.user.user_id), own)
    delivery = await listener.outbox.open(target, Purpose.ANSWER)
    await listener.reply(Posting(listener.outbox, delivery, Doubt.REPEAT)).finish(ANSWER)
    message_id = str(listener.telegram.from_bot(listener.chat)[-1].message_id)
    private = Place(Platform.TELEGRAM, str(listener.chat.chat_id))
    found = await listener.outbox.of_message(1, target.installation, private, message_id)
    assert found.outbox_id == delivery.outbox_id
    assert await listener.outbox.of_message(1, target.installation, place, message_id) is None


@pytest.mark.parametrize("quote", ["Short.", "Full-time employees have 28 days. " * 20])
async def test_the_passage_behind_a_private_answer_is_shown_to_its_reader_alone(listener, quote):
    group = listener.telegram.add_group(listener.user, listener.bot.user)
    message = await answered_alone(listener, group, with_source(quote))
    listener.bot.webhook.url = ""
    query = await listener.telegram.press(message, listener.user, "[1]")
    update = listener.bot.updates[-1].body
    for _ in range(3):  # as Telegram delivers what was not acknowledged in time
        await listener.intake.take(listener.account, update)
    await listener.settle()
    shown = [query.answered["text"], *(sent.text for sent in listener.telegram.from_bot(listener.chat)[1:])]
    assert sum(quote.strip() in text for text in shown) == 1
    assert not any(quote.strip() in sent.text for sent in listener.telegram.from_bot(group))


async def test_a_reaction_in_a_topic_finds_its_answer_and_is_taken_back(listener):
    forum = listener.telegram.add_group(listener.user, listener.bot.user, is_forum=True)
    listener.bot.allowed |= {"message_reaction"}
    message = await listener.answered(ANSWER, forum, listener.telegram.add_topic(forum, listener.user))
    await listener.telegram.react(message, listener.user, "👍")
    await listener.telegram.react(message, listener.user)
    await listener.settle()
    heard = await listener.stored()
    assert [incoming.detail["rating"] for incoming in heard] == [1, 0]
    for incoming in heard:
        place = incoming.message.place
        found = await listener.outbox.of_message(1, incoming.installation, place, incoming.target)
        assert found.content.text == ANSWER.text


# Groups that are upgraded


async def test_a_group_that_is_upgraded_keeps_what_was_decided_and_said(listener, knowledge, sessions, tickets):
    group = listener.telegram.add_group(listener.user, listener.bot.user, kind="group")
    old = Place(Platform.TELEGRAM, str(group.chat_id))
    bots = PostgresBots(listener.database)
    await listener.channels.save(1, old, ChannelSettings(listens=Listens.ALWAYS, language="de"))
    await bots.save(1, BotConfiguration("sales"))
    await bots.assign(1, Platform.TELEGRAM, old.channel, "sales")
    await knowledge.create(1, "prices", (Platform.TELEGRAM,))
    await knowledge.set_scope(1, "prices", (Platform.TELEGRAM,), ("-5", old.channel))
    session = await sessions.open(1, old, str(listener.user.user_id))
    delivery = (await listener.posting(group)).delivery
    key = DeliveryKey(delivery.outbox_id, delivery.claim)
    ticket = await tickets.open(1, session.session_id, "How long?", "", "", delivery=key)
    listener.telegram.updates.repeat = 2

    upgraded = listener.telegram.upgrade(group)
    await listener.settle()

    new = Place(Platform.TELEGRAM, str(upgraded.chat_id))
    moved = await listener.channels.settings(1, new)
    assert (moved.listens, moved.language) == (Listens.ALWAYS, "de")
    assert (await listener.channels.settings(1, old)).version == 0
    assert (await bots.for_place(1, new)).name == "sales"
    assert set((await knowledge.knowledge_base(1, "prices")).channels) == {"-5", new.channel}
    assert (await sessions.open(1, new, "7")).session_id == session.session_id
    target = await tickets.target(1, ticket.number)
    assert (target.place.channel, target.address["chat_id"]) == (new.channel, upgraded.chat_id)
    await listener.telegram.say(upgraded, listener.user, "And now?")
    listener.bot.can_read_all = True
    await listener.telegram.say(upgraded, listener.user, "And then?")
    await listener.settle()
    assert await listener.texts() == ["And then?"]


async def test_what_was_decided_for_the_new_chat_already_stays(listener, sessions):
    group = listener.telegram.add_group(listener.user, listener.bot.user, kind="group")
    old = Place(Platform.TELEGRAM, str(group.chat_id))
    await listener.channels.save(1, old, ChannelSettings(language="de"))
    before = await sessions.open(1, old, "7")
    listener.bot.webhook.url = ""
    upgraded = listener.telegram.upgrade(group)
    new = Place(Platform.TELEGRAM, str(upgraded.chat_id))
    await listener.channels.save(1, new, ChannelSettings(language="fr"))
    now = await sessions.open(1, new, "7")
    for pending in listener.bot.updates:
        await listener.intake.take(listener.account, pending.body)
    assert (await listener.channels.settings(1, new)).language == "fr"
    assert (await sessions.open(1, new, "7")).session_id == now.session_id
    assert (await sessions.session(1, before.session_id)).place == new
