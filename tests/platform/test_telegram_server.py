"""The small Telegram keeps the platform's rules: each is met at least once by the real client, python-telegram-bot."""

import asyncio
from contextlib import asynccontextmanager

import aiohttp
import pytest
import telegram
from aiohttp import web
from telegram.error import BadRequest, Conflict, Forbidden, InvalidToken, RetryAfter
from telegram.request import HTTPXRequest

from tests.platform.telegram_server import Clock, TelegramServer

# The client announces that a later version gives retry_after as a timedelta.
pytestmark = pytest.mark.filterwarnings("ignore::telegram.warnings.PTBDeprecationWarning")


@pytest.fixture
async def server():
    """Run a Telegram whose clock stands still unless a test moves it."""
    async with TelegramServer(clock=Clock(manual=True), scale=0.005) as running:
        yield running


@asynccontextmanager
async def client_of(server, token):
    request = HTTPXRequest(connection_pool_size=8)
    polling = HTTPXRequest(connection_pool_size=4)
    made = telegram.Bot(token, server.base_url, server.base_file_url, request=request, get_updates_request=polling)
    async with made:
        yield made


@pytest.fixture
async def bot(server):
    return server.add_bot()


@pytest.fixture
async def client(server, bot):
    async with client_of(server, bot.token) as made:
        yield made


@pytest.fixture
async def user(server):
    return server.add_user("u1")


@pytest.fixture
async def private(server, bot, user):
    return server.private(bot, user)


def later(server, seconds=60.0):
    server.clock.advance(seconds)


async def soon(is_so):
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110 - what is waited for happens on the other side of a socket
            await asyncio.sleep(0.005)


