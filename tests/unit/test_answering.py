from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.answering import Checker, find_end, shorter
from core.documents import Passage
from core.domain import AnswerRequest, BotConfiguration, Mode


def passage(text, title, source="/handbook.md"):
    return Passage(1, 1, "handbook", title, source, (), None, text, 1.0, 1.0, None)


PASSAGES = (
    passage("Lunch is reimbursed up to 18 euro a day when you travel.", "Expenses"),
    passage("Receipts are handed in within thirty days at https://desk.example/receipts.", "Receipts"),
    passage("Full-time employees have 28 days of paid vacation.", "Time off", "https://hr.example/time-off"),
)
REQUEST = AnswerRequest("How much is lunch?", "How much is lunch?", PASSAGES)
OPEN = replace(REQUEST, bot=BotConfiguration(mode=Mode.OPEN))
LUNCH = "Lunch is reimbursed up to 18 euro a day"
VACATION = "Full-time employees have 28 days of paid vacation"


def check(text, request=REQUEST, *, cut=False):
    checker = Checker(request)
    shown = checker.feed(text) + checker.finish(cut=cut)
    return shown, checker.resolved


@pytest.mark.parametrize(
    "verdict",
    ["ANSWERED\n", "ANSWERED\n\n", "answered\n", "**ANSWERED**\n", "Verdict: ANSWERED\n", "ANSWERED: ", "ANSWERED. ",
     "`ANSWERED`\n", "# Answered\n", "Verdict: answered - ", "\n\nANSWERED \r\n", "",
     "<think>Is it [2]?\n\nYes.</think>\nANSWERED\n"],
)  # fmt: skip
def test_a_verdict_is_read_however_it_is_written_and_never_shown(verdict):
    assert check(f"{verdict}{LUNCH} [1].") == (f"{LUNCH} [1].", True)


@pytest.mark.parametrize(
    "text",
    [
        "NOT ANSWERED",
        "not answered.\n",
        "**NOT ANSWERED**\nThe sources are about lunch [1].",
        "Verdict: NOT_ANSWERED",
        "UNANSWERED\n",
        "NOT ANSWERED: the sources say nothing.",
        f"ANSWERED\n{LUNCH} [1].\nNOT ANSWERED",
        "I do not know.",
        "ANSWERED\nLunch is free.",
        "ANSWERED\nLunch is 99 euro [1].",
        "<think>The verdict is ANSWERED",
        "ANSWERED",
        "",
    ],
)
def test_what_is_denied_or_rests_on_no_source_is_not_resolved(text):
    assert check(text)[1] is False


@pytest.mark.parametrize("text", ["NOT ANSWERED\nBut here is a guess [1].", "Lunch is free. And good.", "<think>no"])
def test_nothing_is_shown_without_a_source(text):
    assert check(text)[0] == ""


def test_answered_as_the_first_word_of_a_sentence_is_no_verdict():
    request = replace(REQUEST, passages=(passage("Answered tickets are closed after two days.", "Tickets"),))
    assert check("Answered tickets are closed after two days [1].", request) == (
        "Answered tickets are closed after two days [1].",
        True,
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"{LUNCH} [1]. {VACATION} [3].", f"{LUNCH} [1]. {VACATION} [3]."),
        (f"{LUNCH}. [1] {VACATION}. [3]", f"{LUNCH}. [1] {VACATION}. [3]"),
        (f"{LUNCH}.[1][3]", f"{LUNCH}.[1]"),
        (f"{LUNCH} [1, 3].", f"{LUNCH} [1]."),
        (f"{LUNCH} [Source 1].", f"{LUNCH} [1]."),
        (f"{LUNCH}【1†source】.", f"{LUNCH}[1]."),
        (f"{LUNCH} [1]. Dogs are welcome everywhere [2].", f"{LUNCH} [1]. Dogs are welcome everywhere."),
        (f"{LUNCH} [1]. It was 25 euro last year [1].", f"{LUNCH} [1]. It was 25 euro last year."),
        (f"{LUNCH} [1] [7][0].", f"{LUNCH} [1]."),
        (f"{LUNCH}\n[1]\n", f"{LUNCH}\n[1]"),
        (f"{LUNCH} [1], while {VACATION.lower()} [3].", f"{LUNCH} [1], while {VACATION.lower()} [3]."),
        (f"- {LUNCH} [1]\n- {VACATION} [3]", f"- {LUNCH} [1]\n- {VACATION} [3]"),
        (f"[1] {LUNCH}.", f"[1] {LUNCH}."),
        (f"Well. {LUNCH} [1].", f"Well. {LUNCH} [1]."),
        (f"{LUNCH} [1].\n\n\n\n\n{VACATION} [3].", f"{LUNCH} [1].\n\n{VACATION} [3]."),
        (f"{LUNCH} [1].\n\n[1]: https://evil.test/x", f"{LUNCH} [1]."),
    ],
)
def test_only_marks_that_are_borne_out_stay(text, shown):
    assert check(f"ANSWERED\n{text}") == (shown, True)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Hand receipts in at https://desk.example/receipts within thirty days [2].", None),
        ("Receipts are handed in within thirty days [2]. Go to [the desk](https://desk.example/receipts).", None),
        (f"{VACATION} [3], see https://hr.example/time-off.", None),
        (f"{LUNCH} [1]. See https://desk.example/receipts.", f"{LUNCH} [1]. See …."),
        (
            f"{LUNCH} [1]. See [this](https://evil.test/?d=SECRET) ![x](https://evil.test/x).",
            f"{LUNCH} [1]. See this x.",
        ),
        (f"@everyone: {LUNCH} [1].", f"everyone: {LUNCH} [1]."),
    ],
)
def test_only_links_of_cited_sources_stay(text, shown):
    assert check(text) == (shown or text, True)


