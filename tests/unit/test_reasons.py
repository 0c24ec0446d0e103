"""Reasons that were made in English, wherever they arise, are told in other languages."""

import pytest

from core.attached import MOST_FILES, READ_IN_PART, TOO_MANY
from core.errors import Refused
from core.reasons import not_read, retell
from core.wording import TRANSLATIONS
from ingest.fetch import parse_url
from ingest.formats import detect
from ingest.pipeline import too_large


def refused(call):
    with pytest.raises(Refused) as caught:
        call()
    return str(caught.value)


@pytest.mark.parametrize("language", TRANSLATIONS)
@pytest.mark.parametrize(
    "reason",
    [
        TOO_MANY.format(limit=MOST_FILES),
        READ_IN_PART.format(name="a: b.txt", chunks=200),
        too_large(12_000_000, 10_000_000),
        refused(lambda: detect("a.txt", b"")),
        refused(lambda: detect("tool.exe", b"MZ")),
        refused(lambda: detect("old.doc", b"x")),
        refused(lambda: detect("sheet.xlsx", b"PK")),
        refused(lambda: parse_url("http://[")),
        refused(lambda: parse_url("http://1.2/")),
        refused(lambda: parse_url("https://example.org/" + "a" * 10_000)),
    ],
)
def test_a_reason_is_known_in_every_language(reason, language):
    said = retell(reason, language)
    assert said != reason
    assert "{" not in said
    assert retell(reason, "en") == retell(reason, "zz") == reason


def test_figures_and_names_stay_where_they_are():
    reason = too_large(12_300_000, 10_000_000)
    assert not_read("{x}.pdf", reason, "de") == (
        "{x}.pdf wurde nicht gelesen: die Datei hat 12.3 MB, und die Grenze liegt bei 10; "
        "teilen Sie sie auf, oder lassen Sie die Grenze erhöhen."
    )


@pytest.mark.parametrize("reason", ["", "its colour is wrong", "it is empty; or not", "it is empty\nno"])
def test_a_reason_nobody_knows_stays_english(reason):
    assert retell(reason, "de") == reason
