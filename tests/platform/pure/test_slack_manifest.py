"""The app manifest: valid, complete, the same as the file, and what the official schema does not check."""

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.slack.manifest import DEFAULT_PREFIX, EVENTS, OPTIONAL_SCOPES, SCOPES, make_manifest, to_yaml
from adapters.slack.pressed import ASK_ABOUT_THIS
from core.commands import BY_NAME
from core.errors import UsageError

ROOT = Path(__file__).parents[3]
SCHEMA = ROOT.parent / "shared" / "reference" / "slack-manifest.schema.json"
FORMS = [
    {},
    {"url": "https://help.example.org"},
    {"url": "https://help.example.org/base/", "socket": True},
    {"prefix": "/hr-desk", "shortcuts": False},
]

# docs.slack.dev/reference/scopes and /reference/events; the schema knows neither.
KNOWN_SCOPES = set(
    "app_mentions:read assistant:write bookmarks:read bookmarks:write canvases:read canvases:write channels:history "
    "channels:join channels:manage channels:read chat:write chat:write.customize chat:write.public commands "
    "conversations.connect:read dnd:read emoji:read files:read files:write groups:history groups:read groups:write "
    "im:history im:read im:write incoming-webhook links:read links:write metadata.message:read mpim:history mpim:read "
    "mpim:write pins:read pins:write reactions:read reactions:write reminders:read search:read.public team:read "
    "usergroups:read usergroups:write users.profile:read users:read users:read.email users:write".split()
)
NEEDED_SCOPES = {  # what an event wants before Slack delivers it
    "agent_session_stopped": "assistant:write",
    "agent_session_title_changed": "assistant:write",
    "app_context_changed": "assistant:write",
    "app_home_opened": None,
    "app_mention": "app_mentions:read",
    "app_uninstalled": None,
    "file_shared": "files:read",
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "message.im": "im:history",
    "message.mpim": "mpim:history",
    "reaction_added": "reactions:read",
    "tokens_revoked": None,
}


@pytest.mark.parametrize("form", FORMS)
def test_it_is_valid_by_the_official_schema(form):
    if not SCHEMA.is_file():
        pytest.skip(f"the official schema is not at {SCHEMA}")
    from jsonschema import Draft7Validator

    validator = Draft7Validator(json.loads(SCHEMA.read_text("utf-8")))
    assert [error.message for error in validator.iter_errors(make_manifest(**form))] == []
    assert list(validator.iter_errors({**make_manifest(**form), "features": {"agent_view": {"agent_description": 1}}}))


def test_the_file_is_what_the_code_makes():
    text = (ROOT / "manifest" / "slack.yaml").read_text("utf-8")
    assert text == to_yaml(make_manifest())
    assert yaml.safe_load(text) == make_manifest()


@pytest.mark.parametrize("form", FORMS)
def test_scopes_and_events_are_slacks_and_belong_together(form):
    made = make_manifest(**form)
    scopes = {*made["oauth_config"]["scopes"]["bot"], *made["oauth_config"]["scopes"]["bot_optional"]}
    events = made["settings"]["event_subscriptions"]["bot_events"]
    assert scopes <= KNOWN_SCOPES
    assert set(events) <= set(NEEDED_SCOPES)
    assert {scope for event in events if (scope := NEEDED_SCOPES[event])} <= set(SCOPES)
    assert len(set(events)) == len(events) == len(EVENTS)
    assert not set(SCOPES) & set(OPTIONAL_SCOPES)


@pytest.mark.parametrize("form", FORMS)
def test_lengths_keep_to_the_limits(form):
    features = make_manifest(**form)["features"]
    display = make_manifest(**form)["display_information"]
    assert len(display["name"]) <= 35
    assert len(display["description"]) <= 140
    assert 175 <= len(display["long_description"]) <= 4_000
    assert len(features["agent_view"]["agent_description"]) <= 300
    assert 1 <= len(features["agent_view"]["suggested_prompts"]) <= 4
    assert all(len(shortcut["name"]) <= 24 for shortcut in features["shortcuts"])
    assert all(len(command["command"]) <= 32 for command in features["slash_commands"])


