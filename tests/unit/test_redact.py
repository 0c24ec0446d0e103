"""What is hidden, what stays, and that hiding is stable. Every secret here is made at run time."""

import base64
import random
import re
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core import password_rules, personal_rules, secret_rules
from core.personal_rules import luhn
from core.redact import EVERYTHING, Hidden, RedactionPolicy, SecretKind, notice, redact

ALPHANUMERIC = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
NOTHING = RedactionPolicy(secrets=False, payment=False, national_ids=False, contact=False)


def made(length: int, alphabet: str = ALPHANUMERIC, seed: int = 1) -> str:
    """Make a string that looks like a key."""
    return "".join(random.Random(seed).choices(alphabet, k=length))


def joined(*parts: str) -> str:
    return "".join(parts)


KEYS = [
    joined("AK", "IA", made(16, string.ascii_uppercase)),
    joined("gh", "p_", made(36)),
    joined("github", "_pat_", made(82)),
    joined("gl", "pat-", made(20)),
    joined("xo", "xb-", made(12, string.digits), "-", made(12, string.digits), "-", made(24)),
    joined("sk", "_live_", made(24)),
    joined("sk", "-proj-", made(48)),
    joined("sk", "-ant-api03-", made(93), "AA"),
    joined("AI", "za", made(35)),
    joined(made(9, string.digits), ":AA", made(33)),
    joined("npm", "_", made(36)),
    joined("py", "pi-Ag", made(90)),
    joined("SK", made(32, HEX)),
    joined("SG", ".", made(22), ".", made(43)),
    joined(made(32, HEX), "-us12"),
    joined("hf", "_", made(34, string.ascii_letters)),
    joined("M", made(23), ".", made(6), ".", made(27)),
    joined("ey", "J", made(30), ".ey", "J", made(60), ".", made(43)),
    joined("abc", "8Q~", made(33)),
]
HEADERS = [
    ("Authorization: Bearer {}", made(32)),
    ("Authorization: Basic {}", base64.b64encode(b"somebody:something").decode()),
    ("//registry.example/:_authToken={}", made(36, HEX)),
    ("https://store.example/box?sv=2024&sig={}", made(44)),
    ("https://hooks.slack.com/services/{}", joined("T", made(8), "/B", made(8), "/", made(24))),
    ("AccountName=box;AccountKey={};EndpointSuffix=core", joined(made(86), "==")),
    ("my api key is {} and it stopped working", made(24)),
    ("aws_secret_access_key = {}", made(40)),
    ('{{"client_secret": "{}"}}', made(32)),
    ("export DATADOG={}", made(40, HEX)),
]
PASSWORDS = [
    ("the password is {}", "hunter2"),
    ("The password is {}.", "swordfish"),
    ("my password is {} and I cannot log in", "P@ssw0rd!"),
    ("My password's {}", "hunter2"),
    ("password: {}", "hunter2"),
    ("Password: {} please help", "hunter2"),
    ("password={}", "hunter2"),
    ('PASSWORD = "{}"', "correct horse battery"),
    ("DB_PASSWORD={}", "hunter2"),
    ('{{"password": "{}", "user": "somebody"}}', "hunter2"),
    ("<password>{}</password>", "hunter2"),
    ("Server=db;User Id=sa;Password={};Encrypt=yes", "Str0ng"),
    ("--password {}", "hunter2"),
    ("curl -u somebody:{} https://host.example/", "hunter2"),
    ("the password for the guest network is {}", "hunter2x"),
    ("I changed my password to {} yesterday", "hunter2"),
    ("{} is my password", "hunter2"),
    ("user somebody password {}", "hunter2"),
    ("password - {}", "hunter2"),
    ("Passwort lautet {}", "Geheim123"),
    ("Mein Passwort ist {}", "geheim123"),
    ("mot de passe : {}", "soleil99"),
    ("mon mot de passe est {}", "Soleil99!"),
    ("mi contraseña es {}", "Sol2024"),
    ("senha: {}", "segredo1"),
    ("密码：{}", "abc12345"),
    ("my PIN is {}", "4821"),
    ("CVV {}", "123"),
]
ORDINARY = """
the password is required
password reset
How do I change my password?
my password is not working
password is too short
The password is 8 characters long
the password is case-sensitive
the password is stored in the database
what if my password is stolen?
Password: minimum 8 characters
Password: required
Issue with password: I can't log in
the password for the wifi is not working
I need the password for Office365
change my password to something easier
how can I set the password to never expire
password = getpass()
password: ${DB_PASSWORD}
password: <your password>
password: ********
bus pass: adult
my PIN is blocked
security code on my card
my token is expired
api key: required
token = your_api_token_here
primary key: user_identifier_2024_01
order key: ORD-2024-000123-A
the client secret is 40-characters long
Mein Passwort ist abgelaufen
mon mot de passe est incorrect
mi contraseña no funciona
https://url:8000 @something else
order 4539 1488 0343 6468 has not arrived
2019 2020 2021 2022
invoice 1234567890123456
DE00 1234 5678 9012 3456 78
call 555-12-345
version 1.2.3.4, ticket 078-05-0000
commit 3f786850e387550fdab836ed7e6dc881de23001b
order number 130692544
""".strip().splitlines()
CARDS = [
    "4111111111111111",
    "4111 1111 1111 1111",
    "4111-1111-1111-1111",
    "4111.1111.1111.1111",
    "4111\u00a01111\u202f1111\u20111111",
    "4111\u200b111111111111",
    "3714 496353 98431",
    "378282246310005",
    "５５５５５５５５５５５５４４４４",
    "٤١١١١١١١١١١١١١١١",
]
IBANS = ["DE89370400440532013000", "DE89 3704 0044 0532 0130 00", "gb82-west-1234-5698-7654-32", "NO93 8601 1117 947"]
NATIONAL_IDS = [
    "078-05-1123",
    "078 05 1123",
    "social security number 078051123",
    "911-70-1234",
    "HH 01 02 03 D",
    "NHS number 4010232137",
    "SIN 130-692-544",
    "12345678Z",
    "X1234567L",
    "1 84 12 76 451 089 46",
    "Steuer-ID 12345678903",
    "PESEL 44051401359",
    "131052-308T",
    "BSN 111222333",
    "85.07.30-033.28",
    "756.9217.0769.85",
    "529.982.247-25",
    "Aadhaar 3998 7654 3211",
    "871220-2384",
    "S1234567D",
    "11010519491231002X",
    "8001015009087",
    "TC kimlik 10000000146",
]
CONTACTS = [
    ("write to somebody@example.org", "somebody@example.org"),
    ("call +49 (0)30 901820", "+49 (0)30 901820"),
    ("(415) 555-0132 x12", "(415) 555-0132 x12"),
    ("phone: 467 3395", "467 3395"),
    ("from 203.0.113.9:8080", "203.0.113.9"),
    ("from 2001:db8::8a2e:370:7334", "2001:db8::8a2e:370:7334"),
]


