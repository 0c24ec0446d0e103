"""The language models of the settings and of the bots."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from bots.settings import Settings
from core.answering import ModelAnswerer
from core.domain import BotConfiguration
from core.errors import UsageError
from core.model_chain import ModelChain
from core.models import LanguageModel
from core.ports import Answerer

OPENAI_URL = "https://api.openai.com/v1"


@dataclass(frozen=True, slots=True)
class Named:
    """A model as settings and bots write it: NAME, or NAME@ADDRESS for another server than the usual one."""

    name: str
    base_url: str | None

    @classmethod
    def parse(cls, text: str) -> "Named":
        """Read NAME or NAME@ADDRESS; names may hold an @ themselves."""
        name, at, address = text.partition("@http")
        return cls(name.strip(), f"http{address.strip()}" if at else None)


class Models:
    """Connections to every model that is asked for, each opened once."""

    def __init__(self, settings: Settings, stack: AsyncExitStack) -> None:
        self._settings = settings
        self._stack = stack
        self._open: dict[str, LanguageModel] = {}

    async def chain(self, names: Sequence[str]) -> LanguageModel | None:
        """Open the models NAMES, those of the settings where there are none; None where those are none either."""
        wanted = tuple(names) or self._settings.models
        opened = [await self._model(text) for text in wanted]
        return ModelChain(opened) if opened else None

    async def _model(self, text: str) -> LanguageModel:
        if text not in self._open:
            # The SDK takes half a second to import, and most commands ask no model.
            from adapters.openai.chat import connect  # noqa: PLC0415

            named = Named.parse(text)
            base_url = named.base_url or self._settings.openai_base_url or OPENAI_URL
            self._open[text] = await self._stack.enter_async_context(
                connect(
                    base_url=base_url,
                    api_key=self._key(named.base_url),
                    model=named.name,
                    stall_s=self._settings.model_stall_s,
                )
            )
        return self._open[text]

    def _key(self, address: str | None) -> str:
        """Find the key of a server; the usual one's key is never sent to another."""
        if address is None:
            key = self._settings.openai_api_key
            return key.get_secret_value() if key else "none"
        return self._settings.model_keys.get(urlsplit(address).netloc, "none")


class Answerers:
    """Who answers for which bot."""

    def __init__(self, models: Models, fallback: Answerer, deadline_s: float) -> None:
        self._models = models
        self._fallback = fallback
        self._deadline_s = deadline_s

    async def __call__(self, bot: BotConfiguration) -> Answerer:
        """Choose the bot's models, those of the settings, or none."""
        try:
            chain = await self._models.chain(bot.models)
        except UsageError:
            return self._fallback  # a bot names a server that is no address; `bot set` cannot know every one
        return self._fallback if chain is None else ModelAnswerer(chain, self._fallback, deadline_s=self._deadline_s)


@asynccontextmanager
async def open_models(settings: Settings) -> AsyncIterator[Models]:
    """Open the models on demand and close them at the end."""
    async with AsyncExitStack() as stack:
        yield Models(settings, stack)
