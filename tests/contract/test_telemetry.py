"""What can be watched from outside: metrics as they are scraped, traces as they are exported, the access log."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families

from adapters.postgres.readings import read_pool, read_queues, read_unsettled
from adapters.telemetry.prometheus import COUNTERS, TIMERS, PrometheusMeter
from adapters.telemetry.tracing import first_span_id_of, open_tracer, trace_id_of
from core.errors import StoreUnavailable
from core.meter import Counted, Timed
from core.readings import Gauged, Reading
from core.tracing import bound, new_request_id

ROOT = Path(__file__).parents[2]
VALUES = {
    "platform": "slack",
    "tenant": "1",
    "kind": "message",
    "reason": "overloaded",
    "origin": "documents",
    "step": "search",
    "model": "a-model",
}


async def scrape(meter):
    body, content_type = await meter.expose()
    assert content_type.startswith("text/plain")
    families = text_string_to_metric_families(body.decode())
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value for family in families for sample in family.samples
    }


async def test_everything_that_is_counted_and_timed_can_be_scraped():
    meter = PrometheusMeter(tenants=[1], strict=True)
    for what in Counted:
        meter.count(what, 2, **{name: VALUES[name] for name in COUNTERS[what].labels})
    for what in Timed:
        meter.time(what, 0.2, **{name: VALUES[name] for name in TIMERS[what].labels})
    seen = await scrape(meter)
    assert seen["frontdesk_accepted_total", ("kind", "message"), ("platform", "slack"), ("tenant", "1")] == 2
    assert seen[("frontdesk_rescued_total",)] == 2
    assert seen["frontdesk_acknowledged_seconds_sum", ("platform", "slack")] == 0.2
    assert seen["frontdesk_acknowledged_seconds_bucket", ("le", "0.1"), ("platform", "slack")] == 0
    assert seen["frontdesk_acknowledged_seconds_bucket", ("le", "0.25"), ("platform", "slack")] == 1
    assert seen["frontdesk_answer_seconds_count", ("platform", "slack")] == 1
    names = {key[0] for key in seen}
    assert names.issuperset(f"frontdesk_{what}_total" for what in Counted)
    if sys.platform == "linux":
        assert seen[("process_resident_memory_bytes",)] > 1_000_000


@pytest.mark.parametrize(
    ("what", "labels"),
    [
        (Counted.TICKETS, {"platform": "slack"}),
        (Counted.TICKETS, {"platform": "slack", "tenant": "1", "author": "U1"}),
        (Counted.TICKETS, {"platform": "slack", "tenant": "2"}),
        (Counted.TICKETS, {"platform": "fax", "tenant": "1"}),
    ],
)
async def test_a_label_that_is_not_known_is_refused_in_tests_and_bounded_in_service(what, labels):
    with pytest.raises(ValueError, match=r"known|labels"):
        PrometheusMeter(tenants=[1], strict=True).count(what, **labels)
    meter = PrometheusMeter(tenants=[1])
    meter.count(what, **labels)
    seen = [dict(key[1:]) for key in await scrape(meter) if key[0] == "frontdesk_tickets_total"]
    assert len(seen) == 1
    assert set(seen[0]) == {"platform", "tenant"}
    assert seen[0]["platform"] in {"slack", "other"}
    assert seen[0]["tenant"] in {"1", "other"}


async def test_names_without_a_list_cannot_fill_the_memory():
    meter = PrometheusMeter()
    for n in range(500):
        meter.time(Timed.MODEL, 1.0, model=f"model {n}")
        meter.count(Counted.TICKETS, platform="slack", tenant=str(n))
    seen = await scrape(meter)
    models = [key for key in seen if key[0] == "frontdesk_model_seconds_count"]
    assert len(models) == 51
    assert seen["frontdesk_model_seconds_count", ("model", "other")] == 450
    assert seen["frontdesk_tickets_total", ("platform", "slack"), ("tenant", "other")] == 500


async def test_a_tenant_that_came_later_is_counted_by_its_number():
    meter = PrometheusMeter(tenants=[1], strict=True)
    meter.know_tenants([1, 2])
    meter.count(Counted.TICKETS, platform="slack", tenant="2")
    assert ("frontdesk_tickets_total", ("platform", "slack"), ("tenant", "2")) in await scrape(meter)


async def test_the_format_follows_what_the_scraper_asks_for():
    _, content_type = await PrometheusMeter().expose("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")


async def test_gauges_are_read_at_each_scrape_and_old_ones_do_not_stay():
    waiting = [Reading(Gauged.QUEUED, 3, {"queue": "messages", "tenant": "1"})]

    async def read():
        return waiting

    async def fail():
        raise StoreUnavailable("PostgreSQL does not answer.")

    meter = PrometheusMeter(tenants=[1], readers=[read])
    key = ("frontdesk_jobs_queued", ("queue", "messages"), ("tenant", "1"))
    assert (await scrape(meter))[key] == 3
    waiting.clear()
    seen = await scrape(meter)
    assert key not in seen
    assert seen[("frontdesk_readings_up",)] == 1
    blind = PrometheusMeter(readers=[read, fail])
    blind.count(Counted.RESCUED)
    seen = await scrape(blind)
    assert (seen[("frontdesk_readings_up",)], seen[("frontdesk_rescued_total",)]) == (0, 1)


async def test_the_queues_are_read_from_the_database(database):
    job = (
        "select procrastinate_defer_jobs_v1(array[row('messages', 'serve_thread', 0, $1::text, null, "
        "jsonb_build_object('tenant_id', 1), null)::procrastinate_job_to_defer_v1])"
    )
    delivery = (
        "insert into outbox (tenant_id, purpose, platform, installation, channel, thread, author_id, address, settled) "
        "values (1, 'notice', 'api', '', 'c', '', 'a', '{}', $1)"
    )
    async with database.tenant(1) as connection:
        for lock in ("a", "b"):
            await connection.execute(job, lock)
        for settled in (None, "sent"):
            await connection.execute(delivery, settled)

    async def read():
        return [*await read_queues(database), *await read_unsettled(database, [1]), *await read_pool(database)]

    seen = await scrape(PrometheusMeter(tenants=[1], readers=[read], strict=True))
    labels = (("queue", "messages"), ("tenant", "1"))
    assert seen["frontdesk_jobs_queued", *labels] == 2
    assert 0 <= seen["frontdesk_job_oldest_seconds", *labels] < 60
    assert seen["frontdesk_deliveries_unsettled", ("tenant", "1")] == 1
    assert seen["frontdesk_database_connections", ("state", "idle")] >= 1


async def spans_of(work, **options):
    exporter = InMemorySpanExporter()
    async with open_tracer("", exporter=exporter, **options) as tracer:
        work(tracer)
    return {span.name: span for span in exporter.get_finished_spans()}


async def test_acceptance_and_answer_are_one_trace_though_two_processes_made_them():
    request = new_request_id()

    def accept(tracer):
        with bound(request), tracer.begin("accept", platform="slack") as span:
            span.note(inbox_id=7)

    def answer(tracer):
        with bound(request), tracer.span("serve") as span:
            with tracer.span("send"):
                pass
            span.add_steps({"search": 0.25, "answer": 1.5})

    accepted, served = await spans_of(accept), await spans_of(answer)
    first = accepted["accept"]
    assert first.parent is None
    assert first.context.trace_id == int(request, 16)
    assert dict(first.attributes) == {"platform": "slack", "inbox_id": 7}
    serve = served["serve"]
    assert {span.context.trace_id for span in served.values()} == {first.context.trace_id}
    assert serve.parent.span_id == first.context.span_id
    assert {served[name].parent.span_id for name in ("send", "search", "answer")} == {serve.context.span_id}
    assert served["search"].start_time == serve.start_time
    assert served["search"].end_time == served["answer"].start_time == serve.start_time + 250_000_000
    assert served["answer"].end_time - served["answer"].start_time == 1_500_000_000


async def test_a_request_id_of_somebody_else_names_a_trace_too():
    def work(tracer):
        with bound("from a proxy"):
            with tracer.begin("accept"):
                pass
            with tracer.span("serve"):
                pass

    spans = await spans_of(work)
    assert spans["serve"].parent.span_id == spans["accept"].context.span_id == first_span_id_of("from a proxy")
    assert spans["serve"].context.trace_id == trace_id_of("from a proxy")


async def test_a_failure_is_recorded_and_goes_on():
    def work(tracer):
        with pytest.raises(StoreUnavailable), bound("r"), tracer.span("serve"):
            raise StoreUnavailable("PostgreSQL does not answer.")

    assert not (await spans_of(work))["serve"].status.is_ok


async def test_processes_agree_on_which_traces_are_kept():
    ids = [new_request_id() for _ in range(200)]

    def accept(tracer):
        for request in ids:
            with bound(request), tracer.begin(f"accept {request}"):
                pass

    def serve(tracer):
        for request in ids:
            with bound(request), tracer.span(f"serve {request}") as span:
                span.add_steps({f"step {request}": 0.1})

    accepted, served = await spans_of(accept, ratio=0.5), await spans_of(serve, ratio=0.5)
    kept = {name.removeprefix("accept ") for name in accepted}
    assert 0 < len(kept) < 200
    assert set(served) == {f"{what} {request}" for what in ("serve", "step") for request in kept}


def test_opentelemetry_is_not_imported_unless_it_is_asked_for():
    words = "import sys, core.tracing, adapters.telemetry.prometheus, bots.logs; print('opentelemetry' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", words], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


SERVER = """
import asyncio
from aiohttp import ClientSession, web
from adapters.telemetry.access import AccessLog
from bots import logs

async def hello(request):
    return web.Response(text="hello", status=int(request.query.get("status", "200")), headers={"X-Request-Id": "r1"})

async def main():
    application = web.Application()
    application.router.add_get("/{path:.*}", hello)
    runner = web.AppRunner(application, access_log_class=AccessLog)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with ClientSession() as client:
        for path in ("/v1/ask?key=a-plain-word", "/health/live", "/metrics", "/health/ready?status=503"):
            async with client.get(f"http://127.0.0.1:{port}{path}") as response:
                await response.read()
    await runner.cleanup()

logs.configure("info")
asyncio.run(main())
"""


def test_the_access_log_is_structured_names_the_request_and_leaves_out_the_query():
    ran = subprocess.run([sys.executable, "-c", SERVER], cwd=ROOT, capture_output=True, text=True, check=True)
    asked, sick = [json.loads(line) for line in ran.stderr.splitlines()]
    assert (asked["path"], asked["status"], asked["request_id"]) == ("/v1/ask", 200, "r1")
    assert asked["bytes"] > len("hello")
    assert asked["seconds"] >= 0
    assert asked["logger"] == "aiohttp.access"
    assert "a-plain-word" not in ran.stderr
    assert (sick["path"], sick["status"]) == ("/health/ready", 503)
