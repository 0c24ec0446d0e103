import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.documents import Passage
from core.extract import Quote, candidates, choose
from core.sentences import sentences
from core.terms import terms


def passage(text, score=2.0, number=1):
    return Passage(number, number, "Handbook", "Guide", "guide.md", (), None, text, score, 1.0, 0.5)


MEALS = passage(
    "Meals\n\nThe daily rate for meals is 40 euros. Alcohol is never paid. Keep every receipt for the audit.",
)
HOTELS = passage("Hotels\n\nBook a hotel through the portal. The rate for hotels depends on the city.", 1.5, 2)


def ask(question, *passages, cosines=None):
    return choose(terms(question), passages, cosines)


def test_the_sentence_with_the_words_of_the_question_is_quoted():
    assert ask("What is the daily rate for meals?", MEALS, HOTELS)[0] == Quote(
        0, "The daily rate for meals is 40 euros."
    )


def test_a_lower_passage_is_quoted_where_it_alone_answers():
    assert Quote(1, "Book a hotel through the portal.") in ask("Through which portal do I book a hotel?", MEALS, HOTELS)


def test_cosines_decide_where_words_do_not():
    cosines = {"Alcohol is never paid.": 0.8, "Keep every receipt for the audit.": 0.1}
    assert ask("Who pays for wine?", MEALS, cosines=cosines) == [Quote(0, "Alcohol is never paid.")]


def test_headings_are_not_quoted():
    assert all("Meals" not in quote.text for quote in ask("meals", MEALS))


def test_neighbouring_sentences_make_one_quote():
    text = "Sick leave needs a certificate. The certificate for sick leave is sent to payroll."
    assert ask("Where is the sick leave certificate sent?", passage(text)) == [Quote(0, text)]


def test_an_announcement_brings_its_items():
    text = "To get a badge, bring these papers:\n- a passport\n- your contract\n\nThe office is on the first floor."
    assert ask("Which papers do I bring to get a badge?", passage(text)) == [
        Quote(0, "To get a badge, bring these papers:\n- a passport\n- your contract")
    ]


def test_a_table_row_is_quoted_as_it_is():
    rows = "City: Bonn; Rate: 40; Hotel: 90\n\nCity: Rome; Rate: 55; Hotel: 120"
    assert ask("rate in Rome", passage(rows)) == [Quote(0, "City: Rome; Rate: 55; Hotel: 120")]


def test_a_sentence_that_two_passages_share_is_quoted_once():
    assert [quote.passage_index for quote in ask("daily rate for meals", MEALS, MEALS)] == [0]


def test_half_sentences_are_not_offered_when_there_are_whole_ones():
    texts = [one.text for one in candidates([passage("and so on for all. It is paid.")])]
    assert texts == ["It is paid."]
    assert [one.text for one in candidates([passage("and so on for all.")])] == ["and so on for all."]


@pytest.mark.parametrize("passages", [(), (passage(""),), (passage("Heading only"),)])
def test_nothing_to_quote_gives_nothing(passages):
    assert ask("daily rate", *passages) == []


@given(
    st.lists(st.text(alphabet=st.sampled_from("aB c.\n-:;|1"), max_size=80), max_size=5),
    st.text(alphabet=st.sampled_from("aBc 1"), max_size=20),
)
def test_every_quote_is_sentences_of_its_passage_in_order(texts, question):
    passages = [passage(text, 3.0 - number, number) for number, text in enumerate(texts)]
    quotes = ask(question, *passages)
    assert [quote.passage_index for quote in quotes] == sorted(quote.passage_index for quote in quotes)
    for quote in quotes:
        held = " ".join(sentences(texts[quote.passage_index]))
        assert " ".join(quote.text.split()) in held
