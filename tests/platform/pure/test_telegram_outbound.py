"""An answer becomes messages with buttons, in its language and within Telegram's limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.telegram import limits
from adapters.telegram.buttons import Action, read_data
from adapters.telegram.outbound import alert, keyboard, passage, render, render_growing, stop_row
from core import wording
from core.documents import Citation
from core.domain import Answer, File, Origin
from core.parts import utf16_units
from tests.platform.telegram_entities import parse_html

TICKET = 12


def cited(number, source, label="Travel policy › Meals, p. 4", quote="Lunch is 18 euro."):
    return Citation(number, 1, 1, label, source, 4, quote)


def answer(text="It is 28 days [1].", origin=Origin.DOCUMENTS, **fields):
    return Answer(text, origin, None, **fields)


def texts(parts):
    return [button.text for row in parts[-1].rows for button in row]


def test_an_answer_has_buttons_below_its_last_message():
    parts = render(answer("A paragraph of it.\n\n" * 400), 77)
    assert len(parts) == 2
    assert parts[0].rows == ()
    assert texts(parts) == ["👍", "👎", "Talk to a person"]
    read = [read_data("q", button.data, "1") for row in parts[-1].rows for button in row]
    assert [(press.action, press.outbox_id) for press in read] == [
        (Action.UP, 77),
        (Action.DOWN, 77),
        (Action.HUMAN, 77),
    ]


@pytest.mark.parametrize(
    ("origin", "ticket", "buttons"),
    [
        (Origin.OPEN_CHAT, None, ["👍", "👎", "Talk to a person"]),
        (Origin.NOTHING_FOUND, None, ["Talk to a person"]),
        (Origin.NOTHING_FOUND, TICKET, []),
        (Origin.FAILED, None, ["Talk to a person"]),
        (Origin.COMMAND, None, []),
        (Origin.SMALL_TALK, None, []),
        (Origin.PERSON, TICKET, []),
        (Origin.STOPPED, None, []),
    ],
)
def test_buttons_are_where_they_help(origin, ticket, buttons):
    assert texts(render(answer(origin=origin, ticket_number=ticket), 77)) == buttons


def test_a_source_with_an_address_is_a_link_and_another_a_button_that_shows_it():
    found = answer(citations=(cited(1, "https://example.com/a?b=1&c=2", "A <page>"), cited(2, "meals.pdf", "x" * 60)))
    (part,) = render(found, 77)
    assert part.html.endswith('<b>Sources:</b>\n[1] <a href="https://example.com/a?b=1&amp;c=2">A &lt;page&gt;</a>')
    shown = part.rows[0][0]
    assert shown.text == "[2] " + "x" * 35 + "…"
    assert read_data("q", shown.data, "1").number == 2


def test_sources_beyond_the_buttons_are_listed():
    found = answer(citations=tuple(cited(number, f"{number}.pdf", f"Page {number}") for number in range(1, 13)))
    (part,) = render(found, 77)
    assert len(part.rows) == 11
    assert part.plain.endswith("Sources:\n[11] Page 11\n[12] Page 12")


def test_the_words_around_are_in_the_answers_language():
    found = answer(language="de", citations=(cited(1, "https://example.com"),), ticket_number=TICKET, notice="Hinweis.")
    (part,) = render(found, 77)
    assert "<b>Quellen:</b>" in part.html
    assert wording.handed_over(TICKET, "de") in part.plain
    assert part.html.endswith("<i>Hinweis.</i>")
    assert stop_row(77, "de")[0][0].text == wording.say(wording.STOP_ANSWER, "de") != wording.STOP_ANSWER


def test_a_ticket_is_named_once():
    text = wording.handed_over(TICKET)
    (part,) = render(answer(text, Origin.NOTHING_FOUND, ticket_number=TICKET), 77)
    assert part.plain == text


def test_a_persons_words_are_sent_as_they_are():
    text = f"{wording.person_answered(TICKET)}\n\nThe parcel leaves on Monday."
    (part,) = render(answer(text, Origin.PERSON, ticket_number=TICKET), 77)
    assert (part.plain, part.rows) == (text, ())


def test_a_file_follows_the_text():
    file = File("sessions.json", "application/json", "{}")
    parts = render(answer("Here it is.", Origin.COMMAND, file=file), 77)
    assert [part.file for part in parts] == [None, file]


def test_an_answer_without_words_is_an_ellipsis():
    assert [part.html for part in render(answer("\u200b", Origin.COMMAND), 77)] == ["…"]


def test_what_grows_is_shown_to_its_end_and_what_is_full_stays_as_it_is():
    words = [f"word{number} " for number in range(1_200)]
    *full, growing = render_growing("".join(words) + "**the en")
    assert all(utf16_units(part.plain) <= limits.TEXT for part in (*full, growing))
    assert growing.plain.endswith("**the en")
    assert full == render_growing("".join(words[:1_100]))[:-1]
    assert [part.html for part in render_growing("")] == ["…"]


def test_a_passage_is_quoted_and_one_that_is_gone_is_said_to_be():
    found = answer(citations=(cited(1, "meals.pdf", quote="Lunch < 18 euro."),), language="de")
    (part,) = passage(found, 1)
    assert part.html == "<b>[1] Travel policy › Meals, p. 4</b>\n<blockquote>Lunch &lt; 18 euro.</blockquote>"
    (gone,) = passage(found, 2)
    assert gone.plain == wording.say(wording.SOURCE_GONE, "de")


def test_an_alert_has_200_characters():
    assert alert("**Thanks**") == "Thanks"
    assert len(alert("word " * 100)) <= limits.CALLBACK_ANSWER


markdown = st.text("ab *_`[]()<&>\n|#-🏟", max_size=400)


@given(markdown, st.lists(st.tuples(st.sampled_from(["https://a.b/", "a.pdf", "http://"]), st.text()), max_size=14))
def test_every_answer_is_accepted(text, sources):
    citations = tuple(cited(number, source, label) for number, (source, label) in enumerate(sources, start=1))
    parts = render(answer(text, citations=citations, notice=text), 10**17, limit=200)
    for part in parts:
        read, _ = parse_html(part.html)
        assert 0 < utf16_units(read) <= 200
    buttons = [button for row in keyboard(parts[-1].rows)["inline_keyboard"] for button in row]
    assert all(button["text"].strip() and len(button["callback_data"].encode()) <= 64 for button in buttons)
    assert len(buttons) <= limits.BUTTONS
