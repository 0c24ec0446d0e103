"""Open the zip package of a Word document without trusting it (ECMA-376 part 2)."""

import io
import posixpath
import zipfile
import zlib

from lxml import etree

from core.errors import UnreadableDocument
from ingest.readers.limits import is_out_of_memory

MOST_ENTRIES = 10_000
MOST_UNPACKED_BYTES = 200_000_000
MOST_RATIO = 100  # unpacked to packed, once FREE_UNPACKED_BYTES are exceeded
FREE_UNPACKED_BYTES = 20_000_000

_OFFICE_DOCUMENT = "/officeDocument"
_CORE_PROPERTIES = "/core-properties"
# Word's strict files use other namespaces for the same elements (ECMA-376 part 1, annex A).
_STRICT = b"http://purl.oclc.org/ooxml/wordprocessingml/main"
_TRANSITIONAL = b"http://schemas.openxmlformats.org/wordprocessingml/2006/main"


class Package:
    """The parts of one document; only those asked for are unpacked, and nothing outside is ever opened."""

    def __init__(self, data: bytes) -> None:
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
            raise UnreadableDocument("it is damaged or not a Word document; save it again as .docx") from error
        _check_size(self._zip.infolist(), len(data))
        self._names = {name.lower().lstrip("/"): name for name in self._zip.namelist()}
        root = self._targets("_rels/.rels", "")
        self.main = root.get(_OFFICE_DOCUMENT, "word/document.xml")
        self._core = root.get(_CORE_PROPERTIES, "docProps/core.xml")
        folder, file = posixpath.split(self.main)
        self._related = self._targets(posixpath.join(folder, "_rels", f"{file}.rels"), folder)

    def document(self) -> "etree._Element":
        """Parse the main part; raises UnreadableDocument where there is none."""
        root = self._parse(self.main)
        if root is None:
            raise UnreadableDocument("it is a zip archive without a Word document inside; save it again as .docx")
        return root

    def core_properties(self) -> "etree._Element | None":
        """Parse the part with the title, None where it is missing or damaged."""
        return self._optional(self._core)

    def related(self, kind: str) -> "etree._Element | None":
        """Parse the part the document refers to as KIND (styles, footnotes), None where it is missing or damaged."""
        name = self._related.get(f"/{kind}")
        return self._optional(name) if name else None

    def _optional(self, name: str) -> "etree._Element | None":
        try:
            return self._parse(name)
        except UnreadableDocument:
            return None

    def _parse(self, name: str) -> "etree._Element | None":
        stored = self._names.get(name.lower().lstrip("/"))
        if stored is None:
            return None
        try:
            xml = self._zip.read(stored)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError) as error:
            raise UnreadableDocument("it is damaged; open it in Word and save it again") from error
        if b"<!DOCTYPE" in xml[:4096]:
            # The standard forbids these declarations, and only attacks use them.
            raise UnreadableDocument("it holds a document type declaration, which Word never writes; save it again")
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True)
        try:
            return etree.fromstring(xml.replace(_STRICT, _TRANSITIONAL), parser)
        except etree.XMLSyntaxError as error:
            if is_out_of_memory(error):
                raise MemoryError from error
            raise UnreadableDocument("its XML is damaged; open it in Word and save it again") from error

    def _targets(self, name: str, folder: str) -> dict[str, str]:
        """Map the last word of each internal relationship's type to the part it points at."""
        root = self._optional(name)
        found: dict[str, str] = {}
        for relation in () if root is None else root:
            kind, target = relation.get("Type", "").rpartition("/")[2], relation.get("Target", "")
            if target and relation.get("TargetMode") != "External":
                path = target if target.startswith("/") else posixpath.join(folder, target)
                found.setdefault(f"/{kind}", posixpath.normpath(path).lstrip("/"))
        return found


def _check_size(entries: list[zipfile.ZipInfo], packed: int) -> None:
    unpacked = sum(entry.file_size for entry in entries)
    if len(entries) > MOST_ENTRIES:
        raise UnreadableDocument(f"it holds {len(entries):,} files inside and the limit is {MOST_ENTRIES:,}")
    too_dense = unpacked > FREE_UNPACKED_BYTES and unpacked > MOST_RATIO * packed
    if unpacked > MOST_UNPACKED_BYTES or too_dense:
        raise UnreadableDocument(
            f"it unpacks to {unpacked / 1e6:,.0f} MB, too much for its size; remove pictures or split it"
        )
