from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.documents import Block, BlockKind, Chunk, ReadDocument
from core.sentences import sentences
from ingest.split import SplitLimits, indexed_text, split

SMALL = SplitLimits(words=20, tokens=40, overlap_words=8, section_words=8)


def words(text):
    return len(text.split())


def pieces(text):
    """Count tokens as a model with short tokens would: four characters each."""
    return sum(-(-len(word) // 4) for word in text.split())


def paragraph(text, page=None):
    return Block(BlockKind.PARAGRAPH, text, page=page)


def heading(text, level=1):
    return Block(BlockKind.HEADING, text, level)


def read(*blocks, title="Guide"):
    return ReadDocument(title, blocks)


def sentence(number, length=6):
    return f"Sentence {number} has {' '.join(['some'] * (length - 4))} words."


def test_a_document_without_text_gives_no_chunks():
    assert split(read(), words) == []
    assert split(read(paragraph(" \n ")), words) == []


def test_sentences_are_packed_whole_with_one_repeated():
    document = read(paragraph(" ".join(sentence(number) for number in range(5))))
    chunks = split(document, words, SMALL)
    assert [chunk.text for chunk in chunks] == [
        f"{sentence(0)} {sentence(1)} {sentence(2)}",
        f"{sentence(2)} {sentence(3)} {sentence(4)}",
    ]


def test_a_chunk_runs_over_a_page_end_and_is_cited_where_it_starts():
    blocks = (paragraph("This rule is long and it goes", 1), paragraph("on over the page. It ends here.", 2))
    assert split(read(*blocks), words, SMALL) == [
        Chunk("This rule is long and it goes on over the page. It ends here.", (), 1)
    ]


def test_a_section_begins_a_chunk_and_its_heading_is_in_text_and_path():
    blocks = (heading("Travel"), paragraph(sentence(1, 10)), heading("Meals", 2), paragraph(sentence(2, 10)))
    assert split(read(*blocks), words, SMALL) == [
        Chunk(f"Travel\n\n{sentence(1, 10)}", ("Travel",)),
        Chunk(f"Meals\n\n{sentence(2, 10)}", ("Travel", "Meals")),
    ]


def test_tiny_sections_share_a_chunk():
    blocks = (heading("Gas"), paragraph("Not paid."), heading("Tolls"), paragraph("Paid in full."))
    assert split(read(*blocks), words, SMALL) == [Chunk("Gas\n\nNot paid.\n\nTolls\n\nPaid in full.", ("Gas",))]


def test_a_heading_is_never_the_end_of_a_chunk_when_text_follows():
    blocks = (paragraph(f"{sentence(0)} {sentence(1)} {sentence(2)}\n\nMeals abroad\n\n{sentence(3)}"),)
    texts = [chunk.text for chunk in split(read(*blocks), words, SMALL)]
    assert texts == [
        f"{sentence(0)} {sentence(1)} {sentence(2)}",
        f"Meals abroad\n\n{sentence(3)}",
    ]


def test_a_heading_at_the_end_is_kept():
    blocks = (paragraph("It is paid."), heading("Annex"))
    assert split(read(*blocks), words, SMALL)[-1].text.endswith("Annex")


def test_rows_and_items_stay_whole():
    rows = [f"City: Town {number}; Rate: {number}0; Hotel: yes" for number in range(6)]
    document = read(*(Block(BlockKind.ROW, row) for row in rows), *(Block(BlockKind.ITEM, "one thing") for _ in "ab"))
    lines = [line for chunk in split(document, words, SMALL) for line in chunk.text.splitlines() if line]
    assert lines == [*rows, "- one thing", "- one thing"]


def test_rows_are_found_again_in_the_text_of_a_chunk():
    rows = [f"City: Town {number}; Rate: {number}0" for number in range(4)]
    chunks = split(read(*(Block(BlockKind.ROW, row) for row in rows)), words)
    assert sentences(chunks[0].text) == rows


def test_code_keeps_its_lines():
    code = "def f(x):\n    return x"
    assert split(read(paragraph("Write:"), Block(BlockKind.CODE, code)), words, SMALL)[0].text == f"Write:\n\n{code}"


def test_what_is_longer_than_a_chunk_is_cut_at_a_word():
    chunks = split(read(paragraph("word " * 50)), words, SMALL)
    assert all(set(chunk.text.split()) == {"word"} for chunk in chunks)
    assert max(words(chunk.text) for chunk in chunks) <= SMALL.words


def test_the_title_is_before_the_indexed_text_and_counts():
    title = "A title of five words"
    document = read(paragraph(" ".join(sentence(number) for number in range(9))), title=title)
    limits = replace(SMALL, words=1000, tokens=20)
    for chunk in split(document, words, limits):
        assert indexed_text(title, chunk) == f"{title}\n{chunk.text}"
        assert words(indexed_text(title, chunk)) <= limits.tokens


TEXTS = st.text(alphabet=st.sampled_from("abcZ 1.!?\n-•|é東。"), max_size=250)
BLOCKS = st.builds(
    Block, st.sampled_from(BlockKind), TEXTS, st.integers(min_value=1, max_value=3), st.none() | st.integers(1, 4)
)


def bare(text):
    return "".join(text.split())


@given(st.lists(BLOCKS, max_size=12), st.text(max_size=40))
def test_chunks_are_small_and_hold_every_character_in_order(blocks, title):
    chunks = split(read(*blocks, title=title), pieces, SMALL)
    assert chunks == split(read(*blocks, title=title), pieces, SMALL)
    for chunk in chunks:
        assert chunk.text.strip()
        assert words(chunk.text) <= SMALL.words
        assert pieces(chunk.text) <= SMALL.tokens
    held = iter("".join(bare(chunk.text) for chunk in chunks))
    wanted = "".join(bare(block.text) for block in blocks)
    assert all(character in held for character in wanted)


@given(st.lists(BLOCKS, max_size=6))
def test_pages_never_go_back(blocks):
    paged = [replace(block, page=number) for number, block in enumerate(blocks, 1)]
    pages = [chunk.page for chunk in split(read(*paged), pieces, SMALL)]
    assert pages == sorted(pages)


@pytest.mark.parametrize(
    ("kind", "unit", "size"),
    [
        (BlockKind.PARAGRAPH, "x", 250_000),
        (BlockKind.PARAGRAPH, "word ", 250_000),
        *((kind, unit, 50_000) for kind in BlockKind for unit in ("東", "A. ", "a\nb c\n", "- ")),
    ],
)
def test_a_long_text_is_read_a_few_times_only(kind, unit, size):
    seen = 0

    def counting(text):
        nonlocal seen
        seen += len(text)
        return pieces(text)

    text = unit * (size // len(unit))
    chunks = split(read(Block(kind, text)), counting)
    assert sum(len(bare(chunk.text)) for chunk in chunks) >= len(bare(text))
    assert seen <= 10 * len(text)