def kinds(text: str, policy: RedactionPolicy = EVERYTHING) -> set[SecretKind]:
    return {hidden.kind for hidden in redact(text, policy).hidden}


@pytest.mark.parametrize("key", KEYS)
def test_a_key_with_a_known_shape_is_hidden(key: str) -> None:
    for sentence in ("{}", "why does {} not work?", "token={}", "({}).", 'curl -H "X: {}"', "see\n{}\n"):
        found = redact(sentence.format(key))
        assert key[8:] not in found.text, sentence
        assert found.hidden, sentence


@pytest.mark.parametrize(("sentence", "secret"), HEADERS)
def test_a_credential_is_hidden_by_what_announces_it(sentence: str, secret: str) -> None:
    found = redact(sentence.format(secret))
    assert secret not in found.text
    assert {h.kind for h in found.hidden} <= {SecretKind.ACCESS_KEY, SecretKind.TOKEN}
    assert found.text.startswith(sentence.split("{}")[0].replace("{{", "{")[:10])


@pytest.mark.parametrize("end", ["-----END RSA PRIVATE KEY-----", ""])
def test_a_private_key_is_hidden_with_or_without_its_end(end: str) -> None:
    body = "\n".join(made(64, seed=seed) for seed in range(5))
    text = f"I use\n-----BEGIN RSA {'PRIVATE KEY'}-----\n{body}\n{end}\nwhy is it refused?"
    found = redact(text)
    assert made(64, seed=3) not in found.text
    assert found.text.startswith("I use\n[private key hidden]")
    assert found.text.endswith("why is it refused?")


