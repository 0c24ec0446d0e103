"""What Slack sends, in the shapes it documents, and what becomes of it."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from adapters.slack.files import is_slacks
from adapters.slack.inbound import Bot, File, Heard, Ignored, Seen, Titled, from_event, micros, people_in
from adapters.slack.listen import is_signed, parse_body
from adapters.slack.payload import installation_of
from adapters.slack.people import Person, Rule, parse_rule, person_of
from adapters.slack.pressed import Pressed, command_text, from_command, from_interaction, private_thread
from core.accepting import Limits, prepare
from core.channels import ChannelSettings, Listens
from core.errors import UnreadableDocument, UsageError
from core.file_tickets import Ticket, read_ticket
from core.inbox import Kind
from core.listening import Listening
from core.places import Place, Platform

BOT = Bot("U0BOT", "B0BOT", "A0APP")
SEEN = Seen(1, BOT, {"U0ANNA": "Anna", "U0BEN": "Ben"})
TS = "1700000000.000100"


def callback(event, **more):
    authorizations = [{"enterprise_id": None, "team_id": "T1", "user_id": "U0BOT", "is_bot": True}]
    outer = {"token": "t", "team_id": "T1", "api_app_id": "A0APP", "type": "event_callback", "event_id": "Ev1"}
    return {**outer, "event_time": 1700000000, "authorizations": authorizations, "event": event, **more}


def message(text="How long is the notice period?", **more):
    where = {"channel": "C1", "channel_type": "channel", "ts": TS, "event_ts": TS, "team": "T1"}
    return callback({"type": "message", "user": "U0ANNA", "text": text, "client_msg_id": "c1", **where, **more})


def changed(before, after, edited="1700000050.000200", **more):
    old = {"type": "message", "user": "U0ANNA", "text": before, "ts": TS, "team": "T1"}
    new = {**old, "text": after, **({"edited": {"user": "U0ANNA", "ts": edited}} if edited else {}), **more}
    where = {"channel": "C1", "channel_type": "channel", "ts": "1700000060.0001", "hidden": True}
    both = {"message": new, "previous_message": old}
    return callback({"type": "message", "subtype": "message_changed", **both, **where})


def heard(payload, seen=SEEN):
    found = from_event(payload, seen)
    assert isinstance(found, Heard), found
    return found


def test_a_mention_and_its_message_are_the_same_but_for_their_event():
    said = heard(message("<@U0BOT> How long is it?"))
    event = {k: v for k, v in message("<@U0BOT> How long is it?")["event"].items() if k != "channel_type"}
    mention = heard(callback({**event, "type": "app_mention"}, event_id="Ev2"))
    assert said.addressed
    assert mention.addressed
    assert said.incoming.message.text == "How long is it?"
    same = replace(mention.incoming, event_id="Ev1", address=said.incoming.address)
    assert same == said.incoming
    assert said.incoming.message_id == TS
    assert said.incoming.message.place == Place(Platform.SLACK, "C1", TS)
    assert said.incoming.installation == "T1"


def test_what_nobody_addressed_to_us_says_so():
    found = heard(message("Does anybody know?"))
    assert (found.addressed, found.root, found.to_another) == (False, "", False)
    reply = heard(message("<@U0BEN> can you look?", thread_ts="1699999999.000001"))
    assert (reply.addressed, reply.root, reply.to_another) == (False, "1699999999.000001", True)
    assert reply.incoming.message.text == "@Ben can you look?"
    assert reply.incoming.message.place.thread == "1699999999.000001"


def test_a_direct_message_is_ours_and_begins_its_own_thread():
    found = heard(message(channel="D1", channel_type="im"))
    assert found.addressed
    assert found.incoming.message.place == Place(Platform.SLACK, "D1", TS)
    assert found.incoming.address == {
        "team": "T1",
        "channel": "D1",
        "thread_ts": TS,
        "ts": TS,
        "user": "U0ANNA",
        "user_team": "T1",
        "channel_type": "im",
    }


def test_a_mention_without_a_word_asks_what_there_is():
    assert heard(message("<@U0BOT>")).incoming.message.text == "/start"


@pytest.mark.parametrize("word", ["stop", "/stop", "<@U0BOT> stop", "Stopp!"])
def test_the_word_stop_stops(word):
    assert heard(message(word, channel_type="im")).incoming.kind is Kind.STOP


def test_an_edit_is_a_revision_of_its_message():
    found = heard(changed("How long?", "<@U0BOT> How long is it?"))
    assert found.addressed
    assert (found.incoming.kind, found.incoming.message_id) == (Kind.EDIT, TS)
    assert found.incoming.revision == 1_700_000_050_000_200
    assert found.incoming.message.text == "How long is it?"


@pytest.mark.parametrize(
    "payload",
    [
        changed("See https://example.com", "See https://example.com"),  # a link was unfurled after an edit
        changed("A question", "A question", edited="", reply_count=1),  # somebody replied
        changed("A question", "Another", edited=""),
        changed("A", "B", bot_id="B0BOT"),  # our own edit of an answer
        changed("A", "B", subtype="bot_message"),
    ],
)
def test_a_change_in_which_nobody_edited_a_question_is_nothing(payload):
    assert isinstance(from_event(payload, SEEN), Ignored)


def test_a_deleted_message_is_a_deletion():
    before = {"type": "message", "user": "U0ANNA", "text": "<@U0BOT> How long?", "ts": TS, "thread_ts": "1.000001"}
    where = {"channel": "C1", "channel_type": "channel", "ts": "1700000060.000100", "hidden": True}
    event = {"type": "message", "subtype": "message_deleted", "deleted_ts": TS, "previous_message": before, **where}
    found = heard(callback(event))
    assert found.addressed
    assert (found.incoming.kind, found.incoming.message_id, found.incoming.message.text) == (Kind.DELETE, TS, "")
    assert found.incoming.message.place.thread == "1.000001"
    before["bot_id"] = "B0BOT"
    assert isinstance(from_event(callback(event), SEEN), Ignored)


def test_the_deleted_root_of_a_thread_is_a_deletion_although_it_comes_as_a_change():
    payload = changed("<@U0BOT> How long?", "This message was deleted.", subtype="tombstone", user="USLACKBOT")
    found = heard(payload)
    assert (found.incoming.kind, found.incoming.message_id) == (Kind.DELETE, TS)
    assert found.incoming.message.author.author_id == "U0ANNA"


@pytest.mark.parametrize(
    "more",
    [
        {"user": "U0BOT"},
        {"bot_id": "B0BOT"},
        {"bot_id": "B0OTHER"},
        {"app_id": "A0OTHER"},
        {"subtype": "bot_message"},
        {"subtype": "channel_join"},
        {"subtype": "message_replied"},
        {"user": "USLACKBOT"},
        {"user": ""},
        {"ts": "yesterday"},
        {"text": ""},
    ],
)
def test_no_loop_begins_with_what_programs_write(more):
    assert isinstance(from_event(message(**more), SEEN), Ignored)


@pytest.mark.parametrize("subtype", ["file_share", "thread_broadcast"])
def test_files_and_broadcasts_are_questions(subtype):
    files = [
        {"id": "F1", "name": "plan.pdf", "mimetype": "application/pdf", "size": 1_000, "mode": "hosted"},
        {"id": "F2", "mode": "tombstone"},
        {"id": "F3", "mode": "hosted", "size": "odd"},
        "no file",
    ]
    found = heard(message("<@U0BOT> and this?", subtype=subtype, files=files))
    assert found.files == (File("F1", "plan.pdf", "application/pdf", 1_000), File("F3", "F3", "", 0))


def test_a_file_alone_asks_nothing_more():
    found = heard(message("", channel_type="im", subtype="file_share", files=[{"id": "F1", "name": "a.txt"}]))
    assert found.incoming.message.text == ""
    assert len(found.files) == 1


@pytest.mark.parametrize(("name", "rating"), [("+1", 1), ("thumbsup::skin-tone-2", 1), ("-1", -1), ("thumbsdown", -1)])
def test_a_thumb_on_our_answer_is_a_rating(name, rating):
    item = {"type": "message", "channel": "C1", "ts": TS}
    event = {"type": "reaction_added", "user": "U0ANNA", "reaction": name, "item": item, "item_user": "U0BOT"}
    incoming = heard(callback(event)).incoming
    assert (incoming.kind, incoming.target, incoming.detail) == (Kind.FEEDBACK, TS, {"rating": rating})
    assert incoming.message.place.channel == "C1"
    assert isinstance(from_event(callback({**event, "item_user": "U0BEN"}), SEEN), Ignored)
    assert isinstance(from_event(callback({**event, "reaction": "tada"}), SEEN), Ignored)


def test_what_leaves_out_the_kind_of_its_channel_and_whose_the_message_is_is_heard_all_the_same():
    where = {"channel": "D1", "ts": TS}
    said = heard(callback({"type": "message", "user": "U0ANNA", "text": "How long is it?", **where})).incoming
    assert said.message.direct
    assert said.address["channel_type"] == "im"
    both = {"message": {"user": "U0ANNA", "text": "B", "ts": TS, "edited": {"ts": TS}}, "previous_message": {}}
    edited = heard(callback({"type": "message", "subtype": "message_changed", "channel": "D1", **both}))
    assert edited.addressed
    before = {"user": "U0ANNA", "ts": TS, "text": "A"}
    gone = {"type": "message", "subtype": "message_deleted", "channel": "D1", "previous_message": before}
    assert heard(callback(gone)).addressed
    item = {"type": "message", "channel": "C1", "ts": TS}
    rated = heard(callback({"type": "reaction_added", "user": "U0ANNA", "reaction": "+1", "item": item}))
    assert rated.incoming.kind is Kind.FEEDBACK


def test_the_stop_button_names_the_stream():
    event = {"type": "agent_session_stopped", "channel": "D1", "thread_ts": TS, "user": "U0ANNA"}
    incoming = heard(callback({**event, "streaming_message_ts": ["2.000001"]})).incoming
    assert (incoming.kind, incoming.target, incoming.message.place.thread) == (Kind.STOP, "2.000001", TS)
    assert heard(callback(event)).incoming.target == ""


def test_a_title_of_a_person_names_the_session():
    event = {"type": "agent_session_title_changed", "channel": "D1", "thread_ts": TS, "user": "U0ANNA"}
    assert from_event(callback({**event, "title": "My  trip"}), SEEN) == Titled(
        Place(Platform.SLACK, "D1", TS), "My trip"
    )


def test_the_workspace_is_the_one_that_installed_us():
    shared = callback({}, authorizations=[{"team_id": "T9"}])
    assert installation_of(shared) == "T9"
    assert installation_of({"team": {"id": "T2"}, "user": {"team_id": "T3"}}) == "T2"
    assert installation_of({"team": None, "enterprise": {"id": "E1"}, "user": {"id": "U"}}) == "E1"
    assert installation_of({"team_id": "T4", "enterprise_id": "E1"}) == "T4"
    assert installation_of({"authorizations": [{"enterprise_id": "E2", "team_id": None}]}) == "E2"


def test_people_who_are_mentioned_without_a_name_are_looked_up():
    assert people_in(message("<@U0BEN> and <@W1X|ann> and <@U0BEN>")) == ("U0BEN",)
    assert people_in(changed("a", "<@U0ANNA>")) == ("U0ANNA",)


# Commands


@pytest.mark.parametrize(
    ("command", "text", "said"),
    [
        ("/frontdesk", "", "/help"),
        ("/frontdesk", "help", "/help"),
        ("/frontdesk", "kb list", "/kb list"),
        ("/frontdesk", "language de", "/language de"),
        ("/frontdesk", "/kb list", "/kb list"),
        ("/frontdesk", "new laptop, how do I get one?", "new laptop, how do I get one?"),
        ("/frontdesk", "new", "/new"),
        ("/frontdesk", "How long is it?", "How long is it?"),
        ("/ask", "How long is it?", "/ask How long is it?"),
        ("/kb", "add https://example.com", "/kb add https://example.com"),
        ("/help-me", "kb list", "/kb list"),
    ],
)
def test_a_slash_command_says_what_a_message_would(command, text, said):
    assert command_text(command, text, "/frontdesk") == said


def form(text="How long is it?", **more):
    named = {"command": "/ask", "text": text, "channel_id": "C1", "channel_name": "help", "user_id": "U0ANNA"}
    urls = {"response_url": "https://hooks.slack.com/commands/1", "trigger_id": "13.7.a"}
    return {"team_id": "T1", "user_name": "anna", "api_app_id": "A0APP", **named, **urls, **more}


def test_a_slash_command_is_a_private_message():
    found = from_command(form("what is &lt;div&gt; or <div>, <@U0BEN|ben>?"), SEEN, "/frontdesk")
    incoming = found.incoming
    assert incoming.message.text == "/ask what is <div> or <div>, @Ben?"
    assert incoming.message.place == Place(Platform.SLACK, "C1", private_thread("U0ANNA"))
    assert incoming.event_id == incoming.message_id == "command:13.7.a"
    assert incoming.address["private"] is True
    assert incoming.address["response_url"].endswith("/1")
    again = from_command(form(trigger_id=""), SEEN, "/frontdesk").incoming
    assert again.event_id == from_command(form(trigger_id=""), SEEN, "/frontdesk").incoming.event_id
    assert again.event_id != from_command(form("other", trigger_id=""), SEEN, "/frontdesk").incoming.event_id


def pressed(action_id, value="", *, ephemeral=False, **more):
    container = {"type": "message", "message_ts": "5.000001", "channel_id": "C1", "thread_ts": TS}
    container["is_ephemeral"] = ephemeral
    user = {"id": "U0ANNA", "name": "anna", "team_id": "T1"}
    action = {"type": "button", "action_id": action_id, "value": value, "action_ts": "6.000001"}
    around = {"team": {"id": "T1"}, "user": user, "container": container, "trigger_id": "13.8.b"}
    return {"type": "block_actions", **around, "channel": {"id": "C1"}, "actions": [action], **more}


def test_feedback_buttons_rate_the_answer_they_stand_under():
    found = from_interaction(pressed("feedback", "good"), SEEN)
    assert (found.incoming.kind, found.incoming.target) == (Kind.FEEDBACK, "5.000001")
    assert found.incoming.detail == {"rating": 1, "reason": ""}
    assert found.may_say_why == ""
    private = from_interaction(pressed("feedback", json.dumps({"rating": "bad", "message": "private:7"})), SEEN)
    assert (private.incoming.target, private.incoming.detail["rating"]) == ("private:7", -1)
    assert private.may_say_why == "13.8.b"
    assert isinstance(from_interaction(pressed("feedback", "?"), SEEN), Ignored)


def test_the_form_behind_a_bad_rating_brings_the_reason():
    metadata = json.dumps({"channel": "C1", "ts": "5.000001", "thread_ts": TS, "rating": "bad"})
    values = {"reason": {"reason": {"type": "plain_text_input", "value": "out of date"}}}
    view = {"callback_id": "feedback_reason", "private_metadata": metadata, "state": {"values": values}}
    payload = {"type": "view_submission", "team": {"id": "T1"}, "user": {"id": "U0ANNA"}, "view": view}
    incoming = from_interaction(payload, SEEN).incoming
    assert (incoming.kind, incoming.target) == (Kind.FEEDBACK, "5.000001")
    assert incoming.detail == {"rating": -1, "reason": "out of date"}


def test_the_wish_for_a_person_is_one_wish_however_often_it_is_pressed():
    first = from_interaction(pressed("human", "7"), SEEN).incoming
    second = from_interaction(pressed("human", "7", trigger_id="13.9.c"), SEEN).incoming
    assert first.message.text == "/human"
    assert first.message.place == Place(Platform.SLACK, "C1", TS)
    assert first.message_id == second.message_id
    assert first.event_id != second.event_id
    hidden = from_interaction(pressed("human", "7", ephemeral=True), SEEN).incoming
    assert hidden.message.place.thread == private_thread("U0ANNA")
    assert hidden.address["private"] is True


def test_passages_and_sharing_are_shown_at_once():
    found = from_interaction(pressed("passage:2", "7:2"), SEEN)
    assert isinstance(found, Pressed)
    assert (found.what, found.value, found.message_id, found.author_id) == ("passage", "7:2", "5.000001", "U0ANNA")
    assert from_interaction(pressed("share", "7", ephemeral=True), SEEN).what == "share"


def test_the_stop_button_under_an_answer_stops_it():
    incoming = from_interaction(pressed("stop"), SEEN).incoming
    assert (incoming.kind, incoming.target) == (Kind.STOP, "5.000001")


def test_the_shortcut_asks_what_a_message_says():
    said = {"type": "message", "user": "U0BEN", "text": "How long is *it*?", "ts": TS}
    around = {"team": {"id": "T1"}, "user": {"id": "U0ANNA"}, "channel": {"id": "C1"}, "trigger_id": "13.1.d"}
    payload = {"type": "message_action", "callback_id": "ask_about_this", "message": said, **around}
    incoming = from_interaction(payload, SEEN).incoming
    assert incoming.message.text == "How long is it?"
    assert incoming.message.author.author_id == "U0ANNA"
    assert incoming.address["private"] is True
    assert incoming.address["thread_ts"] == TS
    assert isinstance(from_interaction({**payload, "callback_id": "other"}, SEEN), Ignored)


# Which messages of a channel are answered


class Kept:
    def __init__(self, listens=Listens.MENTION, messages=(), spoken=(), follow_ups=True):
        self.listens, self.messages, self.spoken, self.follow_ups = listens, messages, spoken, follow_ups

    async def settings(self, tenant_id, place):
        return ChannelSettings(listens=self.listens, follow_ups=self.follow_ups)

    async def has_message(self, thread, message_id):
        return message_id in self.messages

    async def has_spoken(self, thread, root):
        return root == thread.place.thread and root in self.spoken


async def concerns(payload, **kept):
    known = Kept(**kept)
    return await Listening(known, known).concerns_us(heard(payload))


async def test_a_channel_is_listened_to_as_its_settings_say():
    question, remark = message("How long is the notice period?"), message("Nice weather today")
    assert not await concerns(question)
    assert await concerns(message("<@U0BOT> hi"))
    assert await concerns(question, listens=Listens.QUESTION)
    assert not await concerns(remark, listens=Listens.QUESTION)
    assert await concerns(remark, listens=Listens.ALWAYS)
    assert not await concerns(message("<@U0BEN> how long?"), listens=Listens.QUESTION)


async def test_a_thread_in_which_we_spoke_goes_on_without_a_mention():
    follow_up = message("And for interns?", thread_ts="1.000001")
    assert await concerns(follow_up, spoken=("1.000001",))
    assert not await concerns(follow_up)
    assert not await concerns(follow_up, spoken=("1.000001",), follow_ups=False)
    assert not await concerns(message("<@U0BEN> and you?", thread_ts="1.000001"), spoken=("1.000001",))


async def test_edits_and_deletions_count_for_what_was_taken_in():
    assert await concerns(changed("How long?", "How much?"), messages=(TS,))
    assert not await concerns(changed("How long?", "How much?"))
    before = {"type": "message", "user": "U0ANNA", "text": "How long?", "ts": TS}
    event = {
        "type": "message",
        "subtype": "message_deleted",
        "deleted_ts": TS,
        "channel": "C1",
        "channel_type": "group",
    }
    assert await concerns(callback({**event, "previous_message": before}), messages=(TS,))
    assert not await concerns(callback({**event, "previous_message": before}), listens=Listens.ALWAYS)


# Administrators


def test_the_rule_of_who_administers():
    assert parse_rule("") == parse_rule("admins") == Rule()
    assert parse_rule("owners, U123, S456") == Rule(
        admins=False, owners=True, users=frozenset({"U123"}), groups=frozenset({"S456"})
    )
    assert parse_rule("none") == Rule(admins=False, owners=False)
    with pytest.raises(UsageError, match="boss"):
        parse_rule("admins, boss")


def test_an_administrator_of_another_organisation_is_none_here():
    user = {"id": "U1", "team_id": "T1", "is_admin": True, "profile": {"display_name": "Jo"}}
    assert person_of(user, "T1") == Person("Jo", is_admin=True)
    for other in ({"team_id": "T2"}, {"is_stranger": True}, {"deleted": True}, {"is_bot": True}):
        outside = "team_id" in other or "is_stranger" in other
        assert person_of({**user, **other}, "T1") == Person("Jo", is_outsider=outside)
    for flag in ("is_restricted", "is_ultra_restricted"):
        assert person_of({"id": "U1", "team_id": "T1", flag: True}, "T1").is_outsider
    assert not person_of({**user, "team_id": "T2", "enterprise_user": {"id": "U1"}}, "T1").is_outsider


# Signatures and bodies


@pytest.mark.parametrize("timestamp", ["abc", "", "-1", "1e3", "９９９", "1" * 40, "1700000000.5", " 1700000000"])
def test_an_odd_timestamp_is_refused_and_breaks_nothing(timestamp):
    assert not is_signed("secret", timestamp, "v0=00", b"{}", 1_700_000_000)


def test_a_body_is_json_or_a_form():
    assert parse_body(b'{"type": "x"}', "application/json") == {"type": "x"}
    assert parse_body(b"command=%2Fask&text=a+b", "application/x-www-form-urlencoded") == {
        "command": "/ask",
        "text": "a b",
    }
    assert parse_body(b"payload=%7B%22type%22%3A%22x%22%7D", "application/x-www-form-urlencoded") == {"type": "x"}
    for body in (b"", b"[]", b"\xff", b"{", b'"x"', b"[" * 100_000, b"1" * 5_000):
        assert parse_body(body, "application/json") is None
    assert parse_body(b"payload=nothing", "application/x-www-form-urlencoded") is None
    assert parse_body(b"a=1&" * 200, "application/x-www-form-urlencoded") is None


def test_timestamps_are_microseconds():
    assert micros("1700000050.000200") == 1_700_000_050_000_200
    assert micros("1.5") == 1_500_000
    assert micros("1700000050.0002009") == 1_700_000_050_000_200
    assert micros("x") == micros("") == micros("1700000050") == 0


# Files


def test_a_ticket_is_good_for_its_tenant_and_nobody_can_write_one():
    secret = b"a secret"
    written = Ticket(1, ("T1", "F1")).written(secret)
    assert read_ticket(written, 1, lambda _: secret) == ("T1", "F1")
    named, signature = json.loads(written)
    forged = json.dumps([named.replace("F1", "F2"), signature]).encode()
    for data, key, tenant in (
        (written, secret, 2),
        (written, b"another", 1),
        (forged, secret, 1),
        (b"[1, 2]", secret, 1),
    ):
        with pytest.raises(UnreadableDocument):
            read_ticket(data, tenant, lambda _, key=key: key)


@given(st.binary(max_size=60))
def test_no_bytes_are_a_ticket_by_chance(data):
    with pytest.raises(UnreadableDocument):
        read_ticket(data, 1, lambda _: b"a secret")


@pytest.mark.parametrize(
    ("url", "api_url", "expected"),
    [
        ("https://files.slack.com/files-pri/T1-F1/a.pdf", "https://slack.com/api/", True),
        ("https://acme.slack.com/a", "https://slack.com/api/", True),
        ("https://files.slack-gov.com/a", "https://slack-gov.com/api/", True),
        ("http://127.0.0.1:4000/files/a", "http://127.0.0.1:4000/api/", True),
        ("http://localhost:4000/files/a", "http://127.0.0.1:4000/api/", True),
        ("http://localhost:4001/files/a", "http://127.0.0.1:4000/api/", False),
        ("http://localhost/files/a", "https://slack.com/api/", False),
        ("http://files.slack.com/a", "https://slack.com/api/", False),
        ("https://slack.com.evil.example/a", "https://slack.com/api/", False),
        ("https://evilslack.com/a", "https://slack.com/api/", False),
        ("https://files.slack.com:8443/a", "https://slack.com/api/", False),
        ("https://slack.com@evil.example/a", "https://slack.com/api/", False),
        ("https://me@files.slack.com/a", "https://slack.com/api/", False),
        ("http://127.0.0.1:4001/a", "http://127.0.0.1:4000/api/", False),
        ("http://169.254.169.254/latest", "http://127.0.0.1:4000/api/", False),
        ("file:///etc/passwd", "https://slack.com/api/", False),
    ],
)
def test_the_token_goes_to_slack_alone(url, api_url, expected):
    assert is_slacks(URL(url), URL(api_url)) is expected


# Whatever comes

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
TYPES = ("message", "app_mention", "reaction_added", "agent_session_stopped", "agent_session_title_changed")
SUBTYPES = ("", "message_changed", "message_deleted", "file_share", "tombstone")


def _mostly(value):
    return st.one_of(st.just(value), st.just(value), JSON)


def _object(**fields):
    return st.fixed_dictionaries({}, optional={name: _mostly_of(made) for name, made in fields.items()})


def _mostly_of(made):
    return st.one_of(made, made, made, JSON)


MESSAGE = _object(
    type=st.just("message"),
    user=st.just("U0ANNA"),
    text=st.just("<@U0BOT> hi") | st.text(max_size=20),
    ts=st.just(TS),
    subtype=st.sampled_from(SUBTYPES),
    edited=_object(ts=st.just(TS)),
    files=st.lists(_object(id=st.just("F1"), name=st.text(max_size=5), size=st.integers()), max_size=2),
    blocks=st.lists(_object(type=st.just("rich_text"), elements=JSON), max_size=2),
)
EVENT = _object(
    type=st.sampled_from(TYPES),
    subtype=st.sampled_from(SUBTYPES),
    channel=st.just("C1"),
    channel_type=st.sampled_from(("im", "channel")),
    user=st.just("U0ANNA"),
    text=st.just("hi") | st.text(max_size=20),
    ts=st.just(TS),
    message=MESSAGE,
    previous_message=MESSAGE,
    item=_object(type=st.just("message"), channel=st.just("C1"), ts=st.just(TS)),
    reaction=st.just("+1"),
    item_user=st.just("U0BOT"),
    deleted_ts=st.just(TS),
    blocks=st.lists(_object(type=st.just("rich_text"), elements=JSON), max_size=2),
)
INTERACTION = _object(
    type=st.sampled_from(("block_actions", "message_action", "view_submission")),
    callback_id=st.sampled_from(("ask_about_this", "feedback_reason")),
    actions=st.lists(_object(action_id=st.sampled_from(("feedback", "human", "passage:1")), value=JSON), max_size=2),
    container=_object(message_ts=st.just(TS), channel_id=st.just("C1")),
    user=_object(id=st.just("U0ANNA")),
    channel=_object(id=st.just("C1")),
    message=MESSAGE,
    view=_object(callback_id=st.just("feedback_reason"), private_metadata=st.just('{"ts": "1"}'), state=JSON),
)


@given(EVENT, st.booleans())
def test_no_event_breaks_anything_and_what_is_heard_can_be_stored(event, odd):
    found = from_event(callback(event) if not odd else {"event": event}, SEEN)
    if isinstance(found, Heard):
        people_in(callback(event))
        stored = prepare(found.incoming, Limits())
        assert stored.event_id
        assert stored.message_id


@given(INTERACTION)
def test_no_interaction_breaks_anything(payload):
    found = from_interaction(payload, SEEN)
    if isinstance(found, Heard):
        assert prepare(found.incoming, Limits()).event_id


@given(JSON)
def test_no_json_breaks_anything(value):
    payload = value if isinstance(value, dict) else {"event": value}
    assert isinstance(from_event(payload, SEEN), Ignored)
    assert isinstance(from_interaction(payload, SEEN), Ignored)
    assert isinstance(from_command(payload, SEEN, "/frontdesk"), Ignored)
    assert isinstance(installation_of(payload), str)
