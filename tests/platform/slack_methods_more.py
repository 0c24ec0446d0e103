"""The Web API's methods for streams, agent sessions, views and files."""

from typing import Any

from tests.platform.slack_blocks import check_blocks, check_view
from tests.platform.slack_methods import (
    MARKDOWN_TEXT,
    Call,
    by_bot,
    changed,
    check_metadata,
    method,
    own,
    posted,
    streaming,
    thread_of,
    told,
    writable,
)
from tests.platform.slack_rates import SPECIAL, T2, T3, T4
from tests.platform.slack_state import File, Json, Message, Session, SlackError, Stream, View

STATUSES = ("processing", "active", "suspended", "closed")
TASK_STATES = ("pending", "in_progress", "complete", "error")
MAX_STREAM_BLOCKS = 50


def _check_chunk(chunk: Any) -> Json:
    required = {
        "markdown_text": ("text",),
        "task_update": ("id", "title", "status"),
        "plan_update": ("title",),
        "blocks": ("blocks",),
    }
    names = required.get(str(chunk.get("type"))) if isinstance(chunk, dict) else None
    if names is None or any(not chunk.get(name) for name in names):
        raise SlackError("invalid_chunks")
    if chunk["type"] == "task_update" and chunk["status"] not in TASK_STATES:
        raise SlackError("invalid_chunks")
    if chunk["type"] == "blocks":
        return {**chunk, "blocks": check_blocks(chunk["blocks"])}
    return dict(chunk)


def _append(call: Call, message: Message) -> bool:
    """Add what the call brings to a stream; return whether it brought anything."""
    stream = message.stream
    assert stream is not None
    chunks = [_check_chunk(chunk) for chunk in call.arguments.get("chunks") or ()]
    if text := call.arguments.get("markdown_text"):
        chunks.insert(0, {"type": "markdown_text", "text": text})
    for chunk in chunks:
        if chunk["type"] == "markdown_text" and len(chunk["text"]) > MARKDOWN_TEXT:
            raise SlackError("msg_too_long")
    blocks = [block for chunk in [*stream.chunks, *chunks] if chunk["type"] == "blocks" for block in chunk["blocks"]]
    if len(blocks) > MAX_STREAM_BLOCKS:
        raise SlackError("invalid_blocks", f"no more than {MAX_STREAM_BLOCKS} items allowed")
    stream.chunks += chunks
    message.text = "".join(chunk["text"] for chunk in stream.chunks if chunk["type"] == "markdown_text")
    message.blocks = blocks
    return bool(chunks)


def _set_status(call: Call, channel_id: str, thread_ts: str, status: str) -> Session:
    if status not in STATUSES:
        raise SlackError("invalid_arguments", "unknown status")
    session = call.state.sessions.setdefault((channel_id, thread_ts), Session(status))
    session.status, session.changed_at = status, call.state.clock.now()
    session.history.append(status)
    return session


@method("chat.startStream", T2, "chat:write")
def start_stream(call: Call) -> Json:
    channel = writable(call)
    if not call.arguments.get("thread_ts"):
        raise SlackError("invalid_thread_ts")
    thread_ts = thread_of(call, channel)
    recipient, team = call.arguments.get("recipient_user_id"), call.arguments.get("recipient_team_id")
    if channel.kind != "im" and not recipient:
        raise SlackError("missing_recipient_user_id")
    if channel.kind != "im" and not team:
        raise SlackError("missing_recipient_team_id")
    if (recipient and recipient not in call.state.users) or (team and team not in call.state.workspaces):
        raise SlackError("user_not_found" if recipient not in call.state.users else "team_not_found")
    stream = Stream(call.state.clock.now(), recipient or "")
    message = by_bot(call, channel, thread_ts=thread_ts, markdown=True, stream=stream)
    try:
        _append(call, message)
    except SlackError:
        call.state.messages.remove(message)
        raise
    _set_status(call, channel.channel_id, thread_ts, "processing")
    told(call, channel, message)
    return {"channel": channel.channel_id, "ts": message.ts}


def _open_stream(call: Call) -> Message:
    message = own(call, "message_not_owned_by_app")
    if message.stream is not None and message.stream.state == "stopped by user":
        raise SlackError("stopped_by_user")
    if not streaming(call, message):
        raise SlackError("message_not_in_streaming_state")
    return message


