"""The app package: everything Teams must know of the app, from the one table of commands.

The schema is 1.29, the first with slash commands: resources/schema/manifest-schema of Teams' documentation.
"""

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

from adapters.teams.icons import ACCENT, color_icon, outline_icon
from adapters.teams.limits import COMMANDS_PER_LIST
from core import wording
from core.commands import Command, Rights, listed, summary, usage
from core.errors import UsageError

VERSION = "1.29"
MESSAGES_PATH = "/teams/messages"
"""Where the bot's endpoint is: https://DOMAIN/teams/messages."""

LANGUAGES = ("en", *wording.TRANSLATIONS)
_SCHEMAS = f"https://developer.microsoft.com/json-schemas/teams/v{VERSION}"
_NAME = "Frontdesk"
_MADE_AT = (1980, 1, 1, 0, 0, 0)  # so that the same package has the same bytes
_GUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_DOMAIN = re.compile(
    r"(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]", re.IGNORECASE
)
_SEMVER = re.compile(r"(?:\d|[1-9]\d*)\.(?:\d|[1-9]\d*)\.(?:\d|[1-9]\d*)")

# Who may read messages that do not mention the app; administrators of a team or chat consent to it.
_READ_ALL = ("ChannelMessage.Read.Group", "ChatMessage.Read.Chat")


def make_manifest(
    app_id: str, domain: str, *, version: str = "1.0.0", developer: str = _NAME, reads_all: bool = False
) -> dict[str, Any]:
    """Make the manifest as plain data.

    APP_ID is the id of the bot's registration, DOMAIN the public name of the web server. With READS_ALL the app asks
    to read messages that do not mention it. Raises UsageError for values that Teams would refuse.
    """
    _check(app_id, domain, version, developer)
    manifest: dict[str, Any] = {
        "$schema": f"{_SCHEMAS}/MicrosoftTeams.schema.json",
        "manifestVersion": VERSION,
        "version": version,
        "id": app_id.lower(),
        "localizationInfo": {
            "defaultLanguageTag": "en",
            "defaultLanguageFile": _file_of("en"),
            "additionalLanguages": [
                {"languageTag": language, "file": _file_of(language)} for language in wording.TRANSLATIONS
            ],
        },
        "developer": {
            "name": developer,
            "websiteUrl": f"https://{domain}/",
            "privacyUrl": f"https://{domain}/privacy",
            "termsOfUseUrl": f"https://{domain}/terms",
        },
        "name": {"short": _NAME, "full": _NAME},
        "description": {"short": wording.APP_SHORT, "full": wording.APP_LONG},
        "icons": {"color": "color.png", "outline": "outline.png"},
        "accentColor": ACCENT,
        "bots": [_bot(app_id)],
        "permissions": ["identity", "messageTeamMembers"],
        "validDomains": [domain],
        "defaultInstallScope": "personal",
        "defaultGroupCapability": {"team": "bot", "groupchat": "bot", "meetings": "bot"},
    }
    return {**manifest, **_reading_all(app_id)} if reads_all else manifest


def _check(app_id: str, domain: str, version: str, developer: str) -> None:
    if not _GUID.fullmatch(app_id):
        raise UsageError(
            "The app id is the one of the bot's registration, such as 00000000-0000-0000-0000-000000000000."
        )
    if not _DOMAIN.fullmatch(domain):
        raise UsageError("The domain is the public name of the server without https://, such as bot.example.com.")
    if not _SEMVER.fullmatch(version):
        raise UsageError("The version has three numbers, such as 1.0.0.")
    if not 1 <= len(developer) <= 32:
        raise UsageError("The developer's name has 1 to 32 characters.")


def _bot(app_id: str) -> dict[str, Any]:
    return {
        "botId": app_id.lower(),
        "scopes": ["personal", "team", "groupChat"],
        "isNotificationOnly": False,
        "supportsFiles": True,
        "supportsTargetedMessages": True,
        "commandLists": [
            {"scopes": ["personal"], "triggers": ["mention"], "commands": _commands()},
            {"scopes": ["team", "groupChat"], "triggers": ["mention", "slash"], "commands": _commands()},
        ],
    }


