"""Find passwords that are given as such, in assignments and in prose; in linear time, as core/secret_rules.py says."""

import re
from collections.abc import Iterator
from itertools import pairwise

from core.secret_rules import Finding, SecretKind

_LITERALS = (
    "pass pwd pw kennwort mdp contrase clave senha wachtwoord hasło пароль 密码 密碼 パスワード pin cvv cvc code"
).split()
_WORD = (
    r"(?:passwords?|passwd|passwort|pwd|passphrase|passcode|kennwort|mot de passe|contrase[ñn]a|wachtwoord|"
    r"пароль|密码|密碼|パスワード|(?<![^\W_])(?:mdp|clave|senha|hasło|pass|pw))(?:\d{1,2}(?!\d))?"
)
_VALUE = (
    r"(?:\"(?P<double>[^\"\n]{1,128}+)\"|'(?P<single>[^'\n]{1,128}+)'|`(?P<tick>[^`\n]{1,128}+)`|"
    r"(?P<bare>\S{1,128}+))"
)
_FOR = r"(?P<purpose>[ \t](?:for|to|of|on|für|zum|pour|de|del|du|para|voor)(?:[ \t][\w'.@-]{1,24}+){1,5}?)?"

_ASSIGNED = re.compile(
    rf"{_WORD}{_FOR}[\"'`*_)\]]{{0,3}}[ \t]{{0,3}}"
    rf"(?P<operator>:=|=>|=(?!=)|[:\uff1a]|\"\s{{1,3}}value=)[*_]{{0,2}}[ \t]{{0,3}}{_VALUE}",
    re.IGNORECASE,
)
_SAID = re.compile(
    rf"{_WORD}{_FOR}[\"'`*]{{0,2}}(?:[ \t]{{1,3}}|(?=['’]s))"
    r"(?P<verb>(?:(?:was|is|has been|got) )?(?:changed|set|reset|updated) (?:to|as)|is|was|will be|"
    r"['\u2019]s|lautet|heißt|ist|est|es|è|é|jest)"
    rf"[ \t]{{0,2}}:?[ \t]{{1,3}}{_VALUE}",
    re.IGNORECASE,
)
_CHANGED = re.compile(
    rf"(?:change|changed|set|update|updated)[ \t](?:[\w']{{1,12}}+[ \t]){{0,3}}?{_WORD}[ \t](?:to|as)[ \t]{_VALUE}",
    re.IGNORECASE,
)
_LINE = re.compile(
    rf"^[ \t]{{0,4}}(?:(?:my|the|our|new)[ \t]){{0,2}}{_WORD}[ \t]{{1,2}}"
    rf"(?:(?:[\u2013\u2014\u2192-]|->)[ \t]{{1,2}})?{_VALUE}[ \t]{{0,8}}$",
    re.IGNORECASE | re.MULTILINE,
)
_NAMED_BEFORE = re.compile(
    r"(?<!\S)(?P<bare>\S{5,64}+)[ \t](?:is|as|ist|est|es)[ \t](?:my|the|our|mein|mon|mi)[ \t](?:\w{1,12}[ \t])?"
    r"(?:password|passwd|pwd|passphrase|passcode|passwort|mot de passe|contraseña)(?!\w)",
    re.IGNORECASE,
)
_LOGIN = re.compile(
    r"(?<![^\W_])(?:user(?:name)?|login|account|email|benutzer(?:name)?|usuario)[ \t]{0,2}[:=]?"
    r"[ \t]{1,2}\S{1,64}+[ \t,;/]{1,3}(?:(?:and|with|und|mit|y|et)[ \t])?(?:the[ \t])?"
    rf"(?:password|pass|pw|pwd|passwort|mot de passe|contraseña)[ \t]{{1,3}}{_VALUE}",
    re.IGNORECASE,
)
_FLAG = re.compile(rf"(?<!\w)--(?:password|passwd|pwd|pass)[ \t]{{1,3}}{_VALUE}", re.IGNORECASE)
_CURL = re.compile(r"[ \t](?:-u|--user)[ \t=]{0,3}[\"']?[^\s:\"']{1,64}+:(?P<bare>[^\s\"']{1,128}+)")
_ELEMENT = re.compile(rf"{_WORD}>(?P<bare>[^<\s]{{1,128}}+)</", re.IGNORECASE)
_IS = r"(?:[:=#]|(?:is|was|ist|lautet|est|es)[ \t])"
_CODE = re.compile(
    rf"(?<![^\W_])(?:pin(?:[ -](?:code|number))?[ \t]{{0,2}}{_IS}[ \t]{{0,2}}(?P<bare>\d{{4,6}})"
    rf"|(?:cvv2?|cvc2?|security code)[ \t]{{0,2}}{_IS}?[ \t]{{0,2}}(?P<tick>\d{{3,4}}))(?!\w)",
    re.IGNORECASE,
)