@asynccontextmanager
async def webhook(server, client, handler, **options):
    """Serve HANDLER at an address that is the bot's webhook."""
    app = web.Application()
    app.router.add_post("/hook", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        await client.set_webhook(f"http://127.0.0.1:{runner.addresses[0][1]}/hook", **options)
        yield
    finally:
        await runner.cleanup()


# Tokens and methods


async def test_a_bot_knows_itself(client, bot):
    me = await client.get_me()
    assert (me.id, me.username, me.is_bot) == (bot.bot_id, "frontdesk_bot", True)
    assert not me.can_read_all_group_messages


async def test_a_wrong_token_is_unauthorized_and_a_malformed_one_not_found(server, bot):
    wrong = bot.token[:-4] + "wxyz"
    with pytest.raises(InvalidToken, match="was rejected by the server"):
        async with client_of(server, wrong):
            pass
    with pytest.raises(InvalidToken, match="was rejected by the server"):
        async with client_of(server, "nonsense"):
            pass
    assert [violation.description for violation in server.violations] == ["Unauthorized", "Not Found"]


async def test_an_unknown_method_is_not_found(client):
    with pytest.raises(telegram.error.EndPointNotFound):
        await client.do_api_request("makeCoffee")


async def test_arguments_come_in_the_query_a_form_and_json_and_are_merged(server, bot, private):
    at = f"{server.base_url}{bot.token}/SendMessage"
    async with aiohttp.ClientSession() as http:
        for options in ({"json": {"text": "json"}}, {"data": {"text": "form"}}, {"params": {"text": "query"}}):
            params = {"chat_id": str(private.chat_id), **options.pop("params", {})}
            async with http.post(at, params=params, **options) as response:
                assert (await response.json())["ok"]
            later(server)
    assert [message.text for message in server.chat(private.chat_id)] == ["json", "form", "query"]


# Updates


async def test_updates_are_repeated_until_an_offset_confirms_them(server, client, private, user):
    for text in ("one", "two", "three"):
        await server.say(private, user, text)
    first = await client.get_updates(limit=2)
    assert [update.message.text for update in first] == ["one", "two"]
    assert [update.message.text for update in await client.get_updates()] == ["one", "two", "three"]
    rest = await client.get_updates(offset=first[-1].update_id + 1)
    assert [update.message.text for update in rest] == ["three"]
    assert await client.get_updates(offset=rest[-1].update_id + 1) == ()


async def test_a_negative_offset_keeps_the_newest(server, client, private, user):
    for text in ("one", "two", "three"):
        await server.say(private, user, text)
    assert [update.message.text for update in await client.get_updates(offset=-1)] == ["three"]
    assert len(await client.get_updates()) == 1


async def test_the_same_offset_at_once_gives_one_update(server, client, private, user):
    for text in ("one", "two"):
        await server.say(private, user, text)
    offset = (await client.get_updates())[0].update_id
    assert len(await client.get_updates(offset=offset)) == 2
    assert len(await client.get_updates(offset=offset)) == 1
    later(server, 1)
    assert len(await client.get_updates(offset=offset)) == 2


async def test_a_long_poll_ends_with_the_first_update(server, client, private, user):
    poll = asyncio.create_task(client.get_updates(timeout=50))
    await asyncio.sleep(0.05)
    await server.say(private, user, "hello")
    assert [update.message.text for update in await poll] == ["hello"]


async def test_a_second_poller_ends_the_first(server, client, bot, private, user):
    first = asyncio.create_task(client.get_updates(timeout=50))
    await soon(lambda: bot.poll is not None)
    second = asyncio.create_task(client.get_updates(timeout=50))
    with pytest.raises(Conflict, match="terminated by other getUpdates request"):
        await first
    await server.say(private, user, "hello")
    assert len(await second) == 1


async def test_only_the_kinds_asked_for_come(server, client, private, user, bot):
    await client.get_updates(allowed_updates=["message_reaction"])
    message = await server.say(private, user, "hello")
    await server.react(message, user, "👍")
    (update,) = await client.get_updates()
    assert update.message_reaction.new_reaction[0].emoji == "👍"
    await client.get_updates(offset=update.update_id + 1, allowed_updates=[])
    await server.react(message, user, "👎")
    assert await client.get_updates() == ()


async def test_updates_expire(server, client, private, user):
    await server.say(private, user, "hello")
    later(server, 86_399)
    assert len(await client.get_updates()) == 1
    later(server, 2)
    assert await client.get_updates() == ()


# Webhooks


async def test_getupdates_is_refused_while_a_webhook_is_set(server, client):
    await client.set_webhook("https://example.com/hook")
    with pytest.raises(Conflict, match="while webhook is active; use deleteWebhook"):
        await client.get_updates()
    await client.delete_webhook()
    assert await client.get_updates() == ()


async def test_setwebhook_has_its_rules(server, client):
    await client.set_webhook("https://example.com/hook", secret_token="s-1", max_connections=7)
    with pytest.raises(RetryAfter):
        await client.set_webhook("https://example.com/hook")
    later(server, 2)
    for options, said in (
        ({"url": "http://example.com/hook"}, "(?i)https url must be provided"),
        ({"url": "https://example.com:1234/hook"}, "only on ports"),
        ({"url": "https://example.com/hook", "secret_token": "a b"}, "unallowed characters"),
        ({"url": "https://example.com/hook", "secret_token": "a" * 257}, "too long"),
    ):
        with pytest.raises(BadRequest, match=said):
            await client.set_webhook(**options)
    info = await client.get_webhook_info()
    assert (info.url, info.max_connections) == ("https://example.com/hook", 7)


async def test_pending_updates_are_dropped_on_demand(server, client, private, user):
    await server.say(private, user, "hello")
    await client.delete_webhook(drop_pending_updates=True)
    assert await client.get_updates() == ()


async def test_a_webhook_gets_the_secret_and_any_2xx_counts(server, client, private, user):
    secrets = []

    async def take(request):
        secrets.append(request.headers.get("X-Telegram-Bot-Api-Secret-Token"))
        return web.Response(status=204)

    async with webhook(server, client, take, secret_token="s3cret"):
        await server.say(private, user, "hello")
        await server.updates.settled()
    assert secrets == ["s3cret"]
    assert [delivery.status for delivery in server.deliveries] == [204]


async def test_a_chat_waits_for_its_failing_update_and_others_do_not(server, client, bot):
    heard, broken = [], True

    async def take(request):
        body = await request.json()
        heard.append(body["message"]["text"])
        return web.Response(status=500 if broken and body["message"]["text"] == "bad" else 200)

    chats = [server.private(bot, server.add_user(name)) for name in ("u1", "u2")]
    async with webhook(server, client, take):
        await server.say(chats[0], chats[0].user, "bad")
        await server.say(chats[0], chats[0].user, "after")
        await server.say(chats[1], chats[1].user, "other")
        await soon(lambda: heard.count("bad") >= 3)
        assert "other" in heard
        assert "after" not in heard
        assert "500" in (await client.get_webhook_info()).last_error_message
        broken = False
        await server.updates.settled()
    assert heard[-1] == "after"
    bad = [delivery for delivery in server.deliveries if delivery.queue[1] == chats[0].chat_id][:-1]
    assert [delivery.attempt for delivery in bad] == list(range(1, len(bad) + 1))


async def test_one_chat_has_one_update_in_flight_and_all_have_max_connections(server, client, bot):
    running, most = {}, {}

    async def take(request):
        chat = (await request.json())["message"]["chat"]["id"]
        running[chat] = running.get(chat, 0) + 1
        most[chat] = max(most.get(chat, 0), running[chat])
        await asyncio.sleep(0.02)
        running[chat] -= 1
        return web.Response()

    chats = [server.private(bot, server.add_user(f"u{number}")) for number in range(6)]
    async with webhook(server, client, take, max_connections=3):
        for chat in chats:
            for _ in range(2):
                await server.say(chat, chat.user, "hello")
        await server.updates.settled()
    assert set(most.values()) == {1}
    assert server.updates.most_in_flight == 3


async def test_an_update_is_given_up_when_the_next_try_would_be_too_late(server, client, private, user):
    async def take(_):
        later(server, 50_000)
        return web.Response(status=500)

    async with webhook(server, client, take):
        await server.say(private, user, "hello")
        await server.updates.settled()
    assert [delivery.attempt for delivery in server.deliveries] == [1, 2]
    assert len(server.updates.expired) == 1


async def test_retry_after_of_a_webhook_is_kept(server, client, private, user):
    async def take(_):
        return web.Response(status=503, headers={"Retry-After": "90000"})

    later(server, 5)
    async with webhook(server, client, take):
        await server.say(private, user, "hello")
        later(server, 86_400 - 3_600)  # an hour is the most that is waited, and is too long now
        await server.updates.settled()
    assert [delivery.status for delivery in server.deliveries] == [503]


async def test_a_webhook_may_answer_with_a_method(server, client, private, user):
    async def take(request):
        chat = (await request.json())["message"]["chat"]["id"]
        return web.json_response({"method": "sendMessage", "chat_id": chat, "text": "at once"})

    async with webhook(server, client, take):
        await server.say(private, user, "hello")
        await server.updates.settled()
    assert [message.text for message in server.from_bot(private)] == ["at once"]


async def test_a_callback_query_has_a_queue_of_its_own(server, client, private, user):
    heard = []

    async def take(request):
        heard.append(next(key for key in await request.json() if key != "update_id"))
        return web.Response(status=200 if "callback_query" in heard else 500)

    keyboard = telegram.InlineKeyboardMarkup([[telegram.InlineKeyboardButton("Yes", callback_data="y")]])
    sent = await client.send_message(private.chat_id, "Well?", reply_markup=keyboard)
    async with webhook(server, client, take):
        await server.say(private, user, "hello")
        await server.press(private.messages[sent.message_id], user, "Yes")
        await server.updates.settled()
    assert "callback_query" in heard


# Messages


async def test_a_text_is_measured_without_its_markup_in_utf_16(server, client, private):
    sent = await client.send_message(private.chat_id, "<b>" + "🏟" * 2_048 + "</b>", parse_mode="HTML")
    assert sent.entities[0].length == 4_096
    with pytest.raises(BadRequest, match="Message is too long"):
        await client.send_message(private.chat_id, "🏟" * 2_049)


@pytest.mark.parametrize(
    ("mode", "text", "said"),
    [
        ("HTML", "<x>a</x>", 'unsupported start tag "x" at byte offset 0'),
        ("HTML", "<b>a", 'can\'t find end tag corresponding to start tag "b"'),
        ("HTML", "<b><i>a</b></i>", 'unmatched end tag at byte offset 7, expected "</i>", found "</b>"'),
        ("MarkdownV2", "a.", "character '.' is reserved and must be escaped with the preceding '\\'"),
        ("MarkdownV2", "*a", "can't find end of bold entity at byte offset 0"),
    ],
)
async def test_markup_that_does_not_parse_is_refused(server, client, private, mode, text, said):
    with pytest.raises(BadRequest) as refused:
        await client.send_message(private.chat_id, text, parse_mode=mode)
    assert refused.value.message.lower() == f"can't parse entities: {said}"


@pytest.mark.parametrize(("text", "said"), [("", "Message text is empty"), ("\u200b \n", "Text must be non-empty")])
async def test_a_message_says_something(client, private, text, said):
    with pytest.raises(BadRequest, match=said):
        await client.send_message(private.chat_id, text)


async def test_previews_can_be_off(server, client, private):
    off = telegram.LinkPreviewOptions(is_disabled=True)
    sent = await client.send_message(private.chat_id, "https://example.com", link_preview_options=off)
    assert not private.messages[sent.message_id].previews


async def test_a_reply_needs_its_message(server, client, private, user):
    asked = await server.say(private, user, "why?")
    sent = await client.send_message(private.chat_id, "so", reply_parameters=telegram.ReplyParameters(asked.message_id))
    assert sent.reply_to_message.text == "why?"
    with pytest.raises(BadRequest, match="Message to be replied not found"):
        await client.send_message(private.chat_id, "so", reply_parameters=telegram.ReplyParameters(999))
    lenient = telegram.ReplyParameters(999, allow_sending_without_reply=True)
    assert (await client.send_message(private.chat_id, "so", reply_parameters=lenient)).reply_to_message is None


async def test_buttons_have_data_of_64_bytes(server, client, private):
    def keyboard(data):
        return {"inline_keyboard": [[{"text": "b", "callback_data": data}]]}

    await client.send_message(private.chat_id, "a", api_kwargs={"reply_markup": keyboard("é" * 32)})
    for data in ("é" * 32 + "e", ""):
        with pytest.raises(BadRequest, match=r"(?i)button_data_invalid"):
            await client.send_message(private.chat_id, "a", api_kwargs={"reply_markup": keyboard(data)})
    bare = {"inline_keyboard": [[{"text": "b"}]]}
    with pytest.raises(BadRequest, match="text buttons are unallowed"):
        await client.send_message(private.chat_id, "a", api_kwargs={"reply_markup": bare})


async def test_edits_change_own_messages_that_are_there_and_differ(server, client, private, user):
    mine = await client.send_message(private.chat_id, "one")
    theirs = await server.say(private, user, "mine")
    edited = await client.edit_message_text("two", private.chat_id, mine.message_id)
    assert (edited.text, edited.edit_date is not None) == ("two", True)
    with pytest.raises(BadRequest, match="Message is not modified: specified new message content and reply markup"):
        await client.edit_message_text("two", private.chat_id, mine.message_id)
    with pytest.raises(BadRequest, match="Message can't be edited"):
        await client.edit_message_text("two", private.chat_id, theirs.message_id)
    with pytest.raises(BadRequest, match="Message to edit not found"):
        await client.edit_message_text("two", private.chat_id, 999)


async def test_an_edit_without_buttons_takes_them_away(server, client, private):
    keyboard = telegram.InlineKeyboardMarkup([[telegram.InlineKeyboardButton("Yes", callback_data="y")]])
    sent = await client.send_message(private.chat_id, "one", reply_markup=keyboard)
    await client.edit_message_reply_markup(private.chat_id, sent.message_id)
    assert private.messages[sent.message_id].markup is None
    with pytest.raises(BadRequest, match="not modified"):
        await client.edit_message_reply_markup(private.chat_id, sent.message_id)


async def test_messages_can_be_deleted_for_two_days(server, client, private, bot):
    sent = [await client.send_message(private.chat_id, text) for text in ("one", "two")]
    assert await client.delete_message(private.chat_id, sent[0].message_id)
    assert [message.text for message in server.chat(private.chat_id)] == ["two"]
    with pytest.raises(BadRequest, match="Message to delete not found"):
        await client.delete_message(private.chat_id, sent[0].message_id)
    later(server, 49 * 3600)
    with pytest.raises(BadRequest, match="can't be deleted for everyone"):
        await client.delete_message(private.chat_id, sent[1].message_id)


async def test_a_query_can_be_answered_for_150_seconds(server, client, private, user):
    keyboard = telegram.InlineKeyboardMarkup([[telegram.InlineKeyboardButton("Yes", callback_data="y")]])
    sent = await client.send_message(private.chat_id, "Well?", reply_markup=keyboard)
    query = await server.press(private.messages[sent.message_id], user, "Yes")
    (update,) = await client.get_updates()
    assert (update.callback_query.data, update.callback_query.message.message_id) == ("y", sent.message_id)
    await client.answer_callback_query(query.query_id, "Thanks", show_alert=True)
    assert query.answered == {"text": "Thanks", "show_alert": True}
    later(server, 151)
    for query_id in (query.query_id, "1"):
        with pytest.raises(BadRequest, match="Query is too old and response timeout expired or query id is invalid"):
            await client.answer_callback_query(query_id)


async def test_a_draft_is_shown_until_a_message_or_thirty_seconds(server, client, private):
    await client.send_message_draft(private.chat_id, 7, "one")
    await client.send_message_draft(private.chat_id, 7)
    assert [draft.text for draft in server.live_drafts(private)] == [""]
    await client.send_message(private.chat_id, "done")
    assert server.live_drafts(private) == []
    later(server, 3)
    await client.send_message_draft(private.chat_id, 8, "two")
    later(server, 31)
    assert [draft.draft_id for draft in server.lost_drafts(private)] == [8]
    with pytest.raises(BadRequest, match="must be non-zero"):
        await client.send_message_draft(private.chat_id, 0, "none")


async def test_drafts_are_for_private_chats_and_can_be_stopped(server, client, private, bot, user):
    group = server.add_group(user, bot.user)
    with pytest.raises(BadRequest, match=r"(?i)textdraft_peer_invalid"):
        await client.send_message_draft(group.chat_id, 7, "one")
    await client.send_message_draft(private.chat_id, 7, "one", api_kwargs={"can_stop": True})
    await server.stop_generation(private, 7)
    (update,) = await client.get_updates()
    assert update.api_kwargs["stopped_message_generation"]["draft_id"] == 7


async def test_rich_messages_can_be_sent(server, client, private):
    arguments = {"chat_id": private.chat_id, "rich_message": {"markdown": "# Hello"}}
    sent = await client.do_api_request("sendRichMessage", api_kwargs=arguments, return_type=telegram.Message)
    assert sent.message_id in private.messages
    await client.do_api_request("sendRichMessageDraft", api_kwargs={**arguments, "draft_id": 3})
    assert len(server.live_drafts(private)) == 1


async def test_chat_actions_are_known_ones(client, private):
    await client.send_chat_action(private.chat_id, "typing")
    assert private.actions == ["typing"]
    with pytest.raises(BadRequest, match="Wrong parameter action"):
        await client.send_chat_action(private.chat_id, "sleeping")


# Files


async def test_files_go_both_ways_up_to_20_megabytes(server, client, private, user):
    await client.send_document(private.chat_id, b"Hello", filename="hello.txt", caption="A file")
    (sent,) = server.from_bot(private)
    assert (sent.media["document"]["file_name"], sent.media["caption"]) == ("hello.txt", "A file")
    file = server.state.add_file("plan.pdf", "application/pdf", b"%PDF")
    await server.say(private, user, "read this", document=file)
    (update,) = await client.get_updates()
    taken = await update.message.document.get_file()
    assert bytes(await taken.download_as_bytearray()) == b"%PDF"
    large = server.state.add_file("large.pdf", "application/pdf", b"", size=(20 << 20) + 1)
    with pytest.raises(BadRequest, match="File is too big"):
        await client.get_file(large.file_id)
    with pytest.raises(BadRequest, match="Invalid file_id"):
        await client.get_file("nonsense")


async def test_a_path_is_good_for_one_token(server, client, bot, private, user):
    file = server.state.add_file("plan.pdf", "application/pdf", b"%PDF")
    await client.get_file(file.file_id)
    path = f"documents/file_{file.file_id[-8:]}"
    other = server.add_bot("other_bot")
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{server.base_file_url}{bot.token}/{path}") as response:
            assert response.status == 200
        async with http.get(f"{server.base_file_url}{other.token}/{path}") as response:
            assert response.status == 404


# Chats


async def test_a_bot_writes_only_where_it_may(server, client, bot, user, private):
    stranger = server.add_user("u9")
    server.private(bot, stranger, started=False)
    with pytest.raises(Forbidden, match="bot can't initiate conversation with a user"):
        await client.send_message(stranger.user_id, "hello")
    with pytest.raises(BadRequest, match="Chat not found"):
        await client.send_message(123, "hello")
    await server.block(private)
    with pytest.raises(Forbidden, match="bot was blocked by the user"):
        await client.send_message(private.chat_id, "hello")
    await server.block(private, blocked=False)
    assert await client.send_message(private.chat_id, "hello")
    statuses = [update.my_chat_member.new_chat_member.status for update in await client.get_updates()]
    assert statuses == ["kicked", "member"]


async def test_a_bot_can_be_removed_from_a_group_and_leave_it(server, client, bot, user):
    group = server.add_group(user, bot.user)
    await client.leave_chat(group.chat_id)
    with pytest.raises(Forbidden, match="bot is not a member of the supergroup chat"):
        await client.send_message(group.chat_id, "hello")
    await server.add_member(group, user, bot, status="kicked")
    with pytest.raises(Forbidden, match="bot was kicked from the supergroup chat"):
        await client.send_message(group.chat_id, "hello")


async def test_privacy_mode_hides_what_is_not_for_the_bot(server, client, bot, user):
    group = server.add_group(user, bot.user)
    mine = group.messages[(await client.send_message(group.chat_id, "hello")).message_id]
    for text, reply_to in (
        ("just us", None),
        ("@frontdesk_bot hello", None),
        ("/help", None),
        ("/help@other_bot", None),
        ("yes", mine),
    ):
        await server.say(group, user, text, reply_to=reply_to)
    await server.say(group, server.add_bot("other_bot").user, "@frontdesk_bot hello")
    seen = [update.message.text for update in await client.get_updates()]
    assert seen == ["@frontdesk_bot hello", "/help", "yes"]
    await server.add_member(group, user, bot, status="administrator")
    await server.say(group, user, "just us")
    assert (await client.get_updates())[-1].message.text == "just us"


async def test_topics_have_threads_and_general_has_none(server, client, bot, user):
    forum = server.add_group(user, bot.user, is_forum=True)
    topic = server.add_topic(forum, user)
    sent = await client.send_message(forum.chat_id, "here", message_thread_id=topic)
    assert (sent.message_thread_id, sent.is_topic_message) == (topic, True)
    for thread in (1, 999):
        with pytest.raises(BadRequest, match="Message thread not found"):
            await client.send_message(forum.chat_id, "there", message_thread_id=thread)
    await server.say(forum, user, "/help", topic=topic)
    await server.say(forum, user, "/help", topic=1)
    within, general = (update.message for update in await client.get_updates())
    assert (within.message_thread_id, within.is_topic_message) == (topic, True)
    assert (general.message_thread_id, general.is_topic_message) == (None, None)
    forum.topics[topic] = "closed"
    with pytest.raises(BadRequest, match=r"(?i)topic_closed"):
        await client.send_message(forum.chat_id, "here", message_thread_id=topic)


async def test_members_and_administrators_are_told(server, client, bot, user):
    group = server.add_group(user, bot.user, title="Ours")
    assert (await client.get_chat(group.chat_id)).title == "Ours"
    assert (await client.get_chat_member(group.chat_id, user.user_id)).status == "creator"
    (owner,) = await client.get_chat_administrators(group.chat_id)
    assert owner.user.id == user.user_id
    assert (await client.get_chat_member(group.chat_id, server.add_user("u9").user_id)).status == "left"


# Commands and descriptions


async def test_commands_have_scopes_and_languages(server, client):
    everywhere, german = [("help", "Show help")], [("help", "Hilfe zeigen"), ("stop", "Anhalten")]
    scope = telegram.BotCommandScopeAllPrivateChats()
    await client.set_my_commands(everywhere)
    await client.set_my_commands(german, scope, "de")
    assert len(await client.get_my_commands()) == 1
    assert len(await client.get_my_commands(scope, "de")) == 2
    await client.delete_my_commands(scope, "de")
    assert await client.get_my_commands(scope, "de") == ()
    with pytest.raises(BadRequest, match=r"(?i)bot_command_invalid"):
        await client.set_my_commands([("Help me", "x")])
    with pytest.raises(BadRequest, match="Invalid language code"):
        await client.set_my_commands(everywhere, language_code="german")


async def test_descriptions_and_the_menu_are_kept(server, client, bot):
    await client.set_my_description("Answers questions.")
    await client.set_my_short_description("Antwortet.", "de")
    await client.set_chat_menu_button(menu_button=telegram.MenuButtonCommands())
    assert (await client.get_my_description()).description == "Answers questions."
    assert (await client.get_my_short_description("de")).short_description == "Antwortet."
    assert (await client.get_chat_menu_button()).type == "commands"
    with pytest.raises(BadRequest, match="too long"):
        await client.set_my_description("x" * 513)


# Rates


async def refused(call):
    try:
        await call
    except RetryAfter as error:
        return error.retry_after
    return 0


async def test_a_person_gets_one_message_a_second_and_a_small_burst(server, client, private):
    for _ in range(3):
        await client.send_message(private.chat_id, "hello")
    assert await refused(client.send_message(private.chat_id, "hello")) == 1
    assert server.early_calls == 0
    assert await refused(client.send_message(private.chat_id, "hello"))
    assert server.early_calls == 1
    for _ in range(5):
        later(server, 1)
        assert not await refused(client.send_message(private.chat_id, "hello"))
    assert await refused(client.send_message(private.chat_id, "hello"))


async def test_a_group_gets_twenty_a_minute_with_edits(server, client, bot, user):
    group = server.add_group(user, bot.user)
    sent = await client.send_message(group.chat_id, "0")
    for number in range(1, 20):
        await client.edit_message_text(str(number), group.chat_id, sent.message_id)
    assert await refused(client.edit_message_text("20", group.chat_id, sent.message_id))
    later(server, 60)
    assert not await refused(client.edit_message_text("20", group.chat_id, sent.message_id))


async def test_all_chats_together_get_thirty_a_second_with_drafts(server, client, bot):
    people = [server.private(bot, server.add_user(f"u{number}")) for number in range(31)]
    for chat in people[:30]:
        await client.send_message_draft(chat.chat_id, 1, "hello")
    assert await refused(client.send_message(people[30].chat_id, "hello"))
    later(server, 1)
    assert not await refused(client.send_message(people[30].chat_id, "hello"))


# Faults on demand


async def test_the_server_can_be_busy_out_and_lose_its_responses(server, client, bot, private):
    server.be_busy(bot, 5, private.chat_id)
    assert await refused(client.send_message(private.chat_id, "hello"))
    later(server, 5)
    server.be_out(1)
    with pytest.raises(telegram.error.NetworkError, match="Bad Gateway"):
        await client.send_message(private.chat_id, "hello")
    server.drop_responses(1)
    with pytest.raises(telegram.error.NetworkError):
        await client.send_message(private.chat_id, "hello")
    assert [message.text for message in server.chat(private.chat_id)] == ["hello"]
    assert [violation.code for violation in server.violations] == [429, 502]


# Pictures, albums and copies


async def test_an_album_is_several_messages_of_one_group(server, client, private):
    files = [telegram.InputMediaDocument(b"one", filename="1.txt"), telegram.InputMediaDocument(b"two", caption="Two")]
    sent = await client.send_media_group(private.chat_id, files)
    assert [message.document.file_size for message in sent] == [3, 3]
    assert len({message.media_group_id for message in sent}) == 1
    assert sent[1].caption == "Two"
    data = await (await sent[0].document.get_file()).download_as_bytearray()
    assert bytes(data) == b"one"
    later(server)
    with pytest.raises(BadRequest, match="2-10 items"):
        await client.send_media_group(private.chat_id, files[:1])


async def test_a_picture_has_a_caption_that_can_be_edited(server, client, private):
    sent = await client.send_photo(private.chat_id, b"a picture", caption="<b>One</b>", parse_mode="HTML")
    assert (sent.photo[-1].file_size, sent.caption, sent.caption_entities[0].type) == (9, "One", "bold")
    later(server)
    edited = await sent.edit_caption("Two")
    assert (edited.caption, edited.caption_entities) == ("Two", ())
    with pytest.raises(BadRequest, match="not modified"):
        await sent.edit_caption("Two")
    plain = await client.send_message(private.chat_id, "Plain")
    with pytest.raises(BadRequest, match="no caption"):
        await plain.edit_caption("Two")


async def test_a_message_is_copied_without_its_author_and_forwarded_with_them(server, client, user, private):
    asked = await server.say(private, user, "How long?")
    copied = await client.copy_message(private.chat_id, private.chat_id, asked.message_id)
    assert private.messages[copied.message_id].text == "How long?"
    later(server)
    forwarded = await client.forward_message(private.chat_id, private.chat_id, asked.message_id)
    assert forwarded.forward_origin.sender_user.id == user.user_id
    with pytest.raises(BadRequest, match=r"(?i)message to copy not found"):
        await client.copy_message(private.chat_id, private.chat_id, 99)


async def test_a_bot_reacts_with_one_sign(server, bot, client, user, private):
    asked = await server.say(private, user, "How long?")
    await client.set_message_reaction(private.chat_id, asked.message_id, "👍")
    assert asked.reactions[bot.bot_id] == [{"type": "emoji", "emoji": "👍"}]
    with pytest.raises(BadRequest, match=r"(?i)reactions_too_many"):
        await client.set_message_reaction(private.chat_id, asked.message_id, ["👍", "👎"])


async def test_two_are_in_a_private_chat_and_both_are_members(bot, client, private):
    assert await client.get_chat_member_count(private.chat_id) == 2
    assert (await client.get_chat_member(private.chat_id, bot.bot_id)).status == "member"


async def test_the_message_that_says_where_a_group_has_gone_can_be_replied_to(server, bot, client, user):
    group = server.add_group(user, bot.user, kind="group")
    new = server.upgrade(group)
    (moved,) = await client.get_updates(offset=-1)
    sent = await client.send_message(
        new.chat_id, "Here", reply_parameters=telegram.ReplyParameters(moved.message.message_id)
    )
    assert sent.reply_to_message.migrate_from_chat_id == group.chat_id
