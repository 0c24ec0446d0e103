"""The fake Teams keeps the service's rules, as raw requests and the SDK's own client see them."""

import asyncio
import json

import aiohttp
import jwt
import pytest
from aiohttp import web
from botbuilder.schema import Activity
from botframework.connector.aio import ConnectorClient
from botframework.connector.auth import MicrosoftAppCredentials

from adapters.teams import cards
from adapters.teams.inbound import Changed, Event, Heard, Ignored, Scope, Seen, from_activity
from adapters.teams.invoked import Button, Pressed, from_invoke
from adapters.teams.outbound import addressed, card_message, final, informative, render, streaming, welcome
from core.documents import Citation
from core.domain import Answer, Origin, TicketState
from core.inbox import Kind
from tests.platform.teams_keys import FORGERIES, ISSUER
from tests.platform.teams_server import TeamsServer


class Bot:
    """A bot that keeps what it hears and answers as it is told."""

    def __init__(self):
        self.heard = []
        self.statuses = []
        self.body = None
        self.hang_s = 0.0

    async def handle(self, request):
        self.heard.append((await request.json(), dict(request.headers)))
        if self.hang_s:
            await asyncio.sleep(self.hang_s)
        status = self.statuses.pop(0) if self.statuses else 200
        return web.json_response(self.body, status=status) if self.body is not None else web.Response(status=status)


@pytest.fixture
async def teams():
    async with TeamsServer(ack_s=5.0, time_scale=0.0) as teams:
        teams.connector.rates.enabled = False
        yield teams


