"""Telegram's parser of MarkdownV2, after the rules of tdlib's MessageEntity.cpp."""

import re

from tests.platform.telegram_entities import NAMES, Entity, ParseError, _Open, _Reader, checked_link

_RESERVED = "_*[]()~`>#+-=|{}.!\n"
_TG_URL = re.compile(r"tg://(emoji|time)(?=/|\?)/?\?([^#]*)", re.IGNORECASE)


class _Markdown(_Reader):
    """A reader that also knows whether a quotation is open or may begin."""

    quoted = False
    line_begins = True


def parse_markdown_v2(source):
    """Return the text and its entities; raises ParseError."""
    reader = _Markdown(source.encode("utf-8", "surrogatepass"))
    while reader.at < len(reader.source):
        if reader.char() == "\\" and 0 < reader.byte(1) <= 126:
            _escaped(reader)
        elif reader.char() not in _reserved(reader):
            if reader.byte() & 0xC0 != 0x80 and reader.char() != "\r":
                reader.line_begins = False
            reader.keep()
        elif _ends(reader):
            _end(reader)
        else:
            _begin(reader)
    if reader.quoted:
        _end_last_quotation(reader)
    if reader.opened:
        raise _missing_end(reader.opened[-1])
    return reader.result()


def _missing_end(opened):
    return ParseError(f"Can't find end of {NAMES[opened.name]} entity at byte offset {opened.at}")


def _must_escape(character):
    return ParseError(f"Character '{character}' is reserved and must be escaped with the preceding '\\'")


def _escaped(reader):
    reader.at += 1
    if reader.char() != "\r":
        reader.line_begins = reader.char() == "\n"
    reader.keep()


def _reserved(reader):
    return "`" if reader.opened and reader.opened[-1].name in ("code", "pre", "pre_code") else _RESERVED


def _ends(reader):
    if not reader.opened:
        return False
    character, after = reader.char(), reader.char(1)
    if reader.quoted and character == "\n" and after != ">":
        return True
    name = reader.opened[-1].name
    if name in ("pre", "pre_code"):
        return character == after == reader.char(2) == "`"
    if name in ("underline", "spoiler"):
        return character == after == {"underline": "_", "spoiler": "|"}[name]
    return character == _CLOSING.get(name) and not (name == "italic" and after == "_")


_CLOSING = {"bold": "*", "italic": "_", "strikethrough": "~", "code": "`", "text_link": "]", "custom_emoji": "]"}
_SINGLE = {"*": "bold", "~": "strikethrough", "[": "text_link"}


def _begin(reader):
    at, character, after = reader.at, reader.char(), reader.char(1)
    name, skipped, argument = _SINGLE.get(character, ""), 1, ""
    if character == "_":
        name, skipped = ("underline", 2) if after == "_" else ("italic", 1)
    elif character == "|" and after == "|":
        name, skipped = "spoiler", 2
    elif character == "!" and after == "[":
        name, skipped = "custom_emoji", 2
    elif character == "`":
        name, skipped, argument = _code(reader)
    elif character == "\n":
        reader.keep()
        reader.line_begins = True
        return
    elif character == ">" and reader.line_begins:
        reader.at += 1
        if not reader.quoted:
            reader.quoted = True
            reader.opened.append(_Open("blockquote", reader.units, at, len(reader.made)))
        return
    if not name:
        raise _must_escape(character)
    reader.at = at + skipped
    reader.opened.append(_Open(name, reader.units, at, len(reader.made), argument))


def _code(reader):
    rest = reader.source[reader.at :]
    if not rest.startswith(b"```"):
        return "code", 1, ""
    language = re.match(rb"```([^\s`\x00]+)(?=[\s])", rest)
    begin = len(language[0]) if language else 3
    line = re.match(rb"\r\n|\n\r|\n|\r", rest[begin:])
    skipped = begin + (len(line[0]) if line else 0)
    return ("pre_code", skipped, language[1].decode("utf-8", "replace")) if language else ("pre", skipped, "")


def _end(reader):
    opened = reader.opened[-1]
    if reader.char() == "\n" and opened.name != "blockquote":
        _end_expandable(reader)
        return
    empty = reader.units == opened.offset
    argument, kind = opened.argument, "pre" if opened.name == "pre_code" else opened.name
    match opened.name:
        case "underline" | "spoiler":
            reader.at += 2
        case "pre" | "pre_code":
            reader.at += 3
        case "text_link":
            argument = _target(reader, opened)
            empty = empty or not argument
        case "custom_emoji":
            kind = _special(reader)
        case "blockquote":
            reader.quoted, empty = False, False
            reader.keep()
            reader.line_begins = True
        case _:
            reader.at += 1
    if not empty:
        reader.entities.append(Entity(kind, opened.offset, reader.units - opened.offset, argument))
    reader.opened.pop()


def _end_expandable(reader):
    """End a quotation whose last line ends with two bars."""
    opened = reader.opened.pop()
    between = reader.at - opened.at
    if opened.name != "spoiler" or not (between == 2 or (between == 3 and reader.made.endswith(b"\r"))):
        raise _missing_end(opened)
    quotation = reader.opened.pop()
    if quotation.name != "blockquote":
        raise _missing_end(quotation)
    reader.quoted = False
    reader.keep()
    reader.line_begins = True
    length = reader.units - quotation.offset
    reader.entities.append(Entity("expandable_blockquote", quotation.offset, length))


def _end_last_quotation(reader):
    kind = "blockquote"
    if reader.opened[-1].name == "spoiler" and reader.opened[-1].at == len(reader.source) - 2:
        reader.opened.pop()
        kind = "expandable_blockquote"
    if reader.opened[-1].name == "blockquote":
        quotation = reader.opened.pop()
        if reader.units > quotation.offset:
            reader.entities.append(Entity(kind, quotation.offset, reader.units - quotation.offset))


def _target(reader, opened):
    if reader.char(1) != "(":
        reader.at += 1
        return checked_link(reader.made[opened.begun :].decode("utf-8", "replace"))
    return checked_link(_address(reader))


def _address(reader):
    """Read what stands in parentheses behind the closing bracket."""
    reader.at += 2
    begin, url = reader.at, bytearray()
    while reader.at < len(reader.source) and reader.char() != ")":
        if reader.char() == "\\" and 0 < reader.byte(1) <= 126:
            reader.at += 1
        url.append(reader.byte())
        reader.at += 1
    if reader.char() != ")":
        raise ParseError(f"Can't find end of a URL at byte offset {begin}")
    reader.at += 1
    return url.decode("utf-8", "replace")


def _special(reader):
    """Tell whether what stands behind ![] names a custom emoji or a date; raises ParseError for anything else."""
    if reader.char(1) != "(":
        raise ParseError("The entity must contain a tg://emoji or tg://time URL")
    found = _TG_URL.match(_address(reader))
    key = {"emoji": "id", "time": "unix"}.get(found[1].lower() if found else "", "")
    if not key or not re.search(rf"(?:^|&){key}=\d+", found[2]):
        raise ParseError("Invalid tg://emoji or tg://time URL specified")
    return "custom_emoji" if key == "id" else "date_time"
