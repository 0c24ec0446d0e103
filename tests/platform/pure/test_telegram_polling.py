"""How long nobody is heard after an outage, on a clock that jumps."""

import asyncio
from contextlib import asynccontextmanager
from itertools import pairwise

from adapters.telegram.api import TelegramApi
from adapters.telegram.intake import Account
from adapters.telegram.polling import Poller
from bench.telegram_flood import TOKEN, VirtualLoop
from core.errors import ChannelUnavailable
from core.pacing import PreferredPacer


def test_after_an_outage_of_any_length_it_is_tried_again_within_five_seconds():
    loop, tries = VirtualLoop(), []

    @asynccontextmanager
    async def away(_):
        tries.append(loop.time())
        raise ChannelUnavailable("Telegram cannot be reached.")
        yield

    async def poll():
        api = TelegramApi("help", TOKEN, PreferredPacer())
        poller = asyncio.create_task(Poller(Account(api, 1, "secret"), None, away).run())
        await asyncio.sleep(600.0)
        poller.cancel()
        await asyncio.gather(poller, return_exceptions=True)
        await api.close()

    loop.run_until_complete(poll())
    loop.close()
    pauses = [after - before for before, after in pairwise(tries)]
    assert max(pauses) <= 5.0
    assert len(tries) < 300
