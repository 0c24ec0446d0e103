"""What a bot says of itself: the commands that people are offered, its descriptions, its menu.

core.telegram.org/bots/api#setmycommands: of several lists people see the one for their chat, else for its kind, else
the default, and of these the one in their language, else the one without. So a list in one place hides the rest.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from adapters.telegram.api import Refusal, TelegramApi
from adapters.telegram.limits import COMMAND_DESCRIPTION, COMMAND_NAME, COMMANDS, DESCRIPTION, SHORT_DESCRIPTION
from core.commands import BY_NAME, Command, Rights, listed, summary
from core.wording import TRANSLATIONS

_LANGUAGES = ("", *TRANSLATIONS)  # the first is for all the others, and English
_GROUPS = ("ask", "new", "human", "stop", "help")  # what is of use where others read along
_ADMINISTRATOR = "administrator"

_DESCRIPTIONS = {
    "": "I answer your questions from this organisation's own documents and show the passages I answer from. "
    "Where they hold no answer, a person takes over.",
    "de": "Ich beantworte Ihre Fragen aus den Dokumenten dieser Organisation und zeige die Stellen, auf die ich mich "
    "stütze. Steht dort keine Antwort, übernimmt ein Mensch.",
    "es": "Respondo a sus preguntas con los documentos de esta organización y muestro los pasajes en los que me baso. "
    "Si no contienen la respuesta, se encarga una persona.",
    "fr": "Je réponds à vos questions à partir des documents de cette organisation et je montre les passages sur "
    "lesquels je m'appuie. S'ils ne contiennent pas la réponse, une personne prend le relais.",
}
_SHORT_DESCRIPTIONS = {
    "": "Answers from the organisation's own documents, with sources.",
    "de": "Antworten aus den Dokumenten der Organisation, mit Quellen.",
    "es": "Respuestas de los documentos de la organización, con sus fuentes.",
    "fr": "Des réponses tirées des documents de l'organisation, avec leurs sources.",
}


def make_manifest() -> dict[str, Any]:
    """Make what a bot says of itself as plain data, from the one table of commands.

    The scope "administrator" is no scope of Telegram's: it stands for the private chat of each administrator.
    """
    everybody = listed(Rights.EVERYBODY)
    scopes: list[tuple[str, tuple[Command, ...]]] = [
        ("default", everybody),
        ("all_private_chats", everybody),
        ("all_group_chats", tuple(BY_NAME[name] for name in _GROUPS)),
        (_ADMINISTRATOR, listed(Rights.ADMINISTRATOR)),
    ]
    return {
        "commands": [
            {"scope": scope, "language_code": language, "commands": list(_described(commands, language))}
            for scope, commands in scopes
            for language in _LANGUAGES
        ],
        "descriptions": {language: text[:DESCRIPTION] for language, text in _DESCRIPTIONS.items()},
        "short_descriptions": {language: text[:SHORT_DESCRIPTION] for language, text in _SHORT_DESCRIPTIONS.items()},
        "menu_button": {"type": "commands"},
    }


def _described(commands: Iterable[Command], language: str) -> Iterator[dict[str, str]]:
    for command in tuple(commands)[:COMMANDS]:
        said = summary(command, language or "en")[:COMMAND_DESCRIPTION]
        yield {"command": command.name[:COMMAND_NAME], "description": said}


async def apply_manifest(
    api: TelegramApi, manifest: Mapping[str, Any], administrators: Iterable[str] = ()
) -> list[str]:
    """Tell Telegram all of MANIFEST; return a sentence for each administrator whose chat it does not know.

    There is one, too, for each method that the server does not know. Telegram keeps what is set, so this may be
    repeated. Raises as TelegramApi.call does.
    """
    unknown: list[str] = []
    for tell in (_tell_commands, _tell_descriptions, _tell_menu):
        try:
            unknown += await tell(api, manifest, administrators)
        except Refusal as refusal:
            if not refusal.is_of_method:
                raise
            unknown.append(f"The server of TELEGRAM_API_URL has no {refusal.method}; the bot {api.name} does without.")
    return unknown


async def _tell_commands(api: TelegramApi, manifest: Mapping[str, Any], administrators: Iterable[str]) -> list[str]:
    unknown = []
    for held in manifest["commands"]:
        if held["scope"] != _ADMINISTRATOR:
            await _set_commands(api, {"type": held["scope"]}, held)
    for user_id in administrators:
        try:
            for held in manifest["commands"]:
                if held["scope"] == _ADMINISTRATOR:
                    await _set_commands(api, {"type": "chat", "chat_id": int(user_id)}, held)
        except Refusal as refusal:
            if not refusal.says("chat not found"):
                raise
            unknown.append(f"{user_id} has never written to the bot {api.name}; apply it again after they have.")
    return unknown


async def _tell_descriptions(api: TelegramApi, manifest: Mapping[str, Any], _: Iterable[str]) -> list[str]:
    for method, field, texts in (
        ("setMyDescription", "description", manifest["descriptions"]),
        ("setMyShortDescription", "short_description", manifest["short_descriptions"]),
    ):
        for language, text in texts.items():
            await api.call(method, patience_s=None, language_code=language or None, **{field: text})
    return []


async def _tell_menu(api: TelegramApi, manifest: Mapping[str, Any], _: Iterable[str]) -> list[str]:
    await api.call("setChatMenuButton", patience_s=None, menu_button=dict(manifest["menu_button"]))
    return []


async def _set_commands(api: TelegramApi, scope: Mapping[str, Any], held: Mapping[str, Any]) -> None:
    language = held["language_code"] or None
    await api.call(
        "setMyCommands", patience_s=None, scope=dict(scope), language_code=language, commands=list(held["commands"])
    )