@pytest.fixture
async def bot(teams):
    bot = Bot()
    app = web.Application()
    app.router.add_post("/teams/messages", bot.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    teams.rules.bot_url = f"http://{host}:{port}/teams/messages"
    yield bot
    await runner.cleanup()


class Office:
    """A tenant with two people, a chat of each scope, and the bot's own requests."""

    def __init__(self, teams, session):
        self.teams, self.session = teams, session
        self.tenant = teams.tenant()
        self.ann, self.bob = teams.user(self.tenant, "ann"), teams.user(self.tenant, "bob")
        self.chat, self.group = teams.personal(self.ann), teams.group(self.ann, self.bob)
        self.channel = teams.channel(self.ann, self.bob)
        self.token = ""

    async def get_token(self, **changes):
        form = {
            "grant_type": "client_credentials",
            "client_id": self.teams.app_id,
            "client_secret": self.teams.secret,
            "scope": "https://api.botframework.com/.default",
        }
        async with self.session.post(self.teams.token_url, data={**form, **changes}) as response:
            return response.status, await response.json()

    async def call(self, method, chat, path="", body=None, *, conversation=""):
        if not self.token:
            self.token = (await self.get_token())[1]["access_token"]
        url = f"{self.teams.service_url(chat)}v3/conversations/{conversation or chat.conversation_id}/{path}"
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.session.request(method, url, json=body, headers=headers) as response:
            return response.status, json.loads(await response.text() or "{}"), response.headers

    async def post(self, body, chat=None, **more):
        return await self.call("POST", chat or self.chat, "activities", body, **more)

    async def refusal(self, body, chat=None):
        status, answer, _ = await self.post(body, chat)
        return status, answer["error"]["code"]

    async def stream(self, text, sequence=1, stream_id="", kind="streaming", chat=None, **more):
        entity = {"type": "streaminfo", "streamType": kind}
        entity |= ({"streamSequence": sequence} if sequence else {}) | ({"streamId": stream_id} if stream_id else {})
        type_ = "message" if kind == "final" else "typing"
        body = {"type": type_, "text": text, "entities": [entity], **more}
        status, answer, _ = await self.post(body, chat)
        return status, answer


@pytest.fixture
async def office(teams):
    async with aiohttp.ClientSession() as session:
        yield Office(teams, session)


def message(text="hello", **more):
    return {"type": "message", "text": text, **more}


def root(*claims, **more):
    entity = {"type": "https://schema.org/Message", "@type": "Message", "@context": "https://schema.org"}
    return {**entity, "citation": list(claims), **more}


def claim(position=1, name="n", abstract="a", **more):
    document = {"@type": "DigitalDocument", "name": name, "abstract": abstract, **more}
    return {"@type": "Claim", "position": position, "appearance": document}


def card(**more):
    content = {"type": "AdaptiveCard", "version": "1.5", "body": [{"type": "TextBlock", "text": "x"}], **more}
    return {"contentType": "application/vnd.microsoft.card.adaptive", "content": content}


# Tokens


async def test_a_token_is_given_for_the_right_credentials_alone(teams, office):
    assert (await office.get_token())[0] == 200
    for change in ({"client_secret": "x"}, {"client_id": "x"}, {"scope": "x"}, {"grant_type": "password"}):
        status, answer = await office.get_token(**change)
        assert (status, "error_description" in answer) == (400, True)
    teams.token_tenant = "botframework.com"
    assert (await office.get_token())[1]["error"] == "unauthorized_client"
    assert teams.token_fetches == 6


async def test_calls_without_a_valid_token_are_denied(teams, office):
    office.token = "nobody gave this"
    assert (await office.post(message()))[0] == 401
    office.token = ""
    assert (await office.post(message()))[0] == 201
    teams.clock.advance(3601)
    assert (await office.post(message()))[0] == 401
    assert teams.connector.unauthorized == 2


def verify(header, keys, app_id, service_url):
    """Check a token as strictly as the documentation asks; raise ValueError or what PyJWT raises."""
    scheme, _, token = header.partition(" ")
    if scheme != "Bearer":
        raise ValueError(scheme)
    kid = jwt.get_unverified_header(token)["kid"]
    key = next((key for key in keys["keys"] if key["kid"] == kid), None)
    if key is None or "msteams" not in key["endorsements"]:
        raise ValueError(kid)
    claims = jwt.decode(
        token,
        jwt.PyJWK(key, "RS256").key,
        algorithms=["RS256"],
        audience=app_id,
        issuer=ISSUER,
        leeway=300,
        options={"require": ["exp", "iss", "aud"]},
    )
    if claims.get("serviceurl") != service_url:
        raise ValueError("serviceurl")


async def test_a_true_token_is_valid_and_every_forgery_is_not(teams, office):
    async with office.session.get(teams.metadata_url) as response:
        configuration = await response.json()
    async with office.session.get(configuration["jwks_uri"]) as response:
        keys = await response.json()
    service_url = teams.service_url(office.chat)
    ((_, header),) = teams.keys.headers(service_url)
    verify(header, keys, teams.app_id, service_url)
    for forgery in FORGERIES:
        headers = teams.keys.headers(service_url, forgery)
        with pytest.raises((ValueError, jwt.PyJWTError)):
            verify(headers[0][1] if headers else "", keys, teams.app_id, service_url)
    teams.keys.rotate()
    ((_, header),) = teams.keys.headers(service_url)
    with pytest.raises(ValueError, match="key-"):
        verify(header, keys, teams.app_id, service_url)
    verify(header, teams.keys.jwks(), teams.app_id, service_url)


# The connector


async def test_the_bots_messages_stand_where_it_wrote_them(teams, office):
    status, answer, _ = await office.post(message("first"))
    assert status == 201
    path = f"activities/{answer['id']}"
    assert (await office.call("PUT", office.chat, path, message("second")))[0] == 200
    (shown,) = teams.thread(office.chat)
    assert (shown.text, [body["text"] for body in shown.edits]) == ("second", ["first"])
    assert (await office.call("DELETE", office.chat, path))[0] == 200
    assert teams.thread(office.chat) == []
    assert (await office.call("DELETE", office.chat, path))[:2][0] == 404
    assert (await office.call("PUT", office.chat, "activities/17", message()))[1]["error"]["code"].startswith(
        "Activity"
    )


async def test_what_the_sdks_own_client_sends_arrives(teams, office):
    class Credentials(MicrosoftAppCredentials):
        def get_access_token(self, force_refresh=False):
            return office.token

    office.token = (await office.get_token())[1]["access_token"]
    credentials = Credentials(teams.app_id, teams.secret)
    client = ConnectorClient(credentials, base_url=teams.service_url(office.channel))
    conversation = office.channel.conversation_id
    sent = await client.conversations.send_to_conversation(conversation, Activity(type="message", text="from the SDK"))
    (shown,) = teams.thread(office.channel)
    assert (shown.activity_id, shown.text) == (sent.id, "from the SDK")
    assert shown.conversation == f"{conversation};messageid={sent.id}"
    replied = await client.conversations.reply_to_activity(
        shown.conversation, sent.id, Activity(type="message", text="in the thread")
    )
    assert [one.text for one in teams.thread(office.channel, shown)] == ["from the SDK", "in the thread"]
    await client.conversations.delete_activity(shown.conversation, replied.id)
    assert len(teams.thread(office.channel, shown)) == 1
    teams.connector.roster.smallest_page = 1
    found = await client.conversations.get_conversation_paged_members(conversation, page_size=1)
    assert (len(found.members), found.continuation_token) == (1, "1")


async def test_the_people_and_channels_of_a_team_are_told_as_microsofts_clients_ask_for_them(teams, office):
    """The JavaScript SDKs ask for a team by its id, spell a path their own way and read e-mail addresses."""
    office.token = (await office.get_token())[1]["access_token"]
    other = teams.channel(office.ann, name="Lunch", team_id=office.channel.team_id)
    base = teams.service_url(office.channel).rstrip("/")
    team = office.channel.team_id

    async def get(path):
        headers = {"Authorization": f"Bearer {office.token}"}
        async with office.session.get(f"{base}/v3{path}", headers=headers) as response:
            return response.status, await response.json()

    status, people = await get(f"/conversations/{team}/members")
    assert (status, {one["email"] for one in people}) == (200, {"ann@contoso.example", "bob@contoso.example"})
    for spelling in ("pagedmembers", "pagedMembers"):
        status, page = await get(f"/conversations/{team}/{spelling}?pageSize=1")
        assert (status, len(page["members"])) == (200, 2), "no page is smaller than fifty"
    status, one = await get(f"/conversations/{team}/members/{office.bob.aad_id}")
    assert (status, one["id"], one["givenName"]) == (200, office.bob.user_id, "bob")
    about = await get(f"/teams/{team}")
    assert (about[0], about[1]["channelCount"], about[1]["memberCount"]) == (200, 2, 2)
    status, channels = await get(f"/teams/{team}/conversations")
    assert [one["id"] for one in channels["conversations"]] == [office.channel.conversation_id, other.conversation_id]
    assert (await get("/teams/19:nobody@thread.tacv2"))[0] == 404
    assert (await get(f"/conversations/{team}/pagedmembers?continuationToken=x"))[0] == 400
    office.channel.installed = other.installed = False
    assert (await get(f"/conversations/{team}/members"))[0] == 403


async def test_a_bots_token_is_a_jwt_that_names_who_it_is_for(teams, office):
    """Microsoft's Teams SDK decodes it before it sends anything."""
    first, second = [(await office.get_token())[1]["access_token"] for _ in range(2)]
    claims = jwt.decode(first, options={"verify_signature": False})
    assert (claims["aud"], claims["appid"], claims["tid"]) == (ISSUER, teams.app_id, teams.token_tenant)
    assert first != second


async def test_what_cannot_be_written_is_refused_as_teams_does(teams, office):
    assert await office.refusal(message("x" * 15_000)) == (413, "MessageSizeTooBig")
    assert await office.refusal(message("")) == (400, "BadSyntax")
    assert await office.refusal(message(textFormat="html")) == (400, "BadSyntax")
    assert (await office.post(message(), conversation="a:nobody"))[1]["error"]["code"] == "ConversationNotFound"
    assert [one.rule for one in teams.violations] == ["send"] * 3
    office.chat.blocked = True
    assert await office.refusal(message()) == (403, "MessageWritesBlocked")
    office.group.installed = False
    assert await office.refusal(message(), office.group) == (403, "BotNotInConversationRoster")


async def test_entities_and_cards_are_checked(teams, office):
    bad = [
        message("[1]", entities=[root(claim()), root()]),
        message("[1]", entities=[root(claim(name="n" * 81))]),
        message("[1]", entities=[root(claim(abstract="a" * 161))]),
        message("[1]", entities=[root(claim(abstract=""))]),
        message("[1]", entities=[root(claim(), claim())]),
        message("[1]", entities=[root(*(claim(n) for n in range(1, 22)))]),
        message(attachments=[card(version="1.6")]),
        message(attachments=[card(actions=[{"type": "Action.Execute", "title": "no verb"}])]),
        message(attachments=[card(body=[{"type": "Unheard"}])]),
    ]
    for body in bad:
        assert await office.refusal(body) == (400, "BadSyntax"), body
    good = message("so [1][2]", entities=[root(claim(), claim(2))], attachments=[card()])
    assert (await office.post(good))[0] == 201
    (shown,) = teams.thread(office.chat)
    assert ([one["position"] for one in shown.citations], len(shown.cards)) == ([1, 2], 1)
    assert len(teams.violations) == len(bad)
    await office.post(message("no mark", entities=[root(claim())]))
    assert teams.violations[-1].rule == "citation without a mark"


async def test_the_rates_of_a_thread(office, teams):
    teams.connector.rates.enabled, teams.connector.rates.scale = True, 1.0
    answers = [await office.post(message(str(n))) for n in range(9)]
    assert [status for status, _, _ in answers[:8]] == [201] * 7 + [429]
    assert answers[7][2]["Retry-After"] == "1"
    assert len(teams.early_calls) == 1  # the ninth did not wait
    assert (await office.post(message(), office.group))[0] == 201
    teams.clock.advance(2.5)
    assert (await office.post(message()))[0] == 201


async def test_a_conversation_is_found_or_made(teams, office):
    body = {"members": [{"id": office.ann.user_id}], "isGroup": False, "tenantId": office.tenant.tenant_id}
    url = f"{teams.service_url(office.chat)}v3/conversations"
    headers = {"Authorization": f"Bearer {(await office.get_token())[1]['access_token']}"}
    async with office.session.post(url, json=body, headers=headers) as response:
        assert (await response.json())["id"] == office.chat.conversation_id
    body = {"members": [{"id": office.ann.user_id}, {"id": office.bob.user_id}], "isGroup": True}
    async with office.session.post(url, json=body, headers=headers) as response:
        assert response.status == 400


async def test_faults_happen_where_they_are_asked_for(teams, office):
    teams.misbehave("send", "http_502", "busy_3", "lost")
    assert (await office.post(message()))[0] == 502
    assert (await office.post(message()))[2]["Retry-After"] == "3"
    teams.clock.advance(4)
    with pytest.raises(aiohttp.ClientConnectionError):
        await office.post(message("it was done"))
    assert [one.text for one in teams.thread(office.chat)] == ["it was done"]
    teams.move("emea")
    assert (await office.post(message("there")))[0] == 201
    assert teams.service_url(office.chat).startswith(f"{teams.url}/teams/emea/")


# Streams


async def test_a_stream_grows_and_ends(teams, office):
    status, begun = await office.stream("Searching", kind="informative")
    assert status == 201
    stream_id = begun["id"]
    assert (await office.stream("One", 2, stream_id)) == (202, {})
    assert (await office.stream("One two", 3, stream_id)) == (202, {})
    (shown,) = teams.thread(office.chat)
    assert (shown.text, shown.stream.state, shown.stream.informative) == ("One two", "streaming", "Searching")
    final = {"entities": [{"type": "streaminfo", "streamType": "final", "streamId": stream_id}, root(claim())]}
    assert (await office.post(message("One two [1]", **final)))[0] == 202
    (shown,) = teams.thread(office.chat)
    assert (shown.text, shown.stream.state, len(shown.citations)) == ("One two [1]", "final", 1)
    status, answer = await office.stream("One two three", 4, stream_id)
    assert (status, answer["error"]["message"]) == (403, "Content stream is already completed.")
    assert (await office.call("PUT", office.chat, f"activities/{stream_id}", message("after")))[0] == 200


async def test_the_rules_of_streams(teams, office):
    assert (await office.stream("x", chat=office.group))[0] == 403
    assert (await office.stream("x", 0))[0] == 400
    assert (await office.stream("x" * 1001, kind="informative"))[0] == 400
    assert (await office.refusal({"type": "typing", "entities": [{"type": "streaminfo"}]})) == (400, "BadSyntax")
    assert (await office.stream("x", attachments=[card()]))[0] == 400
    _, begun = await office.stream("One")
    stream_id = begun["id"]
    assert (await office.stream("another"))[0] == 403
    assert (await office.stream("Zwei", 2, stream_id))[0] == 403
    status, answer = await office.stream("One two", 1, stream_id)
    assert (status, answer["error"]["code"]) == (202, "ContentStreamSequenceOrderPreConditionFailed")
    assert (await office.stream("One two", 5, stream_id, kind="final"))[0] == 400
    assert {one.rule for one in teams.violations} >= {"stream text", "stream sequence"}


async def test_a_stream_is_stopped_by_its_reader_by_time_and_by_haste(teams, office):
    _, begun = await office.stream("One")
    teams.stop(office.chat)
    status, answer = await office.stream("One two", 2, begun["id"])
    assert (status, answer["error"]["message"]) == (403, "Content stream was canceled by user.")
    _, begun = await office.stream("Again")
    teams.clock.advance(121)
    status, answer = await office.stream("Again two", 2, begun["id"])
    assert (status, "exceeded streaming time" in answer["error"]["message"]) == (403, True)
    teams.connector.streams.scale = 1.0
    _, begun = await office.stream("In haste")
    assert (await office.stream("In haste two", 2, begun["id"]))[0] == 429
    assert teams.violations[-1].rule == "stream pace"


# Deliveries


async def test_what_people_say_arrives_in_teams_shapes(teams, office, bot):
    await teams.say(office.chat, office.ann, "hello")
    said = await teams.say(office.channel, office.bob, "how many?")
    await teams.say(office.channel, office.ann, "and why?", thread=said)
    assert not (await teams.say(office.group, office.ann, "not for the bot", mention=False)).acks
    personal, post, reply = (activity for activity, _ in bot.heard)
    assert (personal["conversation"]["conversationType"], personal["text"]) == ("personal", "hello")
    assert personal["attachments"][0]["contentType"] == "text/html"
    assert post["text"] == "<at>Frontdesk</at>&nbsp;how many?"
    assert post["conversation"]["id"].endswith(f";messageid={post['id']}")
    assert reply["conversation"]["id"] == post["conversation"]["id"]
    assert reply["channelData"]["tenant"]["id"] == office.tenant.tenant_id
    assert [one.text for one in teams.thread(office.channel, said)] == ["how many?", "and why?"]


async def test_the_service_sends_again_what_was_not_answered(teams, office, bot):
    bot.statuses = [503, 500, 200]
    said = await teams.say(office.chat, office.ann, "hello")
    assert [ack.status for ack in said.acks] == [503, 500, 200]
    assert len({activity["id"] for activity, _ in bot.heard}) == 1
    bot.statuses = [401]
    assert [ack.status for ack in (await teams.say(office.chat, office.ann, "no")).acks] == [401]
    bot.hang_s, teams.rules.ack_s = 5.0, 0.1
    said = await teams.say(office.chat, office.ann, "slow")
    assert [ack.status for ack in said.acks] == [0, 0, 0]


async def test_edits_deletions_reactions_and_installations_arrive(teams, office, bot):
    said = await teams.say(office.chat, office.ann, "hello")
    await teams.edit(said, "hello again")
    await teams.delete(said)
    await teams.undelete(said)
    await teams.install(office.group, office.ann)
    await teams.join(office.group, teams.user(office.tenant, "cy"))
    await teams.uninstall(office.group, office.ann)
    await teams.typing(office.chat, office.ann)
    heard = [(activity["type"], activity["channelData"].get("eventType", "")) for activity, _ in bot.heard]
    assert heard == [
        ("message", ""),
        ("messageUpdate", "editMessage"),
        ("messageDelete", "softDeleteMessage"),
        ("messageUpdate", "undeleteMessage"),
        ("conversationUpdate", ""),
        ("installationUpdate", ""),
        ("conversationUpdate", ""),
        ("installationUpdate", ""),
        ("typing", ""),
    ]
    assert {activity["id"] for activity, _ in bot.heard[:4]} == {said.activity_id}


async def test_invokes_bring_their_answer_home(teams, office, bot):
    submit = {"type": "Action.Submit", "data": {"frontdesk": "human"}}
    execute = {"type": "Action.Execute", "title": "Person", "verb": "human", "data": {"n": 1}, "fallback": submit}
    await office.post(message("answer", attachments=[card(actions=[execute])]))
    (shown,) = teams.thread(office.chat)
    bot.body = {"statusCode": 200, "type": "application/vnd.microsoft.card.adaptive", "value": card()["content"]}
    ack = await teams.press(shown, office.ann, "Person")
    assert ack.body == bot.body
    assert bot.heard[-1][0]["value"]["action"] == {
        "type": "Action.Execute",
        "title": "Person",
        "verb": "human",
        "data": {"n": 1},
    }
    assert "actions" not in shown.cards[0]
    bot.body = {}
    await teams.feedback(shown, office.ann, "dislike", "too short")
    assert json.loads(bot.heard[-1][0]["value"]["actionValue"]["feedback"]) == {"feedbackText": "too short"}
    assert bot.heard[-1][0]["replyToId"] == shown.activity_id
    assert (await teams.feedback_form(shown, office.ann)).ok


async def test_targeted_messages_and_files(teams, office, bot):
    await teams.say(office.channel, office.ann, "help", targeted=True)
    assert bot.heard[-1][0]["recipient"]["isTargeted"] is True
    body = message("only you", recipient={"id": office.ann.user_id, "isTargeted": True})
    assert (await office.post(body, office.channel))[0] == 201
    assert [len(teams.answers(office.channel, user=user)) for user in (office.ann, office.bob)] == [1, 0]
    assert (await office.post(body, office.chat))[0] == 400
    await teams.say(office.chat, office.ann, "", files=[teams.attach("a.txt", b"content")])
    download = bot.heard[-1][0]["attachments"][0]["content"]["downloadUrl"]
    async with office.session.get(download) as response:
        assert await response.read() == b"content"


# Our own side against it


async def test_what_we_render_is_taken_and_what_is_pressed_there_is_read(teams, office, bot):
    said = await teams.say(office.channel, office.ann, "How many days?")
    heard = from_activity(bot.heard[-1][0], Seen(1))
    assert (heard.addressed, heard.incoming.message.text) == (True, "How many days?")
    address = heard.incoming.address
    sources = tuple(Citation(n, 1, n, f"Source {n}", "/srv/a.md", None, "A passage. " * 99) for n in range(1, 14))
    text = "\n\n".join(f"Paragraph {n} {'with words ' * 99}[{n % 13 + 1}]" for n in range(40))
    answer = Answer(text, Origin.DOCUMENTS, None, sources, model="m", private=True)
    for activity in render(answer, Scope.CHANNEL):
        status, _, _ = await office.post(addressed(activity, address), office.channel, conversation=said.root)
        assert status == 201
    answers = teams.answers(office.channel, said)
    assert len(answers) > 2
    assert all(one.is_labelled for one in answers)
    assert [one["position"] for one in answers[0].citations]
    assert answers[-1].feedback == "default"
    await teams.press(answers[-1], office.ann, "I need a person")
    wish = from_invoke(bot.heard[-1][0], Seen(1))
    assert (wish.incoming.message.text, wish.incoming.kind) == ("/human", Kind.MESSAGE)
    await teams.press(answers[-1], office.ann, "I need a person", execute=False)
    assert from_invoke(bot.heard[-1][0], Seen(1)).incoming.message_id == wish.incoming.message_id
    await teams.press(answers[-1], office.ann, "Share with channel")
    shared = from_invoke(bot.heard[-1][0], Seen(1))
    assert (shared.what, shared.message_id) == (Button.SHARE, answers[-1].activity_id)
    await teams.feedback(answers[-1], office.ann, "dislike", "too long")
    rated = from_invoke(bot.heard[-1][0], Seen(1)).incoming
    assert (rated.target, rated.detail) == (answers[-1].activity_id, {"rating": -1, "reason": "too long"})
    assert rated.message.place == heard.incoming.message.place
    assert teams.violations == []


async def test_our_streams_cards_and_welcomes_are_taken(teams, office, bot):
    _, begun, _ = await office.post(informative("is looking it up"))
    stream_id = begun["id"]
    assert (await office.post(streaming("28", 2, stream_id)))[0] == 202
    source = Citation(1, 1, 1, "Time off", "https://wiki.example/a", None, "28 days")
    (whole,) = render(Answer("28 days [1].", Origin.DOCUMENTS, None, (source,), model="m"), Scope.PERSONAL)
    teams.connector.streams.strict_final = True
    assert (await office.post(final(whole, stream_id)))[0] == 202
    (shown,) = teams.answers(office.chat)
    assert ([one["appearance"]["name"] for one in shown.citations], shown.is_labelled) == (["Time off"], True)
    ticket = card_message(cards.ticket_card(7, TicketState.OPEN, "Why?", users=[office.ann.user_id]), "Ticket 7")
    assert (await office.post(ticket))[0] == 201
    assert (await office.post(welcome(Scope.PERSONAL)))[0] == 201
    refresh = teams.answers(office.chat)[1]
    bot.body = cards.invoke_card(cards.ticket_card(7, TicketState.ANSWERED))
    await teams.press(refresh, office.ann, "Refresh")
    asked = from_invoke(bot.heard[-1][0], Seen(1))
    assert isinstance(asked, Pressed)
    assert (asked.what, asked.data["number"]) == (Button.TICKET, 7)
    assert "actions" not in refresh.cards[0]
    assert teams.violations == []


async def test_what_people_do_is_what_we_read(teams, office, bot):
    said = await teams.say(office.chat, office.ann, "help", files=[teams.attach("a.txt", b"x")])
    await teams.edit(said, "help new")
    await teams.delete(said)
    await teams.say(office.channel, office.ann, "ask what is new?", targeted=True)
    await teams.install(office.chat, office.ann)
    await teams.typing(office.chat, office.ann)
    seen = Seen(1, file_hosts=(teams.host,))
    first, edit, gone, private, added, also, typing = (from_activity(activity, seen) for activity, _ in bot.heard)
    assert (first.incoming.message.text, len(first.files)) == ("/help", 1)
    assert (edit.incoming.kind, edit.incoming.message.text) == (Kind.EDIT, "/help new")
    assert edit.incoming.revision > 0
    assert (gone.incoming.kind, gone.incoming.target) == (Kind.DELETE, said.activity_id)
    assert private.incoming.message.text == "/ask what is new?"
    assert private.incoming.address["private"] is True
    assert isinstance(private, Heard)
    assert isinstance(added, Changed)
    assert (added.event, added.key) == (Event.ADDED, also.key)
    assert isinstance(typing, Ignored)
