"""Find card numbers, IBANs, national identity numbers and, where asked for, e-mail, phone and IP addresses.

A number counts only when its length, its prefix and its check digits fit; where these prove little, a word that names
it must stand just before. Linear in the text for the reasons core/secret_rules.py gives.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from core.secret_rules import Finding, SecretKind

_GAP = "[ \u00a0\u2007\u2009\u202f\u200b\u2060\ufeff\u00ad\u2010-\u2015-]"
_WINDOW = 60  # characters before a number in which a word may name it


def _digits(text: str) -> list[int]:
    return [int(c) for c in text if c.isdecimal()]


def _words(alternatives: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_])(?:{alternatives})(?![^\W\d_])")


def _named(lowered: str, start: int, words: re.Pattern[str]) -> bool:
    """Tell whether one of WORDS stands shortly before START, later than anything already hidden."""
    return words.search(lowered[max(0, start - _WINDOW) : start].rpartition("hidden]")[2]) is not None


def luhn(numbers: list[int]) -> bool:
    """Check the last digit by ISO/IEC 7812-1 annex B."""
    doubled = (sum(divmod(2 * n, 10)) for n in numbers[-2::-2])
    return (sum(numbers[-1::-2]) + sum(doubled)) % 10 == 0


_RUN = re.compile(rf"(?<![^\W_])\d++(?:(?:{_GAP}{{1,2}}|(?<=\d{{4}})\.(?=\d{{4}}))\d++)*+")
_GROUP = re.compile(r"\d++(?:[\u200b\u2060\ufeff\u00ad]\d++)*+")  # joined by what nobody sees
_CARD_PREFIX = re.compile(
    r"(?:4\d{15}(?:\d{3})?|5[0-8]\d{14,17}|6\d{15,18}|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}|35\d{14}|1800\d{11}|2131\d{11}|"
    r"2(?:2[0-9]|[3-6]\d|7[0-2])\d{13}|8[12]\d{14}|9792\d{12})"
)
_CARD_SHAPES = re.compile(r"(?:4,){2,4}[1-4],|4,6,[45],|8,8,|6,1[03],|\d\d,")
_CARD_WORDS = _words(
    r"cards?|\w{0,10}karten?(?:nummer)?|carte|tarjeta|carta|cartão|visa|mastercard|maestro|amex|cc|card_?(?:no|number)"
)


def _size(text: str, group: tuple[int, int]) -> int:
    return sum(c.isdecimal() for c in text[slice(*group)][:20])


def _is_card(text: str, lowered: str, groups: list[tuple[int, int]]) -> bool:
    start, end = groups[0][0], groups[-1][1]
    if not _CARD_SHAPES.fullmatch("".join(f"{_size(text, group)}," for group in groups)):
        return False
    numbers = _digits(text[start:end])
    if not luhn(numbers):
        return False
    if re.match(r"[^\W_]", text[end : end + 1]) or re.search(r"[\d][.,]$", text[max(0, start - 2) : start]):
        return False
    known = _CARD_PREFIX.fullmatch("".join(map(str, numbers))) and text[max(0, start - 1) : start] != "+"
    return bool(known) or (any(numbers) and _named(lowered, start, _CARD_WORDS))


def find_cards(text: str, lowered: str) -> Iterator[Finding]:
    """Find card numbers of 12 to 19 digits, in one piece or in the groups cards are printed in."""
    for run in _RUN.finditer(text):
        groups = [match.span() for match in _GROUP.finditer(text, *run.span())]
        first = 0
        while first < len(groups):
            taken = 0
            size = 0
            for last in range(first, min(first + 5, len(groups))):
                size += _size(text, groups[last])
                if size > 19:
                    break
                if size >= 12 and _is_card(text, lowered, groups[first : last + 1]):
                    taken = last + 1 - first
            if taken:
                yield Finding(groups[first][0], groups[first + taken - 1][1], SecretKind.CARD)
            first += taken or 1


# Lengths by country: SWIFT IBAN Registry.
_IBAN_LENGTHS = {
    entry[:2]: int(entry[2:])
    for entry in """
AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18
FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20
LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24
SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30
""".split()
}
_IBAN_START = re.compile(rf"(?<![^\W_])[A-Za-z]{{2}}\d\d(?={_GAP}?[A-Za-z\d])")


@cache
def _iban(length: int) -> re.Pattern[str]:
    return re.compile(rf"[A-Za-z]{{2}}\d\d(?:{_GAP}{{0,2}}[A-Za-z\d]){{{length - 4}}}(?![^\W_])")


def find_ibans(text: str) -> Iterator[Finding]:
    """Find IBANs of their country's length that pass ISO 7064 mod 97-10."""
    for start in _IBAN_START.finditer(text):
        length = _IBAN_LENGTHS.get(start[0][:2].upper())
        match = _iban(length).match(text, start.start()) if length else None
        if match:
            characters = [c for c in match[0] if c.isalnum()]
            if int("".join(str(int(c, 36)) for c in characters[4:] + characters[:4])) % 97 == 1:
                yield Finding(*match.span(), SecretKind.IBAN)


def _weighted(numbers: list[int], weights: tuple[int, ...], modulus: int) -> int:
    return sum(n * w for n, w in zip(numbers, weights, strict=False)) % modulus


def _nhs(value: str) -> bool:
    n = _digits(value)
    return _weighted(n, (10, 9, 8, 7, 6, 5, 4, 3, 2, 1), 11) == 0


def _nif(value: str) -> bool:
    body = (
        re.sub(r"\W", "", value)
        .upper()
        .translate({ord("X"): "0", ord("Y"): "1", ord("Z"): "2"} if value[0].isalpha() else {})
    )
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(body[:8]) % 23] == re.sub(r"\W", "", value)[-1].upper()


def _nir(value: str) -> bool:
    body = re.sub(r"\s", "", value).upper().replace("2A", "19").replace("2B", "18")
    return 97 - int(body[:13]) % 97 == int(body[13:])


