"""Links in a model's text: only those to allowed addresses may stay, whatever form they are written in.

A model that obeys an instruction hidden in a document can write what it has read into an address, and a client that
previews links fetches it without a click. So every form that some client makes a link of is taken apart; of a link
its words remain, of an address that has none an ellipsis.
"""

import re
from collections.abc import Collection, Mapping

REMOVED = "…"

# Characters that show nothing: zero-width and direction marks, and the tag characters that hide whole sentences.
# The joiners U+200C and U+200D stay, as Persian, Indic scripts and emoji need them.
_INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]")

_WORDS = r"\[((?:[^\[\]\\]|\\.){0,300})\]"
_TARGET = r"(<[^<>\n]{0,2000}>|[^\s()<>]{1,2000}(?:\([^\s()<>]{0,500}\)[^\s()<>]{0,500}){0,3})"
_TITLE = r"""(?:\s{1,9}(?:"[^"]{0,500}"|'[^']{0,500}'|\([^()]{0,500}\)))?"""
_INLINE = re.compile(rf"(!?){_WORDS}\(\s{{0,9}}{_TARGET}{_TITLE}\s{{0,9}}\)", re.DOTALL)
_LOOKS_LIKE_TARGET = re.compile(r"[:/.#?@\\&%]")
_REFERENCE = re.compile(rf"(?<!\w)!?{_WORDS}[ ]?\[([^\[\]\n]{{1,200}})\]")
_DEFINITION = re.compile(
    r"^([ \t>]{0,9})\[\^?([^\[\]\n]{1,200})\]:[ \t]{0,9}(?:\n[ \t]{0,9})?(<[^<>\n]{0,2000}>|\S{0,2000})", re.MULTILINE
)

_ANCHOR = re.compile(
    r"""<a\s[^<>]{0,500}?href\s{0,9}=\s{0,9}["']?([^\s"'<>]{1,2000}+)[^<>]{0,500}+>([^<>]{0,500})</a\s{0,9}>""",
    re.IGNORECASE,
)
_HTML_IMAGE = re.compile(
    r"""<img\s[^<>]{0,500}?\balt\s{0,9}=\s{0,9}["']([^"'<>]{0,500}+)["'][^<>]{0,2000}+>""", re.IGNORECASE
)
_ANGLE = re.compile(r"<([^<>]{1,3000})>")
_TAG = re.compile(
    r"[a-z][^=]{0,200}=|/?(?:script|style|iframe|object|embed|form|svg|math|base|meta|link)\b", re.IGNORECASE
)
_UNCLOSED = re.compile(r"<(?=[!@#])|<(?=[a-z/?])(?![^<>]{0,3000}>)", re.IGNORECASE)
_BROADCAST = re.compile(r"[@＠]++(?=everyone|here|channel|all\b)", re.IGNORECASE)
_MOST_NESTED = 4

