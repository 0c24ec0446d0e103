"""The table of commands: what is one, how it is read and written, and what platforms are told of it."""

import re
from string import printable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import wording
from core.access import digest, make_code
from core.channels import CHOICES, DEFAULTS, ChannelSettings, Listens, change, looks_like_question
from core.commands import COMMANDS, Parsed, Rights, find, help_for, help_on, listed, parse, summary, usage, write
from core.escalation import TicketPolicy
from core.redact import EVERYTHING, redact

LANGUAGES = ("en", *wording.TRANSLATIONS)
BY_NAME = {command.name: command for command in COMMANDS}


def read(text, **how):
    parsed = parse(text, **how)
    assert parsed is not None, text
    return parsed


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        ("/new", "new", ()),
        ("  /New ", "new", ()),
        ("/history 20", "history", ("20",)),
        ("/kb@frontdesk_bot add https://example.com/a?b=c", "kb", ("add", "https://example.com/a?b=c")),
        ("/kb show “my handbook”", "kb", ("show", "my handbook")),
        ('/kb remove "a b" yes', "kb", ("remove", "a b", "yes")),
        ("/kb show „das Handbuch“", "kb", ("show", "das Handbuch")),
        ("/kb\nlist", "kb", ("list",)),
        ("/favorite off", "favourite", ("off",)),
        ("/kb add '/tmp/x", "kb", ("add", "'/tmp/x")),
        ("help", "help", ()),
        ("Hilfe!", "help", ()),
        ("¡Ayuda!", "help", ()),
        ("STOP", "stop", ()),
        ("arrête.", "stop", ()),
    ],
)
def test_a_command_is_read(text, name, words):
    parsed = read(text)
    assert (parsed.name, parsed.words) == (name, words)
    assert parsed.command is BY_NAME[name]


@pytest.mark.parametrize(
    "text",
    [
        "/etc/hosts is wrong?",
        "/etc/hosts",
        "/ new",
        "/",
        "//new",
        "/7",
        "what does /new do?",
        "help me with my laptop",
        "stop the press",
        "new",
        "",
        " \n",
        "/new, please",
        "/usr.local is full",
    ],
)
def test_other_words_are_no_command(text):
    assert parse(text) is None


def test_a_command_for_another_bot_is_not_ours():
    assert parse("/new@other_bot", bot_name="frontdesk_bot") is None
    assert read("/new@Frontdesk_Bot", bot_name="frontdesk_bot").name == "new"


def test_an_unknown_command_names_the_nearest():
    assert (read("/tikets").command, read("/tikets").nearest) == (None, "tickets")
    assert (read("/kbb list").nearest, read("/qqqqq").nearest) == ("kb", "")


def test_options_are_told_from_words():
    parsed = read('/channel kb="hand book,travel" listens=always threshold=0.9')
    assert parsed.options == {"kb": "hand book,travel", "listens": "always", "threshold": "0.9"}
    assert parsed.words == ()
    assert read("/channel listen=always").unknown_option == "listen"
    assert read("/kb add https://example.com?x=1 kb=faq").words == ("add", "https://example.com?x=1")


def test_a_free_text_stays_as_it_was_written():
    assert read('/ask  what does "x=1"   mean?').text == 'what does "x=1"   mean?'
    assert read('/tickets answer 7  It is "x=1",\n\nas ever.').after(2) == 'It is "x=1",\n\nas ever.'
    assert read("/tickets answer 7").after(2) == ""
    assert read("/tickets answer").after(2) == ""


def test_without_a_slash_only_what_can_be_nothing_else_is_a_command():
    assert read("kb list", prefix="").verb.name == "list"
    assert read("new", prefix="").name == "new"
    for question in ("history of the company?", "language courses", "new laptop", "ask anything", "admin rights?"):
        assert parse(question, prefix="") is None, question