def _steuer_id(value: str) -> bool:
    product = 10
    numbers = _digits(value)
    for n in numbers[:10]:
        product = ((n + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == numbers[10]


def _pesel(value: str) -> bool:
    return _weighted(_digits(value), (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1), 10) == 0


def _hetu(value: str) -> bool:
    return "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(value[:6] + value[7:10]) % 31] == value[10].upper()


def _bsn(value: str) -> bool:
    return _weighted(_digits(value), (9, 8, 7, 6, 5, 4, 3, 2, -1), 11) == 0


def _rijksregister(value: str) -> bool:
    number = "".join(map(str, _digits(value)))
    return int(number[9:]) in {97 - int(century + number[:9]) % 97 for century in ("", "2")}


def _cpf(value: str) -> bool:
    n = _digits(value)
    return len(set(n)) > 1 and all(
        _weighted(n, tuple(range(size + 1, 1, -1)), 11) * -1 % 11 % 10 == n[size] for size in (9, 10)
    )


def _aadhaar(value: str) -> bool:
    """Check by Verhoeff: the dihedral group of order 10, the permutation applied once per place."""
    permutation, check = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4), 0
    for place, n in enumerate(reversed(_digits(value))):
        for _ in range(place % 8):
            n = permutation[n]  # noqa: PLW2901
        check = (check + n) % 5 + 5 * (n > 4) if check < 5 else (check - n) % 5 + 5 * (n < 5)
    return check == 0


def _ahv(value: str) -> bool:
    return _weighted(_digits(value), (1, 3) * 7, 10) == 0


def _nric(value: str) -> bool:
    first = value[0].upper()
    total = (_weighted(_digits(value), (2, 7, 6, 5, 4, 3, 2), 10**6) + 4 * (first in "TG")) % 11
    return ("JZIHGFEDCBA" if first in "ST" else "XWUTRQPNMLK")[total] == value[-1].upper()


def _resident_id(value: str) -> bool:
    return (
        "10X98765432"[_weighted(_digits(value[:17]), (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2), 11)]
        == value[-1].upper()
    )


def _kimlik(value: str) -> bool:
    n = _digits(value)
    return n[9] == (7 * sum(n[0:9:2]) - sum(n[1:8:2])) % 10 and n[10] == sum(n[:10]) % 10


def _luhn_text(value: str) -> bool:
    return luhn(_digits(value)[-10:] if len(_digits(value)) == 12 else _digits(value))


def _always(_: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class _Identity:
    """One country's number; WORDS are needed before it where its form alone proves little."""

    pattern: re.Pattern[str]
    check: Callable[[str], bool]
    words: re.Pattern[str] | None = None


def _identity(pattern: str, check: Callable[[str], bool] = _always, words: str = "") -> _Identity:
    bounded = rf"(?<![^\W_])(?<!\d[.,/-])(?:{pattern})(?![^\W_]|[.,/-]\d)"
    return _Identity(re.compile(bounded, re.IGNORECASE), check, _words(words) if words else None)


_DATE = r"\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_IDENTITIES = (
    _identity(r"(?!000|666|9)\d{3}([- .])(?!00)\d\d\1(?!0000)\d{4}"),
    _identity(r"(?!000|666|9)\d{3}(?!00)\d\d(?!0000)\d{4}", words="ssn|social sec(?:urity)?"),
    _identity(r"9\d\d([- ])[4-9]\d\1\d{4}"),
    _identity(r"9\d\d[4-9]\d{5}", words="itin|taxpayer"),
    _identity(r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] \d\d \d\d \d\d ?[A-D]"),
    _identity(
        r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]\d{6}[A-D]",
        words="nino|national insurance|ni n(?:o|umber)",
    ),
    _identity(r"\d{3}[- ]?\d{3}[- ]?\d{4}", _nhs, "nhs"),
    _identity(r"[1-79]\d{2}([- ]?)\d{3}\1\d{3}", _luhn_text, "sin|nas|social insurance|assurance sociale"),
    _identity(r"(?:[XYZ]-?\d{7}|\d{8})-?[A-HJ-NP-TV-Z]", _nif),
    _identity(r"[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z]"),
    _identity(r"[12] ?\d\d ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d\d|2[AB]) ?\d{3} ?\d{3} ?\d\d", _nir),
    _identity(r"[1-9]\d ?\d{3} ?\d{3} ?\d{3}", _steuer_id, r"steuer\w*|tax id|idnr|tin"),
    _identity(r"\d{11}", _pesel, "pesel"),
    _identity(rf"(?:19|20)?{_DATE}[-+]\d{{4}}", _luhn_text),
    _identity(rf"(?:19|20)?{_DATE}\d{{4}}", _luhn_text, "personnummer|personal number"),
    _identity(r"(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])\d\d[-+A-FU-Y]\d{3}[0-9A-Y]", _hetu),
    _identity(r"\d{9}", _bsn, r"bsn|burgerservice\w*"),
    _identity(r"\d\d\.\d\d\.\d\d-\d{3}\.\d\d", _rijksregister),
    _identity(r"756\.\d{4}\.\d{4}\.\d\d", _ahv),
    _identity(r"\d{3}\.\d{3}\.\d{3}-\d\d", _cpf),
    _identity(r"\d{11}", _cpf, "cpf"),
    _identity(r"[2-9]\d{3}([- ]?)\d{4}\1\d{4}", _aadhaar, "aadhaa?r|uidai"),
    _identity(r"[A-Z]{3}[ABCFGHLJPT][A-Z]\d{4}[A-Z]", words="pan|permanent account"),
    _identity(rf"{_DATE}-[1-4]\d{{6}}"),
    _identity(r"[STFG]\d{7}[A-Z]", _nric),
    _identity(rf"[1-8]\d{{5}}(?:19|20){_DATE}\d{{3}}[\dX]", _resident_id),
    _identity(rf"{_DATE}\d{{4}}[01]\d\d", _luhn_text),
    _identity(r"[1-9]\d{10}", _kimlik, "kimlik|tckn|turkish id"),
)