def test_the_authors_own_address_may_be_repeated():
    request = replace(OPEN, text="Is https://a.example/x safe?")
    assert check("I cannot open https://a.example/x today.", request)[0] == "I cannot open https://a.example/x today."


def test_an_answer_cut_in_the_middle_of_a_mark_does_not_show_half_of_it():
    assert check(f"{LUNCH} [1]. {VACATION} [", cut=True) == (f"{LUNCH} [1]. {VACATION}", True)


def test_open_chat_needs_neither_verdict_nor_marks_and_code_stays_as_it_is():
    text = "ANSWERED is a word. Write:\n\n```\nx = rows[1] + rows[2]\n```\n\nThat is all [9]."
    without = replace(OPEN, passages=())
    assert check(text, without) == (text.replace(" [9]", ""), True)
    assert check(f"{LUNCH} [1]. Dogs bark [3].", OPEN) == (f"{LUNCH} [1]. Dogs bark.", True)


def test_what_is_shown_comes_sentence_by_sentence_once_a_source_bears_it_out():
    checker = Checker(REQUEST)
    assert [checker.feed(piece) for piece in ("ANSW", "ERED\nYes. ", f"{LUNCH} [1", "].", " ", "And ", "more")] == [
        "", "", "", "", "", f"Yes. {LUNCH} [1].", ""
    ]  # fmt: skip
    assert checker.finish() == " And more"


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("One. Two", 5),
        ("One.", 0),
        ("One. ", 0),
        ("One. [1", 0),
        ("One. [1] Two", 9),
        ("One. [see] Two", 5),
        ("Use e.g. Form 12. Then", 18),
        ("It is 3.5 or 4. Yes", 16),
        ("Line\nnext", 5),
        ("Line\n\n", 0),
        ("休暇です。申請", 5),
        ("Wait... what? Yes", 14),
        ("See a.example/b. Go", 17),
        ("1. Open it. 2. Go", 12),
    ],
)
def test_a_sentence_ends_only_where_more_text_cannot_move_its_end(text, end):
    assert find_end(text, 0)[0] == end


PARTS = st.sampled_from(
    ["ANSWERED\n", "NOT ANSWERED", f"{LUNCH} [1].", f"{VACATION}.", " ", "\n", "\n\n", "[3]", "[1", "]", "[see", ". ",
     "e.g.", "No. ", "5", "Yes", "!", "【2】", "https://evil.test/x", "[d](https://desk.example/receipts)", "<think>",
     "</think>", "```\n", "。", "*", "Receipts are handed in within thirty days [2]"]
)  # fmt: skip


@given(
    st.lists(PARTS, max_size=12).map("".join), st.lists(st.integers(0, 200), max_size=12), st.booleans(), st.booleans()
)
def test_the_pieces_do_not_matter(text, cuts, grounded, at_limit):
    request = REQUEST if grounded else OPEN
    checker = Checker(request)
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[a:b] for a, b in pairwise(places)]
    shown = "".join(map(checker.feed, pieces)) + checker.finish(cut=at_limit)
    assert (shown, checker.resolved) == check(text, request, cut=at_limit)


@given(st.lists(PARTS, max_size=12).map("".join))
def test_letter_by_letter_is_the_same_as_at_once_and_leaks_nothing(text):
    checker = Checker(REQUEST)
    shown = "".join(map(checker.feed, text)) + checker.finish()
    assert shown == check(text)[0]
    assert "evil.test" not in shown
    assert shown == shown.strip()


def test_a_shorter_request_keeps_the_numbers_of_its_passages():
    assert shorter(REQUEST).passages == PASSAGES[:2]
    assert shorter(replace(REQUEST, passages=PASSAGES[:1])).passages == PASSAGES[:1]
    assert shorter(replace(REQUEST, summary="Long.")).summary == ""


def test_a_long_text_without_an_end_of_a_sentence_is_read_in_one_pass():
    pieces = ["ANSWERED\n", f"{VACATION} [3].\n\n", *(f"word {number} of many. " for number in range(4_000))]
    checker = Checker(REQUEST)
    shown = "".join(checker.feed(piece) for piece in pieces) + checker.finish()
    assert shown.replace("[1]", "[3]").split() == "".join(pieces[1:]).split()
