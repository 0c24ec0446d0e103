"""Every fixed sentence stands in every catalogue, complete, and reaches its reader in the right form."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

from bench.make_catalogues import CATALOGUES, Entry, compile_mo, read_po
from core import command_words, wording
from core.attached import NOT_READ
from core.escalation import wants_person
from core.language import detect
from core.reasons import REASONS
from core.redact import Hidden, notice
from core.routing import REPLIES
from core.secret_rules import SecretKind

ROOT = Path(__file__).parents[2]
FOR_ADMINISTRATORS = {wording.REASON_ASKED, wording.REASON_NOTHING_FOUND}
INFORMAL = {
    "de": r"\b(?:du|dich|dir|dein\w*|euch|euer\w*|eure\w*)\b",
    "fr": r"\b(?:tu|te|toi|ton|ta|tes)\b",
    "es": r"\b(?:tú|tu|tus|te|ti|contigo|vosotros|vuestr\w+)\b",
}


def po_path(language: str) -> Path:
    return CATALOGUES / language / "LC_MESSAGES" / "frontdesk.po"


def entries(language: str) -> list[Entry]:
    return [entry for entry in read_po(po_path(language).read_text("utf-8")) if entry["msgid"]]


def messages() -> set[str]:
    """Collect what `core` says: the sentences of wording.py and of commands, why files were not read, small talk."""
    both = (*vars(wording).items(), *vars(command_words).items())
    constants = {value for name, value in both if name.isupper() and isinstance(value, str)}
    kinds = {one for one, _ in wording._KINDS.values()}
    return (constants | kinds | {*REPLIES.values(), *REASONS, NOT_READ}) - FOR_ADMINISTRATORS


def said(path: Path) -> Iterator[str]:
    """Yield the messages the code of PATH hands to `wording.say`, written there or named as a constant of wording."""
    source = path.read_text("utf-8")
    if ".say" not in source:
        return
    for call in ast.walk(ast.parse(source)):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        if call.func.attr not in {"say", "say_count"} or ast.unparse(call.func.value) != "wording":
            continue
        message = ast.unparse(call.args[0])
        if isinstance(call.args[0], ast.Constant):
            yield ast.literal_eval(message)
        elif message.startswith("wording."):
            yield getattr(wording, message.removeprefix("wording."))


def places(text: str) -> set[str]:
    return {field for _, field, _, _ in Formatter().parse(text) if field is not None}


@pytest.mark.parametrize("language", wording.TRANSLATIONS)
def test_a_catalogue_has_every_message_once_and_no_other(language: str) -> None:
    translated = [entry["msgid"] for entry in entries(language)]
    assert sorted(translated) == sorted(messages())


@pytest.mark.parametrize("folder", ["core", "adapters", "bots"])
def test_what_the_code_says_is_in_the_catalogues(folder: str) -> None:
    known = messages()
    for path in sorted((ROOT / folder).rglob("*.py")):
        assert set(said(path)) <= known, path


def test_the_search_for_what_the_code_says_finds_it(tmp_path: Path) -> None:
    code = tmp_path / "code.py"
    code.write_text("wording.say('Nobody translated this.', language)\nother.say('aloud')\nwording.say(wording.CUT)\n")
    assert list(said(code)) == ["Nobody translated this.", wording.CUT]


@pytest.mark.parametrize("language", wording.TRANSLATIONS)
def test_a_translation_is_complete_and_has_the_places_of_its_message(language: str) -> None:
    assert "fuzzy" not in po_path(language).read_text("utf-8")
    for entry in entries(language):
        assert all(text.strip() == text != "" for text in entry.values()), entry
        if "msgid_plural" in entry:
            assert set(entry) == {"msgid", "msgid_plural", "msgstr[0]", "msgstr[1]"}
            assert places(entry["msgid_plural"]) == places(entry["msgstr[1]"]) == {"count"}
            assert places(entry["msgid"]) == places(entry["msgstr[0]"]) == set()
        else:
            assert places(entry["msgid"]) == places(entry["msgstr"]), entry


@pytest.mark.parametrize("language", wording.TRANSLATIONS)
def test_a_translation_is_in_its_language_and_polite(language: str) -> None:
    # Labels and lines of help: four words of them tell no language.
    terse = [*REASONS, NOT_READ, *(value for name, value in vars(command_words).items() if name.isupper())]
    for entry in entries(language):
        sentence = entry.get("msgstr", "")
        assert not re.search(INFORMAL[language], sentence, re.IGNORECASE)
        words = re.findall(r"\w\S*", re.sub(r"\{\w+\}", "", sentence))
        if len(words) >= 6 or (len(words) >= 4 and entry["msgid"] not in terse):
            assert detect(sentence) == language, sentence


def test_french_punctuation_never_begins_a_line() -> None:
    for entry in entries("fr"):
        assert not re.search(r"(?<!\u00a0)[;?!»]|[^\u00a0]:|«(?!\u00a0)", entry.get("msgstr", "")), entry


@pytest.mark.parametrize("language", wording.TRANSLATIONS)
def test_the_compiled_catalogue_is_that_of_its_source(language: str) -> None:
    """After a change of a .po file: python -m bench.make_catalogues."""
    path = po_path(language)
    assert path.with_suffix(".mo").read_bytes() == compile_mo(read_po(path.read_text("utf-8")))
    for entry in entries(language):
        if "msgstr" in entry:
            assert wording.say(entry["msgid"], language) == entry["msgstr"]


def test_each_folder_of_catalogues_is_in_use() -> None:
    assert sorted(path.name for path in CATALOGUES.iterdir()) == sorted(wording.TRANSLATIONS)


def test_the_compiler_joins_lines_and_reads_escapes() -> None:
    assert read_po('# no\nmsgid ""\n"a \\"b\\" "\n"c\\n"\nmsgstr "d"\n') == [{"msgid": 'a "b" c\n', "msgstr": "d"}]


@pytest.mark.parametrize("text", ['"begins with a string"', "msgid unquoted", 'msgctxt "other"'])
def test_the_compiler_refuses_what_it_does_not_know(text: str) -> None:
    with pytest.raises(ValueError, match="Line 1"):
        read_po(text)


@pytest.mark.parametrize(
    ("language", "one", "two", "none"),
    [
        ("en", "a password", "2 passwords", "0 passwords"),
        ("de", "ein Passwort", "2 Passwörter", "0 Passwörter"),
        ("fr", "un mot de passe", "2 mots de passe", "un mot de passe"),
        ("es", "una contraseña", "2 contraseñas", "0 contraseñas"),
    ],
)
def test_each_language_counts_in_its_own_way(language: str, one: str, two: str, none: str) -> None:
    forms = [wording.say_count("a password", "{count} passwords", count, language) for count in (1, 2, 0)]
    assert forms == [one, two, none]


def test_what_was_hidden_is_named_in_the_language_of_the_author() -> None:
    hidden = (Hidden(SecretKind.PASSWORD, 1), Hidden(SecretKind.CARD, 2), Hidden(SecretKind.IBAN, 1))
    assert wording.hidden(hidden) == "I hid a password, 2 card numbers and an IBAN before anything was stored."
    assert wording.hidden(hidden, "de") == (
        "Ich habe ein Passwort, 2 Kartennummern und eine IBAN unkenntlich gemacht, bevor etwas gespeichert wurde."
    )
    assert (
        wording.hidden(hidden[:2], "fr")
        == "J’ai masqué un mot de passe et 2 numéros de carte avant tout enregistrement."
    )
    assert wording.hidden(hidden[2:], "es") == "He ocultado un IBAN antes de guardar nada."
    assert wording.hidden((), "de") == ""


@pytest.mark.parametrize("count", [1, 3])
def test_english_names_every_kind_as_the_notice_of_redaction_does(count: int) -> None:
    hidden = tuple(Hidden(kind, count) for kind in SecretKind)
    assert wording.hidden(hidden) == notice(hidden)


@pytest.mark.parametrize("language", ["en", *wording.TRANSLATIONS])
def test_the_word_an_author_is_told_to_write_brings_a_person(language: str) -> None:
    offer = wording.nothing_found(None, offer=True, language=language)
    assert wants_person(offer.split()[-1])


def test_nothing_found_says_what_happens_next() -> None:
    nothing = "I found nothing about this in the documents I may read here."
    assert wording.nothing_found(None, offer=False) == nothing
    assert wording.nothing_found(7, offer=True) == f"{nothing} I opened ticket 7; a person will answer here."
    assert wording.nothing_found(7, offer=False, language="de") == (
        "Dazu habe ich in den Dokumenten, die ich hier lesen darf, nichts gefunden. "
        "Ich habe Ticket 7 eröffnet; ein Mensch wird hier antworten."
    )
    assert wording.handed_over(12, "es") == "He abierto el ticket 12; una persona le responderá aquí."
    assert wording.person_answered(12, "fr") == "Une personne a répondu au ticket 12\u00a0:"


@pytest.mark.parametrize(
    ("language", "numbers"),
    [
        ("en", ["12,345", "8,000"]),
        ("de", ["12.345", "8.000"]),
        ("fr", ["12\u202f345", "8\u202f000"]),
        ("es", ["12\u202f345", "8000"]),
        ("ja", ["12,345", "8,000"]),
    ],
)
def test_numbers_are_written_as_the_language_writes_them(language: str, numbers: list[str]) -> None:
    text = wording.too_long(12_345, 8_000, language)
    assert re.findall(r"\d[\d.,\u202f]*(?<=\d)", text) == numbers


@pytest.mark.parametrize("language", ["de", "DE", "de-AT", "de_CH"])
def test_a_region_makes_no_difference(language: str) -> None:
    assert wording.say(wording.A_PERSON, language) == "Ein Mensch"


@pytest.mark.parametrize("language", ["nl", "zh", "", "den", "../de"])
def test_a_language_without_a_catalogue_gets_english(language: str) -> None:
    assert wording.say(wording.NOBODY, language) == wording.NOBODY
    assert wording.handed_over(3, language) == wording.handed_over(3)


@pytest.mark.parametrize("text", ["", "A notice of somebody else's with {braces}."])
@pytest.mark.parametrize("language", ["en", *wording.TRANSLATIONS])
def test_a_text_no_catalogue_has_comes_back_as_it_is(text: str, language: str) -> None:
    assert wording.say(text, language) == text
