"""`frontdesk serve` and `frontdesk worker` as real processes: they start, answer, drain and refuse."""

import asyncio
import json
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import asyncpg
import psutil
import pytest

from adapters.telemetry import tracing

KEY = "a key of at least twenty characters"
TIME_OFF = "# Time off\n\n## Vacation\n\nFull-time employees have 28 days of paid vacation in a calendar year.\n"


@pytest.fixture(scope="module")
def frontdesk(frontdesk):
    (frontdesk.folder / "time-off.md").write_text(TIME_OFF)
    frontdesk("ingest", "time-off.md", "--kb", "staff")
    frontdesk("kb", "scope", "staff", "--platform", "api")
    return replace(frontdesk, environment={**frontdesk.environment, "HTTP_KEYS": f"shop={KEY}"})


@contextmanager
def running(frontdesk, *arguments, **settings):
    """Run a command until the block ends; yield it with the first line it printed."""
    with (frontdesk.folder / f"{arguments[0]}.log").open("a") as log:
        process = frontdesk.start(*arguments, stderr=log, **settings)
        try:
            yield process, process.stdout.readline()
        finally:
            process.kill()
            process.communicate()


@contextmanager
def serving(frontdesk, *arguments, **settings):
    with running(frontdesk, "serve", "--port", "0", *arguments, **settings) as (process, line):
        assert line.startswith("Listening on http://127.0.0.1:"), (frontdesk.folder / "serve.log").read_text()
        yield process, line.split()[-1]


def call(url, body=None):
    request = urllib.request.Request(url, data=json.dumps(body).encode() if body else None)
    request.add_header("Authorization", f"Bearer {KEY}")
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=30) as response:
        return response.status, response.read().decode()


def ask(url, event_id):
    """Send a question and return where it may be looked up."""
    body = {
        "event_id": event_id,
        "message_id": event_id,
        "channel": "desk",
        "thread": event_id,
        "author": {"id": "u-17"},
        "text": "How many days of vacation do full-time employees have?",
    }
    status, text = call(f"{url}/http/shop/events", body)
    assert status == 202
    return f"{url}/http/shop/messages/{json.loads(text)['id']}"


def wait_until(fact, seconds=60):
    end = time.monotonic() + seconds
    while not (value := fact()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return value


def wait_for_answer(place):
    return wait_until(lambda: (said := call(place)[1]) and '"answered"' in said and said)


def is_ready(url):
    return status(f"{url}/health/ready") == 200


def status(url):
    try:
        return call(url)[0]
    except urllib.error.HTTPError as error:
        return error.code


async def execute(url, sql):
    connection = await asyncpg.connect(url)
    await connection.execute(sql)
    await connection.close()


@contextmanager
def collector():
    """Take in what is posted to a server of our own; yield its address and the bodies by path."""
    posted = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            posted.setdefault(self.path, []).append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", posted
        server.shutdown()


def test_one_process_listens_answers_and_ends_when_told(frontdesk):
    with serving(frontdesk) as (process, url):
        assert call(f"{url}/health/live")[0] == 200
        ready = json.loads(call(f"{url}/health/ready")[1])
        assert set(ready["parts"]) == {"database", "worker"}
        assert "28 days" in wait_for_answer(ask(url, "e-1"))
        assert "frontdesk_accepted_total" in call(f"{url}/metrics")[1]
        asked = urllib.request.Request(f"{url}/metrics", headers={"Accept": "application/openmetrics-text"})
        with urllib.request.urlopen(asked, timeout=30) as response:
            assert response.headers["Content-Type"].startswith("application/openmetrics-text")
            assert response.read().endswith(b"# EOF\n")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_requests_are_logged_and_traced_under_one_id(frontdesk, folder):
    with collector() as (address, paths):
        settings = {"LOG_LEVEL": "info", "OTEL_EXPORTER_OTLP_ENDPOINT": address, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        with serving(frontdesk, **settings) as (process, url):
            wait_for_answer(ask(url, "e-logged"))
            wait_until(lambda: b"answer" in b"".join(paths.get("/v1/traces", [])))
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
    lines = [json.loads(line) for line in (folder / "serve.log").read_text().splitlines() if line.startswith("{")]
    logged = [line for line in lines if line.get("path") == "/http/shop/events"]
    assert {(line["method"], line["status"]) for line in logged} == {("POST", 202)}
    exported = b"".join(paths["/v1/traces"])
    assert all(name in exported for name in (b"accept", b"answer", b"send"))
    trace_ids = {tracing.trace_id_of(line["request_id"]).to_bytes(16, "big") for line in logged}
    assert all(each in exported for each in trace_ids)


def test_a_tracer_that_is_not_installed_is_named(frontdesk, folder):
    hidden = folder / "hidden" / "opentelemetry"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ImportError('not here')")
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "PYTHONPATH": str(hidden.parent)}
    done = frontdesk("worker", code=2, **endpoint)
    assert "frontdesk[otel]" in done.stderr


def test_the_oldest_rows_of_the_inbox_are_dropped(frontdesk):
    with serving(frontdesk) as (_, url):
        paths = {event_id: ask(url, event_id).removeprefix(url) for event_id in ("e-old", "e-young")}
        for path in paths.values():
            wait_for_answer(url + path)
    for days, event_id in ((4, "e-old"), (2, "e-young")):
        sql = f"update inbox set ended_at = now() - interval '{days} days' where event_id = '{event_id}'"
        asyncio.run(execute(frontdesk.server.owner_url("frontdesk"), sql))
    with serving(frontdesk, INBOX_DAYS="3") as (_, url):
        wait_until(lambda: status(url + paths["e-old"]) == 404)
        assert status(url + paths["e-young"]) == 200


def test_a_worker_answers_what_another_process_has_taken(frontdesk):
    with serving(frontdesk, "--no-worker") as (_, url):
        place = ask(url, "e-2")
        with running(frontdesk, "worker", "--metrics-port", "0") as (worker, line):
            assert "28 days" in wait_for_answer(place)
            assert call(f"{line.split()[-1]}/health/ready")[0] == 200
            worker.send_signal(signal.SIGINT)
            assert worker.wait(10) == 0


def test_a_killed_embedded_server_is_started_again(frontdesk, folder):
    with serving(frontdesk) as (_, url):
        pid = int((folder / "home/postgres/data/postmaster.pid").read_text().split()[0])
        postmaster = psutil.Process(pid)
        for each in (postmaster, *postmaster.children(recursive=True)):
            each.kill()
        wait_until(lambda: not is_ready(url))
        wait_until(lambda: is_ready(url))
        assert "28 days" in wait_for_answer(ask(url, "e-3"))


def test_half_a_configuration_is_refused_with_one_list(frontdesk):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        half = {
            "DATABASE_URL": "postgresql://frontdesk:secret@127.0.0.1:1/frontdesk",
            "HTTP_KEYS": "shop=short",
            "HTTP_CALLBACKS": "other=https://example.org/answers",
            "MODELS": "some-model",
        }
        done = frontdesk("serve", "--port", taken.getsockname()[1], code=2, **half)
    lines = done.stderr.splitlines()
    assert lines[0] == "error: Frontdesk does not start half-configured:"
    assert len(lines) == 7
    for word in ("127.0.0.1:1", "Port", "key of shop", "names other", "MODELS", "secret must be"):
        assert any(word in line for line in lines[1:]), word
    assert "secret@" not in done.stderr