def _commands() -> list[dict[str, str]]:
    return [{"title": command.name, "description": _described(command, "en")} for command in _shown()]


def _shown() -> list[Command]:
    """List the commands there is room for: those of everybody first."""
    everybody = listed(Rights.EVERYBODY)
    others = [command for command in listed(Rights.ADMINISTRATOR) if command not in everybody]
    return [*everybody, *others][:COMMANDS_PER_LIST]


def _described(command: Command, language: str) -> str:
    said = summary(command, language)
    return f"{said} {usage(command, prefix='')}" if command.arguments else said


def _reading_all(app_id: str) -> dict[str, Any]:
    permissions = [{"name": name, "type": "Application"} for name in _READ_ALL]
    return {
        "webApplicationInfo": {"id": app_id.lower(), "resource": "https://RscBasedStoreApp"},
        "authorization": {"permissions": {"resourceSpecific": permissions}},
    }


def make_language(language: str) -> dict[str, str]:
    """Make the file of one language; command names stay as they are written."""
    texts = {
        "$schema": f"{_SCHEMAS}/MicrosoftTeams.Localization.schema.json",
        "name.short": _NAME,
        "name.full": _NAME,
        "description.short": wording.say(wording.APP_SHORT, language),
        "description.full": wording.say(wording.APP_LONG, language),
    }
    for number in range(2):
        for place, command in enumerate(_shown()):
            texts[f"bots[0].commandLists[{number}].commands[{place}].description"] = _described(command, language)
    return texts


def _file_of(language: str) -> str:
    return f"{language}.json"


def make_files(manifest: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the files of the package by their names."""
    files = {"manifest.json": _json(manifest), "color.png": color_icon(), "outline.png": outline_icon()}
    return {**files, **{_file_of(language): _json(make_language(language)) for language in LANGUAGES}}


def build_package(
    app_id: str, domain: str, *, version: str = "1.0.0", developer: str = _NAME, reads_all: bool = False
) -> bytes:
    """Build the zip to upload to Teams; arguments and errors are those of make_manifest."""
    manifest = make_manifest(app_id, domain, version=version, developer=developer, reads_all=reads_all)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as package:
        for name, data in make_files(manifest).items():
            info = zipfile.ZipInfo(name, _MADE_AT)
            info.compress_type = zipfile.ZIP_DEFLATED
            package.writestr(info, data)
    return packed.getvalue()


def find_faults(files: Mapping[str, bytes]) -> list[str]:
    """List what Teams would refuse in a package; the whole check is the official schema's."""
    manifest = json.loads(files["manifest.json"])
    return list(_faults(manifest, files))


def _faults(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> Iterator[str]:
    name, described = manifest["name"], manifest["description"]
    for what, text, most in (
        ("name.short", name["short"], 30),
        ("name.full", name["full"], 100),
        ("description.short", described["short"], 80),
        ("description.full", described["full"], 4_000),
        ("developer.name", manifest["developer"]["name"], 32),
    ):
        if not 1 <= len(text) <= most:
            yield f"{what} has {len(text)} characters; at most {most} are taken."
    languages = manifest["localizationInfo"]
    named = [*manifest["icons"].values(), languages["defaultLanguageFile"]]
    named += [language["file"] for language in languages["additionalLanguages"]]
    yield from (f"{missing} is not in the package." for missing in named if missing not in files)
    for number, commands in enumerate(manifest["bots"][0]["commandLists"]):
        if not 1 <= len(commands["commands"]) <= COMMANDS_PER_LIST:
            yield f"Command list {number} has {len(commands['commands'])} commands; 1 to {COMMANDS_PER_LIST} are taken."


def _json(data: Mapping[str, Any]) -> bytes:
    return (json.dumps(data, ensure_ascii=False, indent=2) + "\n").encode()


TEMPLATE_APP_ID = "00000000-0000-0000-0000-000000000000"
TEMPLATE_DOMAIN = "bot.example.com"
"""What stands in manifest/teams/, which shows a package; `frontdesk manifest teams` builds one's own."""