@pytest.mark.parametrize(
    ("text", "rights"),
    [
        ("/new", Rights.EVERYBODY),
        ("/tickets", Rights.EVERYBODY),
        ("/tickets close 3", Rights.ADMINISTRATOR),
        ("/TICKETS Close 3", Rights.ADMINISTRATOR),
        ('/tickets "close" 3', Rights.ADMINISTRATOR),
        ("/kb", Rights.ADMINISTRATOR),
        ("/kb nonsense", Rights.ADMINISTRATOR),
        ("/channel", Rights.ADMINISTRATOR),
        ("/stats", Rights.ADMINISTRATOR),
        ("/admin list", Rights.ADMINISTRATOR),
        ("/admin invite", Rights.ADMINISTRATOR),
        ("/admin bcdfg-hjkmn", Rights.EVERYBODY),
    ],
)
def test_the_rights_of_a_command_are_those_of_its_verb(text, rights):
    assert read(text).rights is rights


@given(st.text(max_size=80), st.sampled_from(["/", "", "!"]))
def test_reading_never_fails(text, prefix):
    parsed = parse(text, prefix=prefix)
    assert parsed is None or parsed.after(1) in parsed.text


@given(st.sampled_from(COMMANDS), st.text(printable + "äß“”„«»", max_size=40))
def test_reading_arguments_never_fails(command, text):
    assert read(f"/{command.name} {text}").command is command


ARGUMENT = st.text(st.characters(exclude_characters='"“”„«»', exclude_categories=("C", "Z")), min_size=1, max_size=12)
SENTENCE = st.lists(ARGUMENT, min_size=1, max_size=3).map(" ".join)


@given(st.sampled_from([command for command in COMMANDS if command.name != "ask"]), st.data())
def test_what_is_written_is_read_again(command, data):
    options = {name: data.draw(SENTENCE) for name in command.options[:3]}
    words = data.draw(st.lists(SENTENCE, max_size=4))
    parsed = read(write(Parsed(command.name, command, words=tuple(words), options=options)))
    assert (parsed.command, parsed.words, parsed.options) == (command, tuple(words), options)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_usage_and_examples_are_commands_themselves(command):
    lines = [usage(command), *(usage(command, verb) for verb in command.verbs)]
    lines += [f"/{example}" for example in command.examples]
    for line in lines:
        parsed = read(line)
        assert (parsed.command, parsed.unknown_option) == (command, ""), line
    for verb in command.verbs:
        assert read(usage(command, verb)).verb is verb


@pytest.mark.parametrize("language", LANGUAGES)
def test_help_tells_people_what_they_may_do_and_no_more(language):
    authors = help_for(Rights.EVERYBODY, language)
    administrators = help_for(Rights.ADMINISTRATOR, language)
    assert set(authors.splitlines()) < set(administrators.splitlines())
    for name in ("ask", "new", "history", "favourite", "tickets", "human", "language", "forget", "export", "stop"):
        assert f"`/{name}" in authors
        assert summary(BY_NAME[name], language) in authors
    for ours in ("/kb", "/stats", "/admin", "/channel", "/tickets answer"):
        assert ours not in authors
        assert ours in administrators
    assert "/start" not in administrators


def test_summaries_are_translated():
    for command in COMMANDS:
        assert len({summary(command, language) for language in LANGUAGES}) == len(LANGUAGES), command.name


def test_help_on_one_command_shows_examples_that_its_reader_may_give():
    assert "answer" not in help_on(find("/tickets"), Rights.EVERYBODY)
    assert "`/tickets close 7`" in help_on(find("tickets"), Rights.ADMINISTRATOR)
    assert "`/admin CODE`" in help_on(find("admin"), Rights.EVERYBODY)


def test_the_table_fits_every_platform():
    """Telegram: 1 to 32 letters, digits and underscores, 256 characters; Teams: 12 commands a list; Slack: 32."""
    authors = listed(Rights.EVERYBODY)
    assert len(authors) <= 12
    assert len([command for command in listed(Rights.ADMINISTRATOR) if command not in authors]) <= 12
    for command in COMMANDS:
        assert re.fullmatch(r"[a-z0-9_]{1,32}", command.name)
        for language in LANGUAGES:
            assert 1 <= len(summary(command, language)) <= 128


def test_a_code_survives_redaction_and_careless_typing():
    for _ in range(50):
        code = make_code()
        assert redact(f"/admin {code}", EVERYTHING).text == f"/admin {code}"
        assert digest(code) == digest(code.upper().replace("-", " ")) == digest(f" {code.replace('-', '')}")
        assert digest(code) != digest(make_code())
    assert len(make_code().replace("-", "")) == 30


