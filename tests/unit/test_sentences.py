import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.sentences import ends_sentence, is_heading_line, paragraphs, sentences, starts_item


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dr. Miller came. She left at 5 p.m. on Monday.", ["Dr. Miller came.", "She left at 5 p.m. on Monday."]),
        ("Use a form, e.g. Form 12. Send it.", ["Use a form, e.g. Form 12.", "Send it."]),
        ("See No. 4 and Fig. 3. Then stop.", ["See No. 4 and Fig. 3.", "Then stop."]),
        ("Is it covered? No. Ask again.", ["Is it covered?", "No.", "Ask again."]),
        ("It rose by 3.5 percent. Version 2.1.0 is out.", ["It rose by 3.5 percent.", "Version 2.1.0 is out."]),
        ("Go to https://example.org/a.b?c=1. Then log in.", ["Go to https://example.org/a.b?c=1.", "Then log in."]),
        ("Travel in the U.S. is covered. Ask J. Smith.", ["Travel in the U.S. is covered.", "Ask J. Smith."]),
        ("We work in the U.S. The office is small.", ["We work in the U.S.", "The office is small."]),
        ("Wait... what? Yes!", ["Wait... what?", "Yes!"]),
        ('He said "Stop." Then he left.', ['He said "Stop."', "Then he left."]),
        ("(See the annex.) It is short.", ["(See the annex.)", "It is short."]),
        ("1. Open the app. 2. Log in.", ["1. Open the app.", "2. Log in."]),
        ("Das gilt z.B. für Reisen. Danach nicht.", ["Das gilt z.B. für Reisen.", "Danach nicht."]),
        ("休暇は二十日です。申請してください。", ["休暇は二十日です。", "申請してください。"]),
        ("यह नियम है। यह लागू है।", ["यह नियम है।", "यह लागू है।"]),
        ("", []),
        (" \n\t ", []),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text, expected):
    assert sentences(text) == expected


def test_wrapped_lines_are_joined_and_headings_stand_alone():
    text = (
        "CARE MANAGEMENT\n"
        "Prior Authorization\n"
        "The plan includes services which are designed to provide support for out-of-\n"
        "network members and their families in every state. It is free.\n"
        "Exceptions\n"
        "• Annual physicals\n"
        "• Emergency care"
    )
    assert sentences(text) == [
        "CARE MANAGEMENT",
        "Prior Authorization",
        "The plan includes services which are designed to provide support for out-of-network members and their "
        "families in every state.",
        "It is free.",
        "Exceptions",
        "• Annual physicals",
        "• Emergency care",
    ]


def test_a_table_row_is_one_sentence():
    assert sentences("| Dr. Who | 5. May |\n| A. | B. |") == ["| Dr. Who | 5. May |", "| A. | B. |"]


def test_paragraphs_keep_the_sentences_of_a_line_together():
    assert paragraphs("One is here. Two is here.\n\nThree is here.") == [
        ["One is here.", "Two is here."],
        ["Three is here."],
    ]


@pytest.mark.parametrize("text", ["Covered services", "COMPLAINTS AND APPEALS", "Company values:"])
def test_short_unfinished_lines_look_like_headings(text):
    assert is_heading_line(text)


@pytest.mark.parametrize(
    "text", ["It is free.", "• Annual physicals", "| a | b |", "City: Berlin; Rate: 40", "and more", "w " * 11]
)
def test_sentences_items_and_rows_do_not_look_like_headings(text):
    assert not is_heading_line(text)


def test_ends_and_items():
    assert ends_sentence('He left."')
    assert ends_sentence("终于。")
    assert not ends_sentence("He left")
    assert starts_item("(a) first")
    assert not starts_item("a first")


@given(st.text(alphabet=st.sampled_from("aB1 .!?。\n-•|\"')(,:…é"), max_size=300))
def test_nothing_but_white_space_is_lost(text):
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())


@given(st.text(alphabet=st.sampled_from("aB1 .!?。\n-•|\"')("), max_size=200))
def test_no_sentence_is_empty_and_cutting_again_changes_nothing(text):
    for sentence in sentences(text):
        assert sentence == " ".join(sentence.split())
        assert sentence


@pytest.mark.parametrize("unit", ["a", ".", "a. ", "A. B", "-\n", "。", '."', "a b "])
def test_a_very_long_text_is_cut(unit):
    text = unit * (100_000 // len(unit))
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())
