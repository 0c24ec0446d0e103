"""What is pressed in Teams, and what comes in of which nothing can be made, against a loopback Bot Framework."""

import asyncio
import copy
import json
import random
from dataclasses import replace

import pytest

from adapters.teams import cards
from adapters.teams.outbound import addressed, card_message, message_of
from core.documents import Citation
from core.domain import Answer, Origin, TicketState
from tests.platform import teams_activities as activities
from tests.platform.teams_bot import open_bot
from tests.platform.teams_rules import actions_of

ANSWER = Answer("You have 28 days.", Origin.DOCUMENTS, None, model="m")
HUMAN = "I need a person"


@pytest.fixture
async def bot(database, addresses):
    async with open_bot(database, addresses) as opened:
        yield opened


def titles(card):
    return [action["title"] for action in actions_of(card)]


# A person


async def test_a_person_is_asked_for_once_however_often_it_is_pressed(bot):
    shown = await bot.answered(await bot.teams.say(bot.chat, bot.ann, "How many days?"), ANSWER)
    before = copy.deepcopy(shown.body)
    ack = await bot.teams.press(shown, bot.ann, HUMAN)
    assert (ack.status, ack.body["statusCode"], ack.body["type"]) == (200, 200, cards.CARD_TYPE)
    assert [block["text"] for block in ack.body["value"]["body"]] == ["I hand this to a person."]
    assert titles(ack.body["value"]) == []
    for execute in (True, False):
        shown.body = copy.deepcopy(before)
        assert (await bot.teams.press(shown, bot.ann, HUMAN, execute=execute)).status == 200
    assert [row["body"]["message"]["text"] for row in await bot.rows()] == ["How many days?", "/human"]


@pytest.mark.parametrize("private", [False, True])
async def test_where_a_card_is_submitted_it_says_too_that_a_person_is_asked(bot, private):
    source = Citation(1, 1, 1, "Time off", "/srv/policy.md", None, "28 days")
    chat = bot.group if private else bot.chat
    said = await bot.teams.say(chat, bot.ann, "How many days?", targeted=private)
    shown = await bot.answered(said, replace(ANSWER, citations=(source,), private=private), chat)
    before = copy.deepcopy(shown.body)
    await bot.teams.press(shown, bot.ann, HUMAN, execute=False)
    await bot.teams.until(lambda: shown.edits)
    (card,) = shown.cards
    assert (shown.text, shown.body["entities"]) == (before["text"], before["entities"])
    assert "I hand this to a person." in json.dumps(card)
    assert [title for title in titles(card) if title in ("[1] Time off", HUMAN)] == ["[1] Time off"]
    assert shown.body.get("recipient") == before.get("recipient")
    assert bot.teams.answers(chat, user=bot.ann) == [shown]


@pytest.mark.parametrize("fault", ["http_405", "http_501"])
async def test_where_no_card_can_be_changed_a_short_text_says_that_a_person_is_asked(bot, fault):
    shown = await bot.answered(await bot.teams.say(bot.chat, bot.ann, "How many days?"), ANSWER)
    for presses in (1, 2):
        bot.teams.misbehave("update", fault)
        await bot.teams.press(shown, bot.ann, HUMAN, execute=False)
        _, *told = await bot.teams.until(
            lambda n=presses: bot.teams.answers(bot.chat)[n:] and bot.teams.answers(bot.chat)
        )
        assert [one.text for one in told] == ["I hand this to a person."] * presses
    assert [row["body"]["message"]["text"] for row in await bot.rows()] == ["How many days?", "/human"]


async def test_no_other_message_is_changed_than_that_of_the_answer(bot):
    first = await bot.answered(await bot.teams.say(bot.chat, bot.ann, "How many days?"), ANSWER)
    address = (await bot.notices())[0]["address"]
    await bot.transport.send(address, addressed(message_of("of nobody's answer"), address))
    other = bot.teams.answers(bot.chat)[-1]
    value = {"frontdesk": "human", "answer": (await bot.notices())[0]["outbox_id"]}
    await bot.teams._delivery.send(bot.teams._about(other, bot.ann, "message", value=value))
    *_, told = await bot.teams.until(lambda: bot.teams.answers(bot.chat)[2:])
    assert told.text == "I hand this to a person."
    assert (first.edits, other.edits) == ([], [])


async def test_what_is_handed_on_is_said_in_the_language_of_the_client(bot):
    shown = await bot.answered(await bot.teams.say(bot.chat, bot.ann, "How many days?"), ANSWER)
    action = {"type": "Action.Execute", "verb": "human", "data": {}}
    pressed = bot.teams._about(shown, bot.ann, "invoke", name="adaptiveCard/action", value={"action": action})
    ack = await bot.teams._delivery.once({**pressed, "locale": "de-AT"})
    assert "Ich gebe das an einen Menschen weiter." in json.dumps(ack.body)


