import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.documents import Passage
from core.support import known_numbers, numbers, supporting, supports


def passage(text, title="Expenses"):
    return Passage(1, 1, "handbook", title, "/handbook.md", ("Meals",), None, text, 1.0, 1.0, None)


LUNCH = passage("Lunch is reimbursed up to 18.50 euro a day when you travel. Receipts are due within thirty days.")
VACATION = passage("Full-time employees have 28 days of paid vacation in a calendar year.", "Time off")


@pytest.mark.parametrize(
    ("statement", "borne_out"),
    [
        ("Lunch is reimbursed up to 18.50 euro a day.", True),
        ("When you travel, lunch is reimbursed.", True),
        ("Receipts are due within 30 days.", True),
        ("Lunch is reimbursed up to 20 euro a day.", False),
        ("Receipts are due within 28 days.", False),
        ("Parking at the office is free for all visitors.", False),
        ("1. Lunch is reimbursed when you travel.", True),
        ("Das Mittagessen wird bis zu 18,50 Euro am Tag erstattet, wenn man auf Reisen ist.", True),
        ("Das Mittagessen wird bis zu 25 Euro am Tag erstattet, wenn man auf Reisen ist.", False),
        ("Die Regeln stehen im Formular VPN-77 und auf der Seite der XYZ.", False),
        ("Обед возмещается до 18,50 евро в день.", True),
        ("昼食は一日25ユーロまでです。", False),
        ("Yes.", True),
    ],
)
def test_a_statement_is_borne_out_by_its_numbers_and_its_words(statement, borne_out):
    assert supports(statement, LUNCH) is borne_out


def test_names_bear_out_a_statement_in_another_language():
    source = passage("Install the VPN client before you travel. The form is called HR-7 and it is on the intranet.")
    assert supports("Man braucht den VPN und das Formular HR-7, wenn man auf Reisen ist.", source)


def test_of_sources_cited_together_only_those_that_bear_the_statement_out_count():
    statement = "Lunch is reimbursed up to 18.50 euro a day when you travel."
    assert supporting(statement, [LUNCH, VACATION]) == [True, False]


def test_the_numbers_of_a_statement_may_be_spread_over_sources_cited_together():
    dinner = passage("Dinner is reimbursed up to 32 euro a day when you travel.")
    statement = "Lunch is reimbursed up to 18.50 euro and dinner up to 32 euro a day."
    assert supporting(statement, [LUNCH, dinner]) == [True, True]
    assert supporting(statement, [LUNCH]) == [False]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,000 and 1.000 and 1 000 and 1'000", {"1000"}),
        ("1.5 or 1,50", {"1.5"}),
        ("1,234.56 or 1.234,56", {"1234.56"}),
        ("09:00 to 17:30", {"9", "17", "30"}),
        ("on 31.03.2025", {"31", "3", "2025"}),
        ("2. Pay 5 euro", {"5"}),
        ("VPN-2", {"2"}),
        ("none", set()),
        ("0", set()),
    ],
)
def test_numbers_are_compared_in_one_form(text, expected):
    assert numbers(text) == expected


def test_numbers_written_as_words_count_in_a_passage():
    assert {"30", "2"} <= known_numbers("within thirty days, zwei Wochen")


@given(st.text())
def test_a_passage_bears_out_its_own_text(text):
    assert supports(text, passage(text))
