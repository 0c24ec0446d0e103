"""Files that come with a question: the real child process reads them, and only their session finds them."""

import io

import docx
import pytest
from fpdf import FPDF

from adapters.postgres.search import PostgresSearch
from adapters.postgres.session_files import PostgresSessionFiles
from adapters.postgres.sessions import PostgresSessions
from adapters.postgres.uploads import PostgresUploads
from core.answerable import answerable
from core.attached import MOST_CHUNKS, MOST_FILES
from core.citations import cite
from core.documents import Query
from core.domain import Attachment
from core.places import Place, Platform, Reader
from core.terms import terms
from ingest.attachments import SessionAttachments
from ingest.pipeline import Ingestion, Limits
from ingest.sources import sources
from tests.contract.ingested import Letters, uploads_left

HERE = Place(Platform.CONSOLE, "terminal")


@pytest.fixture
def embedder():
    return Letters()


@pytest.fixture
def uploads(database):
    return PostgresUploads(database)


@pytest.fixture
def reader(database, uploads, embedder):
    return SessionAttachments(uploads, PostgresSessionFiles(database), embedder, limit_bytes=200_000)


@pytest.fixture
async def session_id(database):
    return (await PostgresSessions(database).open(1, HERE, "u1")).session_id


@pytest.fixture
def attach(uploads):
    async def made(name, data, media_type=""):
        data = data.encode() if isinstance(data, str) else data
        upload_id = await uploads.put(1, name, media_type, data, limit_bytes=10**7)
        return Attachment(name, media_type, len(data), upload_id)

    return made


def pdf(text):
    made = FPDF()
    made.add_page()
    made.set_font("Helvetica", size=12)
    made.multi_cell(0, 8, text)
    return bytes(made.output())


def word(text):
    made, into = docx.Document(), io.BytesIO()
    made.add_paragraph(text)
    made.save(into)
    return into.getvalue()


async def test_pdf_word_and_text_are_read_and_cited_and_their_bytes_dropped(database, reader, session_id, attach):
    files = (
        await attach("parking.pdf", pdf("Parking in the yard costs nine euro a day.")),
        await attach("lunch.docx", word("Lunch is served at noon in the red room.")),
        await attach("pool", "Bring a towel to the pool.", "text/plain"),
    )
    assert await reader.take(1, session_id, files) == ()
    assert await uploads_left(database) == 0
    question = "What does parking in the yard cost?"
    (vector,) = await Letters().embed([question])
    found = await reader.search(1, session_id, question, vector, 8)
    assert "nine euro" in found[0].text
    assert answerable(question, found[:1])
    _, (citation,) = cite("Nine euro [1].", found)
    assert (citation.source, citation.page) == ("parking.pdf", 1)
    assert citation.chunk_id < 0


async def test_another_session_and_another_tenant_find_nothing(database, reader, session_id, attach):
    await reader.take(1, session_id, (await attach("a.txt", "Parking costs nine euro."),))
    other = (await PostgresSessions(database).start(1, HERE, "u1")).session_id
    assert len(await reader.search(1, session_id, "parking", None, 8)) == 1
    assert await reader.search(1, other, "parking", None, 8) == ()
    assert await reader.search(2, session_id, "parking", None, 8) == ()
    await PostgresSessions(database).delete(1, session_id)
    assert await reader.search(1, session_id, "parking", None, 8) == ()


@pytest.mark.parametrize(
    ("name", "media_type", "data", "reason"),
    [
        ("photo.png", "", b"\x89PNG", "pictures are not read"),
        ("photo", "image/jpeg", b"\xff\xd8\xff", "pictures are not read"),
        ("memo.m4a", "audio/mp4", b"x", "recordings are not read"),
        ("all.zip", "application/zip", b"PK\x03\x04", "archives are not read"),
        ("tool.exe", "", b"MZ", ".exe files are not read"),
        ("broken.pdf", "", b"%PDF-1.4 nothing", "damaged"),
        ("blank.txt", "", b" \n ", "no text"),
        ("large.txt", "", b"word " * 50_000, "limit is 0"),
    ],
)
async def test_what_cannot_be_read_is_named_with_the_reason_each_time(
    database, reader, session_id, attach, name, media_type, data, reason
):
    attachment = await attach(name, data, media_type)
    (sentence,) = said = await reader.take(1, session_id, (attachment,))
    assert sentence.startswith(f"{name} was not read: ")
    assert reason in sentence
    assert await reader.take(1, session_id, (attachment,)) == said
    assert await uploads_left(database) == 0
    assert await reader.search(1, session_id, "word", None, 8) == ()


