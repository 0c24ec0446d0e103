"""Updates of the Bot API become events, presses and memberships, whatever shape they have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.telegram.buttons import Action, data_of, read_data
from adapters.telegram.inbound import ALLOWED_UPDATES, Bot, Heard, Moved, hear, place_of
from adapters.telegram.taken import TOO_LARGE, file_id_of
from core import wording
from core.attached import PICTURE, RECORDING
from core.channels import Listens
from core.domain import Author
from core.errors import UsageError
from core.inbox import Kind
from core.places import Place, Platform

BOT = Bot(3, 700, "Desk_Bot")
USER = {"id": 5, "is_bot": False, "first_name": "u", "last_name": "5", "language_code": "de"}
PRIVATE = {"id": 5, "type": "private", "first_name": "u"}
GROUP = {"id": -100, "type": "supergroup", "title": "Ours"}
OURS = {"message_id": 40, "chat": GROUP, "from": {"id": 700, "is_bot": True, "first_name": "Desk"}, "text": "So."}


def message(text="", chat=PRIVATE, **fields):
    said = {"text": text} if text else {}
    return {"message_id": 41, "date": 1, "chat": chat, "from": USER, **said, **fields}


def entity(kind, text, covered, **fields):
    begin = len(text[: text.index(covered)].encode("utf-16-le")) // 2
    return {"type": kind, "offset": begin, "length": len(covered.encode("utf-16-le")) // 2, **fields}


def heard(kind="message", *, update_id=9, listens=Listens.MENTION, albums=(), **payload):
    return hear({"update_id": update_id, kind: payload}, BOT, listens=listens, albums=albums, request_id="r1")


def said(text, covered="", kind="mention", *, chat=GROUP, listens=Listens.MENTION, **fields):
    marks = {"entities": [entity(kind, text, covered)]} if covered else {}
    return heard(**message(text, chat, **marks, **fields), listens=listens)


# Messages


def test_a_private_message_is_a_question():
    incoming = heard(**message("How long?")).incoming
    assert incoming.message.place == Place(Platform.TELEGRAM, "5")
    assert incoming.message.author == Author("5", "u 5")
    assert (incoming.message.tenant_id, incoming.message.text) == (3, "How long?")
    assert incoming.message.administrator is None
    assert (incoming.kind, incoming.event_id, incoming.message_id) == (Kind.MESSAGE, "9", "41")
    assert incoming.installation == incoming.message.installation == "700"
    assert incoming.address == {"chat_id": 5, "chat_type": "private", "reply_to": 41}
    assert incoming.request_id == "r1"


def test_a_topic_is_a_thread_and_a_reply_outside_one_is_none():
    within = heard(**message("/help", GROUP, message_thread_id=12, is_topic_message=True)).incoming
    assert within.message.place.thread == "12"
    assert within.address["message_thread_id"] == 12
    outside = heard(**message("/help", GROUP, message_thread_id=12)).incoming
    assert outside.message.place.thread == ""
    assert "message_thread_id" not in outside.address


@pytest.mark.parametrize(
    ("text", "covered", "kind", "asked"),
    [
        ("@desk_bot how long?", "@desk_bot", "mention", "how long?"),
        ("🏟 hey @Desk_Bot, how long?", "@Desk_Bot", "mention", "🏟 hey , how long?"),
        ("/help@desk_bot kb", "/help@desk_bot", "bot_command", "/help kb"),
        ("/help", "/help", "bot_command", "/help"),
    ],
)
def test_a_group_is_answered_where_it_names_the_bot(text, covered, kind, asked):
    assert said(text, covered, kind).incoming.message.text == asked


@pytest.mark.parametrize(
    ("text", "covered", "kind"),
    [
        ("how long?", "", ""),
        ("@desk_bots how long?", "@desk_bots", "mention"),
        ("/help@other_bot", "/help@other_bot", "bot_command"),
        ("/weather", "/weather", "bot_command"),
    ],
)
def test_what_others_are_told_is_left_alone(text, covered, kind):
    assert said(text, covered, kind) == Heard(ignored="a message to others")


def test_a_text_mention_names_the_bot_too():
    mark = entity("text_mention", "Desk, how long?", "Desk", user={"id": 700, "is_bot": True})
    assert heard(**message("Desk, how long?", GROUP, entities=[mark])).incoming.message.text == ", how long?"


def test_a_reply_to_the_bot_is_for_it_and_one_to_the_topic_is_not():
    assert said("and then?", reply_to_message=OURS).incoming.message.text == "and then?"
    topic = {"message_thread_id": 40, "is_topic_message": True}
    assert said("and then?", reply_to_message=OURS, **topic).incoming is None


@pytest.mark.parametrize(
    ("listens", "text", "answered"),
    [(Listens.ALWAYS, "Good.", True), (Listens.QUESTION, "How long is it?", True), (Listens.QUESTION, "Good.", False)],
)
def test_a_channel_can_be_listened_to(listens, text, answered):
    assert (said(text, listens=listens).incoming is not None) == answered


def test_a_bare_mention_asks_what_it_replies_to_else_for_help():
    question = {"message_id": 30, "chat": GROUP, "from": USER, "text": "How long?"}
    assert said("@desk_bot", "@desk_bot", reply_to_message=question).incoming.message.text == "How long?"
    assert said("@desk_bot", "@desk_bot").incoming.message.text == "/help"
    assert said("@desk_bot", "@desk_bot", reply_to_message=OURS).incoming.message.text == "/help"


def test_links_behind_words_are_written_out():
    text = "/kb add this"
    mark = entity("text_link", text, "this", url="https://example.com/a")
    assert heard(**message(text, entities=[mark])).incoming.message.text == "/kb add this (https://example.com/a)"


def test_an_edit_has_a_revision_that_rises():
    first = heard("edited_message", update_id=9, **message("b", edit_date=100)).incoming
    second = heard("edited_message", update_id=10, **message("c", edit_date=100)).incoming
    third = heard("edited_message", update_id=11, **message("d", edit_date=101)).incoming
    assert (first.kind, first.message_id, first.event_id) == (Kind.EDIT, "41", "9")
    assert 0 < first.revision < second.revision < third.revision < 1 << 62


def test_a_stop_interrupts():
    for text in ("/stop", "stop", "Stopp!"):
        incoming = heard(**message(text)).incoming
        assert (incoming.kind, incoming.message.text, incoming.target) == (Kind.STOP, "", "")
        assert incoming.message_id == "update:9"


@pytest.mark.parametrize(
    ("text", "command", "start"),
    [
        ("/start", "/start", None),
        ("/start campaign-7", "/start", "campaign-7"),
        ("/start language_de", "/language de", "language_de"),
        ("/start human", "/human", "human"),
        ("/start admin_abc-def", "/admin abc-def", "admin_abc-def"),
        ("/start forget_yes", "/start", "forget_yes"),
    ],
)
def test_a_deep_link_names_a_command(text, command, start):
    incoming = heard(**message(text)).incoming
    assert incoming.message.text == command
    assert incoming.detail.get("start") == start


@pytest.mark.parametrize(
    "fields",
    [
        {"from": {**USER, "is_bot": True}},
        {"from": None},
        {"via_bot": {"id": 700, "is_bot": True}},
        {"sender_chat": {"id": -5, "type": "channel"}},
        {"is_automatic_forward": True},
        {"chat": {"id": 1, "type": "channel"}},
        {"text": None, "new_chat_members": [USER]},
        {"message_id": None},
    ],
)
def test_what_no_person_wrote_is_ignored(fields):
    found = heard(**{**message("hello"), **fields})
    assert found.incoming is None
    assert found.ignored


def test_an_anonymous_administrator_writes_as_the_group_and_is_none_of_ours_for_it():
    anonymous = {"from": {"id": 1087968824, "is_bot": True, "first_name": "Group"}, "sender_chat": GROUP}
    incoming = heard(**message("/stats", GROUP, **anonymous)).incoming
    assert incoming.message.author == Author("-100", "Ours")
    assert incoming.message.administrator is None


# Files


def test_a_document_is_a_reference_to_be_fetched():
    document = {"file_id": "BQAC1", "file_name": "plan.pdf", "mime_type": "application/pdf", "file_size": 12}
    (attachment,) = heard(**message(document=document, caption="Read this")).incoming.message.attachments
    assert (attachment.name, attachment.media_type, attachment.size_bytes) == ("plan.pdf", "application/pdf", 12)
    assert (attachment.upload_id, file_id_of(attachment)) == (None, "BQAC1")
    assert heard(**message(document=document, caption="Read this")).incoming.message.text == "Read this"


def test_a_document_over_20_megabytes_cannot_be_fetched():
    document = {"file_id": "BQAC1", "file_name": "plan.pdf", "file_size": (20 << 20) + 1}
    (attachment,) = heard(**message(document=document)).incoming.message.attachments
    assert (attachment.reason, file_id_of(attachment)) == (TOO_LARGE, "")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"photo": [{"file_id": "a", "file_size": 1}, {"file_id": "b", "file_size": 9}]}, PICTURE),
        ({"voice": {"file_id": "a", "duration": 1}, "caption": "What is this?"}, RECORDING),
        ({"video": {"file_id": "a"}, "media_group_id": "7"}, RECORDING),
    ],
)
def test_what_cannot_be_read_is_named_with_the_reason(fields, reason):
    incoming = heard(**message(**fields)).incoming
    (attachment,) = incoming.message.attachments
    assert attachment.name
    assert (attachment.reason, attachment.upload_id, file_id_of(attachment)) == (reason, None, "")


CONTENT = [
    ({"voice": {"file_id": "a", "duration": 1}}, wording.NO_VOICE),
    ({"audio": {"file_id": "a"}}, wording.NO_SOUND),
    ({"video": {"file_id": "a"}}, wording.NO_VIDEO),
    ({"video_note": {"file_id": "a"}}, wording.NO_VIDEO),
    ({"animation": {"file_id": "a"}, "document": {"file_id": "a"}}, wording.NO_ANIMATION),
    ({"sticker": {"file_id": "a", "emoji": "👍"}}, wording.NO_STICKER),
    ({"venue": {"title": "A"}, "location": {"latitude": 1.0, "longitude": 2.0}}, wording.NO_LOCATION),
    ({"contact": {"phone_number": "1", "first_name": "A"}}, wording.NO_CONTACT),
    ({"poll": {"id": "1"}}, wording.NO_POLL),
    ({"game": {"title": "A"}}, wording.NO_OTHER),
    ({"invoice": {"title": "A"}}, wording.NO_OTHER),
]


@pytest.mark.parametrize(("fields", "word"), [*CONTENT, ({"something_new": {"a": 1}}, wording.NO_OTHER)])
def test_what_holds_nothing_to_be_read_has_a_word_of_its_own(fields, word):
    found = heard(**message(**fields))
    assert (found.word, found.incoming.message.attachments, found.incoming.address["reply_to"]) == (word, (), 41)


@pytest.mark.parametrize(("fields", "word"), CONTENT)
def test_in_a_group_that_is_said_where_it_replies_to_the_bot(fields, word):
    assert heard(**message(chat=GROUP, reply_to_message=OURS, **fields)).word == word
    assert heard(**message(chat=GROUP, **fields), listens=Listens.ALWAYS) == Heard(ignored="a message to others")


@pytest.mark.parametrize(
    "fields",
    [
        {"pinned_message": {"message_id": 1}},
        {"new_chat_photo": [{"file_id": "a"}]},
        {"chat_background_set": {"type": "a"}},
        {"message_auto_delete_timer_changed": {"message_auto_delete_time": 1}},
        {"successful_payment": {"currency": "EUR"}},
        {"forum_topic_created": {"name": "a"}, "message_thread_id": 41, "is_topic_message": True},
    ],
)
def test_what_tells_of_a_change_is_ignored(fields):
    assert heard(**message(**fields)) == Heard(ignored="a service message")


@pytest.mark.parametrize(
    "said",
    [{"chat": {"id": -7, "type": "group"}, "migrate_to_chat_id": -100}, {"chat": GROUP, "migrate_from_chat_id": -7}],
)
def test_a_group_that_was_upgraded_goes_on_as_another_chat(said):
    assert heard(**{**message(), **said}) == Heard(moved=Moved(-7, -100))


def test_an_album_is_for_the_bot_as_a_whole():
    document = {"file_id": "BQAC1", "file_name": "a.pdf"}
    caption = {"caption": "@desk_bot compare", "caption_entities": [{"type": "mention", "offset": 0, "length": 9}]}
    first = heard(**message(chat=GROUP, document=document, media_group_id="7", **caption)).incoming
    assert (first.message.text, first.detail) == ("compare", {"album": "7"})
    rest = message(chat=GROUP, document=document, media_group_id="7")
    assert heard(**rest).incoming is None
    assert heard(**rest, albums={"7"}).incoming.message.attachments[0].name == "a.pdf"


# Everything else


def press(data, **fields):
    answer = {"message_id": 50, "chat": GROUP, "message_thread_id": 12, "is_topic_message": True}
    return heard("callback_query", **{"id": "q1", "from": USER, "data": data, "message": answer, **fields})


@pytest.mark.parametrize(("action", "rating"), [(Action.UP, 1), (Action.DOWN, -1)])
def test_a_rating_goes_to_the_message_with_the_button(action, rating):
    found = press(data_of(action, 77))
    assert (found.press.query_id, found.press.action, found.press.outbox_id) == ("q1", action, 77)
    incoming = found.incoming
    assert (incoming.kind, incoming.target, incoming.detail["rating"]) == (Kind.FEEDBACK, "50", rating)
    assert incoming.message.place == Place(Platform.TELEGRAM, "-100", "12")
    assert incoming.message_id == "update:9"


def test_a_press_asks_for_a_person_or_stops_the_answer_or_shows_a_source():
    person = press(data_of(Action.HUMAN, 77)).incoming
    assert (person.kind, person.message.text, person.message.author.author_id) == (Kind.MESSAGE, "/human", "5")
    assert person.address["reply_to"] == 50
    assert person.message_id == press(data_of(Action.HUMAN, 77), id="q2").incoming.message_id
    stop = press(data_of(Action.STOP, 77)).incoming
    assert (stop.kind, stop.target) == (Kind.STOP, "50")
    shown = press(data_of(Action.SHOW, 77, 3))
    assert (shown.incoming, shown.press.number, shown.press.message_id) == (None, 3, "50")


@pytest.mark.parametrize("data", ["", "old", "up", "up:x", "up:1:2:3", "show:" + "9" * 40, "up:٣"])
def test_data_of_somebody_elses_making_does_nothing(data):
    found = press(data)
    assert (found.incoming, found.press.query_id, found.press.action) == (None, "q1", None)


def test_a_press_without_its_message_is_still_to_be_acknowledged():
    found = press(data_of(Action.UP, 1), message=None)
    assert (found.press.query_id, found.incoming) == ("q1", None)


@given(st.sampled_from(Action), st.integers(0, 10**18 - 1), st.integers(0, 9_999))
def test_data_fits_and_reads_back(action, outbox_id, number):
    data = data_of(action, outbox_id, number)
    assert len(data.encode()) <= 64
    read = read_data("q", data, "1")
    assert (read.action, read.outbox_id, read.number) == (action, outbox_id, number)


@pytest.mark.parametrize(("status", "present"), [("member", True), ("kicked", False), ("left", False)])
def test_the_bot_hears_where_it_is(status, present):
    found = heard("my_chat_member", chat=PRIVATE, **{"from": USER, "new_chat_member": {"status": status}})
    assert (found.membership.present, found.membership.private) == (present, True)
    assert (found.membership.place.channel, found.membership.user_id) == ("5", "5")


@pytest.mark.parametrize(("emoji", "rating"), [("👍", 1), ("❤️", 1), ("👎", -1), ("🤔", None)])
def test_a_reaction_is_a_rating_where_it_says_one(emoji, rating):
    reactions = [{"type": "emoji", "emoji": emoji}]
    found = heard("message_reaction", chat=GROUP, message_id=50, user=USER, new_reaction=reactions)
    assert (found.incoming.detail["rating"] if found.incoming else None) == rating


@pytest.mark.parametrize(
    ("before", "after", "rating"), [("👍", "", 0), ("👎", "🤔", 0), ("👍", "👎", -1), ("👍", "❤", None)]
)
def test_a_reaction_that_is_taken_away_takes_its_rating_back(before, after, rating):
    old, new = ([{"type": "emoji", "emoji": sign}] if sign else [] for sign in (before, after))
    found = heard("message_reaction", chat=GROUP, message_id=50, user=USER, old_reaction=old, new_reaction=new)
    assert (found.incoming.detail["rating"] if found.incoming else None) == rating


def test_the_stop_button_of_a_draft_stops_its_user():
    incoming = heard("stopped_message_generation", chat=PRIVATE, draft_id=4, message_thread_id=12).incoming
    assert (incoming.kind, incoming.message.author.author_id) == (Kind.STOP, "5")
    assert incoming.message.place == Place(Platform.TELEGRAM, "5", "12")


def test_other_kinds_are_ignored():
    for kind in ("channel_post", "poll", "business_message", "something_new"):
        assert heard(kind, **message("hello")).ignored


def test_the_place_can_be_named_before_the_rest_is_read():
    assert place_of({"update_id": 1, "message": message("a", GROUP)}) == Place(Platform.TELEGRAM, "-100")
    answer = {"message_id": 50, "chat": GROUP, "message_thread_id": 12, "is_topic_message": True}
    assert place_of({"update_id": 1, "callback_query": {"message": answer}}) == Place(Platform.TELEGRAM, "-100", "12")
    assert place_of({"update_id": 1, "poll": {}}) is None


# Whatever comes

NAMES = (
    "update_id message_id chat id type from is_bot text entities caption caption_entities offset length user url "
    "document file_id file_size photo voice data message reply_to_message message_thread_id is_topic_message "
    "new_chat_member status new_reaction emoji edit_date media_group_id sender_chat via_bot draft_id migrate_to_chat_id"
).split()
WORDS = (
    "private",
    "supergroup",
    "mention",
    "bot_command",
    "text_link",
    "@desk_bot",
    "/help@desk_bot",
    "up:1",
    "\ud800",
)
leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6), st.sampled_from(WORDS), st.integers(0, 9)
)
anything = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=6)),
    max_leaves=20,
)


@given(anything)
def test_anything_is_heard_or_said_to_be_no_update(update):
    update_id = update.get("update_id") if isinstance(update, dict) else None
    if isinstance(update_id, int) and not isinstance(update_id, bool) and abs(update_id) < 1 << 63:
        assert hear(update, BOT).ignored
        return
    with pytest.raises(UsageError, match="no update"):
        hear(update, BOT)


@given(st.sampled_from(ALLOWED_UPDATES), st.dictionaries(st.sampled_from(NAMES), anything, max_size=8), anything)
def test_any_payload_of_a_known_kind_is_heard(kind, payload, more):
    whole = {"message_id": 1, "chat": GROUP, "from": USER, "text": "@desk_bot a", **payload, "entities": [more]}
    update = {"update_id": 1, kind: whole}
    found = hear(update, BOT, listens=Listens.QUESTION)
    assert found.incoming or found.press or found.membership or found.moved or found.ignored
    place_of(update)
