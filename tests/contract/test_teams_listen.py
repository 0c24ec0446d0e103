"""The endpoint of Teams against a loopback Bot Framework that signs, forges and delivers again, and a PostgreSQL."""

import asyncio
import io
import json
from contextlib import AsyncExitStack

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.postgres.conversations import PostgresConversations
from adapters.postgres.uploads import PostgresUploads
from adapters.teams.authenticate import Authenticator, KeyRing, Unauthenticated
from adapters.teams.files import TICKET_TYPE, redeeming
from adapters.teams.listen import BODY_BYTES
from adapters.teams.references import References
from adapters.teams.tokens import ManagedIdentity, Password, Tokens
from core.channels import ChannelSettings, Listens
from core.domain import Answer, File, Origin
from core.errors import ChannelUnavailable, Refused, StoreUnavailable, UnreadableDocument, UsageError
from core.file_tickets import TicketedUploads
from core.inbox import Kind, Thread
from core.outbox import Target
from core.places import Place, Platform
from tests.platform import teams_activities as activities
from tests.platform.teams_bot import FILE_SECRET, open_bot
from tests.platform.teams_keys import FORGERIES


class Broken:
    """A store that is away."""

    async def accept(self, incoming):
        raise StoreUnavailable("PostgreSQL does not answer.")


@pytest.fixture
async def bot(database, addresses):
    async with open_bot(database, addresses) as opened:
        yield opened


ANSWER = Answer("You have 28 days.", Origin.DOCUMENTS, None, model="m")


def _thread_of(row):
    return Thread(1, row["installation"], Place(Platform.TEAMS, row["channel"], row["thread"]))


# Who may speak


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_forged_caller_is_turned_away(bot, forgery):
    ack = await bot.teams.attempt(bot.chat, bot.ann, forgery)
    assert ack.status in (401, 403), forgery
    assert await bot.rows() == []
    assert bot.figures.counted[-1] == ("refused", "forged")
    assert (await bot.teams.say(bot.chat, bot.ann, "hello")).acks[0].status == 200


async def test_a_token_is_good_for_its_service_url_and_channel_alone(bot):
    elsewhere = await bot.teams.attempt(bot.chat, bot.ann, "", serviceUrl="https://evil.example/")
    assert elsewhere.status == 403  # the token is right for it, and still ours is sent there by nobody
    other = await bot.teams.attempt(bot.chat, bot.ann, "", channelId="webchat")
    assert other.status == 401
    assert await bot.rows() == []


async def test_two_headers_are_none(bot):
    token = bot.teams.keys.token("x")
    headers = [("Authorization", f"Bearer {token}"), ("Authorization", f"Bearer {token}")]
    async with bot.session.post(bot.url, json={}, headers=headers) as response:
        assert response.status == 401


