"""Money is exact, and never invented."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.cost import Price, Tally, cost, find_price, parse_prices
from core.domain import Usage
from core.errors import UsageError

PRICES = parse_prices("gpt-x=2.5/10, local=0/0, org/model:free=0.15/0.6", "EUR")


def test_prices_are_read_by_model():
    assert {
        "gpt-x": Price(Decimal("2.5"), Decimal(10), "EUR"),
        "local": Price(Decimal(0), Decimal(0), "EUR"),
        "org/model:free": Price(Decimal("0.15"), Decimal("0.6"), "EUR"),
    } == PRICES


@pytest.mark.parametrize("text", ["", " ", ",", " , "])
def test_no_prices_are_no_prices(text):
    assert parse_prices(text) == {}


@pytest.mark.parametrize(
    "text",
    [
        "gpt-x",
        "gpt-x=1",
        "gpt-x=-1/2",
        "gpt-x=1/nan",
        "gpt-x=1e3/2",
        "=1/2",
        "gpt-x=1/2/3",
        "gpt-x=1/",
        "gpt-x=1/2 EUR",
    ],
)
def test_what_is_no_price_is_refused_by_name(text):
    with pytest.raises(UsageError, match="MODEL_PRICES has"):
        parse_prices(f"local=0/0,{text}")


def test_two_prices_for_one_model_are_refused():
    with pytest.raises(UsageError, match="gpt-x twice"):
        parse_prices("gpt-x=1/2,gpt-x=3/4")


@pytest.mark.parametrize("currency", ["", "€", "eur", "EURO"])
def test_a_currency_has_three_letters(currency):
    with pytest.raises(UsageError, match="three letters"):
        parse_prices("gpt-x=1/2", currency)


def test_an_answer_costs_what_was_read_and_what_was_written():
    assert cost(Usage(1_200, 300), "gpt-x", PRICES) == Decimal("0.006")
    assert cost(Usage(1, 0), "org/model:free", PRICES) == Decimal("0.00000015")


def test_a_free_model_costs_nothing_and_an_unknown_one_nobody_knows_what():
    assert cost(Usage(5, 5), "local", PRICES) == 0
    assert cost(Usage(5, 5), "gpt-y", PRICES) is None
    assert cost(Usage(5, 5), "gpt-x-mini", PRICES) is None


@pytest.mark.parametrize("model", ["gpt-x-2026-03-01", "gpt-x-20260301"])
def test_a_dated_version_has_the_price_of_its_name_unless_it_has_its_own(model):
    assert find_price(model, PRICES) == PRICES["gpt-x"]
    own = Price(Decimal(5), Decimal(15), "EUR")
    assert find_price(model, {**PRICES, model: own}) == own


TOKENS = st.integers(0, 10**9)
USAGES = st.builds(Usage, TOKENS, TOKENS)


@given(USAGES, USAGES)
def test_two_answers_cost_as_much_as_one_of_both(first, second):
    both = Usage(first.input_tokens + second.input_tokens, first.output_tokens + second.output_tokens)
    tally = Tally()
    tally.add("gpt-x", first)
    tally.add("gpt-x", second)
    assert tally.usage == both
    assert tally.cost(PRICES) == cost(both, "gpt-x", PRICES)
    assert tally.cost(PRICES) == cost(first, "gpt-x", PRICES) + cost(second, "gpt-x", PRICES)


def test_a_tally_over_two_models_prices_each_by_its_own():
    tally = Tally()
    tally.add("gpt-x", Usage(1_000_000, 0))
    tally.add("org/model:free", Usage(0, 1_000_000))
    assert tally.usage == Usage(1_000_000, 1_000_000)
    assert tally.cost(PRICES) == Decimal("3.1")
    tally.add("gpt-y", Usage(1, 1))
    assert tally.cost(PRICES) is None


def test_without_a_model_nothing_is_spent():
    assert Tally().usage == Usage()
    assert Tally().cost({}) == 0
