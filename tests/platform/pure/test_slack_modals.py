"""The forms of administrators: within Slack's limits whatever there is, and read as they were filled in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.slack.modals import (
    AddForm,
    Opened,
    Wrong,
    add_view,
    channel_view,
    errors_of,
    loading_view,
    message_view,
    read_add,
    read_channel,
    read_opened,
)
from core.channels import DEFAULTS, ChannelSettings, Listens
from core.escalation import TicketPolicy
from core.places import Platform
from tests.platform.slack_blocks import check_view
from tests.platform.slack_payloads import view_state
from tests.platform.slack_state import File, View

OPENED = Opened("U1", "C1", "D1")
NAMES = st.lists(st.text(min_size=1, max_size=200), max_size=130, unique=True)


def filled(content, **values):
    view = View("V1", "T1", "U1", check_view(content, "modal"), "hash", [])
    return view.shown() | {"state": view_state(view, values)}


def a_file(name="handbook.pdf"):
    return File("F1", "T1", name, "application/pdf", b"%PDF", "https://files.example/F1")


@given(NAMES, st.text(max_size=80))
def test_the_add_form_keeps_to_the_limits(names, kb_name):
    content = check_view(add_view(OPENED, names, kb_name), "modal")
    assert read_opened(content) == OPENED


@given(
    NAMES,
    st.builds(
        ChannelSettings,
        knowledge_bases=st.lists(st.text(min_size=1), max_size=3).map(tuple),
        listens=st.sampled_from(Listens),
        threshold=st.none() | st.floats(0, 2),
        language=st.sampled_from(["", "en", "de", "it"]),
        tickets=st.none() | st.sampled_from(TicketPolicy),
        follow_ups=st.booleans(),
    ),
)
def test_the_channel_form_keeps_to_the_limits(names, settings):
    check_view(channel_view(OPENED, settings, names), "modal")


@given(st.text(), st.text())
def test_words_keep_to_the_limits(title, text):
    check_view(message_view(title or "A title", text), "modal")
    check_view(loading_view(title or "A title"), "modal")


def test_files_and_addresses_are_read():
    view = add_view(OPENED, ["handbook", "travel"])
    form = read_add(
        filled(
            view,
            files=[a_file()],
            urls="https://example.com/a\n https://example.com/b https://example.com/a",
            kb="travel",
            platforms=["slack", "telegram"],
            channels=["C7"],
        )
    )
    assert isinstance(form, AddForm)
    assert (form.kb_name, form.addresses) == ("travel", ("https://example.com/a", "https://example.com/b"))
    assert [(file.file_id, file.name) for file in form.files] == [("F1", "handbook.pdf")]
    assert (form.platforms, form.channels) == ((Platform.SLACK, Platform.TELEGRAM), ("C7",))


def test_what_is_left_empty_changes_no_scope():
    form = read_add(filled(add_view(OPENED, ["handbook"]), urls="https://example.com"))
    assert form == AddForm("handbook", ("https://example.com",), ())


def test_the_first_knowledge_base_has_a_name_to_begin_with():
    form = read_add(filled(add_view(OPENED, []), urls="https://example.com"))
    assert isinstance(form, AddForm)
    assert form.kb_name == "default"


def test_a_new_name_counts_more_than_a_choice():
    form = read_add(filled(add_view(OPENED, ["handbook"]), urls="https://example.com", new_kb="  Travel  rules "))
    assert isinstance(form, AddForm)
    assert form.kb_name == "Travel rules"


@pytest.mark.parametrize(
    ("values", "block"),
    [
        ({}, "urls"),
        ({"urls": "example.com/page"}, "urls"),
        ({"urls": "/etc/passwd"}, "urls"),
        ({"urls": "file:///etc/passwd"}, "urls"),
        ({"urls": "https://[bad"}, "urls"),
        ({"urls": " ".join(f"https://example.com/{n}" for n in range(51))}, "urls"),
        ({"urls": "https://example.com", "new_kb": "n" * 61}, "new_kb"),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(values, block):
    content = add_view(OPENED, ["a", "b"])
    wrong = read_add(filled(content, kb="a", **values))
    assert isinstance(wrong, Wrong)
    said = errors_of(wrong)
    assert list(said["errors"]) == [block]
    assert set(said["errors"]) <= {b["block_id"] for b in content["blocks"] if b["type"] == "input"}


def test_a_knowledge_base_must_be_chosen_where_there_are_several():
    wrong = read_add(filled(add_view(OPENED, ["a", "b"]), urls="https://example.com"))
    assert isinstance(wrong, Wrong)
    assert list(wrong.errors) == ["new_kb"]


SETTINGS = ChannelSettings(("handbook",), Listens.QUESTION, 0.9, "it", TicketPolicy.OFFER, False, version=3)


@pytest.mark.parametrize("settings", [DEFAULTS, SETTINGS])
def test_a_form_submitted_as_it_is_changes_nothing(settings):
    assert read_channel(filled(channel_view(OPENED, settings, ["handbook", "travel"])), settings) == settings


def test_every_decision_is_read():
    view = filled(
        channel_view(OPENED, DEFAULTS, ["handbook", "travel"]),
        kb=["travel"],
        listens="always",
        threshold="0,75",
        language="de",
        tickets="off",
        followups="off",
    )
    decided = ChannelSettings(("travel",), Listens.ALWAYS, 0.75, "de", TicketPolicy.OFF, False)
    assert read_channel(view, DEFAULTS) == decided


def test_decisions_are_taken_back_by_emptying_them():
    view = filled(channel_view(OPENED, SETTINGS, ["handbook"]), kb=[], threshold="")
    taken = {"language": {"language": {"selected_option": None}}, "tickets": {"tickets": {"selected_option": None}}}
    view["state"]["values"] |= taken
    settings = read_channel(view, SETTINGS)
    assert settings == ChannelSettings(listens=Listens.QUESTION, follow_ups=False, version=3)


@pytest.mark.parametrize("threshold", ["3", "-1", "close", "nan"])
def test_an_impossible_threshold_is_refused(threshold):
    wrong = read_channel(filled(channel_view(OPENED, DEFAULTS, []), threshold=threshold), DEFAULTS)
    assert isinstance(wrong, Wrong)
    assert list(wrong.errors) == ["threshold"]


def test_knowledge_bases_stay_where_the_form_could_show_none():
    assert read_channel(filled(channel_view(OPENED, SETTINGS, [])), SETTINGS) == SETTINGS


@pytest.mark.parametrize("metadata", ["", "[]", "null", "{", '{"user": 7}'])
def test_metadata_that_is_not_ours_is_empty(metadata):
    assert read_opened({"private_metadata": metadata}) == Opened("", "")