def test_new_apps_are_agents_and_never_assistants():
    features = make_manifest()["features"]
    assert "agent_view" in features
    assert "assistant_view" not in features
    assert "agent_session_stopped" in EVENTS  # without it there is no stop button


def test_commands_come_from_the_one_table():
    with_shortcuts = make_manifest()["features"]["slash_commands"]
    assert [command["command"] for command in with_shortcuts] == [DEFAULT_PREFIX, "/ask", "/kb"]
    assert all(command["command"].removeprefix("/") in BY_NAME for command in with_shortcuts[1:])
    hint = with_shortcuts[0]["usage_hint"].strip("[]").split("|")
    assert {"ask", "help", "kb", "channel", "stats"} <= set(hint)
    assert all(name in BY_NAME for name in hint)
    alone = make_manifest(prefix="/hr", shortcuts=False)["features"]["slash_commands"]
    assert [command["command"] for command in alone] == ["/hr"]


def test_an_address_is_in_every_place_that_wants_one():
    made = make_manifest(url="https://help.example.org/")
    listens = "https://help.example.org/slack/events"
    assert made["settings"]["event_subscriptions"]["request_url"] == listens
    assert made["settings"]["interactivity"] == {"is_enabled": True, "request_url": listens}
    assert {command["url"] for command in made["features"]["slash_commands"]} == {listens}
    assert made["oauth_config"]["redirect_urls"] == ["https://help.example.org/slack/oauth_redirect"]
    assert made["settings"]["socket_mode_enabled"] is False


def test_socket_mode_needs_no_address_and_may_have_one_for_installing():
    assert make_manifest()["settings"]["socket_mode_enabled"] is True
    assert "https://" not in to_yaml(make_manifest())
    both = make_manifest(url="https://help.example.org", socket=True)
    assert both["settings"]["socket_mode_enabled"] is True
    assert "request_url" not in both["settings"]["event_subscriptions"]
    assert both["oauth_config"]["redirect_urls"] == ["https://help.example.org/slack/oauth_redirect"]


def test_the_message_shortcut_is_the_one_that_is_listened_for():
    assert [s["callback_id"] for s in make_manifest()["features"]["shortcuts"]] == [ASK_ABOUT_THIS]


@pytest.mark.parametrize("prefix", ["frontdesk", "/", "/Front Desk", "/a" + "b" * 31, "/frontdesk;", "/über"])
def test_impossible_prefixes_are_refused(prefix):
    with pytest.raises(UsageError, match="prefix"):
        make_manifest(prefix=prefix)


@pytest.mark.parametrize("url", ["help.example.org", "http://help.example.org", "https://", "https://a b", "ftp://x"])
def test_impossible_addresses_are_refused(url):
    with pytest.raises(UsageError, match="https://HOST"):
        make_manifest(url=url)


_TEXT = st.text(st.characters(exclude_categories=("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp")))
_VALUES = st.recursive(
    st.one_of(
        _TEXT,
        st.booleans(),
        st.integers(),
        st.sampled_from(["yes", "No", "null", "1.5", "a: b", "- a", "#", "two\nlines"]),
    ),
    lambda inner: st.one_of(
        st.dictionaries(st.from_regex(r"[a-z_]{1,8}[a-z]", fullmatch=True), inner, min_size=1, max_size=4),
        st.lists(
            st.one_of(
                _TEXT, st.dictionaries(st.from_regex(r"[a-z_]{2,8}x", fullmatch=True), inner, min_size=1, max_size=3)
            ),
            min_size=1,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,8}x", fullmatch=True), _VALUES, min_size=1, max_size=5))
@example({"a_x": {"no": ""}})
def test_what_is_written_reads_back_the_same(value):
    assert yaml.safe_load(to_yaml(value)) == value