@pytest.mark.parametrize(
    "text",
    ["", "list", "bcdfg", make_code() + "b", make_code()[:-1] + "a"],
    ids=["empty", "word", "short", "long", "vowel"],
)
def test_what_has_not_the_form_of_a_code_is_none(text):
    assert digest(text) is None


def test_a_channel_is_decided_option_by_option():
    settings = DEFAULTS
    for option, value in {
        "kb": "handbook, travel,handbook",
        "listens": "Always",
        "threshold": "0,9",
        "language": "Deutsch",
        "tickets": "offer",
        "followups": "off",
    }.items():
        settings = change(settings, option, value)
    assert settings == ChannelSettings(("handbook", "travel"), Listens.ALWAYS, 0.9, "de", TicketPolicy.OFFER, False)
    for option in ("kb", "threshold", "language", "tickets", "followups"):
        settings = change(settings, option, "auto")
    assert change(settings, "listens", "mention") == DEFAULTS


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("kb", " , "),
        ("listens", "auto"),
        ("listens", "never"),
        ("threshold", "-1"),
        ("threshold", "nan"),
        ("threshold", "inf"),
        ("threshold", "high"),
        ("language", "klingon"),
        ("tickets", "sometimes"),
        ("followups", "maybe"),
    ],
)
def test_an_impossible_choice_is_refused(option, value):
    assert change(DEFAULTS, option, value) is None
    assert CHOICES[option]


@given(st.sampled_from(sorted(CHOICES)), st.text(max_size=20))
def test_deciding_never_fails(option, value):
    changed = change(DEFAULTS, option, value)
    assert changed is None or change(changed, option, value) == changed


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("How many holidays do I have?", "en"),
        ("how do I reset my password", "en"),
        ("Hi all, does anyone know where the VPN client is", "en"),
        ("I can't log in to the travel portal", "en"),
        ("Could you tell me who approves expenses", "en"),
        ("The printer is broken again. What do I do?", "en"),
        ("Wie beantrage ich Urlaub", "de"),
        ("Hallo zusammen, weiß jemand wo das Formular liegt", "de"),
        ("Ich suche die Reisekostenrichtlinie", "de"),
        ("Der Drucker geht nicht, was nun?", "de"),
        ("Gibt es noch Parkplätze", "de"),
        ("Comment demander un congé", "fr"),
        ("Bonjour, est-ce que le bureau est ouvert lundi", "fr"),
        ("Où puis-je trouver le formulaire\u00a0?", "fr"),
        ("Je cherche la politique de voyage", "fr"),
        ("Puis-je travailler de chez moi", "fr"),
        ("¿Cuántos días de vacaciones tengo", "es"),
        ("Hola, cómo pido vacaciones", "es"),
        ("No encuentro el formulario de gastos", "es"),
        ("alguien sabe dónde está la impresora", "es"),
        ("経費はどうやって申請しますか？", ""),
    ],
)
def test_a_question_looks_like_one(text, language):
    assert looks_like_question(text, language)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("I have sent the report.", "en"),
        ("See https://example.com/search?q=1", "en"),
        ("Thanks!", "en"),
        ("How are you?", "en"),
        ("What a day!", "en"),
        ("Lunch at twelve", "en"),
        ("> what is this?\nDone.", "en"),
        ("`a ? b : c` is fine", "en"),
        ("The canteen is closed on Friday", "en"),
        ("Danke, das hat geklappt.", "de"),
        ("Ich bin heute im Homeoffice", "de"),
        ("Der Bericht ist fertig", "de"),
        ("Wie geht's?", "de"),
        ("Merci beaucoup", "fr"),
        ("Le bureau est fermé lundi.", "fr"),
        ("J’ai envoyé le document", "fr"),
        ("Gracias por todo", "es"),
        ("He enviado el informe.", "es"),
        ("La oficina cierra el lunes", "es"),
        ("", ""),
        ("???", ""),
        ("👍", ""),
    ],
)
def test_what_is_no_question_does_not(text, language):
    assert not looks_like_question(text, language)


@given(st.text(max_size=300), st.sampled_from(["", "en", "de", "fr", "es", "ja"]))
def test_looking_never_fails(text, language):
    assert looks_like_question(text, language) in (True, False)