async def test_the_sources_stay_also_where_the_client_names_another_message(bot):
    source = Citation(1, 1, 1, "Time off", "/srv/policy.md", None, "28 days")
    said = await bot.teams.say(bot.group, bot.ann, "How many days?")
    shown = await bot.answered(said, replace(ANSWER, citations=(source,)), bot.group)
    (delivery,) = await bot.notices()
    own, foreign = {"answer": delivery["outbox_id"]}, {"answer": delivery["outbox_id"] + 10**6}
    for chat, data, sources in ((bot.group, own, 1), (bot.group, foreign, 0), (bot.chat, own, 0)):
        action = {"type": "Action.Execute", "verb": "human", "data": data}
        pressed = bot.teams._base(chat, bot.ann, "invoke", name="adaptiveCard/action", value={"action": action})
        ack = await bot.teams._delivery.once({**pressed, "replyToId": f"{shown.activity_id}-card"})
        assert json.dumps(ack.body).count("[1] Time off") == sources, chat.scope


async def test_a_private_answer_is_shown_to_nobody_else_who_names_it(bot):
    source = Citation(1, 1, 1, "Time off", "/srv/policy.md", None, "28 days")
    said = await bot.teams.say(bot.group, bot.ann, "How many days?", targeted=True)
    shown = await bot.answered(said, replace(ANSWER, citations=(source,), private=True), bot.group)
    for user, sources in ((bot.bob, 0), (bot.ann, 1)):
        action = {"type": "Action.Execute", "verb": "human", "data": {"private": True}}
        ack = await bot.teams.invoke(shown, user, "adaptiveCard/action", {"action": action})
        assert json.dumps(ack.body).count("[1] Time off") == sources, user.name


async def test_a_person_asked_for_under_a_private_answer_is_asked_in_its_conversation(bot):
    said = await bot.teams.say(bot.channel, bot.ann, "How many days?", targeted=True)
    shown = await bot.answered(said, Answer("28 days.", Origin.DOCUMENTS, None, private=True), bot.channel)
    ack = await bot.teams.press(shown, bot.ann, HUMAN)
    assert titles(ack.body["value"]) == ["Share with channel"]
    question, wish = await bot.rows()
    assert (wish["thread"], wish["body"]["address"]["private"]) == (question["thread"], True)


async def test_a_person_asked_for_under_an_answer_is_asked_about_what_it_answers(bot):
    """Neither that it is for one person alone nor what a client says of that leads to another conversation."""
    for chat in (bot.group, bot.channel):
        for private, execute, forged in ((True, True, None), (True, False, None), (False, True, True)):
            said = await bot.teams.say(chat, bot.ann, "How many days?")
            answer = Answer("28 days.", Origin.DOCUMENTS, None, private=private, personal=private)
            shown = await bot.answered(said, answer, chat)
            if forged:
                action = {"type": "Action.Execute", "verb": "human", "data": {"private": True}}
                await bot.teams.invoke(shown, bot.ann, "adaptiveCard/action", {"action": action})
            else:
                await bot.teams.press(shown, bot.ann, HUMAN, execute=execute)
            *_, question, wish = await bot.rows()
            assert (wish["body"]["message"]["text"], wish["thread"]) == ("/human", question["thread"])
            assert wish["body"]["address"]["private"] is True
            await bot.fetch("truncate inbox cascade")


async def test_a_person_is_asked_for_once_under_one_answer_whoever_presses(bot):
    shown = await bot.answered(await bot.teams.say(bot.group, bot.ann, "How many days?"), ANSWER, bot.group)
    presses = [(bot.ann, True), (bot.bob, True), (bot.ann, False)]
    acks = await asyncio.gather(*(bot.teams.press(shown, user, HUMAN, execute=execute) for user, execute in presses))
    assert [ack.status for ack in acks] == [200] * 3
    assert [row["body"]["message"]["text"] for row in await bot.rows()] == ["How many days?", "/human"]


async def test_nobody_asks_for_a_person_in_the_name_of_somebody_elses_answer(bot):
    said = await bot.teams.say(bot.channel, bot.ann, "How many days?", targeted=True)
    shown = await bot.answered(said, Answer("28 days.", Origin.DOCUMENTS, None, private=True), bot.channel)
    (delivery,) = await bot.notices()
    data = {"private": True, "answer": delivery["outbox_id"]}
    action = {"type": "Action.Execute", "verb": "human", "data": data}
    await bot.teams.invoke(shown, bot.bob, "adaptiveCard/action", {"action": action})
    await bot.teams.press(shown, bot.ann, HUMAN)
    question, forged, wish = await bot.rows()
    assert forged["thread"].endswith(f";private={bot.bob.aad_id}")
    assert wish["thread"] == question["thread"]


