import base64
import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.web.callback import Callback, sign
from adapters.web.inbound import given_files, incoming, interaction
from adapters.web.requests import parse_object, request_id_of, same_secret
from core.errors import UsageError
from core.inbox import Kind
from core.payloads import retry_after_s
from core.places import Place, Platform
from core.pulled import parse_event_id

BODY = {
    "event_id": "e1",
    "message_id": "m1",
    "channel": "help",
    "thread": "t1",
    "author": {"id": "u1", "name": "Jo"},
    "text": "How many days?",
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
FIELDS = [*BODY, "kind", "revision", "target", "rating", "reason", "session", "knowledge_bases", "files", "callback"]


def test_a_message_becomes_an_event():
    event = incoming(7, "shop", BODY, request_id="r1")
    assert event.message.place == Place(Platform.API, "help", "t1")
    assert (event.message.tenant_id, event.message.author.author_id, event.message.text) == (7, "u1", "How many days?")
    assert (event.kind, event.event_id, event.message_id, event.revision) == (Kind.MESSAGE, "e1", "m1", 0)
    assert (event.installation, event.message.installation, event.request_id) == ("shop", "shop", "r1")


def test_without_a_channel_or_a_message_id_the_author_and_the_event_stand_for_them():
    event = incoming(7, "shop", {"event_id": "e1", "author": {"id": "u1"}, "text": "x"})
    assert (event.message.place.channel, event.message.place.thread, event.message_id) == ("u1", "", "e1")


def test_an_edit_and_a_deletion_are_about_a_message():
    edit = incoming(7, "shop", {**BODY, "kind": "edit", "event_id": "e2"})
    assert (edit.message_id, edit.revision, edit.target) == ("m1", 1, "m1")
    gone = incoming(7, "shop", {**BODY, "kind": "delete", "event_id": "e3", "text": ""})
    assert (gone.kind, gone.message_id, gone.message.text) == (Kind.DELETE, "m1", "")


def test_a_stop_and_a_rating_are_events_of_their_own():
    stop = incoming(7, "shop", {"event_id": "e4", "kind": "stop", "author": {"id": "u1"}, "target": "m1"})
    assert (stop.message_id, stop.target) == ("e4", "m1")
    body = {"event_id": "e5", "kind": "feedback", "author": {"id": "u1"}, "target": "m1", "rating": -1, "reason": "old"}
    assert incoming(7, "shop", body).detail == {"rating": -1, "reason": "old"}


def test_an_interaction_is_a_command():
    event = interaction(7, "shop", {"event_id": "e6", "command": "/help", "author": {"id": "u1"}})
    assert (event.kind, event.message.text) == (Kind.MESSAGE, "/help")
    with pytest.raises(UsageError, match="slash"):
        interaction(7, "shop", {"event_id": "e6", "command": "help", "author": {"id": "u1"}})


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"tenant_id": 2}, "tenant_id"),
        ({"administrator": True}, "administrator"),
        ({"event_id": ""}, "event_id"),
        ({"event_id": None}, "event_id"),
        ({"event_id": 7}, "event_id"),
        ({"event_id": "x" * 201}, "event_id"),
        ({"event_id": "a\u0000b"}, "event_id"),
        ({"channel": "\ud800"}, "channel"),
        ({"author": None}, "author"),
        ({"author": {"id": ""}}, "id"),
        ({"author": {"id": "u1", "role": "administrator"}}, "role"),
        ({"kind": "reset"}, "kind"),
        ({"kind": ["message"]}, "kind"),
        ({"text": " "}, "text"),
        ({"text": "x" * 64_001}, "text"),
        ({"revision": True}, "revision"),
        ({"revision": -1}, "revision"),
        ({"kind": "edit", "revision": 0}, "revision"),
        ({"kind": "edit", "message_id": ""}, "message_id"),
        ({"kind": "feedback", "target": "m1", "rating": 0}, "rating"),
        ({"kind": "feedback", "rating": 1}, "target"),
        ({"session": "not-a-uuid"}, "session"),
        ({"knowledge_bases": "handbook"}, "knowledge_bases"),
        ({"knowledge_bases": [""]}, "knowledge_bases"),
        ({"knowledge_bases": ["a\x00"]}, "knowledge_bases"),
        ({"knowledge_bases": ["\ud800"]}, "knowledge_bases"),
        ({"callback": {"x": "y" * 4_000}}, "callback"),
    ],
)
def test_a_field_at_fault_is_named(change, named):
    with pytest.raises(UsageError, match=f'"{named}"'):
        incoming(7, "shop", {**BODY, **change})