_FOUR_DIGITS = re.compile(r"(?:\D*+\d){4}")  # the shortest has as many


def find_national_ids(text: str, lowered: str) -> Iterator[Finding]:
    """Find the identity, tax and social security numbers of some twenty countries."""
    if _FOUR_DIGITS.match(text) is None:
        return
    for identity in _IDENTITIES:
        for match in identity.pattern.finditer(text):
            if (identity.words is None or _named(lowered, match.start(), identity.words)) and identity.check(match[0]):
                yield Finding(*match.span(), SecretKind.NATIONAL_ID)


_EMAIL = re.compile(r"(?<![\w.%+'-])[\w.%+'-]{1,64}+@(?:[^\W_](?:[\w-]{0,62}+)\.){1,8}[^\W\d_][\w-]{1,23}+")
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\w|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?=[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:)[0-9A-Fa-f:]{2,39}+(?:\.\d{1,3}){0,3}(?![\w:])")
_PHONE = re.compile(
    r"(?<![\w.@/=#-])(?<!\d,)(?:\+|\(|(?=\d))(?:\d|[ .()\u00a0/\u2010-\u2015-](?=[\d( ])){5,24}\d(?!\d)"
    r"(?: ?(?:x|ext\.?) ?\d{1,5})?(?![^\W_])",
    re.IGNORECASE,
)
_PHONE_WORDS = _words(
    r"\w{0,10}phones?|tel|tele\w{1,10}|call(?:ing)?|fax|mobile|cell|ring|sms|whatsapp|handy\w{0,8}|móvil|teléfono|number"
)
_NOT_PHONE = re.compile(  # years, dates, round sums, decimals, ZIP+4, IP addresses
    r"[12]\d{3}\W[12]\d{3}|(?:19|20)\d\d([-/. ])\d{1,2}\1\d{1,2}(?!\d).*|"
    r"\d{1,2}([-/. ])\d{1,2}\2(?:19|20)\d\d.*|\d{1,3}(?: 000)+|"
    r"\d+\.\d+|\d{5}[- ]\d{4}|\d{1,3}(?:\.\d{1,3}){3}(?:/\d+)?"
)


def _is_ip(value: str) -> bool:
    try:
        return ipaddress.ip_address(value) is not None
    except ValueError:
        return False


def _is_phone(lowered: str, match: re.Match[str]) -> bool:
    value = match[0]
    count = len(_digits(re.split(r"(?i)x|ext", value)[0]))
    if not 7 <= count <= 15 or _NOT_PHONE.fullmatch(value.lstrip("(")):
        return False
    if not value.isdecimal():
        return value[0] in "+(0" or ("/" not in value and len(_GROUP.findall(value)) <= 5)
    around = lowered[match.end() : match.end() + 10]
    return (value[0] == "0" and 9 <= count <= 13) or _named(lowered, match.start(), _PHONE_WORDS) or "fax" in around


def find_contacts(text: str, lowered: str) -> Iterator[Finding]:
    """Find e-mail addresses, IP addresses and phone numbers."""
    for match in _EMAIL.finditer(text) if "@" in text else ():
        yield Finding(*match.span(), SecretKind.EMAIL)
    for pattern in (_IPV4, _IPV6):
        for match in pattern.finditer(text):
            if len(match[0]) > 2 and _is_ip(match[0]):
                yield Finding(*match.span(), SecretKind.IP)
    for match in _PHONE.finditer(text):
        if _is_phone(lowered, match):
            yield Finding(*match.span(), SecretKind.PHONE)