# What follows "password is" or "password:" when no password does.
_STATES = frozenset(
    """
a abgelaufen about access active admin-only again all alphanumeric already also always an and any are as at
available bad be been being blank bound broken built but by caducada can can't cannot case chosen clear click
common complex compulsory confidential correct current dead default did different do does don't down due easy
empty enough erforderlich error even exactly expires expiring expiry expiré fail falsch false fine for forget
forgot forgotten format found from generic given gone good guide hard has have he held help here hidden how i
identical if important impossible in inactive incorrect incorrecta incorrecte input insecure invalid issue it
its just kein kept known left let like link locked long lost lowercase made man manager mandatory max maximum
me min mine minimum missing more must muy my n/a necessary need never new nicht no none not null numeric
obligatoire obligatoria obligatory obsolete of off ok okay old olvidada on once only open optional or oublié
our ours out over own pas password passwort pending per permanent personal plain plaintext please policy
possible private problem public question ready really recovery required reset right safe same secret secure
see seen sensitive sent set short should shown similar simple so something sometimes somewhere soon stale
still stolen strange string strong stuck taken temporary text that the their them then there they this to
today told tomorrow too true unclear undefined ungültig unique universal unknown unsafe unset until up
uppercase user valid value vergessen very visible was weak weird what when where which who why will with
without work works written wrong yes you your yours zu zurücksetzen
""".split()
)
_SUFFIX = re.compile(r"[a-z'-]+(?:ed|ing|ly|able|ible|less|ful|-only|-sensitive|n't)")
_PLACEHOLDER = re.compile(
    r"[$%<{\[(/]|https?:|\W*$|([*x.#_\u2022-])\1*$|[A-Za-z_][\w.]*[(\[]|[a-z_]+\.[a-z_]+$|"
    r"(?:my|your|the|new|old|insert|enter|example)[-_ ]|\w*[-_](?:here|password)$",
    re.IGNORECASE,
)
_COUNTED = re.compile(
    r"\d{1,3}(?:[-–]\d{1,3})?(?:st|nd|rd|th|x|\+|%)?(?:[-\s]?(?:char|digit|letter|day|month|minute|bit)\w*)?"
)
_PRODUCT = re.compile(
    r"(?:office|microsoft|m|o|windows|win|ios|iphone|ipad|android|outlook|sap|server|level|step|web|v)-?\d+",
    re.IGNORECASE,
)
_TICKET = re.compile(r"(?:pass|clave)(?!\w)", re.IGNORECASE)  # a bus pass, a Spanish key
_CUT = re.compile(r"[;&](?=[\w ]{1,40}=|$)")
_AFTER = re.compile(r"[ \t]*+(?:$|[\n\r,;.!?)]|(?:and|but|und|et|y|or)\b)")


def _has_marks_of_a_password(value: str) -> bool:
    """Tell whether VALUE mixes letters with digits or signs, or is a number of four digits or more."""
    if _COUNTED.fullmatch(value):
        return False
    letters = any(c.isalpha() for c in value)
    digits = sum(c.isdigit() for c in value)
    signs = any(c in "!@#$%^&*+=~|?_" for c in value[:-1])
    inner_capital = any(a.islower() and b.isupper() for a, b in pairwise(value))
    return (letters and (digits > 0 or signs or inner_capital)) or digits >= 4


def _is_password(value: str, rest: str, *, quoted: bool, explicit: bool, strict: bool) -> bool:
    """Judge VALUE, which REST follows; EXPLICIT where only a value can stand, STRICT where words are likelier."""
    if len(value) < 3 or _PLACEHOLDER.match(value):
        return False
    folded = value.lower().rstrip(".,;:!?")
    if folded in _STATES or _SUFFIX.fullmatch(folded):
        return False
    if quoted or explicit:
        return True
    if _has_marks_of_a_password(value):
        return not _PRODUCT.fullmatch(value)
    return not strict and _AFTER.match(rest) is not None


def _judge(text: str, match: re.Match[str], *, explicit: bool = False, strict: bool = False) -> Finding | None:
    group = next(name for name in ("bare", "double", "single", "tick") if match.groupdict().get(name))
    start, end = match.span(group)
    if group == "bare":
        cut = _CUT.search(text, start, end)
        value = text[start : cut.start() if cut else end].rstrip(".,;:)]}>\"'`")
        end = start + len(value)
    value, rest = text[start:end], text[end : end + 20]
    found = _is_password(value, rest, quoted=group != "bare", explicit=explicit, strict=strict)
    return Finding(start, end, SecretKind.PASSWORD) if found else None


def _candidates(text: str) -> Iterator[Finding | None]:
    for match in _ASSIGNED.finditer(text):
        prose = match["operator"] in ":\uff1a"
        unsure = match["purpose"] is not None or _TICKET.match(match[0]) is not None
        yield _judge(text, match, explicit=not prose, strict=prose and unsure)
    for match in _SAID.finditer(text):
        english = match["verb"].lower() in {"is", "was", "will be", "'s", "’s", "lautet", "heißt"}
        yield _judge(text, match, strict=not english or match["purpose"] is not None)
    for pattern in (_CHANGED, _LINE, _NAMED_BEFORE, _LOGIN, _FLAG):
        for match in pattern.finditer(text):
            yield _judge(text, match, strict=True)
    for match in _ELEMENT.finditer(text):
        yield _judge(text, match, explicit=True)
    for match in _CODE.finditer(text):
        yield Finding(*match.span("bare" if match["bare"] else "tick"), SecretKind.PASSWORD)


def find_passwords(text: str, lowered: str) -> Iterator[Finding]:
    """Find passwords, PINs and card codes that are named as such."""
    if "curl" in lowered:
        for match in _CURL.finditer(text):
            finding = _judge(text, match, explicit=True)
            if finding:
                yield finding
    if any(literal in lowered for literal in _LITERALS):
        yield from (finding for finding in _candidates(text) if finding)
