import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.links import addresses, keep_allowed

EVIL = "https://evil.test/x?d=U0VDUkVU"
ALLOWED = ["https://ok.test/a", "https://docs.ok.test/b_(c)?q=1", "hr@ok.test"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"See the [form]({EVIL}).", "See the form."),
        (f'See the [form](<{EVIL}> "Form").', "See the form."),
        (f"A ![chart]({EVIL}) here.", "A chart here."),
        (f"[![chart]({EVIL})]({EVIL})", "chart"),
        (f"The [form][1].\n\n[1]: {EVIL}", "The form [1].\n\n"),
        (f"The [form][f].\n[f]: <{EVIL}>", "The form.\n"),
        (f"<{EVIL}> and <{EVIL}|form>", "… and form"),
        (f"Go to {EVIL}.", "Go to …."),
        (f"**{EVIL}**", "**…**"),
        ("Go to www.evil.test/x", "Go to …"),
        ("Go to evil.test/x?d=1 now", "Go to … now"),
        ("Go to //evil.test/x now", "Go to … now"),
        ("Go to evil.com now", "Go to evil[.]com now"),
        ("U0VDUkVU.evil.it or a@evil.com", "U0VDUkVU[.]evil[.]it or a@evil[.]com"),
        (f'<a class="b" href="{EVIL}">form</a>', "form"),
        (f'<img alt="chart" src="{EVIL}">', "chart"),
        ("<img src=//evil.test/x", "< img src=…"),
        ("<svg onload='x()'>text</svg>", " text "),
        ("[x](javascript:alert(1)) javascript:alert(1)", "x …"),
        ("mailto:a@evil.test?body=S tel:+49301234 data:text/plain,S", "… … …"),
        ("https://ok.test@evil.test/a https://ok.test\\@evil.test/a", "… …"),
        ("https://ok.test/a?d=SECRET https://ok.test/a/SECRET", "… …"),
        ("https://xn--80ak6aa92e.com/x http://3232235777/x https://ev\u200bil.test/", "… … …"),
        ("@everyone <!channel> <!here|here> <@U123> <#C1|general>", "everyone channel here U123 general"),
        ("<!subteam^S1|the team>", "the team"),
        ("[policy](files/travel.md)", "policy"),
        ("[a](https://evil.test/\nx)", "[a] (…\nx)"),
    ],
)
def test_a_link_that_is_not_allowed_leaves_its_words(text, expected):
    assert keep_allowed(text, ALLOWED) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("See [the form](https://ok.test/a), now.", "See [the form](https://ok.test/a), now."),
        ("See [it](https://ok.test/a),or not.", "See [it](https://ok.test/a),or not."),
        ("(https://ok.test/a)", "(https://ok.test/a)"),
        ("HTTPS://OK.TEST/A/.", "https://ok.test/a."),
        ("ok.test/a!", "https://ok.test/a!"),
        ("**https://ok.test/a**", "**https://ok.test/a**"),
        ("https://docs.ok.test/b_(c)?q=1", "https://docs.ok.test/b_(c)?q=1"),
        ("[c](https://docs.ok.test/b_(c)?q=1)", "[c](https://docs.ok.test/b_(c)?q=1)"),
        ("<https://ok.test/a> <https://ok.test/a|form>", "<https://ok.test/a> <https://ok.test/a|form>"),
        ('<a href="https://ok.test/a">form</a>', "[form](https://ok.test/a)"),
        ("https://ok.test/a[1]", "https://ok.test/a[1]"),
        ("请看https://ok.test/a。谢谢", "请看https://ok.test/a。谢谢"),
        ("[f]: https://ok.test/a", "https://ok.test/a"),
        ("Write to hr@ok.test.", "Write to hr@ok.test."),
        ("Write to mailto:hr@ok.test.", "Write to hr@ok.test."),
        (f"[{EVIL}](https://ok.test/a)", "[…](https://ok.test/a)"),
        (f"![chart]({ALLOWED[0]})", "chart"),
    ],
)
def test_a_link_that_is_allowed_stays_and_is_written_as_it_was_allowed(text, expected):
    assert keep_allowed(text, ALLOWED) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Great![1] The limit is 18.50 euro [2][3], see No. 4.",
        "a[i][j] = x if i < n else List<String>",
        "git clone <repo> && cd and/or TCP/IP w/o 24/7 9:00-17:00",
        "e.g. Node.js, README.md, setup.py, v1.2.3, 10.0.0.0/8, 192.168.0.1, z.B. d.h.",
        "The rule ends.No other applies; in the U.S. too.",
        "Tel: 030 1234, note: data: file: none",
        "| a | b |\n|---|---|\n| 1 | 2 |",
        "1. **First:** do it\n2. _Then_ stop (or not)",
        "Ask @maria or write a@b; 5 > 3 and 2 < 4",
    ],
)
def test_text_without_links_stays_as_it_is(text):
    assert keep_allowed(text, []) == text


@pytest.mark.parametrize(
    "text",
    [
        "<!<!|here>>",
        "@![](y)everyone",
        f"]<!|>({EVIL})",
        f"[a]<x=1>({EVIL})",
        "<![](x)here>",
        "<img <x=1>src=//e.com/>",
    ],
)
def test_taking_one_form_apart_never_makes_another(text):
    shown = keep_allowed(text, [])
    assert keep_allowed(shown, []) == shown
    assert not re.search(r"evil|e\.com|<[!@]|\]\(|@everyone", shown)


MARKUP = st.sampled_from(
    ["[", "]", "(", ")", "<", ">", "!", "|", "@", "everyone", "here", ":", "//", "https://", "evil.com", "www.", "[1]",
     " ", "\n", "ok", '"', "img src=", "a href=", "\\", "`", "\u200b", "。", "evil.test/x", "https://ok.test/a"]
)  # fmt: skip


@given(st.lists(MARKUP, max_size=25))
def test_no_mixture_of_markup_lets_an_address_through(parts):
    shown = keep_allowed("".join(parts), ["https://ok.test/a"])
    rest = shown.replace("https://ok.test/a", "")
    assert not re.search(
        r"https?://[\w]|(?<!\w)www\.\w|(?<!\w)evil\.(?:com\b|test/)|\]\([^)]|<[!@]\w|@everyone|@here",
        rest,
        re.IGNORECASE,
    )


@given(st.text())
def test_any_text_is_taken(text):
    keep_allowed(text, [text[:20]])


@pytest.mark.parametrize(
    "part", ["[", "<", "<a ", "<a href=", "](", "[a](", "![", "http://", "a.", "a@", "ev。", '<img alt="']
)
def test_nothing_takes_long(part):
    keep_allowed(part * (10_000 // len(part)), ALLOWED)


def test_addresses_are_found_in_every_form():
    text = "See [x](https://a.example/p?q=1), <https://b.example|b>, c.com, d@e.org. And (https://f.example/g)."
    assert addresses(text) == [
        "https://a.example/p?q=1",
        "https://b.example",
        "c.com",
        "d@e.org",
        "https://f.example/g",
    ]
