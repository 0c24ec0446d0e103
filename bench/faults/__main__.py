"""Run the fault scenarios at full length: `python -m bench.faults [NAME ...]`; without names, all but the soak.

thrice kill_workers kill_postgres kill_web hang_postgres drain acknowledge poison redis_gone fairness soak
"""

import asyncio
import sys

from bench.faults import load, scenarios

ALL = (
    "acknowledge",
    "thrice",
    "kill_workers",
    "kill_postgres",
    "kill_web",
    "hang_postgres",
    "drain",
    "poison",
    "redis_gone",
    "fairness",
)


def main(names: list[str]) -> int:
    """Run each scenario and count those with something broken."""
    broken = 0
    for name in names or ALL:
        if name not in {*ALL, "soak"}:
            sys.exit(f"There is no scenario {name}; there are: {' '.join(ALL)} soak.")
        scenario = getattr(scenarios, name, None) or getattr(load, name)
        outcome = asyncio.run(scenario())
        print(outcome.show(), flush=True)
        broken += bool(outcome.broken)
    return broken


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