# Sharing


async def test_a_private_answer_is_shared_by_its_reader_alone_and_once(bot):
    for chat, title, told in (
        (bot.group, "Share with chat", "The answer is in the chat now."),
        (bot.channel, "Share with channel", "The answer is in the channel now."),
    ):
        said = await bot.teams.say(chat, bot.ann, "how many days?", targeted=True)
        shown = await bot.answered(said, Answer("28 days.", Origin.DOCUMENTS, None, private=True), chat)
        assert shown.targeted_to == bot.ann.user_id
        before = len(await bot.notices())
        ack = await bot.teams.press(shown, bot.bob, title)
        assert "no longer" in ack.body["value"]
        assert len(await bot.notices()) == before
        acks = await asyncio.gather(*(bot.teams.press(shown, bot.ann, title) for _ in range(3)))
        assert {ack.body["value"] for ack in acks} == {told}
        (shared,) = (await bot.notices())[before:]
        assert shared["content"]["private"] is False
        assert (shared["thread"], "private" in shared["address"]) == (said.root, False)


@pytest.mark.parametrize(
    "answer",
    [
        ANSWER,  # everybody reads it already
        Answer("Yours.", Origin.DOCUMENTS, None, private=True, personal=True),
        Answer("A list.", Origin.COMMAND, None, private=True),
    ],
)
async def test_what_is_not_private_or_not_for_others_is_not_shared(bot, answer):
    for chat in (bot.group, bot.chat):
        shown = await bot.answered(await bot.teams.say(chat, bot.ann, "How many days?"), answer, chat)
        before = len(await bot.notices())
        action = {"type": "Action.Execute", "verb": "share", "data": {}}
        ack = await bot.teams.invoke(shown, bot.ann, "adaptiveCard/action", {"action": action})
        assert "no longer" in ack.body["value"]
        assert len(await bot.notices()) == before


async def test_who_may_not_share_reads_so_in_their_own_language(bot):
    said = await bot.teams.say(bot.group, bot.ann, "how many days?", targeted=True)
    shown = await bot.answered(said, Answer("28 days.", Origin.DOCUMENTS, None, private=True), bot.group)
    listed = await bot.teams.say(bot.group, bot.ann, "/help", targeted=True)
    listed = await bot.answered(listed, Answer("A list.", Origin.COMMAND, None, private=True), bot.group)
    action = {"type": "Action.Execute", "verb": "share", "data": {"private": True}}
    for message, user in ((shown, bot.bob), (listed, bot.ann)):
        for locale, told in (("de-AT", "nicht mehr"), ("en-US", "no longer")):
            pressed = bot.teams._about(message, user, "invoke", name="adaptiveCard/action", value={"action": action})
            ack = await bot.teams._delivery.once({**pressed, "locale": locale})
            assert told in ack.body["value"]


# Tickets


async def show_ticket(bot, number=7):
    await bot.teams.say(bot.chat, bot.ann, "hello")
    (row,) = await bot.rows()
    await bot.fetch(
        "insert into tickets (tenant_id, number, state, question, transcript, reason, answer) "
        "values (1, $1, 'answered', 'q', 't', 'r', 'a')",
        number,
    )
    card = card_message(cards.ticket_card(number, TicketState.OPEN))
    await bot.transport.send(row["body"]["address"], addressed(card, row["body"]["address"]))
    return bot.teams.answers(bot.chat)[-1]


async def test_a_ticket_shows_how_it_stands(bot):
    shown = await show_ticket(bot)
    await bot.teams.press(shown, bot.ann, "Refresh", execute=False)
    await bot.teams.until(lambda: shown.edits)
    assert "A person has answered" in json.dumps(shown.cards)


async def test_the_words_around_a_ticket_stay_where_its_card_is_renewed(bot):
    await bot.fetch(
        "insert into tickets (tenant_id, number, state, question, transcript, reason, answer) "
        "values (1, 7, 'answered', 'q', 't', 'r', 'a')"
    )
    opened = Answer("I opened ticket 7.", Origin.NOTHING_FOUND, None, ticket_number=7)
    shown = await bot.answered(await bot.teams.say(bot.chat, bot.ann, "hello"), opened)
    await bot.teams.press(shown, bot.ann, "Refresh", execute=False)
    await bot.teams.until(lambda: shown.edits)
    assert (shown.text, "A person has answered" in json.dumps(shown.cards)) == ("I opened ticket 7.", True)