_STOP = r"[。．｡](?=[a-z0-9])"  # full stops of other scripts separate the labels of a host as well
_PIECE = rf"(?:[^\s<>\"`|\[\]{{}}。．｡，、；！？：「」『』（）《》“”„«»…\ue000\ue001]|{_STOP})"
_SCHEMES = (
    "mailto|tel|sms|smsto|javascript|vbscript|tg|slack|msteams|skype|sip|sips|callto|facetime|whatsapp|viber|file|blob|"
    "intent|market|xmpp|geo|magnet|bitcoin|view-source|ms-[a-z-]{2,30}|data(?=:[\\w/+.-]{0,80}[,;])"
)
_GENERIC = (
    "com|net|org|info|biz|edu|gov|mil|int|io|co|ai|app|dev|tv|cc|xyz|online|site|shop|store|top|club|link|click|live|"
    "cloud|page|web|tech|space|website|email|chat|news|blog|eu|de|ch|fr|es|nl|uk|ca|au|nz|jp|cn|kr|tw|ru|ua|br|mx|ar|"
    "cl|se|dk|fi|cz|sk|hu|ro|bg|gr|tr|il|za|ng|ke|sg|hk|ph|vn|ie|pt|lu|li|su|ws|ly|gl|gg|icu|vip|onion"
)
_LIKE_WORDS = "it|no|in|is|to|at|be|me|us|so|am|as|my|la|id|md|py|sh|rs|pl|ps|zip|mov|do|st|nu|fm|pm"
_LABEL = r"[^\W_](?:[\w-]{0,62}[^\W_])?"
_HOST = rf"{_LABEL}(?:[.。．｡]{_LABEL}){{1,8}}"
_ADDRESS = re.compile(
    rf"""
      (?P<url>
        [a-z][a-z0-9+.-]{{0,30}}:[/\\]{{2}}(?:\[[0-9a-f:.%]{{2,60}}\])?{_PIECE}*
      | (?<![a-z0-9])(?:{_SCHEMES}):{_PIECE}+
      | [/\\]{{2}}(?=[^\s/]{{1,200}}[.。．｡]\w){_PIECE}+
      | (?<![^\W_])www[.。．｡]{_PIECE}+
      | (?<!\w)(?<!\w[.-])(?:\d{{1,3}}\.){{3}}\d{{1,3}}(?::\d{{1,5}})?/(?!\d{{1,2}}(?!\w)){_PIECE}+
      | (?<!\w)(?<!\w[.-]){_HOST}(?<=[^\W\d_]{{2}})(?::\d{{1,5}})?[/?#]{_PIECE}+
      )
    | (?P<host>
        (?<!\w)(?<!\w[.-])(?:[\w.+-]{{1,64}}@)?(?:
          (?:{_LABEL}[.。．｡]){{1,8}}(?:{_GENERIC})
        | (?:[^\W_][\w-]{{0,62}}[^\W_][.。．｡]){{2,8}}(?:{_LIKE_WORDS})
        )(?![\w-]|\.\w)
      )
    """,
    re.IGNORECASE | re.VERBOSE,
)
_TRAILING = ".,;:!?'*_~’"
_PREFIX = re.compile(r"^(?:https?://|mailto:|tel:)", re.IGNORECASE)
_ASCII = re.compile(r"[\x21-\x7e]+")
_ADDRESS_SIGN = re.compile(r"[\x21-\x7e]")
_DOTS = re.compile(r"[.。．｡]")


def addresses(text: str) -> list[str]:
    """List the addresses that stand in TEXT in any form: URLs, hosts, e-mail addresses, telephone links."""
    return [_trim(match[0]) for match in _ADDRESS.finditer(_INVISIBLE.sub("", text))]


def keep_allowed(text: str, allowed: Collection[str]) -> str:
    """Return TEXT with every link, image and mention of everyone taken apart, links to ALLOWED addresses excepted.

    Addresses match whatever their case, scheme (http, https or none) and closing punctuation, and are written as they
    stand in ALLOWED: so that nothing can be told by the way they are written. Takes time in proportion to the text.
    """
    known = {_key(address): address for address in reversed([_trim(address) for address in allowed])}
    known.pop("", None)
    aside = Aside()
    text = _DEFINITION.sub(lambda match: _definition(match, known), aside.make_room(_INVISIBLE.sub("", text)))
    for _ in range(_MOST_NESTED):
        before = text
        text = _INLINE.sub(lambda match: _inline(match, known, aside), text)
        text = _take_angles_apart(text, known, aside)
        if text == before:
            break
    text = _REFERENCE.sub(_reference, text).replace("](", "] (")
    text = _ADDRESS.sub(lambda match: _bare(match, known), _UNCLOSED.sub("< ", text))
    return aside.put_back(_BROADCAST.sub("", text))