@given(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6))
def test_any_body_is_taken_or_refused_in_words(change):
    body = {**BODY, **change}
    try:
        event = incoming(7, "shop", body)
        given_files(body, 100)
    except UsageError:
        return
    assert event.message.tenant_id == 7
    assert event.event_id
    assert event.message_id


def test_files_are_decoded_or_named_with_the_reason():
    content = base64.b64encode(b"hello").decode()
    item = {"name": "a.txt", "media_type": "text/plain", "content": content}
    assert given_files({"files": [item]}, 100)[0].data == b"hello"
    over = given_files({"files": [{**item, "content": base64.b64encode(b"x" * 200).decode()}]}, 100)[0]
    assert (over.data, over.reason) == (b"", "it is over the limit of 0.0 MB")
    for fault in ({"content": "!"}, {"content": 7}, {"name": ""}, {"path": "/etc/passwd"}):
        with pytest.raises(UsageError):
            given_files({"files": [{**item, **fault}]}, 100)
    with pytest.raises(UsageError, match="at most 10"):
        given_files({"files": [item] * 11}, 100)


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"7", b'{"a": NaN}', b'{"a":1,"a":2}', b"\xff", b"[" * 100_000, b'{"a":' * 50_000, b"\xef\xbb\xbf{}"],
)
def test_what_is_no_json_object_is_refused(raw):
    with pytest.raises(UsageError, match="JSON"):
        parse_object(raw)


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused(raw):
    with suppress(UsageError):
        assert isinstance(parse_object(raw), dict)


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=4))
def test_json_comes_out_as_it_went_in(value):
    assert parse_object(json.dumps(value).encode()) == value


def test_a_request_id_is_taken_only_where_it_is_plain():
    assert request_id_of({"X-Request-Id": "a-1.b_2"}) == "a-1.b_2"
    for odd in ("", "x" * 65, "a b", "a\nb", 'a"b', "é"):
        assert request_id_of({"X-Request-Id": odd}) != odd


def test_an_empty_secret_is_never_right():
    assert same_secret("abc", "abc")
    assert not same_secret("abc", "abd")
    assert not same_secret("", "")


def test_a_signature_is_that_of_standard_webhooks():
    # The vector of the specification's own libraries.
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    signature = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_callback_needs_an_address_and_a_long_secret():
    good = "whsec_" + base64.b64encode(b"x" * 24).decode()
    assert good not in repr(Callback("https://shop.example/hooks", good))
    for url, secret in (
        ("ftp://shop.example", good),
        ("https://shop.example", "whsec_"),
        ("https://shop.example", "x"),
    ):
        with pytest.raises(UsageError):
            Callback(url, secret)


@given(st.one_of(st.text(max_size=12), st.floats().map(str)))
def test_any_retry_after_is_a_time_to_wait(value):
    assert 0 <= retry_after_s(value) <= 3_600


def test_the_id_of_an_event_is_read_or_refused():
    assert parse_event_id("") == (0, 0)
    assert parse_event_id("12.3") == (12, 3)
    for odd in ("12", "a.b", "1.2.3", "-1.2", "١.٢", "1." + "9" * 60, f"1.{2**31}", f"{10**18}.1"):
        with pytest.raises(UsageError):
            parse_event_id(odd)