@pytest.mark.parametrize("number", [10**30, 2**31, 2**63, -1, 0, 1.0, True, "1", None, [1], {}])
async def test_a_ticket_is_named_by_a_number_that_can_be_one(bot, number):
    shown = await show_ticket(bot, 1)
    action = {"type": "Action.Execute", "verb": "ticket", "data": {"number": number}}
    ack = await bot.teams.invoke(shown, bot.ann, "adaptiveCard/action", {"action": action})
    assert (ack.status, ack.body["type"]) == (200, "application/vnd.microsoft.activity.message")


# Thumbs


async def test_an_unknown_thumb_is_no_error(bot):
    shown = await bot.answered(await bot.teams.say(bot.chat, bot.ann, "How many days?"), ANSWER)
    ack = await bot.teams.feedback(shown, bot.ann, "surprised")
    assert (ack.status, ack.body) == (200, {})
    assert len(await bot.rows()) == 1


# Whatever comes

ODD = (
    None,
    True,
    0,
    -1,
    10**30,
    2**63,
    1e308,
    "",
    "a\x00b",
    "\ud800",
    "\U0001f600" * 200,
    "x" * 70_000,
    "9" * 400,
    [],
    [None],
    {},
    {"id": {"id": []}},
    ["\udfff\x00"],
)


def paths(held, before=()):
    """List the way to every value in HELD."""
    inner = held.items() if isinstance(held, dict) else enumerate(held) if isinstance(held, list) else ()
    for name, value in inner:
        yield (*before, name)
        yield from paths(value, (*before, name))


def changed(activity, path, value):
    made = copy.deepcopy(activity)
    at = made
    for name in path[:-1]:
        at = at[name]
    at[path[-1]] = value
    return made


def kinds(bot, shown):
    """Make one activity of each kind that comes."""

    def about(kind, **more):
        return bot.teams._about(shown, bot.ann, kind, **more)

    message = activities.message(about("message"), "hello", attachments=[bot.teams.attach("a.txt", b"x")])
    yield activities.targeted(activities.mention(bot.teams.state, message, "hello"))
    yield {**message, "type": "messageUpdate", "channelData": {**message["channelData"], "eventType": "editMessage"}}
    yield about("messageDelete", channelData={**message["channelData"], "eventType": "softDeleteMessage"})
    yield about("messageReaction", reactionsAdded=[{"type": "like"}])
    yield about("conversationUpdate", membersAdded=[{"id": bot.teams.state.bot_id}, {"id": bot.bob.user_id}])
    yield about("installationUpdate", action="add")
    yield about("message", value={"frontdesk": "human", "private": True})
    for verb in ("human", "share", "ticket"):
        action = {"type": "Action.Execute", "verb": verb, "data": {"number": 1, "language": "de", "private": True}}
        yield about("invoke", name="adaptiveCard/action", value={"action": action, "trigger": "manual"})
    given = {"reaction": "like", "feedback": '{"feedbackText":"good"}'}
    yield about("invoke", name="message/submitAction", value={"actionName": "feedback", "actionValue": given})
    yield about("invoke", name="message/fetchTask", value={"data": {"actionValue": given}})
    info = {"uploadUrl": f"{bot.teams.url}/files/x", "contentUrl": "x", "uniqueId": "x", "fileType": "txt"}
    consent = {"type": "fileUpload", "action": "accept", "context": {"outbox": 1}, "uploadInfo": info}
    yield about("invoke", name="fileConsent/invoke", value=consent)


async def test_no_field_of_any_activity_makes_an_error_of_ours(bot):
    shown = await bot.answered(await bot.teams.say(bot.chat, bot.ann, "How many days?"), ANSWER)
    whole = list(kinds(bot, shown))
    fields = [(activity, path) for activity in whole for path in paths(activity)]
    chance, tokens = random.Random(7), {}
    mutations = [(activity, path, value) for activity, path in fields for value in ODD]
    for number, (activity, path, value) in enumerate(chance.sample(mutations, 500)):
        odd = changed({**activity, "id": f"{number}"}, path, value)
        service_url = str(odd.get("serviceUrl"))
        if service_url not in tokens:
            tokens[service_url] = bot.teams.keys.token(service_url)
        headers = {"Authorization": f"Bearer {tokens[service_url]}", "Content-Type": "application/json"}
        async with bot.session.post(bot.url, data=json.dumps(odd).encode(), headers=headers) as response:
            assert response.status < 500 or response.status == 501, (path, value, await response.text())
        if number % 50 == 0:
            await bot.fetch("truncate inbox cascade")  # what waits is limited
    assert (await bot.teams.say(bot.chat, bot.ann, "still there?")).acks[0].status == 200
