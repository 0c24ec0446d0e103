"""What there is to ingest: files below folders, single files and URLs."""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from core.attached import Upload, file_name
from core.errors import NotFound, UsageError

# Folders that hold no documents of people's.
_SKIPPED_FOLDERS = {".git", ".hg", ".svn", ".venv", "__pycache__", "node_modules"}


@dataclass(frozen=True, slots=True)
class Source:
    """One document to be: its name for people and where it is."""

    name: str  # the absolute path or the URL; of an upload, the name it came with
    path: Path | None = None  # None for a URL or an upload
    open: Callable[[], Awaitable[Upload]] | None = None  # of an upload; it raises NotFound

    @property
    def title(self) -> str:
        """Name the document until its own title is known."""
        return self.name if is_url(self.name) else file_name(self.name)


def is_url(text: str) -> bool:
    """Tell whether TEXT is an address and not a path."""
    return text.lower().startswith(("http://", "https://"))


def sources(given: Iterable[str]) -> list[Source]:
    """List every file below the folders GIVEN, and the files and URLs themselves, each once.

    Raises NotFound for a path that is not there, before anything is read.
    """
    found = {source.name: source for text in given for source in _expand(text)}
    return list(found.values())


def _expand(text: str) -> Iterator[Source]:
    if is_url(text):
        yield Source(text, None)
        return
    path = Path(text).expanduser()
    if path.is_dir():
        for file in sorted(_files(path)):
            yield Source(str(file.resolve()), file)
    elif path.exists():
        yield Source(str(path.resolve()), path)
    else:
        raise NotFound(f"There is no file or folder {text}; nothing was ingested.")


def _files(folder: Path) -> Iterator[Path]:
    try:
        entries = list(folder.iterdir())
    except OSError as error:
        raise UsageError(f"The folder {folder} cannot be read ({error.strerror}); nothing was ingested.") from error
    for entry in entries:
        if entry.name.startswith(".") or entry.name in _SKIPPED_FOLDERS:
            continue
        if entry.is_symlink():
            continue  # a link could lead out of the folder or in circles
        if entry.is_dir():
            yield from _files(entry)
        elif entry.is_file():
            yield entry
