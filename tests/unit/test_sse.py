"""However a stream of events is cut into pieces, the same events come out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.openai.sse import Event, EventParser


def parse(*pieces: bytes) -> list[Event]:
    parser = EventParser()
    events = [event for piece in pieces for event in parser.feed(piece)]
    return [*events, *parser.close()]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"", []),
        (b"\n\n\n", []),
        (b"data: one\n\ndata: two\n\n", [Event(b"one"), Event(b"two")]),
        (b"data: one\r\n\r\ndata: two\r\n\r\n", [Event(b"one"), Event(b"two")]),
        (b"data: one\r\rdata: two\r\r", [Event(b"one"), Event(b"two")]),
        (b"data: one\r\n\ndata: two\n\r\n", [Event(b"one"), Event(b"two")]),
        (b"data: first\ndata: second\n\n", [Event(b"first\nsecond")]),
        (b"data:\ndata\n\n", [Event(b"\n")]),
        (b"data\n\n", [Event(b"")]),
        (b"data:close\n\ndata:  two spaces\n\n", [Event(b"close"), Event(b" two spaces")]),
        (b": keep-alive\n\n:\n\ndata: one\n: in between\n\n", [Event(b"one")]),
        (b"event: error\ndata: {}\n\ndata: next\n\n", [Event(b"{}", "error"), Event(b"next")]),
        (b"event: ping\n\ndata: one\n\n", [Event(b"one")]),
        (b"id: 7\nretry: 10\nunknown: x\ndata: one\n\n", [Event(b"one")]),
        (b"data: a:b: c\n\n", [Event(b"a:b: c")]),
        (b"\xef\xbb\xbfdata: one\n\n", [Event(b"one")]),
        (b"data: \xef\xbb\xbfone\n\n", [Event(b"\xef\xbb\xbfone")]),
        (b"data: [DONE]", [Event(b"[DONE]")]),
        (b"data: one\n\ndata: no blank line\n", [Event(b"one"), Event(b"no blank line")]),
        (b"data: line\xe2\x80\xa8separator\x0b\x0c\x1c\x85\n\n", [Event(b"line\xe2\x80\xa8separator\x0b\x0c\x1c\x85")]),
        (b"event: \xff\ndata: one\n\n", [Event(b"one", "\ufffd")]),
    ],
)
def test_a_stream_is_read_as_the_standard_says(stream, events):
    assert parse(stream) == events
    assert parse(*(stream[i : i + 1] for i in range(len(stream)))) == events


LINES = st.one_of(
    st.sampled_from([b"", b"", b"data", b"data:", b"data: ", b": keep-alive", b"event: error", b"id: 1", b"retry: 5"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=12).map(
        lambda text: b"data: " + text.encode()
    ),
    st.binary(max_size=8),
)
STREAMS = st.lists(st.tuples(LINES, st.sampled_from([b"\n", b"\r\n", b"\r"])), max_size=12).map(
    lambda lines: b"".join(line + end for line, end in lines)
)


@given(stream=STREAMS, data=st.data())
def test_any_cut_gives_the_same_events(stream, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert parse(*pieces) == parse(stream)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1), max_size=6), STREAMS)
def test_written_events_come_back_behind_anything(texts, before):
    written = b"".join(b"data: " + text.encode() + b"\n\n" for text in texts)
    expected = [Event(text.encode()) for text in texts]
    assert parse(before + b"\n\n" + written) == parse(before + b"\n\n") + expected


@given(stream=STREAMS)
def test_an_event_is_given_as_soon_as_its_blank_line_is_there(stream):
    parser = EventParser()
    complete = list(parser.feed(b"\n\n" + stream + b"\n\n"))
    assert not list(parser.close())
    assert complete == parse(stream)
