"""The methods about the bot itself, its commands and its updates."""

import asyncio
import re
from typing import Any

from tests.platform.telegram_call import Call, conflict, method
from tests.platform.telegram_state import DEFAULT_UPDATES, ApiError, Json, Webhook, bad_request

MOST_POLL_S = 50.0
_KINDS = DEFAULT_UPDATES | {"chat_member", "message_reaction", "message_reaction_count"}
_SCOPES = frozenset(
    "default all_private_chats all_group_chats all_chat_administrators chat chat_administrators chat_member".split()
)
_HTTP = re.compile(r"(https?)://([^/:\s]+)(:\d+)?(/\S*)?")
_PORTS = ("", ":443", ":80", ":88", ":8443")


@method
async def get_me(call: Call) -> Json:
    more = ("supports_inline_queries", "can_connect_to_business", "has_main_web_app", "allows_users_to_create_topics")
    found = call.bot.user.shown() | {"can_join_groups": True, "has_topics_enabled": True}
    return found | {"can_read_all_group_messages": call.bot.can_read_all} | dict.fromkeys(more, False)


@method
async def get_updates(call: Call) -> list[Json]:
    bot = call.bot
    if bot.webhook.url:
        raise conflict(
            "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
        )
    _allow(call)
    if bot.poll is not None and not bot.poll.done():
        bot.poll.set_exception(
            conflict("terminated by other getUpdates request; make sure that only one bot instance is running")
        )
    limit = call.number("limit", 100)
    limit = limit if 1 <= limit <= 100 else 100
    offset, now = call.number("offset"), call.state.clock.now()
    if bot.last_poll[0] == offset and offset and now - bot.last_poll[1] < 0.5:
        limit = 1
    bot.last_poll = (offset, now)
    call.updates.confirm(bot, offset)
    timeout_s = min(max(call.number("timeout"), 0), MOST_POLL_S)
    if not bot.updates and timeout_s:
        await _wait(call, timeout_s)
    return [pending.body for pending in call.updates.living(bot)[:limit]]


async def _wait(call: Call, timeout_s: float) -> None:
    """Wait for an update; raises ApiError where another poller comes."""
    call.bot.poll = mine = asyncio.get_running_loop().create_future()
    try:
        async with asyncio.timeout(timeout_s * call.server.scale):
            await mine
    except TimeoutError:
        pass
    finally:
        if call.bot.poll is mine:
            call.bot.poll = None


def _allow(call: Call) -> None:
    """Remember allowed_updates where they are given; an empty list means the usual ones."""
    given = call.json("allowed_updates")
    if given is None:
        return
    if not isinstance(given, list):
        raise bad_request("expected an Array of strings as allowed_updates")
    call.bot.allowed = frozenset(kind for kind in given if kind in _KINDS) or DEFAULT_UPDATES


@method
async def set_webhook(call: Call) -> Any:
    url = call.text("url").strip()
    if not url:
        return await delete_webhook(call)
    webhook = call.bot.webhook
    now = call.state.clock.now()
    if now - webhook.set_at < 1.0:
        raise ApiError(429, "Too Many Requests: retry after 1", retry_after=1)
    _check_url(call, url)
    secret = call.text("secret_token")
    if len(secret) > 256:
        raise bad_request("secret token is too long")
    if not re.fullmatch(r"[A-Za-z0-9_-]*", secret):
        raise bad_request("secret token contains unallowed characters")
    most = call.number("max_connections", 40)
    _allow(call)
    if call.flag("drop_pending_updates"):
        call.updates.drop(call.bot)
    call.bot.webhook = Webhook(url, secret, min(max(most, 1), 100), now)
    call.updates.deliver(call.bot)
    return True, "Webhook was set"


