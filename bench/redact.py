"""Measure what core.redact finds and what it hides in vain.

`python -m bench.redact --data FOLDER` reads FOLDER/hostile and the ordinary texts beside it.
"""

import argparse
import base64
import json
import re
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.personal_rules import luhn
from core.redact import DEFAULT_POLICY, EVERYTHING, RedactionPolicy, SecretKind, redact

PERSONAL = {
    "CREDIT_CARD": SecretKind.CARD,
    "IBAN_CODE": SecretKind.IBAN,
    "US_SSN": SecretKind.NATIONAL_ID,
    "EMAIL_ADDRESS": SecretKind.EMAIL,
    "PHONE_NUMBER": SecretKind.PHONE,
    "IP_ADDRESS": SecretKind.IP,
}
RECOGNISERS = {
    "credit_card": SecretKind.CARD,
    "us_ssn": SecretKind.NATIONAL_ID,
    "us_itin": SecretKind.NATIONAL_ID,
    "email": SecretKind.EMAIL,
    "phone": SecretKind.PHONE,
    "ip": SecretKind.IP,
}
LABELS = {"kind", "label", "intent", "domain", "id", "rule", "lang", "language"}
SIZE = 100_000
PATHOLOGICAL = (
    *("a", "A1b", "1", "1 ", "4111 ", " ", "\n", "-", "=", "@", "a@", ":", "://", "://a:", '"', "[", "x."),
    *(
        "sk-",
        "ghp_",
        "AKIA",
        "AP6",
        "eyJ",
        "eyJ.",
        "-----BEGIN",
        "-----BEGIN PRIVATE KEY-----",
        "GB12",
        "GB12 ",
        "+1 (",
    ),
    *(
        "password",
        "password ",
        "password is ",
        "password for ",
        "pass=",
        "user ",
        "key",
        "token ",
        "api key ",
        "curl -u ",
    ),
    *("bearer ", "authorization:", "s.", "1.", "1:", "change my my my password "),
)


