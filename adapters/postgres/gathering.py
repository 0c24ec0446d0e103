"""Do together what is asked for at the same moment: a commit costs the same for one row as for fifty."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from core.errors import StoreUnavailable

T = TypeVar("T")
R = TypeVar("R")


class Gathering(Generic[T, R]):
    """Hand on what waits as one list, while the list before it is being worked on."""

    def __init__(self, do: Callable[[list[T]], Awaitable[list[R]]], *, most: int) -> None:
        self._do = do
        self._most = most
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._working: asyncio.Task[None] | None = None

    async def ask(self, item: T) -> R:
        """Return what became of ITEM; raises what its list raised, or it alone where the list can be taken apart."""
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answer))
        if self._working is None:
            self._working = asyncio.create_task(self._work())
        return await answer

    async def _work(self) -> None:
        try:
            while self._waiting:
                some, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                await self._answer([one for one in some if not one[1].done()])  # who has given up waits no longer
        finally:
            self._working = None

    async def _answer(self, some: list[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            found = await self._do([item for item, _ in some]) if some else []
        except Exception as error:  # noqa: BLE001 - whatever it is, those who asked must hear of it or wait for ever
            await self._fail(some, error)
            return
        for (_, answer), one_found in zip(some, found, strict=True):
            if not answer.done():  # who asked may have been cancelled
                answer.set_result(one_found)

    async def _fail(self, some: list[tuple[T, asyncio.Future[R]]], error: Exception) -> None:
        if len(some) > 1 and not isinstance(error, StoreUnavailable):
            for one in some:  # one of them spoils the statement, or two lists met in a deadlock
                await self._answer([one])
            return
        for _, answer in some:
            if not answer.done():
                answer.set_exception(error)
