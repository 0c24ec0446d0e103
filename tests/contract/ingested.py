"""What the tests of reading documents share: a tiny embedder, and looks at what is kept."""

from array import array

from adapters.postgres.search import PostgresSearch
from core.documents import EmbedderIdentity, Query
from core.errors import ModelUnavailable
from core.places import Place, Platform, Reader
from core.terms import terms


class Letters:
    """A tiny embedder: how often each letter stands in a text. It can fail, and counts its work."""

    def __init__(self, name="letters", fails_on=None):
        self.identity = EmbedderIdentity(name, 26)
        self.embedded = 0
        self.fails_on = fails_on
        self.silent = False

    async def embed(self, texts):
        if self.silent or (self.fails_on and any(self.fails_on in text for text in texts)):
            raise ModelUnavailable("The model does not answer; try again later.")
        self.embedded += len(texts)
        return [self._vector(text.lower()) for text in texts]

    def _vector(self, text):
        counts = [text.count(chr(97 + place)) + 0.01 for place in range(26)]
        length = sum(count * count for count in counts) ** 0.5
        return array("f", [count / length for count in counts])

    def count_tokens(self, text):
        return len(text.split())


async def found(database, text):
    """List the texts that are found by the words of TEXT."""
    query = Query(Reader(Place(Platform.CONSOLE, "terminal")), tuple(terms(text)))
    return [passage.text for passage in await PostgresSearch(database).search(1, query)]


async def uploads_left(database):
    """Count the uploads whose bytes are still kept."""
    async with database.tenant(1) as connection:
        return await connection.fetchval("select count(*) from uploads")