@method("chat.appendStream", T4, "chat:write")
def append_stream(call: Call) -> Json:
    message = _open_stream(call)
    if not _append(call, message):
        raise SlackError("no_text")
    return {"channel": message.channel, "ts": message.ts}


@method("chat.stopStream", T2, "chat:write")
def stop_stream(call: Call) -> Json:
    message = _open_stream(call)
    assert message.stream is not None
    check_metadata(call)
    before = message.shown()
    blocks = check_blocks(call.arguments["blocks"]) if call.arguments.get("blocks") else []
    if status := call.arguments.get("session_status"):
        _set_status(call, message.channel, message.thread_ts, status)
    _append(call, message)
    message.blocks = message.blocks + blocks
    message.stream.state = "done"
    changed(call, message, before)
    return posted(message)


def _session_place(call: Call) -> tuple[str, str]:
    channel = call.channel("channel_id")
    thread_ts = call.required("thread_ts", "invalid_thread_ts")
    if call.state.find(channel.channel_id, thread_ts) is None:
        raise SlackError("invalid_thread_ts")
    return channel.channel_id, thread_ts


def _title(call: Call) -> str:
    title = call.arguments.get("title") or ""
    if len(title) > 200:
        raise SlackError("invalid_arguments", "title must be up to 200 characters")
    return str(title)


@method("agents.sessions.setStatus", T3, "chat:write")
def set_status(call: Call) -> Json:
    call.need("assistant:write")
    place, title = _session_place(call), _title(call)
    new = place not in call.state.sessions
    session = _set_status(call, *place, call.required("status"))
    if new:
        session.title = title
    return {"status": session.status, "title": session.title}


@method("agents.sessions.rename", T3, "chat:write")
def rename(call: Call) -> Json:
    call.need("assistant:write")
    place = _session_place(call)
    if place not in call.state.sessions:
        raise SlackError("session_not_found")
    call.required("title")
    call.state.sessions[place].title = _title(call)
    return {"title": call.state.sessions[place].title}


@method("assistant.threads.setStatus", SPECIAL)
def assistant_status(call: Call) -> Json:
    call.need("assistant:write")
    call.state.statuses[_session_place(call)] = str(call.arguments.get("status") or "")
    return {}


@method("assistant.threads.setTitle", T3, "assistant:write")
def assistant_title(call: Call) -> Json:
    place = _session_place(call)
    call.state.sessions.setdefault(place, Session("active")).title = _title(call)
    return {}


@method("assistant.threads.setSuggestedPrompts", T3, "assistant:write")
def assistant_prompts(call: Call) -> Json:
    channel, prompts = call.channel("channel_id"), call.arguments.get("prompts")
    if not isinstance(prompts, list) or not 1 <= len(prompts) <= 4:
        raise SlackError("invalid_arguments", "prompts must hold 1 to 4")
    if any(not prompt.get("title") or not prompt.get("message") for prompt in prompts):
        raise SlackError("invalid_arguments", "a prompt needs a title and a message")
    call.state.prompts[channel.channel_id] = prompts
    return {}


def _trigger(call: Call) -> tuple[str, View | None]:
    """Use up a trigger; return whose it was and the view it came from."""
    trigger = call.state.triggers.get(call.required("trigger_id"))
    if trigger is None:
        raise SlackError("invalid_trigger_id")
    if trigger.used:
        raise SlackError("exchanged_trigger_id")
    if call.state.clock.now() > trigger.made_at + 3:
        raise SlackError("expired_trigger_id")
    trigger.used = True
    return trigger.user_id, trigger.view


def _new_view(call: Call, user_id: str, content: Json, stack: list[View]) -> View:
    state = call.state
    view_id = state.identifier("V")
    view = View(view_id, call.workspace.team_id, user_id, content, f"{state.number()}.hash", stack)
    state.views[view_id] = view
    return view


@method("views.open", T4)
def views_open(call: Call) -> Json:
    content = check_view(call.arguments.get("view"), "modal")
    user_id, _ = _trigger(call)
    view = _new_view(call, user_id, content, [])
    view.stack = [view]
    return {"view": view.shown()}