class Aside:
    """Pieces of a text that are decided on and must not be looked at again."""

    _PLACE = re.compile("\ue000(\\d+)\ue001")

    def __init__(self) -> None:
        self._pieces: list[str] = []

    def make_room(self, text: str) -> str:
        """Remove the two characters that mark a place, which no script uses."""
        return text.replace("\ue000", "").replace("\ue001", "")

    def put(self, piece: str) -> str:
        """Return what stands for PIECE until it is put back."""
        self._pieces.append(piece)
        return f"\ue000{len(self._pieces) - 1}\ue001"

    def put_back(self, text: str) -> str:
        """Return TEXT with its pieces."""
        return self._PLACE.sub(lambda match: self._pieces[int(match[1])], text)


def _definition(match: re.Match[str], known: Mapping[str, str]) -> str:
    """Leave no definition, as it would make a link of every mark of its name."""
    indent, name, target = match[1], match[2], match[3]
    if _ADDRESS.match(target.strip("<>")):
        return indent + _find(target.strip("<>"), known)
    return f"{indent}[{name}] {target}" if name.isdecimal() else f"{indent}{name}: {target}"


def _inline(match: re.Match[str], known: Mapping[str, str], aside: Aside) -> str:
    image, words, target = match[1], match[2], match[3].strip("<>")
    if image:
        return words
    if address := _find(target, known):
        return f"[{words}{aside.put(f']({address})')}"
    return words if _LOOKS_LIKE_TARGET.search(target) else f"[{words}] ({target})"


def _reference(match: re.Match[str]) -> str:
    """Keep the words of a reference; one number after another is two marks, and a number after words is a mark."""
    words, name = match[1], match[2]
    if name.isdecimal():
        return match[0] if words.isdecimal() else f"{words} [{name}]"
    return words


def _take_angles_apart(text: str, known: Mapping[str, str], aside: Aside) -> str:
    def anchor(match: re.Match[str]) -> str:
        address = _find(match[1], known)
        return f"[{match[2]}{aside.put(f']({address})')}" if address else match[2]

    def angle(match: re.Match[str]) -> str:
        inside, _, words = match[1].partition("|")
        if inside[:1] in ("!", "@", "#"):
            return words or inside[1:].partition("^")[0]
        if _ADDRESS.match(inside) and not re.search(r"\s", inside):
            return _angle_link(_find(inside, known), words, aside)
        return " " if _TAG.match(match[1]) else match[0]

    return _ANGLE.sub(angle, _HTML_IMAGE.sub(r"\1", _ANCHOR.sub(anchor, text)))


def _angle_link(address: str, words: str, aside: Aside) -> str:
    if not address:
        return words or REMOVED
    return f"{aside.put(f'<{address}|')}{words}{aside.put('>')}" if words else aside.put(f"<{address}>")


def _bare(match: re.Match[str], known: Mapping[str, str]) -> str:
    found = match[0]
    for head in (found, found.rstrip(_TRAILING), _trim(found)):
        if address := _find(head, known):
            return address + found[len(head) :]
    if match["host"]:
        return _DOTS.sub("[.]", found)
    plain = _ASCII.match(found)  # a script without spaces may follow at once
    if plain and (address := _find(_trim(plain[0]), known)) and not _ADDRESS_SIGN.search(found, plain.end()):
        return address + found[len(_trim(plain[0])) :]
    return REMOVED + found[len(found.rstrip(_TRAILING)) :]


def _find(address: str, known: Mapping[str, str]) -> str:
    return known.get(_key(address), "")


def _key(address: str) -> str:
    bare = _PREFIX.sub("", address.strip())
    return bare.partition("#")[0].rstrip("/").casefold()


def _trim(address: str) -> str:
    """Cut off the punctuation of the sentence around an address, with closing brackets that it did not open."""
    while address:
        last = address[-1]
        if last in _TRAILING or (last == ")" and address.count(")") > address.count("(")):
            address = address[:-1]
        else:
            break
    return address
