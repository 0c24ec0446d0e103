"""Hide secrets and personal numbers before a text is stored, cached, logged or sent to a model."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from core.password_rules import find_passwords
from core.personal_rules import find_cards, find_contacts, find_ibans, find_national_ids
from core.secret_rules import Finding, SecretKind, find_secrets

__all__ = ["DEFAULT_POLICY", "EVERYTHING", "Hidden", "Redacted", "RedactionPolicy", "SecretKind", "notice", "redact"]

_PASSES = 4  # hiding one part can uncover another; the second pass nearly always finds nothing


@dataclass(frozen=True, slots=True)
class RedactionPolicy:
    """Which groups of kinds are hidden."""

    secrets: bool = True  # keys, tokens, private keys, passwords
    payment: bool = True  # cards and IBANs
    national_ids: bool = True
    contact: bool = False  # e-mail, phone and IP addresses: questions to a help desk rest on them


@dataclass(frozen=True, slots=True)
class Hidden:
    """How many parts of one kind were hidden."""

    kind: SecretKind
    count: int


@dataclass(frozen=True, slots=True)
class Redacted:
    """A text that may be kept, and what it lost."""

    text: str
    hidden: tuple[Hidden, ...] = ()


DEFAULT_POLICY = RedactionPolicy()
EVERYTHING = RedactionPolicy(contact=True)  # for logs, which nobody answers

_PLACEHOLDER = re.compile("|".join(re.escape(f"[{kind} hidden]") for kind in SecretKind))


def _findings(text: str, policy: RedactionPolicy) -> Iterator[Finding]:
    lowered = text.replace("\u0130", "i").lower()  # the only character that lower() makes longer
    if policy.secrets:
        yield from find_secrets(text, lowered)
        yield from find_passwords(text, lowered)
    if policy.payment:
        yield from find_cards(text, lowered)
        yield from find_ibans(text)
    if policy.national_ids:
        yield from find_national_ids(text, lowered)
    if policy.contact:
        yield from find_contacts(text, lowered)


def _merge(findings: list[Finding]) -> list[Finding]:
    """Join findings that overlap; the longest names the kind."""
    merged: list[Finding] = []
    for finding in sorted(findings, key=lambda f: (f.start, -f.end)):
        if merged and finding.start < merged[-1].end:
            last = merged.pop()
            longest = max(last, finding, key=lambda f: f.end - f.start)
            finding = Finding(last.start, max(last.end, finding.end), longest.kind)  # noqa: PLW2901
        merged.append(finding)
    return merged


def _outside_placeholders(text: str, findings: list[Finding]) -> list[Finding]:
    """Drop findings that touch what is already hidden, unless they go beyond it on both sides."""
    spans = [match.span() for match in _PLACEHOLDER.finditer(text)]
    if not spans:
        return findings
    kept = []
    position = 0
    for finding in findings:
        while position < len(spans) and spans[position][1] <= finding.start:
            position += 1
        touched = position < len(spans) and spans[position][0] < finding.end
        if not touched or (finding.start < spans[position][0] and spans[position][1] < finding.end):
            kept.append(finding)
    return kept


def redact(text: str, policy: RedactionPolicy = DEFAULT_POLICY) -> Redacted:
    """Replace everything POLICY hides by a placeholder such as "[card number hidden]"; the rest stays as it is."""
    counts: Counter[SecretKind] = Counter()
    for _ in range(_PASSES):
        findings = _outside_placeholders(text, _merge(list(_findings(text, policy))))
        if not findings:
            break
        pieces = []
        position = 0
        for start, end, kind in findings:
            pieces += [text[position:start], f"[{kind} hidden]"]
            position = end
            counts[kind] += 1
        text = "".join([*pieces, text[position:]])
    return Redacted(text, tuple(Hidden(kind, counts[kind]) for kind in SecretKind if counts[kind]))


def _counted(hidden: Hidden) -> str:
    if hidden.count > 1:
        first, *rest = hidden.kind.split(" in ")
        plural = f"{first}es" if first.endswith("ss") else f"{first}s"
        return " in ".join([f"{hidden.count} {plural}", *rest])
    return f"{'an' if hidden.kind[0].lower() in 'aei' else 'a'} {hidden.kind}"


def notice(hidden: tuple[Hidden, ...]) -> str:
    """Say in one sentence what was hidden; the empty string where nothing was."""
    if not hidden:
        return ""
    *first, last = map(_counted, hidden)
    parts = f"{', '.join(first)} and {last}" if first else last
    return f"I hid {parts} before anything was stored."
