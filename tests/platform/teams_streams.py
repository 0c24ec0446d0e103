"""Messages that grow. learn.microsoft.com/microsoftteams/platform/bots/streaming-ux"""

from tests.platform.teams_rules import TeamsError, bad, size_bytes
from tests.platform.teams_state import Chat, Json, Message, State, Stream

STREAM_S = 120.0
PERIOD_S = 1.0
INFORMATIVE = 1_000


def refused(message: str) -> TeamsError:
    return TeamsError(403, "ContentStreamNotAllowed", message)


def stream_entity(activity: Json) -> Json | None:
    return next((entity for entity in activity.get("entities") or [] if entity.get("type") == "streaminfo"), None)


class Streams:
    """Keep the rules of streams; SCALE shortens the second between two requests."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.scale = 1.0
        self.life_s = STREAM_S
        self.strict_final = False  # whether the final text must begin with what was shown, which is not documented
        self.enabled = True

    def take(self, chat: Chat, conversation: str, activity: Json, entity: Json) -> tuple[int, Json]:
        """Take a streamed activity; return the status and the body of the answer."""
        if not self.enabled or not chat.is_personal:
            raise refused("Content stream is not allowed.")
        stream_id, kind = str(entity.get("streamId") or ""), entity.get("streamType")
        if activity["type"] == "message":
            return self._end(conversation, activity, kind, stream_id, entity)
        self._check_typing(activity, entity)
        if not stream_id:
            return self._begin(conversation, activity, entity)
        return self._go_on(conversation, activity, entity, stream_id)

    def _check_typing(self, activity: Json, entity: Json) -> None:
        kind, text = entity.get("streamType"), activity.get("text")
        if kind not in ("informative", "streaming"):
            raise bad("Only start streaming and continue streaming types are allowed as a typing activity.")
        if not isinstance(entity.get("streamSequence"), int) or entity["streamSequence"] < 1:
            raise bad("streamSequence must be a positive number.")
        if not isinstance(text, str) or not text:
            raise bad("Start streaming activities should include text.")
        if kind == "informative" and len(text) > INFORMATIVE:
            raise bad("Informative updates have at most 1000 characters.")
        if activity.get("attachments") or len(activity["entities"]) > 1:
            raise bad("Attachments and citations are allowed in the final message only.")

    def _begin(self, conversation: str, activity: Json, entity: Json) -> tuple[int, Json]:
        if entity["streamSequence"] != 1:
            raise bad("The first streamSequence is 1.")
        now = self.state.clock.now()
        for message in self.state.messages:
            if message.conversation == conversation and self._is_open(message.stream, now):
                raise refused("Content stream is not allowed while another one is under way.")
        stream = Stream(self.state.new_id(), now, last_at=now)
        self._show(stream, activity, entity)
        body = {"type": "message", "text": stream.text}
        message = Message(stream.stream_id, conversation, self.state.bot_id, body, now, stream=stream)
        self.state.messages.append(message)
        return 201, {"id": stream.stream_id}

    def _is_open(self, stream: Stream | None, now: float) -> bool:
        return stream is not None and stream.state == "streaming" and now < stream.begun_at + self.life_s

    def _find(self, conversation: str, stream_id: str) -> tuple[Message, Stream]:
        message = self.state.find(conversation, stream_id)
        if message is None or message.stream is None:
            raise refused("Content stream is not known.")
        stream = message.stream
        if stream.state == "canceled":
            raise refused("Content stream was canceled by user.")
        if stream.state == "final":
            raise refused("Content stream is already completed.")
        if self.state.clock.now() >= stream.begun_at + self.life_s:
            stream.state = "timed out"
            raise refused("Content stream finished due to exceeded streaming time.")
        return message, stream

    def _go_on(self, conversation: str, activity: Json, entity: Json, stream_id: str) -> tuple[int, Json]:
        message, stream = self._find(conversation, stream_id)
        now = self.state.clock.now()
        if now < stream.last_at + PERIOD_S * self.scale * 0.98:  # as clocks are not the same
            self.state.violate("stream pace", f"{now - stream.last_at:.2f} s after the one before")
            raise TeamsError(429, "TooManyRequests", "API calls quota exceeded.", 1)
        if entity["streamSequence"] <= stream.sequence:
            self.state.violate("stream sequence", str(entity["streamSequence"]))
            error = TeamsError(202, "ContentStreamSequenceOrderPreConditionFailed", "PreCondition failed.")
            return 202, error.body()
        if entity["streamType"] == "streaming" and not activity["text"].startswith(stream.text):
            self.state.violate("stream text", f"{stream.text[-40:]!r} is no longer there")
            raise refused("Content must contain what was streamed before.")
        self._show(stream, activity, entity)
        stream.last_at = now
        message.body = {"type": "message", "text": stream.text}
        return 202, {}

    def _show(self, stream: Stream, activity: Json, entity: Json) -> None:
        stream.sequence = entity["streamSequence"]
        if entity["streamType"] == "informative":
            stream.informative = activity["text"]
        else:
            stream.text = activity["text"]
            stream.updates.append(stream.text)

    def _end(self, conversation: str, activity: Json, kind: str, stream_id: str, entity: Json) -> tuple[int, Json]:
        if kind != "final" or "streamSequence" in entity:
            raise bad("The message that ends a stream is final and has no streamSequence.")
        if not stream_id:
            raise bad("The message that ends a stream names it.")
        message, stream = self._find(conversation, stream_id)
        if size_bytes(activity) > 28 * 1024:
            raise refused("Message size too large.")
        if self.strict_final and not str(activity.get("text") or "").startswith(stream.text):
            raise refused("Content must contain what was streamed before.")
        stream.state = "final"
        message.body = activity
        return 202, {}