@pytest.mark.parametrize("scheme", ["postgres", "https", "redis"])
def test_only_the_password_of_an_address_is_hidden(scheme: str) -> None:
    found = redact(f"{scheme}://somebody:hunter2@host.example:1/x")
    assert found.text == f"{scheme}://somebody:[password in an address hidden]@host.example:1/x"


@pytest.mark.parametrize(("sentence", "secret"), PASSWORDS)
def test_a_password_given_as_such_is_hidden_and_nothing_else(sentence: str, secret: str) -> None:
    found = redact(sentence.format(secret))
    assert secret not in found.text
    assert found.hidden == (Hidden(SecretKind.PASSWORD, 1),)
    before, after = sentence.format("\0").split("\0")
    assert found.text.startswith(before)
    assert found.text.endswith(after)


def test_ordinary_sentences_stay_as_they_are() -> None:
    assert [redact(text).text for text in ORDINARY] == ORDINARY
    assert [text for text in ORDINARY if redact(text).hidden] == []


@pytest.mark.parametrize("card", CARDS)
def test_a_card_number_is_hidden_however_it_is_written(card: str) -> None:
    assert redact(f"my card {card}, please").text == "my card [card number hidden], please"
    assert redact(card).text == "[card number hidden]"


def test_neighbouring_cards_are_counted() -> None:
    found = redact(" ".join(CARDS[:3]))
    assert found.text == " ".join(["[card number hidden]"] * 3)
    assert found.hidden == (Hidden(SecretKind.CARD, 3),)


@given(st.integers(10**14, 10**15 - 1), st.integers(1, 9))
def test_a_number_that_fails_the_check_digit_is_no_card(body: int, shift: int) -> None:
    digits = [4, *map(int, str(body))][:15]
    valid = next(d for d in range(10) if luhn([*digits, d]))
    prefix = "".join(map(str, digits))
    policy = RedactionPolicy(secrets=False, national_ids=False)
    assert redact(f"{prefix}{valid}", policy).hidden == (Hidden(SecretKind.CARD, 1),)
    assert redact(f"{prefix}{(valid + shift) % 10}", policy).hidden == ()


@pytest.mark.parametrize("iban", IBANS)
def test_an_iban_is_hidden_and_a_mistyped_one_is_not(iban: str) -> None:
    policy = RedactionPolicy(secrets=False, national_ids=False)
    assert redact(f"to {iban} today", policy).text == "to [IBAN hidden] today"
    last = iban[-1]
    mistyped = iban[:-1] + str((int(last) + 1) % 10)
    assert redact(f"to {mistyped} today", policy).hidden == ()


@pytest.mark.parametrize("text", NATIONAL_IDS)
def test_a_national_identity_number_is_hidden(text: str) -> None:
    assert kinds(text) == {SecretKind.NATIONAL_ID}


@pytest.mark.parametrize("text", [text for text in NATIONAL_IDS if text[-1].isdigit()][7:])
def test_a_mistyped_identity_number_is_not(text: str) -> None:
    mistyped = text[:-1] + str((int(text[-1]) + 1) % 10)
    assert SecretKind.NATIONAL_ID not in kinds(mistyped)


@pytest.mark.parametrize(("text", "secret"), CONTACTS)
def test_contact_data_is_hidden_only_when_asked_for(text: str, secret: str) -> None:
    assert redact(text).text == text
    assert secret not in redact(text, EVERYTHING).text


def test_each_group_can_be_switched_off() -> None:
    text = "password: hunter2, 4111111111111111, 078-05-1123, somebody@example.org"
    assert redact(text, NOTHING).text == text
    assert kinds(text, RedactionPolicy(secrets=False)) == {SecretKind.CARD, SecretKind.NATIONAL_ID}
    assert kinds(text, RedactionPolicy(payment=False, national_ids=False)) == {SecretKind.PASSWORD}
    assert kinds(text) == {SecretKind.PASSWORD, SecretKind.CARD, SecretKind.NATIONAL_ID, SecretKind.EMAIL}


