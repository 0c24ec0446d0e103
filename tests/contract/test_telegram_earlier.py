"""What an update of Telegram is beside what came before it: albums, edits, and a stop where nothing is under way."""

import pytest

from core.batching import Row, plan
from core.inbox import Kind
from tests.platform.telegram_listener import open_listener


@pytest.fixture
async def listener(database):
    async with open_listener(database) as listener:
        yield listener


async def send_album(listener, *captions, album="a1", chat=None):
    """Send an album of text files, each with its caption."""
    messages = []
    for number, caption in enumerate(captions):
        file = listener.telegram.state.add_file(f"{number}.txt", "text/plain", b"Some words.")
        chat = chat or listener.chat
        messages.append(await listener.telegram.say(chat, listener.user, caption, document=file, album=album))
    await listener.settle()
    return messages


async def waiting(listener):
    """Return what a worker would answer now, and how many rows it ends unanswered."""
    async with listener.database.tenant(1) as connection:
        ids = [row["inbox_id"] for row in await connection.fetch("select inbox_id from inbox order by inbox_id")]
    entries = [await listener.inbox.entry(1, each) for each in ids]
    todo = plan([Row(entry) for entry in entries])
    return todo.message, len(todo.ends)


def names(message):
    return [attachment.name for attachment in message.attachments]


async def uploads(listener):
    async with listener.database.tenant(1) as connection:
        return await connection.fetchval("select count(*) from uploads")


async def test_an_album_is_one_message_with_all_its_files(listener):
    await send_album(listener, "Which is cheaper?", "", "")
    message, ended = await waiting(listener)
    assert (message.text, names(message), ended) == ("Which is cheaper?", ["0.txt", "1.txt", "2.txt"], 2)
    assert all(attachment.upload_id for attachment in message.attachments)


async def test_the_caption_of_a_later_part_counts_too(listener):
    await send_album(listener, "", "Which is cheaper?")
    message, _ = await waiting(listener)
    assert (message.text, len(message.attachments)) == ("Which is cheaper?", 2)


async def test_a_part_that_is_delivered_again_adds_nothing(listener):
    listener.telegram.updates.repeat = 3
    await send_album(listener, "Which is cheaper?", "", "")
    message, _ = await waiting(listener)
    assert names(message) == ["0.txt", "1.txt", "2.txt"]
    assert await uploads(listener) == 3


async def test_two_albums_are_two_messages(listener):
    await send_album(listener, "First?", "")
    await send_album(listener, "Second?", album="a2")
    message, ended = await waiting(listener)
    assert (message.text, len(message.attachments), ended) == ("First?\nSecond?", 3, 1)


async def test_in_a_group_the_part_that_names_the_bot_brings_the_others(listener):
    group = listener.telegram.add_group(listener.user, listener.bot.user)
    listener.bot.can_read_all = True
    await send_album(listener, "@help_bot which is cheaper?", "", chat=group)
    await send_album(listener, "just us", "", album="a2", chat=group)
    message, _ = await waiting(listener)
    assert (message.text, names(message)) == ("which is cheaper?", ["0.txt", "1.txt"])
    assert len(await listener.stored()) == 2


async def test_each_file_of_an_album_is_added_to_the_documents_once(listener):
    await send_album(listener, "/kb add kb=handbook", "", "")
    stored = await listener.stored()
    assert [(incoming.kind, incoming.message.text) for incoming in stored] == [
        (Kind.MESSAGE, "/kb add kb=handbook")
    ] * 3
    assert [names(incoming.message) for incoming in stored] == [["0.txt"], ["1.txt"], ["2.txt"]]
    assert [incoming.address.get("follows") for incoming in stored] == [None, True, True]


async def test_a_later_part_whose_file_is_not_taken_is_answered(listener):
    await send_album(listener, "/kb add kb=handbook")
    video = {"video": {"file_id": "a", "file_unique_id": "a", "width": 1, "height": 1, "duration": 1}}
    await listener.telegram.say(listener.chat, listener.user, "", media=video, album="a1")
    await listener.settle()
    *_, last = await listener.stored()
    assert last.message.attachments[0].reason
    assert not last.address["follows"]


async def test_an_edit_that_changes_no_word_is_none(listener):
    secret = "How long is it? My password is: hunter22x"
    asked = await listener.telegram.say(listener.chat, listener.user, secret)
    await listener.settle()
    await listener.telegram.say(listener.chat, listener.user, secret, edit=asked)
    await listener.settle()
    assert len(await listener.stored()) == 1
    for text in ("How wide is it?", "How long is it?"):
        await listener.telegram.say(listener.chat, listener.user, text, edit=asked)
        await listener.settle()
    assert (await listener.texts())[1:] == ["How wide is it?", "How long is it?"]


async def test_an_edit_keeps_the_files_of_its_message(listener):
    *_, last = await send_album(listener, "Which is cheaper?", "")
    file = listener.telegram.state.add_file("a.txt", "text/plain", b"Some words.")
    single = await listener.telegram.say(listener.chat, listener.user, "How much?", document=file)
    await listener.settle()
    await listener.telegram.say(listener.chat, listener.user, "How many?", edit=single)
    await listener.telegram.say(listener.chat, listener.user, "Which is newer?", edit=last)
    await listener.settle()
    message, _ = await waiting(listener)
    assert sorted(message.text.split("\n")) == ["How many?", "Which is newer?"]
    assert sorted(names(message)) == ["0.txt", "1.txt", "a.txt"]
    assert await uploads(listener) == 3


async def test_kb_add_below_a_file_takes_that_file(listener):
    file = listener.telegram.state.add_file("a.txt", "text/plain", b"Some words.")
    below = await listener.telegram.say(listener.chat, listener.user, "", document=file)
    await listener.telegram.say(listener.chat, listener.user, "/kb add", reply_to=below)
    await listener.telegram.say(listener.chat, listener.user, "What is this?", reply_to=below)
    await listener.settle()
    _, added, asked = await listener.stored()
    assert names(added.message) == ["a.txt"]
    assert added.message.attachments[0].upload_id
    assert names(asked.message) == []


async def test_whoever_mentions_the_bot_below_a_file_asks_about_it(listener):
    group = listener.telegram.add_group(listener.user, listener.bot.user)
    file = listener.telegram.state.add_file("a.txt", "text/plain", b"Some words.")
    below = await listener.telegram.say(group, listener.user, "", document=file)
    await listener.telegram.say(group, listener.user, "@help_bot how much is it?", reply_to=below)
    await listener.settle()
    (asked,) = await listener.stored()
    assert (asked.message.text, names(asked.message)) == ("how much is it?", ["a.txt"])


async def notices(listener):
    async with listener.database.tenant(1) as connection:
        return await connection.fetchval("select count(*) from outbox where purpose = 'notice'")


async def test_a_stop_is_answered_where_there_is_nothing_to_stop(listener):
    listener.telegram.updates.repeat = 2
    await listener.telegram.say(listener.chat, listener.user, "/stop")
    await listener.settle()
    assert await notices(listener) == 1


async def test_a_stop_of_what_waits_says_nothing_of_its_own(listener):
    await listener.telegram.say(listener.chat, listener.user, "How long is it?")
    await listener.telegram.say(listener.chat, listener.user, "/stop")
    await listener.settle()
    assert [incoming.kind for incoming in await listener.stored()] == [Kind.MESSAGE, Kind.STOP]
    assert await notices(listener) == 0