def _check_url(call: Call, url: str) -> None:
    found = _HTTP.fullmatch(url)
    if found is None:
        raise bad_request("bad webhook: invalid HTTP URL specified")
    if found[2] in ("127.0.0.1", "localhost"):  # as the server allows it with --local
        return
    if found[1] != "https":
        raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
    if (found[3] or "") not in _PORTS:
        raise bad_request("bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443")


@method
async def delete_webhook(call: Call) -> Any:
    was_set = bool(call.bot.webhook.url)
    if call.flag("drop_pending_updates"):
        call.updates.drop(call.bot)
    call.bot.webhook = Webhook(set_at=call.bot.webhook.set_at)
    return True, "Webhook was deleted" if was_set else "Webhook is already deleted"


@method
async def get_webhook_info(call: Call) -> Json:
    webhook = call.bot.webhook
    found: Json = {"url": webhook.url, "has_custom_certificate": False}
    found["pending_update_count"] = len(call.updates.living(call.bot))
    if webhook.url:
        found |= {"max_connections": webhook.max_connections, "ip_address": "127.0.0.1"}
    if webhook.last_error:
        found |= {"last_error_date": webhook.last_error_date, "last_error_message": webhook.last_error}
    if call.bot.allowed != DEFAULT_UPDATES:
        found["allowed_updates"] = sorted(call.bot.allowed)
    return found


@method
async def set_my_commands(call: Call) -> bool:
    commands = call.json("commands")
    if not isinstance(commands, list):
        raise bad_request("expected an Array of BotCommand")
    if len(commands) > 100:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    for command in commands:
        if not re.fullmatch(r"/?[a-z0-9_]{1,32}", str(command.get("command", ""))):
            raise bad_request("BOT_COMMAND_INVALID")
        if not 1 <= len(str(command.get("description", ""))) <= 256:
            raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
    call.bot.commands[_scope(call), _language(call)] = commands
    return True


@method
async def get_my_commands(call: Call) -> list[Json]:
    return call.bot.commands.get((_scope(call), _language(call)), [])


@method
async def delete_my_commands(call: Call) -> bool:
    call.bot.commands.pop((_scope(call), _language(call)), None)
    return True


def _scope(call: Call) -> str:
    scope = call.json("scope") or {"type": "default"}
    kind = str(scope.get("type", ""))
    if kind not in _SCOPES:
        raise bad_request("unsupported type of the bot command scope specified")
    if kind.startswith("chat"):
        if call.state.find(call.bot, int(scope.get("chat_id", 0))) is None:
            raise bad_request("chat not found")
        kind += f":{scope['chat_id']}" + (f":{scope['user_id']}" if kind == "chat_member" else "")
    return kind


def _language(call: Call) -> str:
    language = call.text("language_code")
    if not re.fullmatch(r"(?:[a-z]{2})?", language):
        raise bad_request("invalid language code specified")
    return language


def _describe(call: Call, kind: str, longest: int) -> bool:
    text = call.text(kind)
    if len(text) > longest:
        raise bad_request(f"{kind.replace('_', ' ')} is too long")
    call.bot.descriptions[kind, _language(call)] = text
    return True


@method
async def set_my_description(call: Call) -> bool:
    return _describe(call, "description", 512)


@method
async def set_my_short_description(call: Call) -> bool:
    return _describe(call, "short_description", 120)


@method
async def get_my_description(call: Call) -> Json:
    return {"description": call.bot.descriptions.get(("description", _language(call)), "")}


@method
async def get_my_short_description(call: Call) -> Json:
    return {"short_description": call.bot.descriptions.get(("short_description", _language(call)), "")}


@method
async def set_chat_menu_button(call: Call) -> bool:
    button = call.json("menu_button") or {"type": "default"}
    if button.get("type") not in ("commands", "web_app", "default"):
        raise bad_request("unsupported type of the menu button specified")
    call.bot.menus[call.number("chat_id")] = button
    return True


@method
async def get_chat_menu_button(call: Call) -> Json:
    return call.bot.menus.get(call.number("chat_id"), {"type": "default"})
