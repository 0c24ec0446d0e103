import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.clean import clean, clean_code

ODD = st.text(
    st.sampled_from(
        "ab e\u0301\u0653\u0627 \n\t\r\x00\x0b\x85\xa0\xad\u200b\u200c\u200d\u200f\u202e\u2028\u2adc\u0338\ufb01\ufe0f"
        "\ufeff\ud800\U0001f469\U0001f3fd\U000e0041\u0646\u0915\u094d\u3000\uf0b7\u1100\u1161\u11a8"
    )
)


@given(st.one_of(st.text(), ODD))
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    once = clean(text)
    assert clean(once) == once
    assert clean_code(clean_code(text)) == clean_code(text)


@given(st.one_of(st.text(), ODD))
def test_clean_text_can_be_stored_and_has_nothing_hidden(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode()
    assert unicodedata.is_normalized("NFC", cleaned)
    assert not any(unicodedata.category(character) in {"Cc", "Cs"} for character in cleaned if character != "\n")
    assert not any(0xE0000 <= ord(character) <= 0xE0FFF for character in cleaned)
    assert "  " not in cleaned
    assert cleaned == cleaned.strip()


@given(st.text(st.characters(codec="ascii", categories=("L", "N", "P")), min_size=1))
def test_plain_words_stay_as_they_are(word: str) -> None:
    assert clean(word) == word


@pytest.mark.parametrize(
    ("given_text", "cleaned"),
    [
        ("a\x00b", "ab"),
        ("ef\ufb01cient o\ufb00er", "efficient offer"),
        ("co\xadoperate", "cooperate"),
        ("10\xa0000\u2009km\u3000wide", "10 000 km wide"),
        ("one \t  two", "one two"),
        ("one\r\ntwo\rthree\u2028four", "one\ntwo\nthree\nfour"),
        ("a\n\n\n\n\nb", "a\n\nb"),
        ("cafe\u0301", "caf\xe9"),
        ("e\u200b\u0301", "\xe9"),
        ("in\u202evoice\u2066.pdf", "invoice.pdf"),
        ("Hello " + "".join(chr(0xE0000 + ord(letter)) for letter in "obey"), "Hello"),
        ("\ud83d lone", "lone"),
        ("\uf0b7 item", "• item"),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
        ("क्\u200dष", "क्\u200dष"),
        ("\U0001f469\u200d\U0001f4bb", "\U0001f469\u200d\U0001f4bb"),
        ("pass\u200dword\u200c", "password"),
        (
            "\u0645\u06cc\u200c\u200c\u200d\u200c\u062e\u0648\u0627\u0647\u0645",
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        ),
    ],
)
def test_each_rule(given_text: str, cleaned: str) -> None:
    assert clean(given_text) == cleaned


def test_code_keeps_its_indentation() -> None:
    assert clean_code("if x:\n\treturn  y\u200b\n") == "if x:\n\treturn  y"