async def test_the_reason_is_told_in_the_language_of_whoever_sent_the_file(reader, session_id, attach):
    files = (
        await attach("all.zip", b"PK\x03\x04", "application/zip"),
        await attach("large.txt", b"word " * 50_000),
        await attach("broken.pdf", b"%PDF-1.4 nothing"),
        await attach("rules.txt", "\n\n".join(f"Rule {number}. " + "word " * 150 for number in range(220))),
        Attachment("odd.bin", "", 9, reason="its colour is wrong"),
    )
    said = await reader.take(1, session_id, files, "fr")
    assert said == (
        "all.zip n’a pas été lu\u00a0: les archives ne sont pas lues\u00a0; "
        "décompressez-la et envoyez les fichiers qu’elle contient.",
        "large.txt n’a pas été lu\u00a0: il fait 0.2 Mo et la limite est de 0\u00a0; "
        "divisez-le, ou faites relever la limite.",
        "broken.pdf n’a pas été lu\u00a0: il est endommagé ou n’est pas un PDF\u00a0; "
        "ouvrez-le et enregistrez-le de nouveau en .pdf.",
        f"rules.txt est long\u00a0: seul le début a été lu, dans la limite de {MOST_CHUNKS} passages.",
        "odd.bin n’a pas été lu\u00a0: its colour is wrong.",
    )


async def test_what_was_taken_before_is_not_read_twice_when_the_message_is_tried_again(reader, session_id, attach):
    files = (await attach("a.txt", "Parking costs nine euro."), await attach("b.txt", "Lunch is at noon."))
    assert await reader.take(1, session_id, files[:1]) == ()
    assert await reader.take(1, session_id, files) == ()
    assert len(await reader.search(1, session_id, "parking", None, 8)) == 1
    assert len(await reader.search(1, session_id, "lunch", None, 8)) == 1


async def test_a_file_that_was_never_taken_or_is_gone_is_named(reader, uploads, session_id, attach):
    gone = await attach("gone.txt", "x")
    await uploads.delete(1, gone.upload_id)
    said = await reader.take(1, session_id, (Attachment("huge.bin", "", 9, reason="it is over 20 MB"), gone))
    assert said == (
        "huge.bin was not read: it is over 20 MB.",
        "gone.txt was not read: it is no longer kept; send it again.",
    )


async def test_only_so_many_files_of_a_message_are_read(reader, session_id, attach):
    files = tuple([await attach(f"{number}.txt", f"Rule {number}.") for number in range(MOST_FILES + 1)])
    (sentence,) = await reader.take(1, session_id, files)
    assert sentence.startswith(f"{MOST_FILES}.txt was not read: at most {MOST_FILES} files")


async def test_of_a_long_file_the_beginning_is_read_and_that_is_said(reader, session_id, attach):
    text = "\n\n".join(f"Rule{number} " + "filler " * 100 for number in range(MOST_CHUNKS + 40)) + "\n\nZebra."
    (sentence,) = await reader.take(1, session_id, (await attach("long.txt", text),))
    assert "only its beginning was read" in sentence
    assert await reader.search(1, session_id, "rule0", None, 8) != ()
    assert await reader.search(1, session_id, "zebra", None, 8) == ()


async def test_with_a_silent_model_a_file_is_found_by_its_words(reader, embedder, session_id, attach):
    embedder.silent = True
    assert await reader.take(1, session_id, (await attach("a.txt", "Parking costs nine euro."),)) == ()
    embedder.silent = False
    (vector,) = await embedder.embed(["parking"])
    (passage,) = await reader.search(1, session_id, "parking", vector, 8)
    assert passage.cosine is None


async def test_the_scores_are_those_of_the_main_search(
    database, knowledge, kb, reader, embedder, session_id, attach, tmp_path
):
    texts = {
        "a.txt": "Parking in the yard costs nine euro a day. Visitors park free.",
        "b.txt": "Lunch costs seven euro.",
        "c.txt": "Bring a towel to the pool in the yard.",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    await Ingestion(knowledge, embedder, Limits()).ingest(1, kb, sources([str(tmp_path)]), lambda step: None)
    await reader.take(1, session_id, tuple([await attach(name, text) for name, text in texts.items()]))
    question = "How much does parking in the yard cost?"
    (vector,) = await embedder.embed([question])
    for asked in (vector, None):
        identity = embedder.identity if asked else None
        query = Query(Reader(HERE), tuple(terms(question)), asked, identity, limit=8)
        main = await PostgresSearch(database).search(1, query)
        own = await reader.search(1, session_id, question, asked, 8)
        assert [passage.text for passage in own] == [passage.text for passage in main]
        for mine, theirs in zip(own, main, strict=True):
            assert mine.coverage == pytest.approx(theirs.coverage)
            assert mine.score == pytest.approx(theirs.score, abs=2e-3)
            assert mine.cosine == (None if theirs.cosine is None else pytest.approx(theirs.cosine, abs=1e-3))