def test_overlapping_finds_become_one_placeholder() -> None:
    assert redact("password: 4111111111111111").text.count("hidden]") == 1
    assert redact(f"token={KEYS[1]}").text == "token=[access token hidden]"


def test_the_notice_says_what_was_hidden() -> None:
    assert notice(()) == ""
    assert notice(redact("4111111111111111").hidden) == "I hid a card number before anything was stored."
    text = f"{KEYS[0]} {KEYS[0]} password: hunter2 {IBANS[0]}"
    assert notice(redact(text).hidden) == "I hid 2 access keys, a password and an IBAN before anything was stored."
    both = (Hidden(SecretKind.EMAIL, 2), Hidden(SecretKind.CONNECTION_STRING, 2))
    assert notice(both) == "I hid 2 e-mail addresses and 2 passwords in an address before anything was stored."


SAMPLES = [
    *KEYS,
    *(s.format(v) for s, v in HEADERS + PASSWORDS),
    *CARDS,
    *IBANS,
    *NATIONAL_IDS,
    *(t for t, _ in CONTACTS),
]
PLACEHOLDERS = [f"[{kind} hidden]" for kind in SecretKind]
GLUE = ["", " ", "\n", ": ", ", ", "=", "'", '"', "x", "1", "İ", "\x00", "\ud800", "password is ", "card "]
texts = st.lists(
    st.one_of(
        st.sampled_from(SAMPLES),
        st.sampled_from(ORDINARY),
        st.sampled_from(GLUE),
        st.sampled_from(PLACEHOLDERS),
        st.text(),
    ),
    max_size=8,
).map("".join)


@given(texts, st.booleans())
@example("".join(PLACEHOLDERS), True)
def test_what_was_hidden_once_stays_as_it_is(text: str, contact: bool) -> None:
    policy = RedactionPolicy(contact=contact)
    once = redact(text, policy)
    assert redact(once.text, policy) == type(once)(once.text)
    assert redact(text, NOTHING).text == text


@given(texts)
def test_the_text_outside_the_placeholders_is_untouched(text: str) -> None:
    found = redact(text, EVERYTHING)
    position = 0
    for piece in re.split("|".join(map(re.escape, PLACEHOLDERS)), found.text):
        position = text.index(piece, position) + len(piece)
    assert bool(found.hidden) == (found.text != text)


@pytest.mark.parametrize(
    "unit", ["a", "sk-", "-----BEGIN", "-----BEGIN PRIVATE KEY-----", "7", " ", "password is ", "://a:"]
)
def test_a_long_repetition_is_searched_to_its_end(unit: str) -> None:
    text = unit * (8_000 // len(unit)) + " 4111111111111111"
    assert redact(text).text.endswith("[card number hidden]")


def searched_patterns() -> dict[str, str]:
    """List the patterns that run over a whole text; the others judge one found value of bounded length."""
    judged = {"_COUNTED", "_DATED", "_NAMED", "_NOT_PHONE", "_PLACEHOLDER", "_PRODUCT", "_QUERY_NAMES", "_SUFFIX"}
    patterns = {f"shape {i}": rule.pattern.pattern for i, rule in enumerate(secret_rules._SHAPES)}
    patterns |= {f"identity {i}": identity.pattern.pattern for i, identity in enumerate(personal_rules._IDENTITIES)}
    for module in (secret_rules, password_rules, personal_rules):
        values = {name: value for name, value in vars(module).items() if isinstance(value, re.Pattern)}
        patterns |= {f"{module.__name__}.{name}": v.pattern for name, v in values.items() if name not in judged}
    return patterns


def test_what_a_pattern_repeats_is_bounded_or_never_given_back() -> None:
    patterns = searched_patterns()
    assert len(patterns) > 50
    for name, pattern in patterns.items():
        atoms = re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", "x", pattern)
        assert not re.search(r"[*+]|\{\d*,\}", re.sub(r"[*+}]\+", "", atoms)), (name, atoms)