def _rows(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            if key not in LABELS:
                yield from _strings(part)
    elif isinstance(value, Sequence):
        for part in value:
            yield from _strings(part)


def benign(data: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each set of texts without secrets: its name and its texts."""
    hostile = data / "hostile"
    for name in ("benign_lookalikes", "naughty_strings", *(p.stem for p in sorted(hostile.glob("injection*.jsonl")))):
        yield f"hostile/{name}", list(_strings(_rows(hostile / f"{name}.jsonl")))
    yield (
        "hostile/pii_sentences without spans",
        [r["text"] for r in _rows(hostile / "pii_sentences.jsonl") if not r["spans"]],
    )
    for folder in ("northwind_hr", "clinc150", "banking77", "cache_nearmiss", "smalltalk", "xsid"):
        yield folder, [s for path in sorted((data / folder).glob("*.jsonl")) for s in _strings(_rows(path))]
    yield "gptcache_mock", list(_strings(_load(data / "gptcache_mock" / "mock_data.json")))
    yield "scifact queries", [row["text"] for row in _rows(data / "scifact" / "queries.jsonl")]
    yield (
        "squad2",
        list(_strings(_load(data / "squad2" / "dev-half-open.json")["data"])),
    )
    for folder, glob in (("docs_handbook", "*.md"), ("tickets", "*/*.yml")):
        texts = (path.read_text(encoding="utf-8") for path in sorted((data / folder).glob(glob)))
        yield (
            folder,
            [
                part
                for text in texts
                for part in re.split(r"\n\s*\n" if glob == "*.md" else r"\n", text)
                if part.strip()
            ],
        )


def print_false_alarms(data: Path, policy: RedactionPolicy, *, show: bool) -> None:
    """Print how many texts of each set lose something."""
    texts_in_all = alarms_in_all = 0
    for name, repeated in benign(data):
        texts = list(dict.fromkeys(repeated))
        alarms = [(text, found) for text in texts if (found := redact(text, policy)).hidden]
        texts_in_all, alarms_in_all = texts_in_all + len(texts), alarms_in_all + len(alarms)
        print(f"  {name:45} {len(alarms):4} of {len(texts)}")
        for text, found in alarms if show else ():
            print("     ", [h.kind.value for h in found.hidden], repr(found.text[:300]), "<-", repr(text[:300]))
    print(f"  {'all':45} {alarms_in_all:4} of {texts_in_all}")


def print_secrets(data: Path, policy: RedactionPolicy, *, show: bool) -> None:
    """Print recall on the examples of secrets, by rule, and how many near misses are hidden too."""
    found: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for row in _rows(data / "hostile" / "secrets.jsonl"):
        text = base64.b64decode(row["text_b64"]).decode()
        hit = bool(redact(text, policy).hidden)
        column = 0 if row["secret"] else 2
        found[row["rule"]][column] += hit
        found[row["rule"]][column + 1] += 1
        if show and hit != row["secret"]:
            print("     ", row["rule"], "missed" if row["secret"] else "near miss hidden", repr(text[:100]))
    for rule, (hits, positives, alarms, negatives) in sorted(found.items()):
        print(f"  {rule:45} {hits:4} of {positives:3}; near misses hidden {alarms} of {negatives}")
    sums = [sum(counts[i] for counts in found.values()) for i in range(4)]
    print(f"  {'all':45} {sums[0]:4} of {sums[1]:3}; near misses hidden {sums[2]} of {sums[3]}")


def print_personal(data: Path, *, show: bool) -> None:
    """Print recall on personal numbers, by kind: spans wholly hidden, and recogniser examples with a hit."""
    found: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row in _rows(data / "hostile" / "pii_sentences.jsonl"):
        hidden = redact(row["text"], EVERYTHING).text
        for start, end, label in row["spans"]:
            value = row["text"][start:end]
            if label not in PERSONAL or (label == "CREDIT_CARD" and not luhn([int(c) for c in value if c.isdigit()])):
                continue
            found[f"sentences {label}"][0] += value not in hidden
            found[f"sentences {label}"][1] += 1
            if show and value in hidden:
                print("      missed", label, repr(value), repr(row["text"][max(0, start - 40) : end + 20]))
    for row in _rows(data / "hostile" / "pii_recognizers.jsonl"):
        kind = RECOGNISERS.get(row["rule"])
        if kind:
            hits = sum(h.count for h in redact(row["text"], EVERYTHING).hidden if h.kind == kind)
            name = f"recognisers {row['rule']}" + ("" if row["expected"] else " (none expected)")
            found[name][0] += hits >= row["expected"] if row["expected"] else bool(hits)
            found[name][1] += 1
            if show and (hits < row["expected"] or (hits and not row["expected"])):
                print("     ", row["rule"], "expected", row["expected"], "got", hits, repr(row["text"]))
    for name, (hits, total) in sorted(found.items()):
        print(f"  {name:45} {hits:4} of {total:3}")


def print_times() -> None:
    """Print the time for 100,000 characters of the worst repetitions, and for half of them: twice means linear."""
    slowest = []
    for unit in PATHOLOGICAL:
        times = []
        for size in (SIZE // 2, SIZE):
            text = (unit * (size // len(unit) + 1))[:size]
            start = time.process_time()
            redact(text, EVERYTHING)
            times.append(1000 * (time.process_time() - start))
        slowest.append((times[1], times[0], unit))
    for whole, half, unit in sorted(slowest, reverse=True)[:12]:
        print(f"  {unit!r:45} {whole:7.0f} ms; half the length {half:.0f} ms")


def main() -> None:
    """Print all measurements."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--show", action="store_true", help="print every miss and false alarm")
    arguments = parser.parse_args()
    for title, policy in (("default policy", DEFAULT_POLICY), ("with contact", EVERYTHING)):
        print(f"secrets, {title}:")
        print_secrets(arguments.data, policy, show=arguments.show)
        print(f"texts changed in vain, {title}{' (many hold real addresses)' if policy.contact else ''}:")
        print_false_alarms(arguments.data, policy, show=arguments.show and not policy.contact)
    print("personal numbers, with contact:")
    print_personal(arguments.data, show=arguments.show)
    print("slowest 100,000 characters:")
    print_times()


if __name__ == "__main__":
    main()
