"""Ranking the files of a session in memory."""

import math
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.attached import FileChunk, SessionFile, file_name, pack, rank, unpack
from core.documents import EmbedderIdentity, Outcome
from core.terms import count, terms

LETTERS = EmbedderIdentity("letters", 2)


def unit(angle):
    return array("f", [math.cos(angle), math.sin(angle)])


def file(file_id, *texts, name="notes.txt", embedder=LETTERS, angle=0.0):
    chunks = tuple(FileChunk(text, (), None, count(f"{name}\n{text}"), unit(angle + i)) for i, text in enumerate(texts))
    return SessionFile(name, Outcome.INDEXED, embedder=embedder, chunks=chunks, file_id=file_id)


def test_the_passage_that_says_it_comes_first_and_can_be_cited():
    files = [file(1, "Lunch is cheap.", "Parking costs nine euro."), file(2, "Bring a towel.", name="pool.txt")]
    best, *_ = rank(terms("what does parking cost"), None, None, files, 8)
    assert (best.text, best.source, best.title, best.kb_name) == (
        "Parking costs nine euro.",
        "notes.txt",
        "notes.txt",
        "",
    )


def test_without_a_vector_only_what_shares_a_word_is_found():
    assert rank(terms("zebra"), None, None, [file(1, "Lunch is cheap.")], 8) == []


def test_with_a_vector_everything_is_compared_and_the_limit_holds():
    files = [file(1, *(f"Text {number}" for number in range(30)))]
    found = rank(terms("zebra"), unit(2.0), LETTERS, files, 3)
    assert len(found) == 3
    assert found[0].text == "Text 2"
    assert found[0].cosine == pytest.approx(1.0)


def test_vectors_of_another_embedder_are_never_compared():
    other = EmbedderIdentity("others", 2)
    (found,) = rank(terms("lunch"), unit(0.0), other, [file(1, "Lunch is cheap.")], 8)
    assert found.cosine is None


def test_ids_are_negative_and_no_two_chunks_share_one():
    files = [file(number, *("same words here",) * 200) for number in (1, 2, 3)]
    found = rank(terms("same words"), unit(0.0), LETTERS, files, 600)
    found += rank(terms("same words"), unit(3.0), LETTERS, files, 600)
    by_id = {(passage.chunk_id, passage.document_id) for passage in found}
    assert len(by_id) == len({chunk_id for chunk_id, _ in by_id})
    assert all(chunk_id < 0 and document_id < 0 for chunk_id, document_id in by_id)


@given(st.lists(st.floats(-1, 1), max_size=50))
def test_a_packed_vector_comes_back_to_half_precision(numbers):
    assert list(unpack(pack(array("f", numbers)))) == pytest.approx(numbers, abs=5e-4)


@pytest.mark.parametrize("text", ["?", "AA==", "no"])
def test_what_is_no_packed_vector_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        unpack(text)


@pytest.mark.parametrize(
    ("path", "name"),
    [("/srv/plan.txt", "plan.txt"), (r"C:\docs\plan.txt", "plan.txt"), ("plan.txt", "plan.txt"), ("/", "/")],
)
def test_the_name_of_a_file_is_the_last_part_of_its_path(path, name):
    assert file_name(path) == name
