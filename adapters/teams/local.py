"""What clients on this machine leave out, which Teams never does: Direct Line and the emulators of the Bot Framework.

They know no tenants, or name one now and then, some name no bot, some give a message no id, and a file is where its
contentUrl says. Nothing of this is done where tokens are checked.
learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-api-reference
"""

import uuid
from typing import Any

from adapters.teams.payload import is_teams, tenant_of
from adapters.teams.reading import FILE, is_file
from core.payloads import Json, object_at, objects_at, text_at

TENANT = "00000000-0000-0000-0000-000000000000"
"""Stands for the tenant of clients that know none, and can be named where tenants are served by name."""
_BOT = "bot"


def completed(activity: Json) -> dict[str, Any]:
    """Return ACTIVITY with a tenant, a bot and an id where it has none, and its files as Teams tells of them.

    Two activities without an id are never the same.
    """
    found = {**activity, "id": text_at(activity, "id") or uuid.uuid4().hex}
    if not is_teams(activity) or not tenant_of(activity):
        found["channelData"] = {**object_at(activity, "channelData"), "tenant": {"id": TENANT}}
    if not text_at(activity, "recipient", "id"):
        found["recipient"] = {**object_at(activity, "recipient"), "id": _BOT}
    if attached := objects_at(activity, "attachments"):
        found["attachments"] = [_file(item) for item in attached]
    return found


def _file(item: Json) -> Json:
    media_type = text_at(item, "contentType")
    if not is_file(item) or media_type == FILE or media_type.startswith("image/"):
        return item
    url, name = text_at(item, "contentUrl"), text_at(item, "name")
    address = "" if url.startswith("data:") else url
    return {**item, "contentType": FILE, "content": {"downloadUrl": address, "fileType": name.rpartition(".")[2]}}
