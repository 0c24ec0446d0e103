"""The activities that Teams sends, in its shapes."""

import html
from datetime import UTC, datetime
from typing import Any

from tests.platform.teams_state import Chat, Json, State, User

FILE = "application/vnd.microsoft.teams.file.download.info"
BOT_NAME = "Frontdesk"
MENTION = f"<at>{BOT_NAME}</at>"


def timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def base(state: State, service_url: str, chat: Chat, user: User, kind: str, conversation: str, **more: Any) -> Json:
    """Make what every activity has."""
    at = state.clock.now()
    channel_data: Json = {"tenant": {"id": chat.tenant.tenant_id}}
    where: Json = {"conversationType": chat.scope, "tenantId": chat.tenant.tenant_id, "id": conversation}
    if not chat.is_personal:
        where["isGroup"] = True
    if chat.scope == "channel":
        channel_data |= {
            "teamsChannelId": chat.conversation_id,
            "teamsTeamId": chat.team_id,
            "channel": {"id": chat.conversation_id},
            "team": {"id": chat.team_id},
        }
    client = {"locale": "en-US", "country": "US", "platform": "Web", "timezone": "Europe/Berlin", "type": "clientInfo"}
    activity: Json = {
        "type": kind,
        "id": state.new_id(),
        "timestamp": timestamp(at),
        "localTimestamp": timestamp(at),
        "channelId": "msteams",
        "serviceUrl": service_url,
        "from": {"id": user.user_id, "name": user.name, "aadObjectId": user.aad_id},
        "conversation": where,
        "recipient": {"id": state.bot_id, "name": BOT_NAME},
        "entities": [client],
        "channelData": channel_data,
        "locale": "en-US",
        "localTimezone": "Europe/Berlin",
    }
    data = more.pop("channel_data", {})
    return {**activity, **more, "channelData": {**channel_data, **data}}


def mention(state: State, activity: Json, text: str) -> Json:
    """Say TEXT to the bot."""
    found = {"mentioned": {"id": state.bot_id, "name": BOT_NAME}, "text": MENTION, "type": "mention"}
    return {**activity, "text": f"{MENTION}&nbsp;{text}", "entities": [found, *activity["entities"]]}


def message(activity: Json, text: str, *, attachments: list[Json] | None = None) -> Json:
    copy = {"contentType": "text/html", "content": f"<p>{html.escape(text)}</p>"}
    return {**activity, "text": text, "textFormat": "plain", "attachments": [*(attachments or []), copy]}


def targeted(activity: Json) -> Json:
    """Make a message one that only its author and the bot see."""
    return {**activity, "recipient": {**activity["recipient"], "isTargeted": True}}


def file(name: str, url: str, unique_id: str) -> Json:
    suffix = name.rpartition(".")[2]
    content = {"downloadUrl": url, "uniqueId": unique_id, "fileType": suffix}
    return {
        "contentType": FILE,
        "contentUrl": f"https://contoso.sharepoint.com/{name}",
        "name": name,
        "content": content,
    }


def card_action(action: Json, inputs: Json) -> Json:
    """Make the value of an Action.Execute."""
    data = {**action.get("data", {}), **inputs}
    return {
        "action": {"type": "Action.Execute", "title": action.get("title", ""), "verb": action["verb"], "data": data},
        "trigger": "manual",
    }
