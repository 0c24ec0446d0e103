"""What Teams sends becomes what we mean by it, and nothing that it sends does harm."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.teams.inbound import (
    Changed,
    Event,
    Heard,
    Ignored,
    Scope,
    Seen,
    from_activity,
    scope_of,
)
from adapters.teams.invoked import Asked, Button, Pressed, from_invoke, is_invoke, is_submitted
from adapters.teams.payload import channel_of, host_allowed, installation_of, micros, tenant_of
from adapters.teams.reading import FOREIGN_HOST, PERSONAL_ONLY, as_command, readable
from core.attached import PICTURE
from core.errors import UsageError
from core.inbox import Kind
from core.places import Place, Platform

SEEN = Seen(7, request_id="r1")
BOT, USER, TENANT = "28:app", "29:ann", "4f5a"
POST = "19:c@thread.tacv2;messageid=100"
ACTIVITY = {
    "type": "message",
    "id": "100",
    "timestamp": "2026-11-21T06:00:00.000Z",
    "channelId": "msteams",
    "serviceUrl": "https://smba.trafficmanager.net/emea/4f5a/",
    "from": {"id": USER, "name": "Ann", "aadObjectId": "aad-ann"},
    "conversation": {"id": "a:1", "conversationType": "personal", "tenantId": TENANT},
    "recipient": {"id": BOT, "name": "Frontdesk"},
    "channelData": {"tenant": {"id": TENANT}},
    "locale": "de-DE",
    "text": "How many days?",
    "textFormat": "plain",
}
IN_CHANNEL = {**ACTIVITY, "conversation": {"id": POST, "conversationType": "channel", "isGroup": True}}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def mention(text, *, who=BOT):
    return {"type": "mention", "text": text, "mentioned": {"id": who, "name": "x"}}


def heard(**changes):
    found = from_activity({**ACTIVITY, **changes}, SEEN)
    assert isinstance(found, Heard), found
    return found


def test_a_message_of_a_personal_chat():
    incoming = heard().incoming
    assert incoming.message.place == Place(Platform.TEAMS, "a:1", "a:1")
    assert (incoming.message.author.author_id, incoming.message.author.name) == ("aad-ann", "Ann")
    assert (incoming.message.text, incoming.message.tenant_id) == ("How many days?", 7)
    assert (incoming.installation, incoming.message.installation) == ("4f5a/28:app", "4f5a/28:app")
    assert (incoming.event_id, incoming.message_id, incoming.kind) == ("message:a:1:100", "100", Kind.MESSAGE)
    assert incoming.address == {
        "serviceUrl": "https://smba.trafficmanager.net/emea/4f5a/",
        "channelId": "msteams",
        "conversation": "a:1",
        "tenant": TENANT,
        "bot": BOT,
        "bot_name": "Frontdesk",
        "user": USER,
        "locale": "de-DE",
        "scope": "personal",
    }
    assert json.loads(json.dumps(incoming.address)) == incoming.address


def test_threads_of_channels_are_threads_of_ours():
    posted = from_activity(
        {**IN_CHANNEL, "text": "<at>Frontdesk</at> a?", "entities": [mention("<at>Frontdesk</at>")]}, SEEN
    )
    assert posted.incoming.message.place == Place(Platform.TEAMS, "19:c@thread.tacv2", POST)
    assert (posted.addressed, posted.root, posted.incoming.message.text) == (True, "", "a?")
    replied = from_activity({**IN_CHANNEL, "id": "101"}, SEEN)
    assert (replied.addressed, replied.root) == (False, "100")
    assert replied.incoming.thread == posted.incoming.thread
    assert replied.incoming.address["conversation"] == POST


@pytest.mark.parametrize(
    ("conversation", "data", "scope"),
    [
        ({"id": "a:1", "conversationType": "personal"}, {}, Scope.PERSONAL),
        ({"id": "19:x@thread.v2", "conversationType": "groupChat"}, {}, Scope.GROUP),
        ({"id": "19:x@thread.v2"}, {}, Scope.GROUP),
        ({"id": "19:x@thread.tacv2"}, {}, Scope.CHANNEL),
        ({"id": "x"}, {"team": {"id": "t"}}, Scope.CHANNEL),
        ({"id": "x", "conversationType": "unheard"}, {}, Scope.PERSONAL),
    ],
)
def test_the_scope_of_a_conversation(conversation, data, scope):
    assert scope_of({"conversation": conversation, "channelData": data}) is scope


@pytest.mark.parametrize(
    ("text", "entities", "said"),
    [
        ("<at>IT</at>&nbsp;IT support with ITIL", [mention("<at>IT</at>")], "IT support with ITIL"),
        ("<at>IT</at> ask <at>IT</at> again", [mention("<at>IT</at>")], "ask IT again"),
        ("tell <at>Bob</at> about <at>IT</at> now", [mention("<at>IT</at>")], "tell Bob about  now"),
        ('<at id="0">IT</at> hello', [mention("<at>IT</at>")], "IT hello"),
        ('hello<at id="0"></at>&nbsp;', [], "hello"),
        ("IT", [mention("IT", who="28:other")], "IT"),
        ("a < b &amp; c", [], "a < b &amp; c"),
        (None, [mention("<at>IT</at>")], ""),
    ],
)
def test_only_our_own_mention_is_taken_out(text, entities, said):
    assert readable({**ACTIVITY, "text": text, "entities": entities}) == said


def test_entities_of_xml_are_decoded_once():
    assert readable({**ACTIVITY, "text": "a &lt; b &amp;amp;", "textFormat": "xml"}) == "a < b &amp;"


def test_a_mention_of_somebody_else_first_is_noticed():
    entities = [mention("<at>Bob</at>", who="29:bob"), mention("<at>IT</at>")]
    found = from_activity({**IN_CHANNEL, "text": "<at>Bob</at> ask <at>IT</at>", "entities": entities}, SEEN)
    assert (found.to_another, found.addressed) == (True, True)


def test_a_mention_without_a_word_is_a_greeting():
    entities = [mention("<at>IT</at>")]
    assert (
        from_activity({**IN_CHANNEL, "text": "<at>IT</at>", "entities": entities}, SEEN).incoming.message.text
        == "/start"
    )


@pytest.mark.parametrize(
    ("text", "targeted", "command"),
    [
        ("kb list", False, "/kb list"),
        ("help", False, "/help"),
        ("history of the company", False, "history of the company"),
        ("ask what is new?", False, "ask what is new?"),
        ("ask what is new?", True, "/ask what is new?"),
        ("language de", True, "/language de"),
        ("/stats", False, "/stats"),
        ("what is a kb?", True, "what is a kb?"),
        ("", True, ""),
    ],
)
def test_plain_words_are_commands_where_nothing_else_can_be_meant(text, targeted, command):
    assert as_command(text, targeted=targeted) == command


def test_stop_interrupts():
    assert heard(text="stop").incoming.kind is Kind.STOP


def test_a_targeted_message_is_a_thread_of_its_authors_own():
    recipient = {**ACTIVITY["recipient"], "isTargeted": True}
    incoming = from_activity({**IN_CHANNEL, "recipient": recipient, "text": "help"}, SEEN).incoming
    assert incoming.message.place == Place(Platform.TEAMS, "19:c@thread.tacv2", f"{POST};private=aad-ann")
    assert (incoming.address["private"], incoming.address["conversation"]) == (True, POST)


def test_edits_and_deletions_name_the_message_and_rise():
    first = heard(type="messageUpdate", channelData={"tenant": {"id": TENANT}, "eventType": "editMessage"}).incoming
    second = heard(type="messageUpdate", timestamp="2026-11-21T06:00:00.500Z").incoming
    assert (first.kind, first.message_id, first.target) == (Kind.EDIT, "100", "100")
    assert 0 < first.revision < second.revision
    gone = heard(
        type="messageDelete", channelData={"tenant": {"id": TENANT}, "eventType": "softDeleteMessage"}
    ).incoming
    assert (gone.kind, gone.message_id, gone.message.text) == (Kind.DELETE, "100", "")
    assert gone.revision == first.revision
    assert heard(type="messageDelete", timestamp="2026-11-21T06:00:00.500Z").incoming.revision == second.revision
    timeless = {"timestamp": None, "localTimestamp": None}
    assert heard(type="messageUpdate", **timeless).incoming.revision == 1
    assert (
        heard(type="messageDelete", **timeless).incoming.revision == 0
    )  # an edit undoes none of which no time is known
    assert len({first.event_id, second.event_id, gone.event_id, heard().incoming.event_id}) == 4


def test_a_deletion_is_for_us_where_everything_is():
    assert heard(type="messageDelete").addressed is True
    for conversation in (IN_CHANNEL["conversation"], {"id": "19:x@thread.v2", "conversationType": "groupChat"}):
        assert heard(type="messageDelete", conversation=conversation).addressed is False


def test_thumbs_are_ratings():
    rated = heard(type="messageReaction", id="r9", replyToId="55", reactionsAdded=[{"type": "like"}]).incoming
    assert (rated.kind, rated.target, rated.detail) == (Kind.FEEDBACK, "55", {"rating": 1, "reason": ""})
    other = {**ACTIVITY, "type": "messageReaction", "replyToId": "55", "reactionsAdded": [{"type": "laugh"}]}
    assert isinstance(from_activity(other, SEEN), Ignored)


def test_other_programs_and_ourselves_are_not_heard():
    for author in ({"id": BOT}, {"id": "28:other"}, {"id": USER, "role": "bot"}, {}):
        assert isinstance(from_activity({**ACTIVITY, "from": author}, SEEN), Ignored)


def test_an_activity_without_a_tenant_is_an_error():
    with pytest.raises(UsageError):
        from_activity({**ACTIVITY, "channelData": {}, "conversation": {"id": "a:1"}}, SEEN)


def test_installations_come_twice_under_one_key():
    one = from_activity({**ACTIVITY, "type": "conversationUpdate", "membersAdded": [{"id": BOT}]}, SEEN)
    two = from_activity({**ACTIVITY, "id": "101", "type": "installationUpdate", "action": "add"}, SEEN)
    assert isinstance(one, Changed)
    assert (one.event, one.key, one.scope, one.locale) == (Event.ADDED, two.key, Scope.PERSONAL, "de-DE")
    gone = from_activity({**ACTIVITY, "type": "installationUpdate", "action": "remove"}, SEEN)
    joined = from_activity({**ACTIVITY, "type": "conversationUpdate", "membersAdded": [{"id": "29:bob"}]}, SEEN)
    assert (gone.event, joined.event) == (Event.REMOVED, Event.JOINED)
    assert isinstance(from_activity({**ACTIVITY, "type": "installationUpdate", "action": "add-upgrade"}, SEEN), Ignored)


def file(url="https://contoso.sharepoint.com/x?tempauth=1"):
    content = {"downloadUrl": url, "uniqueId": "u", "fileType": "txt"}
    return {"contentType": "application/vnd.microsoft.teams.file.download.info", "name": "a.txt", "content": content}


def test_files_are_references_or_refused_with_a_reason():
    html = {"contentType": "text/html", "content": "<p>x</p>"}
    found = heard(text="", attachments=[html, file()])
    (reference,) = found.files
    assert (reference.reference, reference.name) == ("teams:https://contoso.sharepoint.com/x?tempauth=1", "a.txt")
    assert found.incoming.message.text == ""
    picture = {"contentType": "image/png", "contentUrl": "https://smba.trafficmanager.net/x", "name": "p.png"}
    shared = {"contentType": "reference", "name": "b.docx"}
    evil = file("https://contoso.sharepoint.com.evil.example/x")
    found = heard(attachments=[picture, shared, evil])
    assert [one.reason for one in found.incoming.message.attachments] == [PICTURE, PERSONAL_ONLY, FOREIGN_HOST]
    assert found.files == ()


@pytest.mark.parametrize(
    ("kind", "listed", "tags", "missing"),
    [
        ("channel", [], 1, 1),
        ("channel", [], 50, 10),
        ("groupChat", [{"contentType": "messageReference"}], 1, 0),  # a quoted message is one too
        ("groupChat", [{"contentType": "messageReference"}], 2, 1),
        ("groupChat", [], 0, 0),
        ("personal", [], 1, 0),
    ],
)
def test_a_file_of_which_only_the_text_tells_is_not_passed_over(kind, listed, tags, missing):
    html = {"contentType": "text/html", "content": "<p>x</p>" + '<attachment id="a"></attachment>' * tags}
    conversation = {**ACTIVITY["conversation"], "conversationType": kind}
    found = heard(conversation=conversation, attachments=[html, *listed])
    assert [one.reason for one in found.incoming.message.attachments] == [PERSONAL_ONLY] * missing


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://contoso.sharepoint.com/x", True),
        ("https://contoso.sharepoint.com:443/x", True),
        ("http://contoso.sharepoint.com/x", False),
        ("https://sharepoint.com/x", False),
        ("https://evilsharepoint.com/x", False),
        ("https://a@contoso.sharepoint.com/x", False),
        ("https://contoso.sharepoint.com:8443/x", False),
        ("https://[::1/x", False),
        ("http://127.0.0.1:8000/x", True),
        ("http://127.0.0.1:8001/x", False),
        ("file:///etc/passwd", False),
    ],
)
def test_files_are_fetched_from_known_hosts_alone(url, allowed):
    assert host_allowed(url, (".sharepoint.com", "127.0.0.1:8000")) is allowed


# Invokes


def invoke(name, value, **more):
    return {**ACTIVITY, "type": "invoke", "id": "f:1", "name": name, "value": value, "replyToId": "55", **more}


def action(verb, **data):
    return {"action": {"type": "Action.Execute", "verb": verb, "data": data}}


def test_the_wish_for_a_person_is_one_wish_however_it_is_pressed():
    pressed = from_invoke(invoke("adaptiveCard/action", action("human")), SEEN)
    again = from_invoke(invoke("adaptiveCard/action", action("human"), id="f:2"), SEEN)
    submitted = {**ACTIVITY, "id": "102", "text": None, "value": {"frontdesk": "human"}, "replyToId": "55"}
    assert (is_invoke(submitted), is_submitted(submitted), is_submitted(ACTIVITY)) == (False, True, False)
    fallback = from_invoke(submitted, SEEN)
    assert {one.incoming.message_id for one in (pressed, again, fallback)} == {"human:55:aad-ann"}
    assert (pressed.incoming.message.text, pressed.incoming.kind) == ("/human", Kind.MESSAGE)
    assert pressed.incoming.message.place == Place(Platform.TEAMS, "a:1", "a:1")


def test_what_is_pressed_under_a_private_answer_stays_private():
    where = {"conversation": IN_CHANNEL["conversation"]}
    found = from_invoke(invoke("adaptiveCard/action", action("human", private=True), **where), SEEN)
    assert found.incoming.message.place.thread == f"{POST};private=aad-ann"
    shared = from_invoke(invoke("adaptiveCard/action", action("share", private=True), **where), SEEN)
    assert isinstance(shared, Pressed)
    assert (shared.what, shared.message_id, shared.address["private"]) == (Button.SHARE, "55", True)


def test_feedback_carries_the_words_of_its_form():
    value = {"actionName": "feedback", "actionValue": {"reaction": "dislike", "feedback": '{"feedbackText":" short "}'}}
    rated = from_invoke(invoke("message/submitAction", value), SEEN).incoming
    assert (rated.kind, rated.target) == (Kind.FEEDBACK, "55")
    assert rated.detail == {"rating": -1, "reason": "short"}
    value["actionValue"] = {"reaction": "like", "feedback": "{}"}
    assert from_invoke(invoke("message/submitAction", value), SEEN).incoming.detail == {"rating": 1, "reason": ""}
    value["actionValue"] = {"reaction": "like", "feedback": " no JSON "}
    local = from_invoke(invoke("message/submitAction", value, replyToId=None), SEEN).incoming
    assert (local.target, local.detail) == ("", {"rating": 1, "reason": "no JSON"})
    value["actionValue"] = {"reaction": "shrug"}
    assert isinstance(from_invoke(invoke("message/submitAction", value), SEEN), Ignored)


def test_forms_consents_and_unknown_invokes():
    form = from_invoke(invoke("message/fetchTask", {"data": {"actionValue": {"reaction": "like"}}}), SEEN)
    consent = from_invoke(invoke("fileConsent/invoke", {"action": "accept", "uploadInfo": {"name": "a"}}), SEEN)
    assert (form.what, form.data) == (Asked.FORM, {"reaction": "like"})
    assert (consent.what, consent.data["action"]) == (Asked.CONSENT, "accept")
    for name, value in (("task/fetch", {}), ("adaptiveCard/action", action("other")), ("composeExtension/query", {})):
        assert isinstance(from_invoke(invoke(name, value), SEEN), Ignored)


# Whatever comes

TYPES = st.sampled_from(
    "message messageUpdate messageDelete messageReaction conversationUpdate installationUpdate invoke typing".split()
)
NAMES = st.sampled_from("adaptiveCard/action message/submitAction message/fetchTask fileConsent/invoke".split())
FIELDS = [*ACTIVITY, "entities", "attachments", "value", "replyToId", "reactionsAdded", "membersAdded", "action"]


@given(TYPES, NAMES, st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4))
def test_whatever_the_fields_are_nothing_but_a_usage_error_comes_of_it(kind, name, changes):
    activity = {**ACTIVITY, "name": name, **changes, "type": kind}
    with suppress(UsageError):
        assert isinstance(from_activity(activity, SEEN), Heard | Changed | Ignored)
    with suppress(UsageError):
        assert isinstance(from_invoke(activity, SEEN), Heard | Pressed | Ignored)


@given(JSON)
def test_whatever_the_body_is_nothing_but_a_usage_error_comes_of_it(body):
    with suppress(UsageError):
        assert isinstance(from_activity(body, SEEN), Ignored)
    with suppress(UsageError):
        assert isinstance(from_invoke(body, SEEN), Ignored)
    assert isinstance(tenant_of(body), str)
    assert isinstance(installation_of(body), str)


@given(st.text(max_size=40))
def test_times_and_conversations_are_read_whatever_they_are(text):
    assert micros(text) >= 0
    assert text.startswith(channel_of(text))
