"""What answers cost: tokens counted by model, and money where an operator has told the prices."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from core.domain import Usage
from core.errors import UsageError

_MILLION = 1_000_000
_PRICES = re.compile(r"(?P<model>\S(?:.*\S)?)\s*=\s*(?P<input>\d+(?:\.\d+)?)\s*/\s*(?P<output>\d+(?:\.\d+)?)", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}")
_DATE = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{8})$", re.ASCII)


@dataclass(frozen=True, slots=True)
class Price:
    """What a model's tokens cost."""

    input_per_million: Decimal
    output_per_million: Decimal
    currency: str = "USD"  # ISO 4217


def parse_prices(text: str, currency: str = "USD") -> dict[str, Price]:
    """Read "gpt-x=2.5/10,local=0/0": by model, the price of a million tokens read and of a million written.

    Raises UsageError that names the part which is none.
    """
    if not _CURRENCY.fullmatch(currency):
        raise UsageError(f"{currency!r} is no currency; write its three letters, such as EUR.")
    prices: dict[str, Price] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        found = _PRICES.fullmatch(part)
        if found is None:
            raise UsageError(
                f"MODEL_PRICES has {part!r}; write MODEL=INPUT/OUTPUT per million tokens, as in gpt-x=2.5/10."
            )
        if found["model"] in prices:
            raise UsageError(f"MODEL_PRICES names {found['model']} twice; keep one price.")
        prices[found["model"]] = Price(Decimal(found["input"]), Decimal(found["output"]), currency)
    return prices


def find_price(model: str, prices: Mapping[str, Price]) -> Price | None:
    """Look up the price of MODEL; a dated version without one of its own has that of its undated name."""
    return prices.get(model) or prices.get(_DATE.sub("", model))


def cost(usage: Usage, model: str, prices: Mapping[str, Price]) -> Decimal | None:
    """Price USAGE exactly, in the currency of the price; None where MODEL has no price."""
    price = find_price(model, prices)
    if price is None:
        return None
    return (usage.input_tokens * price.input_per_million + usage.output_tokens * price.output_per_million) / _MILLION


@dataclass(slots=True)
class Tally:
    """Add up what the models asked for one answer have used."""

    by_model: dict[str, Usage] = field(default_factory=dict)

    def add(self, model: str, usage: Usage) -> None:
        """Count one completion."""
        before = self.by_model.get(model, Usage())
        self.by_model[model] = Usage(
            before.input_tokens + usage.input_tokens, before.output_tokens + usage.output_tokens
        )

    @property
    def usage(self) -> Usage:
        """Add up the tokens of all models."""
        used = self.by_model.values()
        return Usage(sum(each.input_tokens for each in used), sum(each.output_tokens for each in used))

    def cost(self, prices: Mapping[str, Price]) -> Decimal | None:
        """Add up the money; zero where no model was asked, None where the price of one is unknown."""
        costs = [cost(usage, model, prices) for model, usage in self.by_model.items()]
        known = [each for each in costs if each is not None]
        return sum(known, Decimal(0)) if len(known) == len(costs) else None
