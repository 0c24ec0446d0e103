"""Answers as Slack's messages and modals: every limit is kept, nothing is lost, and nobody is called by a text."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from adapters.slack.outbound import (
    cost,
    interim,
    message_view,
    passage_view,
    private_id,
    reason_view,
    render,
    sound,
)
from adapters.slack.sources import numbers_of, shared_target
from core import wording
from core.documents import Citation
from core.domain import Answer, Origin
from core.outbox import Target
from core.places import Place, Platform
from tests.platform.slack_blocks import check_blocks, check_view, elements_of, texts

HOSTILE = Path(__file__).parents[3] / ".." / "shared" / "data" / "hostile"
GUARD = "\u00ad"
MENTION = re.compile(r"<(?:!|@[UW]|#C|!subteam)|@(?:here|channel|everyone)\b", re.IGNORECASE)
LANGUAGES = ("en", "de", "es", "fr")


def citation(number=1, source="https://docs.example/leave", label="Leave › Days, p. 4", page=4, quote="28 days."):
    return Citation(number, 1, number, label, source, page, quote)


def answer(text="You have 28 days [1].", origin=Origin.DOCUMENTS, **more):
    return Answer(text, origin, None, **more)


def accepted(parts):
    """Check PARTS as Slack does and return their blocks."""
    found = [check_blocks(part.blocks) for part in parts]
    assert all(1 <= len(part.text) <= 4_000 for part in parts)
    assert all(block["type"] != "markdown" or block["text"] for blocks in found for block in blocks)
    return found


def body(parts):
    return "\n\n".join(part.body for part in parts)


def buttons(part):
    return {e["action_id"]: e for block in part.tail for e in elements_of(block) if "action_id" in e}


def test_an_answer_is_one_message_with_its_markdown_as_it_is():
    (part,) = render(answer("## Leave\n\n- **28** days [1]", citations=(citation(),)), 7)
    assert part.body == "## Leave\n\n- **28** days [1]"
    assert part.text.startswith("*Leave*\n\n• *28* days [1]")
    assert [block["type"] for block in part.blocks] == ["markdown", "context", "context_actions", "actions"]
    accepted([part])


def test_a_source_with_an_address_is_a_link_and_another_one_a_button():
    cited = (citation(1, label="A <b> & *c*"), citation(2, source="/srv/handbook.md"), citation(3, source="ftp://x/y"))
    (part,) = render(answer(citations=cited), 7)
    lines = part.tail[0]["elements"][0]["text"]
    assert "[1] <https://docs.example/leave|A &lt;b&gt; &amp;" in lines
    assert "handbook" not in lines
    pressed = buttons(part)
    assert pressed["passage:2"]["value"] == "7:2"
    assert pressed["passage:2"]["text"]["text"] == "[2] Leave › Days, p. 4"
    assert pressed["passage:3"]["value"] == "7:3"
    assert numbers_of("7:2") == (7, 2)
    accepted([part])


@pytest.mark.parametrize("value", ["", "x", "x:1", "1:x", ":", "1:2:3", "1" * 40, "²"])
def test_a_value_that_is_none_of_ours_means_nothing(value):
    assert numbers_of(value) == (0, 0)


def test_a_link_says_nothing_but_its_address():
    source = "https://docs.example/a b|c>d<e?x=1&y=<!channel>"
    (part,) = render(answer(citations=(citation(source=source),)), 7)
    line = part.tail[0]["elements"][0]["text"].splitlines()[-1]
    assert re.fullmatch(r"\[1\] <https://[^<>| ]*\|[^<>|]*>", line)
    assert not MENTION.search(line)


def test_a_long_address_and_a_long_label_fit():
    cited = (citation(1, source="https://docs.example/" + "x" * 3_000, label="y" * 500), citation(2, label="z" * 500))
    (part,) = render(answer(citations=cited), 7)
    assert len(buttons(part)["passage:1"]["text"]["text"]) == 75
    accepted([part])


@pytest.mark.parametrize("count", [1, 8, 25, 26, 50, 80])
@pytest.mark.parametrize("source", ["https://docs.example/" + "x" * 300, "/srv/handbook.md"])
def test_many_sources_fit_under_the_longest_answer(count, source):
    cited = tuple(citation(number, source=source, label=f"{number} " + "l" * 180) for number in range(1, count + 1))
    text = "word " * 2_000
    parts = render(answer(text, citations=cited, notice="n" * 5_000), 10**15)
    accepted(parts)
    shown = json.dumps(parts[-1].blocks)
    assert all(f"[{number}] " in shown for number in range(1, min(count, 50) + 1))


def test_a_long_answer_is_cut_between_paragraphs_and_only_the_last_part_has_buttons():
    paragraph = "Full-time employees have 28 days of paid vacation in a calendar year."
    parts = render(answer("\n\n".join([paragraph] * 200), citations=(citation(),)), 7)
    assert len(parts) == 4
    assert body(parts).count(paragraph) == 200
    assert [bool(part.tail) for part in parts] == [False, False, False, True]
    accepted(parts)


def test_a_code_block_is_never_left_open():
    code = "\n".join(f"days_{number} = {number}" for number in range(1_000))
    parts = render(answer(f"Look:\n\n```python\n{code}\n```\n\nThat is all."), 7)
    assert len(parts) > 3
    assert all(part.body.count("```") % 2 == 0 and part.text.count("```") % 2 == 0 for part in parts)
    assert all(f"days_{number} = {number}\n" in body(parts) for number in range(1_000))
    accepted(parts)


def test_an_answer_that_can_be_rated_has_its_buttons_and_another_one_none():
    (part,) = render(answer(), 7)
    pressed = buttons(part)
    assert pressed["human"]["value"] == "7:en"
    assert pressed["feedback"]["positive_button"]["value"] == "good"
    assert pressed["feedback"]["negative_button"]["value"] == "bad"
    assert "share" not in pressed
    for origin in (Origin.COMMAND, Origin.SMALL_TALK, Origin.PERSON, Origin.STOPPED, Origin.FAILED):
        assert not buttons(render(answer(origin=origin), 7)[0])
    assert "human" not in buttons(render(answer(), 7, offers_person=False)[0])
    assert "human" not in buttons(render(answer(origin=Origin.NOTHING_FOUND, ticket_number=3), 7)[0])


def test_the_announcement_of_a_ticket_has_its_buttons_and_no_remark_below():
    announced = answer(origin=Origin.COMMAND, ticket_number=12, citations=(), resolved=False)
    (part,) = render(announced, 7)
    pressed = buttons(part)
    assert {name: button["value"] for name, button in pressed.items()} == {"ticket_take": "12", "ticket_close": "12"}
    assert [block["type"] for block in part.tail] == ["actions"]
    accepted([part])
    (closed,) = render(replace(announced, resolved=True, notice="Closed by Ada."), 7)
    assert buttons(closed) == {}
    accepted([closed])


def test_what_we_say_about_a_ticket_is_not_called_a_persons_answer():
    said = answer("I opened ticket 12; a person will answer here.", origin=Origin.PERSON, ticket_number=12)
    (part,) = render(said, 7)
    assert part.head == ()
    assert "A person answered" not in part.text
    header = wording.person_answered(12, "en")
    (part,) = render(replace(said, text=f"{header}\n\nIt is 18 euro."), 7)
    assert part.head[0]["elements"][0]["text"] == header
    assert part.body == "It is 18 euro."


def test_a_private_answer_can_be_shared_and_its_rating_names_it():
    said = answer()
    (part,) = render(said, 7, private=True, can_share=True)
    pressed = buttons(part)
    assert pressed["share"]["value"] == "7"
    given_rating = json.loads(pressed["feedback"]["negative_button"]["value"])
    assert given_rating == {"rating": "bad", "message": private_id(7, said)}
    assert "share" not in buttons(render(said, 7, private=True)[0])
    assert private_id(7, said) != private_id(7, replace(said, text="Something else."))


def test_the_ticket_and_the_notice_stand_below():
    (part,) = render(
        answer(origin=Origin.NOTHING_FOUND, ticket_number=12, notice="No model *is* there.", language="de"), 7
    )
    remarks = part.tail[0]["elements"][0]["text"]
    assert remarks.endswith("· Ticket 12")
    assert f"{GUARD}*{GUARD}is" in remarks


def test_a_person_is_shown_as_a_person():
    words = f"{wording.person_answered(12, 'de')}\n\nFragen Sie im März."
    (part,) = render(answer(words, Origin.PERSON, ticket_number=12, language="de"), 7)
    assert part.head[0]["elements"][0]["text"] == wording.person_answered(12, "de")
    assert part.body == "Fragen Sie im März."
    assert part.text == f"{wording.person_answered(12, 'de')}\n\nFragen Sie im März."
    (part,) = render(answer("Ask me in March.", Origin.PERSON), 7)
    assert part.head[0]["elements"][0]["text"] == "A person"
    accepted([part])


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_words_around_are_in_the_language_of_the_answer(language):
    (part,) = render(
        answer(citations=(citation(),), ticket_number=None, language=language), 7, private=True, can_share=True
    )
    shown = json.dumps(part.blocks, ensure_ascii=False)
    words = (wording.HELPFUL, wording.NOT_HELPFUL, wording.NEED_PERSON, wording.SHARE, wording.SOURCES)
    assert all(wording.say(word, language) in shown for word in words)
    accepted([part])


def test_who_shared_an_answer_is_said():
    (part,) = render(answer(), 7, shared_by="U0123456")
    assert part.tail[-1]["elements"][0]["text"] == "Shared by <@U0123456>"


@pytest.mark.parametrize(
    "written",
    [
        "<!channel> now",
        "<!here|here>",
        "@everyone",
        "\\<!channel>",
        "<\\!channel>",
        "&lt;!channel&gt;",
        "<!subteam^S0123456|@team>",
        "<@U0123456789>",
        "<#C0123456789|general>",
        "`@channel`",
        "@HERE",
        "[x](https://docs.example/@channel)",
    ],
)
def test_no_text_mentions_anybody(written):
    said = answer(written, citations=(citation(label=written, source="/x", quote=written),), notice=written)
    (part,) = render(said, 7)
    shown = [part.body, *texts(part.blocks), part.text]
    parser = MarkdownIt("commonmark", {"html": True})
    for text in shown:
        again = "".join(
            child.content for token in parser.parse(text) for child in (token.children or [token]) if child.content
        )
        for form in (text, again, text.replace("&lt;", "<").replace("&gt;", ">")):
            assert not re.search(r"<!(?:channel|here|everyone|subteam\^)|@(?:here|channel|everyone)\b", form, re.I)
            assert not re.search(r"<@U0123|<#C0123", form)
    assert [part.body.replace(GUARD, "")] == [written]


@pytest.mark.parametrize(
    "written",
    [
        "Write to hr@unilever.example or maps@here.example.",
        "See [the page](https://docs.example/a#configuration) and https://docs.example/b#getting-started.",
        "```\ncolor: #c0ffee;\ngit clone git@upgrade.example:a/b\n```",
        "Ask @william or in #general!",
    ],
)
def test_what_could_call_nobody_stays_as_it_is(written):
    (part,) = render(answer(written), 7)
    assert part.body == written
    assert GUARD not in sound(written)


@given(st.text(st.sampled_from("ab @!<>#UCW0123456789^heretcanlvyo\\&;\n`*_"), max_size=120), st.data())
def test_what_a_stream_has_shown_stays_as_it_is(text, data):
    from adapters.slack.stream import settled

    cut = data.draw(st.integers(0, len(text)))
    assert sound(text).startswith(settled(text[:cut]))
    assert settled(text[:cut]).startswith(settled(text[: cut // 2]))


@given(st.text(max_size=300))
def test_any_text_becomes_messages_that_slack_takes(text):
    cited = (citation(label=text or "x", quote=text), citation(2, source=text, label=text or "x"))
    accepted(render(answer(text, citations=cited, notice=text), 7, private=True, can_share=True))
    accepted([interim(text)])
    check_view(passage_view(cited[0], "de"), "modal")
    check_view(message_view(text, "de"), "modal")


@given(
    st.lists(
        st.sampled_from(["&", "<b>", "*x*", "word ", "\n\n", "```\n", "| a | b |\n", "- x\n", ":tada:", "ü"]),
        max_size=900,
    )
)
def test_long_odd_texts_are_cut_within_the_limits(pieces):
    parts = render(answer("".join(pieces)), 7)
    accepted(parts)
    assert all(cost(part.body) <= 3_900 for part in parts)


def lines(name):
    path = HOSTILE / name
    if not path.is_file():
        pytest.skip(f"the public data sets are not at {HOSTILE}")
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.mark.parametrize(("name", "key"), [("slack_mrkdwn.jsonl", "input"), ("naughty_strings.jsonl", "text")])
def test_what_others_found_hard_to_format_reads_back_as_it_was_written(name, key):
    written = [case[key] for case in lines(name)]
    parser = MarkdownIt("commonmark")
    assert written
    for text in written:
        parts = render(answer(text), 7)
        accepted(parts)
        if sound(text).strip():
            together = body(parts).replace(GUARD, "")
            assert parser.render(together) == parser.render(sound(text).replace(GUARD, "").strip("\n")), text


def test_a_passage_is_shown_with_its_page():
    view = passage_view(citation(quote="q" * 9_000 + " *end*"), "de")
    check_view(view, "modal")
    shown = list(texts(view["blocks"]))
    assert shown[:2] == ["Leave › Days, p. 4", "Seite 4"]
    assert view["title"]["text"] == "Quelle 1"
    assert "".join(shown[2:]) == "q" * 9_000 + " *end*"
    assert "Seite" not in json.dumps(passage_view(citation(page=None), "de")["blocks"])


def test_a_passage_of_any_length_fits_a_modal():
    check_view(passage_view(citation(quote="long " * 100_000, label="l" * 5_000), "en"), "modal")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_form_for_a_reason_names_the_answer(language):
    view = reason_view({"channel": "C1", "ts": "1.2", "thread_ts": "1.1"}, language)
    check_view(view, "modal")
    assert json.loads(view["private_metadata"]) == {"rating": "bad", "channel": "C1", "ts": "1.2", "thread_ts": "1.1"}
    assert view["callback_id"] == "feedback_reason"


def test_a_shared_answer_goes_where_all_can_see_it():
    address = {
        "team": "T1",
        "channel": "C1",
        "thread_ts": "",
        "user": "U1",
        "private": True,
        "response_url": "https://x",
    }
    target = Target(1, "T1", Place(Platform.SLACK, "C1", "private:U1"), "U1", address)
    shared = shared_target(target)
    assert shared.place == Place(Platform.SLACK, "C1", "")
    assert shared.address == {"team": "T1", "channel": "C1", "thread_ts": "", "user": "U1", "shared_by": "U1"}
