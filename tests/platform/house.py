"""The real stack of one process: web server, worker, PostgreSQL, engine, and a model server on the loopback."""

import importlib.util
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache
from pathlib import Path

import asyncpg
from aiohttp import web_app
from pydantic import SecretStr

from adapters.embedded.minilm import MiniLM
from adapters.embedded.weights import find
from adapters.queue.worker import Worker, running
from adapters.web.server import make_app, run_server
from bots.service import extend
from bots.settings import Settings
from bots.wiring import open_frontdesk
from core.checks import Health
from core.places import Platform
from core.ticket_work import TicketWork
from ingest.sources import sources

_SPEC = importlib.util.spec_from_file_location(
    "model_server", Path(__file__).parents[1] / "contract" / "model_server.py"
)
model_server = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(model_server)

HANDBOOK = {
    "time-off.md": "# Time off\n\nFull-time employees have 28 days of paid vacation in a calendar year.\n",
    "expenses.md": "# Expenses\n\nLunch is reimbursed up to 18 euro a day when you travel.\n",
}


class Model:
    """A language model that says what it is told: the same to every question, piece by piece."""

    def __init__(self, server):
        self._server = server
        self.says("Full-time employees have 28 days of paid vacation [1].")

    def says(self, *pieces, stall=False, pause_s=0.0):
        """Say PIECES from now on; with STALL, nothing more after them and no end."""
        chunk = model_server.chunk
        said = [chunk("ANSWERED\n"), *(chunk(piece) for piece in pieces)]
        end = [model_server.STALL] if stall else [chunk(finish="stop"), model_server.DONE]
        self._server.script = [model_server.stream(*said, *end, pause_s=pause_s)]

    def knows_nothing(self):
        """Find no answer in any source from now on."""
        self._server.script = [
            model_server.stream(
                model_server.chunk("NOT ANSWERED"), model_server.chunk(finish="stop"), model_server.DONE
            )
        ]

    @property
    def hung_up(self):
        """Return the event that is set when a request was given up."""
        return self._server.hung_up

    @property
    def asked(self):
        """List all that it was ever told, as one text for each request."""
        return ["\n".join(message["content"] for message in body["messages"]) for body in self._server.bodies]


class House:
    """What a member of the contract talks to, with the means to break it."""

    def __init__(self, service, url, owner_url, model, base_url):
        self.service = service
        self.base_url = base_url
        self.model = model
        self.url = url
        self._owner_url = owner_url
        self._worker = None
        self._stack = AsyncExitStack()

    async def start_worker(self):
        """Start a worker, as another process would."""
        worker = Worker(self.url, self.service.tasks, concurrency=4, name="tests", sweep=self.service.sweep, poll_s=1.0)
        self._worker = await self._stack.enter_async_context(running(worker))

    async def stop_worker(self):
        """Stop it in the middle of whatever it does."""
        await self._stack.aclose()

    async def fetch(self, statement, *values):
        """Read from the database as its owner."""
        connection = await asyncpg.connect(self._owner_url)
        try:
            await connection.execute("select set_config('frontdesk.tenant_id', '1', false)")
            return await connection.fetch(statement, *values)
        finally:
            await connection.close()

    async def is_idle(self):
        """Tell whether nothing waits and nothing is being answered."""
        ((rows, deliveries, jobs),) = await self.fetch(
            "select (select count(*) from inbox where state <> 'ended'), "
            "(select count(*) from outbox where settled is null and content is not null), "
            "(select count(*) from procrastinate_jobs where status = 'doing')"
        )
        return rows == deliveries == jobs == 0

    @asynccontextmanager
    async def without_postgresql(self, maintenance_url):
        """Cut everybody off from the database and let nobody in again until the block ends."""
        name = self._owner_url.partition("?")[0].rpartition("/")[2]
        maintenance = await asyncpg.connect(maintenance_url)
        try:
            await maintenance.execute(f"alter database {name} with allow_connections false")
            await maintenance.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name)
            yield
        finally:
            await maintenance.execute(f"alter database {name} with allow_connections true")
            await maintenance.close()

    async def answer_ticket(self, number, text):
        """Answer a ticket as a person does."""
        tools = self.service.frontdesk.tools
        work = TicketWork(tools.tickets, tools.sessions, tools.authors, tools.outbox)
        assert await work.answer(1, number, text)


@cache
def _embedder():
    """Load the embedder that all houses of a process share: it takes half a second and 150 MB."""
    weights = find(Path("/nonexistent"))
    return MiniLM(weights) if weights else None


@asynccontextmanager
async def open_house(addresses, home, settings):
    """Open a house whose platform is configured by SETTINGS, over a copy of a database that was furnished."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(model_server.running_server())
        made = Settings(
            frontdesk_home=home,
            database_url=SecretStr(addresses.application),
            openai_base_url=server.base_url,
            openai_api_key=SecretStr("secret"),
            models=("m",),
            cache_ttl_s=0,
            author_per_minute=1_000,
            **settings,
        )
        frontdesk = await stack.enter_async_context(open_frontdesk(made, lambda _: None, embedder=_embedder()))
        service = await stack.enter_async_context(extend(frontdesk))
        app = make_app(routes=service.routes, health=Health({}))
        # aiohttp remembers the handlers of the last 1,024 routes called, and with them all that they work with.
        stack.callback(web_app._cached_build_middleware.cache_clear)
        host, port = await stack.enter_async_context(run_server(app, "127.0.0.1", 0))
        house = House(service, addresses.application, addresses.owner, Model(server), f"http://{host}:{port}")
        stack.push_async_callback(house.stop_worker)
        await house.start_worker()
        yield house


async def furnish(addresses):
    """Put the handbook into a database."""
    with tempfile.TemporaryDirectory() as home:
        made = Settings(frontdesk_home=Path(home), database_url=SecretStr(addresses.application))
        async with open_frontdesk(made, lambda _: None, embedder=_embedder()) as frontdesk:
            kb = await frontdesk.knowledge.create(1, "handbook", tuple(Platform))
            for name, text in HANDBOOK.items():
                (made.frontdesk_home / name).write_text(text)
            await frontdesk.ingestion.ingest(1, kb, sources([home]), lambda _: None)
