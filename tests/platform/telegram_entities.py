"""Telegram's parsers of HTML and MarkdownV2: what they accept, what they make of it, and how they refuse.

After the rules of tdlib's MessageEntity.cpp. Offsets in errors are bytes, those of entities UTF-16 code units.
"""

import re
from dataclasses import dataclass, field

TAGS = {
    **dict.fromkeys(("b", "strong"), "bold"),
    **dict.fromkeys(("i", "em"), "italic"),
    **dict.fromkeys(("s", "strike", "del"), "strikethrough"),
    **dict.fromkeys(("u", "ins"), "underline"),
    **dict.fromkeys(("tg-spoiler", "span"), "spoiler"),
    "a": "text_link",
    "code": "code",
    "pre": "pre",
    "tg-emoji": "custom_emoji",
    "tg-time": "date_time",
    "blockquote": "blockquote",
}
NAMES = {
    "bold": "Bold",
    "italic": "Italic",
    "underline": "Underline",
    "strikethrough": "Strikethrough",
    "spoiler": "Spoiler",
    "code": "Code",
    "pre": "Pre",
    "pre_code": "PreCode",
    "text_link": "TextUrl",
    "custom_emoji": "CustomEmoji",
    "blockquote": "BlockQuote",
}
SPACE = b" \t\r\n\0\v"
_ORDER = ("expandable_blockquote", "blockquote", "text_link", "date_time", "pre", "code", "bold", "italic")
_LINK = re.compile(r"(?:(https?|tg|ton|tonsite)://)?([^\s/?#]+)([/?#].*)?", re.IGNORECASE | re.DOTALL)
_HOST = re.compile(r"(?:[^\s@/]*@)?[\w-]+(?:\.[\w-]+)+(?::\d{1,5})?")


class ParseError(Exception):
    """What the server says after "Bad Request: can't parse entities: "."""


@dataclass
class Entity:
    kind: str
    offset: int
    length: int
    argument: str = ""

    def shown(self):
        """Write it as the Bot API does."""
        names = {"text_link": "url", "pre": "language", "custom_emoji": "custom_emoji_id"}
        more = {names[self.kind]: self.argument} if self.kind in names and self.argument else {}
        return {"type": self.kind, "offset": self.offset, "length": self.length, **more}


@dataclass
class _Open:
    """A tag that was opened and not closed."""

    name: str
    offset: int  # in the text that results
    at: int  # bytes of the source
    begun: int  # bytes of the result
    argument: str = ""
    unix: str = ""


@dataclass
class _Reader:
    """The source, a zero byte behind its end, and what was made of it."""

    source: bytes
    made: bytearray = field(default_factory=bytearray)
    units: int = 0
    opened: list[_Open] = field(default_factory=list)
    entities: list[Entity] = field(default_factory=list)
    at: int = 0

    def byte(self, ahead=0):
        place = self.at + ahead
        return self.source[place] if place < len(self.source) else 0

    def char(self, ahead=0):
        return chr(self.byte(ahead))

    def keep(self):
        """Copy one byte of the source."""
        byte = self.byte()
        if byte & 0xC0 != 0x80:
            self.units += 2 if byte >= 0xF0 else 1
        self.made.append(byte)
        self.at += 1

    def skip_space(self):
        while self.at < len(self.source) and self.byte() in SPACE:
            self.at += 1

    def until(self, stops):
        """Read up to a space, the end or one of STOPS."""
        begin = self.at
        while self.byte() not in SPACE and self.byte() not in stops:
            self.at += 1
        return self.source[begin : self.at].decode("utf-8", "replace")

    def result(self):
        try:
            text = self.made.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ParseError(
                "Text contains invalid Unicode characters after decoding HTML entities, check for unmatched "
                "surrogate code units"
            ) from error
        rank = {kind: place for place, kind in enumerate(_ORDER)}
        self.entities.sort(key=lambda entity: (entity.offset, -entity.length, rank.get(entity.kind, len(rank))))
        return text, self.entities


def checked_link(url):
    """Return URL as the server keeps it; empty where it is no address."""
    found = _LINK.fullmatch(url.strip())
    if found is None or url.strip().lower().startswith(("mailto:", "tel:")):
        return ""
    scheme, host, rest = found[1] or "http", found[2], found[3] or "/"
    if scheme.lower() in ("http", "https") and not _HOST.fullmatch(host):
        return ""
    return f"{scheme.lower()}://{host.lower()}{rest if rest.startswith('/') else '/' + rest}"


def parse_html(source):
    """Return the text and its entities; raises ParseError."""
    reader = _Reader(source.encode("utf-8", "surrogatepass"))
    while reader.at < len(reader.source):
        if reader.char() == "&" and _take_reference(reader):
            continue
        if reader.char() != "<":
            reader.keep()
        elif reader.char(1) == "/":
            _end_tag(reader)
        else:
            _start_tag(reader)
    if reader.opened:
        raise ParseError(f'Can\'t find end tag corresponding to start tag "{reader.opened[-1].name}"')
    return reader.result()


