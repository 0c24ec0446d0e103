import json as stdlib_json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.documents import Block, BlockKind
from core.errors import UnreadableDocument
from ingest.readers import csv, json, text
from ingest.readers.charset import decode


def rows(blocks: tuple[Block, ...]) -> list[str]:
    assert {block.kind for block in blocks} <= {BlockKind.ROW}
    return [block.text for block in blocks]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("Grüße".encode(), "Grüße"),
        ("Grüße".encode("utf-8-sig"), "Grüße"),
        ("Grüße".encode("utf-16"), "Grüße"),
        ("Grüße".encode("utf-32"), "Grüße"),
        ("Grüße an alle".encode("utf-16-be"), "Grüße an alle"),
        ("Grüße, 10 €".encode("cp1252"), "Grüße, 10 €"),
        ("ü".encode() * 20 + b"\xff", "ü" * 20 + "\ufffd"),
    ],
)
def test_character_sets_are_told_apart(data: bytes, expected: str) -> None:
    assert decode(data) == expected


def test_a_stated_character_set_is_used_where_utf8_does_not_fit() -> None:
    assert decode("Привет".encode("koi8-r"), "koi8-r") == "Привет"
    assert decode("Привет".encode(), "koi8-r") == "Привет"
    assert decode(b"\xe9", "no such codec") == "é"
    assert decode(b"\xe9", "base64") == "é"


@given(st.binary())
def test_any_bytes_can_be_read_as_text(data: bytes) -> None:
    assert isinstance(text.read(data, "a.txt").title, str)


def test_text_is_cut_at_empty_lines_items_and_underlined_headings() -> None:
    source = b"Rules\r\n=====\r\n\r\nFirst line\r\ngoes on.\r\n\r\n- one\r\n  still one\r\n- two\r\n"
    document = text.read(source, "house_rules.txt")
    assert document.title == "House rules"
    assert [(block.kind, block.text) for block in document.blocks] == [
        (BlockKind.HEADING, "Rules"),
        (BlockKind.PARAGRAPH, "First line\ngoes on."),
        (BlockKind.ITEM, "- one\n  still one"),
        (BlockKind.ITEM, "- two"),
    ]


def test_too_much_text_is_refused() -> None:
    with pytest.raises(UnreadableDocument, match="5,000,000"):
        text.read(b"a" * 5_000_001, "a.txt")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_rows_carry_their_column_names_whatever_the_delimiter(delimiter: str) -> None:
    lines = [["City", "Desks, total"], ["Rome", "12"], ["Oslo; north", "7"]]
    source = "\n".join(delimiter.join(f'"{cell}"' for cell in line) for line in lines)
    assert rows(csv.read(source.encode(), "a.csv").blocks) == [
        "City: Rome; Desks, total: 12",
        "City: Oslo; north; Desks, total: 7",
    ]


def test_ragged_rows_and_empty_cells() -> None:
    source = b"a,b,c\n1,,3\n4\n5,6,7,8\n\n"
    assert rows(csv.read(source, "x.csv").blocks) == ["a: 1; c: 3", "a: 4", "a: 5; b: 6; c: 7; 8"]


def test_figures_are_no_column_names() -> None:
    assert rows(csv.read(b"1,2\n3,4\n", "x.csv").blocks) == ["1; 2", "3; 4"]


def test_a_single_column_is_a_list() -> None:
    assert rows(csv.read(b"Fruit\nApple\nPear\n", "x.csv").blocks) == ["Fruit", "Apple", "Pear"]


def test_the_hint_of_a_spreadsheet_program_is_followed() -> None:
    assert rows(csv.read(b"sep=;\nName;Pay, net\nAda;1,5\n", "x.csv").blocks) == ["Name: Ada; Pay, net: 1,5"]


def test_a_quoted_line_break_stays_in_its_cell_and_a_huge_cell_is_cut() -> None:
    source = 'Name,Note\nAda,"one\ntwo"\nBob,"' + "x" * 200_000 + '"\n'
    first, second = rows(csv.read(source.encode(), "x.csv").blocks)
    assert first == "Name: Ada; Note: one two"
    assert len(second) == len("Name: Bob; Note: ") + 10_000


@given(st.text())
def test_any_text_can_be_read_as_a_table(source: str) -> None:
    csv.read(source.encode("utf-8", "replace"), "a.csv")


def test_flat_records_become_rows() -> None:
    source = b'[{"city": "Rome", "desks": 12, "open": true, "note": null}, {"city": "Oslo", "tags": ["a", "b"]}]'
    assert rows(json.read(source, "offices.json").blocks) == [
        "city: Rome; desks: 12; open: yes",
        "city: Oslo; tags: a, b",
    ]


def test_nested_values_carry_their_path() -> None:
    source = b'{"title": "Offices", "rome": {"address": {"street": "Via Appia"}}, "list": [{"x": 1}, {"x": 2}]}'
    document = json.read(source, "o.json")
    assert document.title == "Offices"
    assert rows(document.blocks) == ["title: Offices", "rome.address.street: Via Appia", "list.x: 1", "list.x: 2"]


def test_numbers_stay_as_they_are_written() -> None:
    digits = "9" * 6000
    source = f'{{"a": 1.10, "b": {digits}, "c": NaN}}'.encode()
    assert " ".join(rows(json.read(source, "a.json").blocks)) == f"a: 1.10 b: {digits} c: NaN"


def test_json_lines_are_read_by_name_and_by_content() -> None:
    source = b'{"a": 1}\n\n{"a": 2}\n'
    assert rows(json.read(source, "a.jsonl").blocks) == ["a: 1", "a: 2"]
    assert rows(json.read(source, "a.json").blocks) == ["a: 1", "a: 2"]


@pytest.mark.parametrize(
    ("name", "source", "said"),
    [
        ("a.json", '{"a": 1,\n "b" 2}', "line 2, column 6"),
        ("a.jsonl", '{"a": 1}\n{"a": }', "line 2, column 7"),
        ("a.json", "", "line 1, column 1"),
        ("a.json", "[" * 100_000, "nested deeper"),
        ("a.json", "[" * 200 + "]" * 200, "nested deeper"),
        ("a.jsonl", "[" * 100_000, "nested deeper"),
    ],
)
def test_broken_json_says_where(name: str, source: str, said: str) -> None:
    with pytest.raises(UnreadableDocument, match=said):
        json.read(source.encode(), name)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@given(JSON_VALUES)
def test_every_word_of_a_json_value_is_read(value: object) -> None:
    blocks = json.read(stdlib_json.dumps(value).encode(), "a.json").blocks
    read = " ".join(block.text for block in blocks)
    for word in _words(value):
        assert word in read


def _words(value: object) -> list[str]:
    if isinstance(value, dict):
        return [word for inner in value.values() for word in _words(inner)]
    if isinstance(value, list):
        return [word for inner in value for word in _words(inner)]
    return str(value).split() if isinstance(value, str | int) and not isinstance(value, bool) else []
