"""What bots say of themselves: the file that is kept, and Telegram's limits."""

import json
import re
from pathlib import Path

import pytest

from adapters.telegram.commands import make_manifest
from core.commands import Rights, listed
from core.wording import TRANSLATIONS

KEPT = Path(__file__).parents[3] / "manifest" / "telegram.json"


def held(scope, language=""):
    manifest = make_manifest()
    (found,) = [each for each in manifest["commands"] if (each["scope"], each["language_code"]) == (scope, language)]
    return {each["command"]: each["description"] for each in found["commands"]}


def test_the_file_says_what_the_table_of_commands_says():
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    assert kept == make_manifest(), "write it again with `frontdesk manifest telegram > manifest/telegram.json`"


@pytest.mark.parametrize("scope", ["default", "all_private_chats", "all_group_chats", "administrator"])
@pytest.mark.parametrize("language", ["", *TRANSLATIONS])
def test_every_list_keeps_telegram_s_limits(scope, language):
    commands = held(scope, language)
    assert 1 <= len(commands) <= 100
    assert all(re.fullmatch(r"[a-z0-9_]{1,32}", name) for name in commands)
    assert all(1 <= len(description) <= 256 for description in commands.values())


def test_administrators_are_offered_more_than_others():
    assert set(held("default")) == {command.name for command in listed(Rights.EVERYBODY)}
    assert set(held("administrator")) == {command.name for command in listed(Rights.ADMINISTRATOR)}
    assert {"kb", "stats"} <= set(held("administrator")) - set(held("default"))


def test_each_language_has_words_of_its_own():
    lists = [tuple(held("default", language).values()) for language in ("", *TRANSLATIONS)]
    assert len(set(lists)) == len(lists)
    for texts, longest in ((make_manifest()["descriptions"], 512), (make_manifest()["short_descriptions"], 120)):
        assert set(texts) == {"", *TRANSLATIONS}
        assert len(set(texts.values())) == len(texts)
        assert all(1 <= len(text) <= longest for text in texts.values())