def _reference(reader):
    """Read a character reference; return its code and length, 0 where it is none."""
    rest = reader.source[reader.at :]
    if found := re.match(rb"&#(?:x([0-9a-fA-F]*)|([0-9]*));?", rest):
        digits = found[0].rstrip(b";")
        code = int(found[1] or b"0", 16) if found[1] is not None else int(found[2] or b"0")
        return (0, 0) if code == 0 or code >= 0x10FFFF or len(digits) >= 10 else (code, len(found[0]))
    found = re.match(rb"&([a-zA-Z]*);?", rest)
    code = {b"lt": 60, b"gt": 62, b"amp": 38, b"quot": 34}.get(found[1], 0)
    return code, len(found[0])


def _take_reference(reader):
    code, length = _reference(reader)
    if code:
        reader.made += chr(code).encode("utf-8", "surrogatepass")
        reader.units += 2 if code > 0xFFFF else 1
        reader.at += length
    return bool(code)


def _start_tag(reader):
    at = reader.at
    reader.at += 1
    name = reader.until(b">").lower()
    if reader.byte() == 0:
        raise ParseError(f"Unclosed start tag at byte offset {at}")
    if name not in TAGS:
        raise ParseError(f'Unsupported start tag "{name}" at byte offset {at}')
    opened = _Open(name, reader.units, at, len(reader.made))
    while True:
        reader.skip_space()
        if reader.char() == ">":
            break
        _attribute(reader, opened)
    if name == "span" and opened.argument != "spoiler":
        raise ParseError(f'Tag "span" must have class "tg-spoiler" at byte offset {at}')
    reader.at += 1
    reader.opened.append(opened)


def _attribute(reader, opened):
    name = reader.until(b"=>")
    if not name:
        if reader.byte() == 0:
            raise ParseError(f"Unclosed start tag at byte offset {opened.at}")
        raise ParseError(f'Empty attribute name in the tag "{opened.name}" at byte offset {opened.at}')
    reader.skip_space()
    if reader.char() != "=":
        _set(opened, name, "")
        return
    reader.at += 1
    reader.skip_space()
    if reader.byte() == 0:
        raise ParseError(f'Unclosed start tag "{opened.name}" at byte offset {opened.at}')
    value = _quoted(reader) if reader.char() in "'\"" else _token(reader)
    if reader.byte() == 0:
        raise ParseError(f"Unclosed start tag at byte offset {opened.at}")
    _set(opened, name, value)


def _token(reader):
    begin = reader.at
    while re.match(rb"[a-zA-Z0-9.-]", reader.source[reader.at : reader.at + 1]):
        reader.at += 1
    if reader.byte() not in SPACE and reader.char() != ">":
        raise ParseError(f"Unexpected end of name token at byte offset {begin}")
    return reader.source[begin : reader.at].decode().lower()


def _quoted(reader):
    mark, value = reader.byte(), bytearray()
    reader.at += 1
    while reader.byte() not in (mark, 0):
        code, length = _reference(reader) if reader.char() == "&" else (0, 0)
        value += chr(code).encode("utf-8", "surrogatepass") if code else bytes([reader.byte()])
        reader.at += length if code else 1
    if reader.byte() == mark:
        reader.at += 1
    if reader.char() == ",":
        reader.at += 1
    return value.decode("utf-8", "replace")


def _set(opened, name, value):
    match opened.name, name:
        case ("a", "href") | ("tg-emoji", "emoji-id") | ("tg-time", "format"):
            opened.argument = value
        case "tg-time", "unix":
            opened.unix = value
        case "code", "class" if value.startswith("language-"):
            opened.argument = value[9:]
        case "span", "class" if value.startswith("tg-"):
            opened.argument = value[3:]
        case "blockquote", "expandable":
            opened.argument = "1"


def _end_tag(reader):
    at = reader.at
    if not reader.opened:
        raise ParseError(f"Unexpected end tag at byte offset {at}")
    reader.at += 2
    name = reader.until(b">").lower()
    reader.skip_space()
    if reader.char() != ">":
        raise ParseError(f"Unclosed end tag at byte offset {at}")
    reader.at += 1
    opened = reader.opened[-1]
    if name and name != opened.name:
        raise ParseError(f'Unmatched end tag at byte offset {at}, expected "</{opened.name}>", found "</{name}>"')
    if reader.units > opened.offset:
        _close(reader, opened)
    reader.opened.pop()


def _close(reader, opened):
    kind, last = TAGS[opened.name], reader.entities[-1] if reader.entities else None
    entity = Entity(kind, opened.offset, reader.units - opened.offset, opened.argument)
    same = last is not None and (last.offset, last.length) == (entity.offset, entity.length)
    if kind == "text_link":
        entity.argument = checked_link(opened.argument or reader.made[opened.begun :].decode("utf-8", "replace"))
        if not entity.argument:
            return
    elif kind == "pre" and same and last.kind == "code" and last.argument:
        last.kind = "pre"
        return
    elif kind == "code" and same and last.kind == "pre" and opened.argument:
        last.argument = opened.argument
        return
    elif kind == "blockquote" and opened.argument:
        entity.kind, entity.argument = "expandable_blockquote", ""
    elif kind == "custom_emoji" and not re.fullmatch(r"-?[0-9]{1,18}", opened.argument):
        raise ParseError("Invalid custom emoji identifier specified")
    elif kind == "date_time" and not re.fullmatch(r"r?|[wWdDtT]*", opened.argument):
        raise ParseError("Invalid date format used")
    reader.entities.append(entity)
