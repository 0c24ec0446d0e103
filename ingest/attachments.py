"""Read the files that come with a question, for its session alone, and find passages in them."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from uuid import UUID

from core.attached import (
    ARCHIVE,
    GONE,
    MOST_CHUNKS,
    MOST_FILES,
    MOST_SESSION_FILES,
    PICTURE,
    READ_IN_PART,
    RECORDING,
    SESSION_FULL,
    TOO_MANY,
    FileChunk,
    SessionFile,
    SessionFiles,
    Upload,
    Uploads,
    file_name,
    rank,
)
from core.documents import Chunk, EmbedderIdentity, Outcome, Passage, Vector
from core.domain import Attachment
from core.errors import ModelUnavailable, NotFound, Refused, UnreadableDocument
from core.ports import Embedder
from core.reasons import not_read, retell
from core.terms import count, terms
from ingest.formats import detect
from ingest.pipeline import too_large
from ingest.sandbox import Sandbox
from ingest.split import indexed_text, split

_NO_TEXT = "it holds no text; a scan needs text recognition (OCR) first"
_UNREAD = (
    (re.compile(r"image/"), re.compile(r"\.(png|jpe?g|gif|tiff?|bmp|webp|heic|svg)$"), PICTURE),
    (re.compile(r"(audio|video)/"), re.compile(r"\.(mp3|m4a|wav|ogg|opus|flac|aac|mp4|mov|webm|mkv|avi)$"), RECORDING),
    (
        re.compile(r"application/(zip|gzip|x-(tar|7z-compressed|rar-compressed|bzip2?|xz)|vnd\.rar)\b"),
        re.compile(r"\.(zip|tar|gz|tgz|7z|rar|bz2|xz)$"),
        ARCHIVE,
    ),
)


class SessionAttachments:
    """The AttachmentReader port over the stores of uploads and of sessions' files."""

    def __init__(
        self, uploads: Uploads, files: SessionFiles, embedder: Embedder | None, *, limit_bytes: int = 10 * 1024 * 1024
    ) -> None:
        self._uploads = uploads
        self._files = files
        self._embedder = embedder
        self._limit_bytes = limit_bytes

    async def take(
        self, tenant_id: int, session_id: UUID, attachments: tuple[Attachment, ...], language: str = "en"
    ) -> tuple[str, ...]:
        """Read ATTACHMENTS for this session; one sentence, in LANGUAGE, for each not read, or not to its end.

        To be repeated without harm: what was taken before is not read again. Raises StoreUnavailable.
        """
        if not attachments:
            return ()
        taken = {file.upload_id: file for file in await self._files.taken(tenant_id, session_id)}
        room = MOST_SESSION_FILES - sum(file.outcome is Outcome.INDEXED for file in taken.values())
        said = []
        async with Sandbox() as sandbox:
            for place, attachment in enumerate(attachments):
                known = taken.get(attachment.upload_id) if attachment.upload_id is not None else None
                if known is None:
                    refusal = _refusal(attachment, place, room, self._limit_bytes)
                    known = await self._take(tenant_id, session_id, attachment, refusal, sandbox)
                    room -= known.outcome is Outcome.INDEXED
                said.append(_sentence(known, language))
        return tuple(sentence for sentence in said if sentence)

    async def search(
        self, tenant_id: int, session_id: UUID, question: str, vector: Vector | None, limit: int
    ) -> tuple[Passage, ...]:
        """Find the best passages in the files of this session, best first."""
        files = await self._files.files(tenant_id, session_id)
        if not any(file.chunks for file in files):
            return ()
        identity = self._embedder.identity if self._embedder else None
        return tuple(await asyncio.to_thread(rank, terms(question), vector, identity, files, limit))

    async def _take(
        self, tenant_id: int, session_id: UUID, attachment: Attachment, refusal: str, sandbox: Sandbox
    ) -> SessionFile:
        """Read one file and keep what it holds, or why it was not read."""
        name, upload_id = attachment.name, attachment.upload_id
        try:
            if refusal or upload_id is None:
                raise UnreadableDocument(refusal)
            upload = await self._uploads.get(tenant_id, upload_id)
            file = await self._read(name, upload, sandbox)
        except NotFound:
            return SessionFile(name, Outcome.REFUSED, GONE)
        except Refused as error:
            file = SessionFile(name, Outcome.REFUSED, str(error))
        file = replace(file, upload_id=upload_id)
        if upload_id is not None:
            await self._files.add(tenant_id, session_id, file)
        return file

    async def _read(self, name: str, upload: Upload, sandbox: Sandbox) -> SessionFile:
        if len(upload.data) > self._limit_bytes:
            raise UnreadableDocument(too_large(len(upload.data), self._limit_bytes))
        file_format = detect(file_name(name), upload.data[:4096], upload.media_type or None)
        document = await sandbox.read(file_format, file_name(name), upload.data)
        title = document.title or file_name(name)
        chunks = await asyncio.to_thread(split, replace(document, title=title), self._count_tokens)
        if not chunks:
            raise UnreadableDocument(_NO_TEXT)
        kept = chunks[:MOST_CHUNKS]
        embedder, vectors = await self._embed(title, kept)
        return SessionFile(
            name,
            Outcome.INDEXED,
            reason=READ_IN_PART.format(name=name, chunks=MOST_CHUNKS) if len(chunks) > len(kept) else "",
            title=title,
            embedder=embedder,
            chunks=await asyncio.to_thread(_indexed, title, kept, vectors),
        )

    async def _embed(
        self, title: str, chunks: Sequence[Chunk]
    ) -> tuple[EmbedderIdentity | None, Sequence[Vector | None]]:
        """Embed the chunks; where no model answers, they are found by their words."""
        if self._embedder is not None:
            try:
                vectors = await self._embedder.embed([indexed_text(title, chunk) for chunk in chunks])
            except ModelUnavailable:
                pass
            else:
                return self._embedder.identity, vectors
        return None, [None] * len(chunks)

    def _count_tokens(self, text: str) -> int:
        return self._embedder.count_tokens(text) if self._embedder else len(text.split())


def _refusal(attachment: Attachment, place: int, room: int, limit_bytes: int) -> str:
    """Say why a file is not even opened; empty where it is."""
    if attachment.upload_id is None:
        return attachment.reason or GONE
    if place >= MOST_FILES:
        return TOO_MANY.format(limit=MOST_FILES)
    if room <= 0:
        return SESSION_FULL.format(limit=MOST_SESSION_FILES)
    if attachment.size_bytes > limit_bytes:
        return too_large(attachment.size_bytes, limit_bytes)
    media_type, ending = attachment.media_type.lower(), PurePosixPath(attachment.name.lower()).suffix
    return next((why for types, names, why in _UNREAD if types.match(media_type) or names.match(ending)), "")


def _sentence(file: SessionFile, language: str) -> str:
    """Say that a file was not read, or not to its end; empty where it was."""
    if file.outcome is not Outcome.INDEXED:
        return not_read(file.name, file.reason, language)
    return retell(file.reason, language)


def _indexed(title: str, chunks: Sequence[Chunk], vectors: Sequence[Vector | None]) -> tuple[FileChunk, ...]:
    return tuple(
        FileChunk(chunk.text, chunk.heading_path, chunk.page, count(indexed_text(title, chunk)), vector)
        for chunk, vector in zip(chunks, vectors, strict=True)
    )