@method("views.push", T4)
def views_push(call: Call) -> Json:
    content = check_view(call.arguments.get("view"), "modal")
    user_id, origin = _trigger(call)
    if origin is None or not origin.stack:
        raise SlackError("not_found")
    return {"view": push_view(call, user_id, content, origin.stack).shown()}


def push_view(call: Call, user_id: str, content: Json, stack: list[View]) -> View:
    if len(stack) >= 3:
        raise SlackError("push_limit_reached")
    view = _new_view(call, user_id, content, stack)
    stack.append(view)
    return view


@method("views.update", T4)
def views_update(call: Call) -> Json:
    external_id = call.arguments.get("external_id")
    if external_id:
        view = next((v for v in call.state.views.values() if v.content.get("external_id") == external_id), None)
    else:
        view = call.state.views.get(call.required("view_id"))
    if view is None:
        raise SlackError("not_found")
    replace_view(call, view, check_view(call.arguments.get("view"), view.content["type"]))
    return {"view": view.shown()}


def replace_view(call: Call, view: View, content: Json) -> None:
    expected = call.arguments.get("hash")
    if expected is not None and expected != view.hash:
        raise SlackError("hash_conflict")
    view.content, view.hash = content, f"{call.state.number()}.hash"


@method("views.publish", T4)
def views_publish(call: Call) -> Json:
    user_id = call.required("user_id", "user_not_found")
    if user_id not in call.state.users:
        raise SlackError("user_not_found")
    content = check_view(call.arguments.get("view"), "home")
    home = call.state.homes.get(user_id)
    if home is None:
        home = call.state.homes[user_id] = _new_view(call, user_id, content, [])
    else:
        replace_view(call, home, content)
    return {"view": home.shown()}


@method("files.info", T4, "files:read")
def files_info(call: Call) -> Json:
    file = call.state.files.get(call.required("file", "file_not_found"))
    if file is None or not file.complete or not seen_by_bot(call, file):
        raise SlackError("file_not_found")
    return {"file": file.shown(), "content": "", "comments": []}


def seen_by_bot(call: Call, file: File) -> bool:
    bot = call.workspace.bot_user_id
    given = file.given or file.user_id == bot
    return given or any(bot in call.state.channels[channel].members for channel in file.channels)


@method("files.delete", T3, "files:write")
def files_delete(call: Call) -> Json:
    file = call.state.files.get(call.required("file", "file_not_found"))
    if file is None or not file.complete:
        raise SlackError("file_not_found")
    if file.user_id != call.workspace.bot_user_id:
        raise SlackError("cant_delete_file")
    del call.state.files[file.file_id]
    for message in call.state.messages:
        message.files = [kept for kept in message.files if kept is not file]
    return {}


@method("files.getUploadURLExternal", T4, "files:write")
def upload_url(call: Call) -> Json:
    name = call.required("filename")
    if int(call.arguments.get("length") or 0) <= 0:
        raise SlackError("invalid_arguments", "length must be above 0")
    file_id = call.state.identifier("F")
    url = f"{call.base_url}/files-pri/{call.workspace.team_id}-{file_id}/download/{name}"
    place: Json = {"file_id": file_id, "team_id": call.workspace.team_id, "url": url}
    file = File(**place, name=name, mimetype="application/octet-stream", content=b"", complete=False)
    file.user_id = call.workspace.bot_user_id
    call.state.files[file_id] = file
    return {"upload_url": f"{call.base_url}/upload/v1/{file_id}", "file_id": file_id}


@method("files.completeUploadExternal", T4, "files:write")
def complete_upload(call: Call) -> Json:
    files = []
    for entry in call.arguments.get("files") or ():
        file = call.state.files.get(entry.get("id", ""))
        if file is None or file.complete:
            raise SlackError("file_not_found")
        if not file.content:
            raise SlackError("file_update_failed")
        files.append(file)
    if call.arguments.get("channel_id"):
        call.arguments["channel"] = call.arguments["channel_id"]
        channel = writable(call)
        text = call.arguments.get("initial_comment") or ""
        by_bot(call, channel, thread_ts=thread_of(call, channel), text=text, files=files)
        for file in files:
            file.channels.add(channel.channel_id)
    for file in files:
        file.complete = True
    return {"files": [file.shown() for file in files]}