@given(header=st.text(st.characters(codec="ascii", categories=("L", "N", "P", "Zs")), max_size=60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_stands_in_the_header_is_refused(bot, header):
    authenticator = Authenticator(bot.teams.app_id, bot.keys)
    for scheme in ("", "Bearer ", "Bearer eyJhbGciOiJSUzI1NiJ9."):
        with pytest.raises(Refused):
            await authenticator.authenticate([scheme + header], {"channelId": "msteams", "serviceUrl": "x"})


async def test_a_new_key_is_fetched_once_and_an_unknown_one_not_again_and_again(bot):
    await bot.teams.say(bot.chat, bot.ann, "one")
    await bot.teams.say(bot.chat, bot.ann, "two")
    assert bot.teams.keys.fetches == 1
    bot.teams.keys.rotate()
    said = await asyncio.gather(*(bot.teams.say(bot.chat, bot.ann, f"more {n}") for n in range(5)))
    assert [one.acks[0].status for one in said] == [200] * 5
    assert bot.teams.keys.fetches == 2
    now = 0.0
    keys = KeyRing(bot.session, bot.teams.metadata_url, clock=lambda: now)
    async with AsyncExitStack() as stack:
        await bot.serve(stack, authenticator=Authenticator(bot.teams.app_id, keys))
        for _ in range(3):
            assert (await bot.teams.attempt(bot.chat, bot.ann, "unknown key")).status == 401
        assert bot.teams.keys.fetches == 3


async def test_what_a_new_key_signed_is_taken_in_however_often_keys_change(bot):
    now = 0.0
    keys = KeyRing(bot.session, bot.teams.metadata_url, clock=lambda: now)
    async with AsyncExitStack() as stack:
        await bot.serve(stack, authenticator=Authenticator(bot.teams.app_id, keys))
        for _ in range(3):
            bot.teams.keys.rotate()
            assert (await bot.teams.say(bot.chat, bot.ann, "hello")).acks[0].status == 200
        assert (await bot.teams.attempt(bot.chat, bot.ann, "unknown key")).status == 401
        for _ in range(2):  # the second one within the pause that the first one brought
            assert (await bot.teams.attempt(bot.chat, bot.ann, "unknown key")).status == 401
        bot.teams.keys.rotate()
        now += 2.0
        assert (await bot.teams.say(bot.chat, bot.ann, "after a forger")).acks[0].status == 200


async def test_where_keys_cannot_be_looked_for_what_a_new_one_signed_comes_again(bot):
    now = 0.0
    keys = KeyRing(bot.session, bot.teams.metadata_url, clock=lambda: now)
    async with AsyncExitStack() as stack:
        await bot.serve(stack, authenticator=Authenticator(bot.teams.app_id, keys))
        assert (await bot.teams.attempt(bot.chat, bot.ann, "unknown key")).status == 401
        keys._url, now = f"{bot.teams.url}/nothing-here", 60.0
        bot.teams.keys.rotate()
        said = await bot.teams.say(bot.chat, bot.ann, "while Microsoft's keys are away")
        assert [ack.status for ack in said.acks] == [503] * 3
        assert (await bot.teams.attempt(bot.chat, bot.ann, "unknown key")).status == 503
        keys._url, now = bot.teams.metadata_url, 62.0
        assert (await bot.teams.redeliver(said)).status == 200
        assert len(await bot.rows()) == 1


async def test_without_keys_teams_is_told_to_come_again(bot):
    keys = KeyRing(bot.session, f"{bot.teams.url}/nothing-here")
    async with AsyncExitStack() as stack:
        await bot.serve(stack, authenticator=Authenticator(bot.teams.app_id, keys))
        assert (await bot.teams.attempt(bot.chat, bot.ann, "")).status == 503
    with pytest.raises(ChannelUnavailable):
        await keys.get("key-1")


async def test_old_keys_stay_where_new_ones_cannot_be_had(bot):
    now = 0.0
    keys = KeyRing(bot.session, bot.teams.metadata_url, clock=lambda: now)
    first = await keys.get("key-1")
    keys._url, now = f"{bot.teams.url}/nothing-here", 90_000.0
    assert await keys.get("key-1") is first


async def test_a_key_that_is_known_makes_no_forger_known(bot):
    assert (await bot.teams.say(bot.chat, bot.ann, "hello")).acks[0].status == 200
    for forgery in FORGERIES:
        assert (await bot.teams.attempt(bot.chat, bot.ann, forgery)).status in (401, 403), forgery
    assert len(await bot.rows()) == 1


async def test_with_authentication_off_only_programs_of_this_machine_are_heard(bot):
    bot.teams.rules.signs = False
    bot.transport._tokens = None
    async with AsyncExitStack() as stack:
        await bot.serve(stack, authenticator=Unauthenticated())
        assert (await bot.teams.say(bot.chat, bot.ann, "hello")).acks[0].status == 200
        assert len(await bot.rows()) == 1
        ours = {"serviceUrl": "http://127.0.0.1/"}
        for headers in (
            {"X-Forwarded-For": "10.0.0.1"},
            {"Host": "evil.example"},
            {"Host": "evil.example:3978"},
            {"Host": "127.0.0.1.evil.example"},
            {"Host": "[::1"},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": bot.url.removesuffix("/teams/messages")},
        ):
            async with bot.session.post(bot.url, json=ours, headers=headers) as response:
                assert response.status == 403, headers
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
            async with bot.session.post(bot.url, data=json.dumps(ours), headers={"Content-Type": kind}) as response:
                assert response.status == 415, kind
        for host in ("localhost", "127.0.0.1:1", "[::1]:3978"):
            async with bot.session.post(bot.url, json=ours, headers={"Host": host}) as response:
                assert response.status == 200, host
        assert len(await bot.rows()) == 1


# What is taken in


async def test_a_message_is_stored_before_it_is_acknowledged(bot):
    said = await bot.teams.say(bot.chat, bot.ann, "How many days?")
    assert [ack.status for ack in said.acks] == [200]
    (row,) = await bot.rows()
    assert (row["message_id"], row["kind"], row["author_id"]) == (said.activity_id, "message", bot.ann.aad_id)
    assert (await bot.teams.redeliver(said)).status == 200
    assert len(await bot.rows()) == 1


async def test_threads_of_a_channel_are_conversations_of_their_own(bot):
    one = await bot.teams.say(bot.channel, bot.ann, "first")
    await bot.teams.say(bot.channel, bot.bob, "second")
    await bot.teams.say(bot.channel, bot.bob, "and more", thread=one)
    first, second, third = await bot.rows()
    assert first["channel"] == second["channel"] == bot.channel.conversation_id
    assert first["thread"] == third["thread"] == one.root
    assert second["thread"] not in ("", first["thread"])
    assert first["body"]["address"]["conversation"] == one.root


async def test_what_is_not_for_us_is_answered_where_administrators_say_so(bot):
    bot.teams.reads_all = True
    await bot.teams.say(bot.group, bot.ann, "How many days are there?", mention=False)
    assert await bot.rows() == []
    place = Place(Platform.TEAMS, bot.group.conversation_id, bot.group.conversation_id)
    await bot.channels.save(1, place, ChannelSettings(listens=Listens.QUESTION))
    await bot.teams.say(bot.group, bot.ann, "Lunch is ready.", mention=False)
    await bot.teams.say(bot.group, bot.ann, "How many days are there?", mention=False)
    assert len(await bot.rows()) == 1


async def test_a_thread_goes_on_without_naming_us_where_its_channel_lets_it(bot):
    bot.teams.reads_all = True
    one = await bot.teams.say(bot.channel, bot.ann, "How many days?")
    await bot.teams.say(bot.channel, bot.ann, "And for interns?", thread=one, mention=False)
    assert len(await bot.rows()) == 2
    place = Place(Platform.TEAMS, bot.channel.conversation_id, one.root)
    await bot.channels.save(1, place, ChannelSettings(follow_ups=False))
    await bot.teams.say(bot.channel, bot.ann, "And for others?", thread=one, mention=False)
    assert len(await bot.rows()) == 2


async def test_edits_and_deletions_of_what_was_taken_in_are_heard(bot):
    said = await bot.teams.say(bot.channel, bot.ann, "first")
    other = await bot.teams.say(bot.channel, bot.ann, "not for us", mention=False)
    await bot.teams.edit(said, "second")
    await bot.teams.delete(said)
    await bot.teams.delete(other)
    assert [row["kind"] for row in await bot.rows()] == ["message", "edit", "delete"]


async def test_a_deletion_that_comes_before_its_message_is_kept_where_all_is_for_us(bot):
    async with AsyncExitStack() as stack:
        await bot.serve(stack, acceptance=Broken())
        said = await bot.teams.say(bot.chat, bot.ann, "hello")
        other = await bot.teams.say(bot.group, bot.ann, "hello")
    await bot.serve(bot.stack)
    await bot.teams.delete(said)
    await bot.teams.delete(other)
    await bot.teams.redeliver(said)
    assert [(row["kind"], row["message_id"]) for row in await bot.rows()] == [
        ("delete", said.activity_id),
        ("message", said.activity_id),
    ]
    batch = await bot.inbox.claim(_thread_of((await bot.rows())[0]))
    assert batch is not None
    assert [entry.incoming.kind for entry in batch.entries] == [Kind.DELETE]
    assert [row["ending"] for row in await bot.rows()] == [None, "deleted"]


async def test_a_deletion_that_is_undone_and_comes_anew_is_another_one(bot):
    said = await bot.teams.say(bot.chat, bot.ann, "hello")
    for change in (bot.teams.delete, bot.teams.undelete, bot.teams.delete):
        bot.teams.clock.advance(5.0)
        await change(said)
    _, *later = await bot.rows()
    assert [row["kind"] for row in later] == ["delete", "edit", "delete"]
    revisions = [row["revision"] for row in later]
    assert revisions == sorted({*revisions})


async def test_without_postgresql_it_is_to_be_delivered_again(bot):
    async with AsyncExitStack() as stack:
        await bot.serve(stack, acceptance=Broken())
        said = await bot.teams.say(bot.chat, bot.ann, "hello")
        assert [ack.status for ack in said.acks] == [503] * 3


async def test_too_much_and_nonsense_are_refused(bot):
    headers = bot.teams.keys.headers("x")
    async with bot.session.post(bot.url, data=io.BytesIO(b"x" * (BODY_BYTES + 1)), headers=headers) as response:
        assert response.status == 413
    for body in (b"", b"[]", b"{", b"\xff", b"[" * 100_000):
        async with bot.session.post(bot.url, data=body, headers=headers) as response:
            assert response.status == 400
    assert (await bot.teams.attempt(bot.chat, bot.ann, "", channelData=None, conversation={"id": 7})).status == 200
    assert await bot.rows() == []


@given(
    change=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=5,
    ),
    name=st.sampled_from(
        [
            "type",
            "id",
            "from",
            "conversation",
            "recipient",
            "entities",
            "attachments",
            "channelData",
            "value",
            "text",
            "locale",
            "name",
            "replyToId",
        ]
    ),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_odd_activities_fail_nothing(bot, change, name):
    for kind in ("message", "invoke"):
        activity = activities.message(bot.teams._base(bot.chat, bot.ann, kind), "hello")
        ack = await bot.teams._delivery.once({**activity, "name": "adaptiveCard/action", name: change})
        assert ack.status in (200, 501)


async def test_unknown_tenants_are_refused_politely_and_nothing_is_kept(bot):
    bot.served.clear()
    said = await bot.teams.say(bot.chat, bot.ann, "hello")
    await bot.teams.say(bot.chat, bot.ann, "hello again")
    assert said.acks[0].status == 200
    assert await bot.rows() == []
    (told,) = await bot.teams.until(lambda: bot.teams.answers(bot.chat))
    assert bot.tenant.tenant_id in told.text


async def test_the_code_of_an_administrator_is_never_stored(bot):
    await bot.teams.say(bot.chat, bot.ann, "/admin secret-code")
    assert await bot.rows() == []
    (notice,) = await bot.notices()
    assert notice["content"]["text"] == "You are one now."


async def test_a_group_sees_at_once_that_somebody_is_at_it(bot):
    await bot.teams.say(bot.group, bot.ann, "How many days?")
    await bot.teams.until(lambda: bot.group.conversation_id in bot.teams.state.typing)


# Files


async def test_a_file_is_fetched_when_it_is_read(bot):
    uploads = TicketedUploads(PostgresUploads(bot.database), TICKET_TYPE, redeeming(bot.files, FILE_SECRET))
    small, large = bot.teams.attach("a.txt", b"content"), bot.teams.attach("b.txt", b"x" * 1_001)
    foreign = {**small, "content": {**small["content"], "downloadUrl": "https://evil.example/a.txt"}}
    await bot.teams.say(bot.chat, bot.ann, "read this", files=[small, large, foreign])
    (row,) = await bot.rows()
    first, second, third = row["body"]["message"]["attachments"]
    assert (await uploads.get(1, first["upload_id"])).data == b"content"
    with pytest.raises(UnreadableDocument, match="split"):
        await uploads.get(1, second["upload_id"])
    assert third["upload_id"] is None
    assert "server" in third["reason"]
    forged = await uploads.put(1, "x", "application/vnd.frontdesk.teams-file", b'["[1]", "00"]', limit_bytes=99)
    with pytest.raises(UnreadableDocument, match="did not come through"):
        await uploads.get(1, forged)


async def test_a_file_of_ours_goes_where_its_reader_accepts_it(bot):
    said = await bot.teams.say(bot.chat, bot.ann, "/export")
    answer = Answer("Here.", Origin.COMMAND, None, file=File("export.txt", "text/plain", "my words"))
    await bot.answered(said, answer)
    (delivery,) = await bot.notices()
    consent = {
        "type": "message",
        "attachments": [
            {
                "contentType": "application/vnd.microsoft.teams.card.file.consent",
                "name": "export.txt",
                "content": {
                    "description": "x",
                    "sizeInBytes": 8,
                    "acceptContext": {"outbox": delivery["outbox_id"]},
                    "declineContext": {"outbox": delivery["outbox_id"]},
                },
            }
        ],
    }
    await bot.transport.send(delivery["address"], consent)
    asked = bot.teams.answers(bot.chat)[-1]
    await bot.teams.consent(asked, bot.bob)
    assert (await bot.teams.consent(asked, bot.ann)).status == 200
    await bot.teams.until(lambda: asked.deleted)
    assert list(bot.teams.connector.uploads.values()) == [b"my words"]
    info = bot.teams.answers(bot.chat)[-1].attachments[0]
    assert info["contentType"].endswith("file.info")


# Invokes


async def test_a_thumb_is_stored_and_answered_in_the_same_response(bot):
    shown = await bot.answered(await bot.teams.say(bot.chat, bot.ann, "How many days?"), ANSWER)
    ack = await bot.teams.feedback(shown, bot.ann, "dislike", "too short")
    assert (ack.status, ack.body) == (200, {})
    row = (await bot.rows())[-1]
    assert (row["kind"], row["body"]["detail"]) == (Kind.FEEDBACK, {"rating": -1, "reason": "too short"})
    form = await bot.teams.feedback_form(shown, bot.ann)
    assert form.body["task"]["value"]["card"]["content"]["type"] == "AdaptiveCard"


async def test_an_unknown_invoke_is_no_error(bot):
    shown = await bot.answered(await bot.teams.say(bot.chat, bot.ann, "How many days?"), ANSWER)
    assert (await bot.teams.invoke(shown, bot.ann, "composeExtension/query", {})).status == 501
    ack = await bot.teams.invoke(shown, bot.ann, "adaptiveCard/action", {"action": {"verb": "odd", "data": {}}})
    assert (ack.status, ack.body["statusCode"]) == (200, 200)


# Around the conversation


async def test_the_app_greets_once_and_again_when_it_was_installed_anew(bot):
    await bot.teams.install(bot.chat, bot.ann)
    await bot.teams.install(bot.chat, bot.ann)
    assert [notice["address"]["welcome"] for notice in await bot.notices()] == [True]
    await bot.teams.uninstall(bot.chat, bot.ann)
    await bot.teams.install(bot.chat, bot.ann)
    assert len(await bot.notices()) == 2
    await bot.teams.join(bot.group, bot.teams.user(bot.tenant, "cy"))
    assert len(await bot.notices()) == 2


async def test_the_newest_address_outlives_the_process(bot):
    await bot.teams.say(bot.chat, bot.ann, "hello")
    (row,) = await bot.rows()
    bot.teams.move("emea")
    await bot.teams.say(bot.chat, bot.ann, "hello again")
    target = Target(
        1, row["installation"], Place(Platform.TEAMS, row["channel"], row["thread"]), "", row["body"]["address"]
    )
    address = await References(PostgresConversations(bot.database)).address(target)
    assert address["serviceUrl"] == bot.teams.service_url(bot.chat) != row["body"]["address"]["serviceUrl"]


# Tokens


async def test_a_token_is_fetched_once_for_all_and_again_when_it_is_refused(bot):
    await bot.teams.say(bot.chat, bot.ann, "hello")
    (row,) = await bot.rows()
    address = row["body"]["address"]
    bot.teams.connector.token_delay_s = 0.05
    bot.tokens._until = float("-inf")
    before = bot.teams.token_fetches
    message = {"type": "message", "text": "x"}
    await asyncio.gather(*(bot.transport.send(address, message, patience_s=None) for _ in range(5)))
    assert bot.teams.token_fetches == before + 1
    bot.teams.connector.expire_tokens()
    await bot.transport.send(address, message)
    assert bot.teams.token_fetches == before + 2


async def test_a_wrong_secret_is_said_in_words(bot):
    tokens = Tokens(Password(bot.session, bot.teams.app_id, "wrong", bot.teams.token_tenant, bot.teams.url))
    with pytest.raises(ChannelUnavailable, match=r"AADSTS7000215.*TEAMS_APP_PASSWORD"):
        await tokens.get()
    with pytest.raises(UsageError):
        Password(bot.session, bot.teams.app_id, "", "t")


async def test_a_managed_identity_asks_the_machine(bot):
    asked = []

    async def give(request):
        asked.append((dict(request.query), request.headers.get("X-IDENTITY-HEADER"), request.headers.get("Metadata")))
        return web.json_response({"access_token": "t", "expires_on": "4102444800"})

    app = web.Application()
    app.router.add_get("/msi", give)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/msi"
    for header in ("", "h"):
        tokens = Tokens(ManagedIdentity(bot.session, "app", url, header))
        assert [await tokens.get(), await tokens.get()] == ["t", "t"]
    await runner.cleanup()
    assert [(query["client_id"], header, metadata) for query, header, metadata in asked] == [
        ("app", None, "true"),
        ("app", "h", None),
    ]
