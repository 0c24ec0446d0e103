"""Find access keys, tokens, private keys and passwords.

Every search takes time linear in the text: a pattern starts at a literal or at the first character of a word, each of
its repetitions is bounded (or possessive and ended by a character it excludes), and it runs only where one of its
literals stands in the text. So a position costs at most a constant, whatever was pasted.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple


class SecretKind(StrEnum):
    """What was hidden, in the words of its placeholder."""

    ACCESS_KEY = "access key"
    TOKEN = "access token"  # noqa: S105
    PRIVATE_KEY = "private key"
    PASSWORD = "password"  # noqa: S105
    CONNECTION_STRING = "password in an address"
    CARD = "card number"
    IBAN = "IBAN"
    NATIONAL_ID = "national identity number"
    EMAIL = "e-mail address"
    PHONE = "phone number"
    IP = "IP address"


class Finding(NamedTuple):
    """The part of a text to hide."""

    start: int
    end: int
    kind: SecretKind


@dataclass(frozen=True, slots=True)
class Rule:
    """One shape; the group "value" is what is hidden, CHECK sees the whole match."""

    kind: SecretKind
    literals: tuple[str, ...]  # lower-case; one of them stands in every text that can match
    pattern: re.Pattern[str]
    check: Callable[[re.Match[str]], bool]


_COUNTED = re.compile(r"\d+(?:st|nd|rd|th)?[-_/]?[a-z]*|[a-z]*[-_]?\d")  # 8-character, 90days, version-2
_DATED = re.compile(r"\d{4}-\d\d-\d\d|\d{1,2}[./]\d{1,2}[./]\d{2,4}")
_NAMED = re.compile(r"(?:https?:/|[./~]|\w+@)|.*\.(?:com|org|net|py|js|ts|html?|pdf|docx?|ya?ml|json|toml|md|txt)$")
_PLACEHOLDER = re.compile(
    r"[$%<{\[(\u2022]|([*x.#_-])\1*$|[A-Za-z_][\w.]*[(\[]|(?:my|your|the|some|insert|enter|example|change)[-_]|"
    r".*(?:placeholder|_here$|-here$)",
    re.IGNORECASE,
)


def entropy(value: str) -> float:
    """Measure the Shannon entropy of VALUE in bits a character."""
    return -sum(n / len(value) * math.log2(n / len(value)) for n in Counter(value).values())


def looks_random(value: str, bits: float = 2.5) -> bool:
    """Tell whether VALUE mixes letters with digits, or capitals with small letters, as words do not."""
    if entropy(value) < bits or _DATED.match(value):
        return False
    letters = [c for c in value if c.isalpha()]
    if letters and any(c.isdigit() for c in value):
        return True
    switches = sum(a.isupper() != b.isupper() for a, b in pairwise(letters))
    return len(letters) >= 16 and switches >= 0.4 * len(letters)


def _always(_: re.Match[str]) -> bool:
    return True


def _random(match: re.Match[str]) -> bool:
    return looks_random(match["value"])


# Public prefixes of tokens, each followed by at least 16 characters of key.
_PREFIXES = """
A3- ABSK AGE-SECRET-KEY-1 AIza AKCp API- AQVN ATATT3 ATBB ATCTT3 CCIPAT_ CFPAT- CLOJARS_ EAAA EAAB EAAC EAAM EZAK
EZTK FLWPUBK- FLWPUBK_TEST- FLWSECK- FLWSECK_TEST- GOCSPX- GR1348941 LTAI NRAA- NRAK- NRII- NRJS- PMAK- SG. YCAJE
YCM YCN access-development- access-production- access-sandbox- api_org_ bkua_ cmVmd dapi dckr_pat_ dnkey- doo_v1_
dop_v1_ dor_v1_ dp.ct. dp.pt. dp.sa. dp.scim. dp.st. dt0c01. dt0s01. dt0s16. duffel_live_ duffel_test_ eyJrIjoi
figd_ fio-u- fm1a_ fm1r_ fm2_ fo1_ gho_ ghp_ ghr_ ghs_ ghu_ github_pat_ glagent- glc_ glcbt- gldt- glffct- glft-
glimt- gloas- glpat- glptt- glrt- glrtr- glsa_ glsoat- gsk_ hf_ hvb. hvr. hvs. ico- key- lin_api_ lin_oauth_
live_pub_ nfp_ npm_ ntn_ nvapi- ops_eyJ p8e- pat-eu1- pat-na1- phx_ pnu_ pplx- pscale_oauth_ pscale_pw_ pscale_tkn_
pubkey- pul- pypi-Ag r8_ rdme_ rk_live_ rk_prod_ rk_test_ rubygems_ sbp_ sgp_ sha256~ shippo_live_ shippo_test_
shpat_ shpca_ shppa_ shpss_ sk- sk_live_ sk_prod_ sk_test_ sm_aat_ sm_pat_ sm_sat_ sntrys_ sntryu_ sq0atp- sq0csp-
sqa_ sqp_ squ_ tfp_ tk-us- tskey- v1.0- whsec_ xai- xapp- xkeysib- xoxa- xoxb- xoxc- xoxd- xoxe- xoxe. xoxo- xoxp-
xoxr- xoxs- xsmtpsib- ya29.
""".split()


def _rule(
    kind: SecretKind,
    literals: str,
    pattern: str,
    check: Callable[[re.Match[str]], bool] = _always,
    flags: re.RegexFlag = re.NOFLAG,
) -> Rule:
    return Rule(kind, tuple(literals.split()), re.compile(pattern, flags), check)


_KEY, _TOKEN = SecretKind.ACCESS_KEY, SecretKind.TOKEN
_BODY = r"[A-Za-z0-9_.=+/~-]"
_SHAPES = (
    Rule(
        _TOKEN,
        tuple(p.lower() for p in _PREFIXES),
        re.compile(rf"(?<![A-Za-z0-9])(?P<value>(?:{'|'.join(map(re.escape, _PREFIXES))}){_BODY}{{16,4096}}+)"),
        _random,
    ),
    _rule(
        _KEY,
        "a3t akia asia abia acca aida aroa",
        r"(?<![A-Za-z0-9])(?P<value>(?:A3T[A-Z0-9]|A(?:KI|SI|BI|CC|ID|RO)A)[A-Z0-9]{16})(?![A-Za-z0-9])",
    ),
    _rule(_KEY, "akia asia", r"A[KS]IA[A-Z0-9]{16}[\s,:;/|\"']{1,10}(?P<value>[A-Za-z0-9/+=]{40})(?![A-Za-z0-9/+=])"),
    _rule(
        _KEY,
        "ap akc",
        r"(?<![A-Za-z0-9])(?P<value>(?:AP[0-9A-F]|AKC)[A-Za-z0-9]{10,200}+)",
        lambda m: not m["value"].isupper() or _random(m),
    ),
    _rule(_KEY, "sk ac", r"(?<![A-Za-z0-9])(?P<value>(?:SK|AC)[a-z0-9]{32})(?![A-Za-z0-9])"),
    _rule(_KEY, "-us", r"(?<![A-Za-z0-9])(?P<value>[0-9a-f]{32}-us\d{1,2})(?!\w)"),
    _rule(_KEY, "q~", r"(?<![\w~.-])(?P<value>[\w~.]{3}\dQ~[\w~.-]{31,34})(?![\w~-])"),
    _rule(
        _KEY,
        "hf_ api_org_ secret_",
        r"(?<![A-Za-z0-9])(?P<value>(?:hf_|api_org_)[A-Za-z]{34}|secret_[A-Za-z0-9]{43})(?!\w)",
    ),
    _rule(_KEY, "live_ test_", r"(?<![A-Za-z0-9])(?P<value>(?:live|test)_(?:pub_)?[0-9a-f]{31,35})(?!\w)"),
    _rule(_KEY, "flwseck_test-", r"(?P<value>FLWSECK_TEST-[A-Za-z0-9]{12})(?!\w)"),
    _rule(_KEY, "_mmk", r"(?<![A-Za-z0-9])(?P<value>[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk)"),
    _rule(_KEY, "4b1d", r"(?<![A-Za-z0-9])(?P<value>4b1d[A-Za-z0-9]{38})(?![A-Za-z0-9])"),
    _rule(_TOKEN, "atlasv1", r"(?<![A-Za-z0-9])(?P<value>[A-Za-z0-9]{14}\.atlasv1\.[\w=-]{60,80}+)"),
    _rule(_TOKEN, "s.", r"(?<![\w.-])(?P<value>s\.[A-Za-z0-9]{24})(?![\w.-])", _random),
    _rule(_TOKEN, "t1.", r"(?<![\w.-])(?P<value>t1\.[\w-]{1,400}+={0,2}\.[\w-]{86}={0,2})"),
    _rule(_TOKEN, "pk. sk.", r"(?<![\w.-])(?P<value>[ps]k\.[A-Za-z0-9_-]{60,120}+\.[\w-]{22})"),
    _rule(
        _TOKEN,
        "acc",
        r"(?<![A-Za-z0-9])"
        r"(?P<value>(?:sc|ext|scauth|authress)_[a-z0-9]{5,30}\.[a-z0-9]{4,6}\.acc[_-][a-z0-9-]{10,32}\.[\w+/=-]{30,120}+)",
        flags=re.IGNORECASE,
    ),
    _rule(_TOKEN, "facebook", r"(?<!\w)(?P<value>\d{15,16}[|%][\w-]{27,40})(?![\w-])"),
    _rule(_TOKEN, "sourcegraph", r"(?<![A-Za-z0-9])(?P<value>[0-9a-fA-F]{40})(?![A-Za-z0-9])", _random),
    _rule(_TOKEN, ":a", r"(?<!\d)(?P<value>\d{6,12}:A[\w-]{32,36})(?![\w-])"),
    _rule(_TOKEN, ".", r"(?<![\w-])(?P<value>[\w-]{24,28}\.[\w-]{6}\.[\w-]{27,45}(?!\w)(?:![\w-]{1,45}+)?)", _random),
    _rule(
        _TOKEN,
        "ey",
        r"(?<![\w-])(?P<value>ey[A-Za-z0-9_-]{12,4000}+={0,2}\.ey[A-Za-z0-9_-]{8,8000}+={0,2}(?:\.[\w-]{0,2000}+){0,3})",
    ),
    _rule(_TOKEN, "zxlk", r"(?<![\w+/-])(?P<value>ZXlK[A-Za-z0-9_+/-]{60,8000}+={0,2})"),
    _rule(_TOKEN, "bearer", r"(?<!\w)bearer[ \t:]{1,3}[\"']?(?P<value>[\w=~@.+/-]{16,4096}+)", _random, re.IGNORECASE),
    _rule(
        _TOKEN,
        "authorization",
        r"authorization[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?:[A-Za-z-]{3,12}[ \t]{1,3}+)?(?P<value>[\w=~@.+/-]{8,4096}+)",
        lambda m: looks_random(m["value"], 2.0) or (len(m["value"]) >= 12 and m["value"].endswith("=")),
        re.IGNORECASE,
    ),
    _rule(
        _TOKEN,
        "hooks.slack.com",
        r"hooks\.slack\.com/(?:services|workflows|triggers)/(?P<value>[A-Za-z0-9+/]{20,120}+)",
    ),
    _rule(_TOKEN, "webhookb2", r"/webhookb2/(?P<value>[A-Za-z0-9@/-]{36,300}+)", flags=re.IGNORECASE),
    _rule(_TOKEN, "api/webhooks", r"/api/webhooks/(?P<value>\d{10,22}/[\w-]{40,120}+)"),
    _rule(_TOKEN, "_authtoken", r"_authToken\s{0,3}=\s{0,3}[\"']?(?P<value>[\w.=+/-]{8,512}+)"),
    _rule(
        _TOKEN,
        "sig= signature=",
        r"[?&;](?:sig|[\w-]{0,20}signature)=(?P<value>[\w%+/=-]{20,512}+)",
        flags=re.IGNORECASE,
    ),
    _rule(_TOKEN, "contribsys", r"CONTRIBSYS__COM\W{1,6}(?P<value>[0-9a-f]{8}:[0-9a-f]{8})", flags=re.IGNORECASE),
    _rule(
        SecretKind.PRIVATE_KEY,
        "private",
        r"(?P<value>-----BEGIN[ A-Z0-9_-]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:(?:[^-]++|-(?!----))*+-----END[ A-Z0-9_-]{0,60}-----|"
        r"(?:\s|\\[nr]|[A-Za-z0-9+/=]{24,}+|[A-Za-z0-9+/]{1,80}+={1,2})*+))",
        flags=re.IGNORECASE,
    ),
    _rule(
        SecretKind.CONNECTION_STRING,
        "://",
        r"(?<=[A-Za-z0-9])://(?![^\s/]{0,300}hidden\])[^\s:/@?#\"'<>]{0,80}+:(?P<value>[^\s/\"'<>]{1,200})@(?=[\w\[])",
        lambda m: not re.match(r"[$<{%\[]|\*+$", m["value"]),
    ),
)

# Names that announce a credential, and the weaker ones that need a longer value.
_STRONG = (
    r"secret|token|api[ _.-]?key|(?:access|account|auth|client|encryption|licen[cs]e|master|private|service|shared|"
    r"signing|storage|app|admin|webhook)[ _.-]?(?:access[ _.-]?)?key|credentials?|creds|bearer|api-?schlüssel|clé api"
)
_VENDORS = """
adafruit adobe airtable algolia alibaba asana atlassian beamer bitbucket bittrex cloudflare codecov cohere coinbase
confluence confluent contentful datadog discord droneci dropbox etsy facebook fastly finicity finnhub flickr
freshbooks gitter gocardless grafana heroku hubspot intercom jfrog jira kraken kucoin launchdarkly linear linked_in
linkedin lob looker mailchimp mailgun mapbox mattermost meraki messagebird netlify new_relic newrelic nytimes okta
openai plaid privateai rapidapi sendbird sentry snyk sonar squarespace sumo telegram travis twilio twitch twitter
typeform yandex zendesk
""".split()
_WEAK = "key|auth|access|api|pass|" + "|".join(_VENDORS)
_NOT_SECRET = re.compile(
    r"public|primary|foreign|keyboard|keyword|keynote|monkey|turkey|author(?!iz)|capital|rapid(?!api)|"
    r"key[_-]?(?:name|pair|size|length|vault|file|path)|token[_-]?(?:ur[il]|type|endpoint|name|count|limit)|api[_-]?(?:version|url|endpoint|name)|"
    r"hash|sha\d|md5|checksum|commit|digest|fingerprint|compass|encompass|passport|passenger|order|serial|tracking|product",
    re.IGNORECASE,
)
_QUERY_NAMES = re.compile(
    r"(?:(?:access|auth|api|refresh|id|session|bearer|user|client|private|reset|bot|app)[_-]?)*(?:token|key|secret)|auth|sas",
    re.IGNORECASE,
)
_NAME_BEFORE = re.compile(r"(?:[\w-]{1,20} )?[\w.?&-]{0,20}$")
_ASSIGNED = re.compile(
    rf"(?P<name>(?P<strong>{_STRONG})|{_WEAK})(?P<rest>[\w.-]{{0,40}}+(?:[ \t][\w.()-]{{1,20}}+){{0,3}}?)"
    r"[\"'`\])]{0,3}[ \t]{0,3}"
    r"(?:(?P<operator>:=|[=-]?>|:{1,2}|={1,3}|,(?=[ \t]{0,2}[\"'`]))|[ \t](?:is|was|ist|lautet|est|es)[ \t])"
    r"[ \t]{0,4}[\"'`]{0,3}(?P<value>[\w+/=.~!@#$%^&*-]{8,512}+)",
    re.IGNORECASE,
)
# What _ASSIGNED ends with: a tenth of its time tells that most texts assign nothing.
_GIVEN = re.compile(
    r"(?:[=:>,]|[ \t](?:is|was|ist|lautet|est|es)[ \t])[ \t]{0,4}[\"'`]{0,3}[\w+/=.~!@#$%^&*-]{8}", re.IGNORECASE
)
_FLAG = re.compile(
    r"(?<!\w)--?(?P<name>api-?key|token|secret|access-key|auth)[ =]{1,3}[\"']?(?P<value>[\w+/=.~-]{8,512}+)",
    re.IGNORECASE,
)


def _is_credential(match: re.Match[str]) -> bool:
    value = match["value"].rstrip(".")
    if len(value) < 8 or _PLACEHOLDER.match(value) or _COUNTED.fullmatch(value) or _NAMED.match(value):
        return False
    return looks_random(value) if match.groupdict().get("strong") else len(value) >= 14 and looks_random(value, 3.0)


def _names_credential(text: str, match: re.Match[str]) -> bool:
    before = text[max(0, match.start() - 20) : match.start()]
    name = _NAME_BEFORE.search(before)[0] + match["name"] + match["rest"]  # type: ignore[index]  # it may be empty
    parameter = re.search(r"[?&]([\w.-]*)$", name) if match["operator"] == "=" else None
    if parameter:
        return _QUERY_NAMES.fullmatch(parameter[1]) is not None
    return not _NOT_SECRET.search(name)


def _find_assigned(text: str) -> Iterator[Finding]:
    for match in _ASSIGNED.finditer(text) if _GIVEN.search(text) else ():
        if _names_credential(text, match) and _is_credential(match):
            start, end = match.span("value")
            kind = _KEY if "key" in (match["name"] + match["rest"]).lower() else _TOKEN
            yield Finding(start, end - len(match["value"]) + len(match["value"].rstrip(".")), kind)
    for match in _FLAG.finditer(text):
        if _is_credential(match):
            yield Finding(*match.span("value"), _TOKEN)


# Side by side: most texts have none of them, and to tell so must cost little.
_LITERALS = tuple((literal, number) for number, rule in enumerate(_SHAPES) for literal in rule.literals)


def find_secrets(text: str, lowered: str) -> Iterator[Finding]:
    """Find keys and tokens by their public shapes, and credentials by the name they are given to."""
    for number in sorted({number for literal, number in _LITERALS if literal in lowered}):
        rule = _SHAPES[number]
        for match in rule.pattern.finditer(text):
            if rule.check(match):
                start, end = match.span("value")
                trimmed = len(match["value"]) - len(match["value"].rstrip("./"))
                yield Finding(start, end - trimmed, rule.kind)
    yield from _find_assigned(text)
