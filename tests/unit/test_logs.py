"""Log lines name their request and hold no secret, wherever it stands; they are read as they are written."""

import asyncio
import io
import json
import logging
from contextlib import contextmanager, redirect_stderr

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from bots import logs
from core.tracing import Untraced, bound, bound_fields, new_request_id, request_id

# Made up here, in the shapes of the real ones; put together so that no scanner takes them for real.
SECRETS = {
    "slack bot token": "xoxb-" + "1234567890-0987654321-AbCdEfGhIjKlMnOpQrStUvWx",
    "slack app token": "xapp-" + "1-A0123456789-1234567890-abcdef0123456789",
    "telegram token": "7654321098:" + "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1",
    "json web token": "eyJhbGciOiJIUzI1NiJ9"
    + ".eyJzdWIiOiIxMjM0NTYifQ"
    + ".dozjgNryP4J3jVmNHl0w5NXgL0n3I9PlFUP0THsR8U",
    "model key": "sk-" + "proj-Ab12Cd34Ef56Gh78Ij90",
    "short model key": "sk-" + "abcdefgh",
    "own key": "a key that looks like nothing",
}
PASSWORD = "hunter-2" + "-is-long"


@contextmanager
def lines(level="info", secrets=(SECRETS["own key"],)):
    """Collect what is logged within, as parsed lines and as text."""
    root, held, quiet = logging.getLogger(), logging.getLogger().handlers[:], logging.getLogger().level
    text = io.StringIO()
    collected = []
    try:
        with redirect_stderr(text):
            logs.configure(level, secrets)
            yield collected, text
    finally:
        collected += [json.loads(line) for line in text.getvalue().splitlines()]
        root.handlers[:] = held
        root.setLevel(quiet)
        structlog.reset_defaults()


def fail(words):
    raise ValueError(words)


def log_exception(log, words):
    try:
        try:
            fail(f"refused: {words}")
        except ValueError as error:
            raise RuntimeError("it went wrong") from error
    except RuntimeError:
        log.exception("failed")


def log_bound(log, words):
    with bound("r1", place=words):
        log.warning("sent")


PLACES = {
    "message": lambda log, s: log.warning(s),
    "argument": lambda log, s: log.warning("it said %s to us", s),
    "path": lambda log, s: log.warning("GET https://api.example.org/%s/getMe failed", s),
    "extra": lambda log, s: log.warning("sent", extra={"body": s}),
    "nested": lambda log, s: log.warning("sent", extra={"body": {"a": [{"b": (s, 1)}], s: 2}}),
    "object": lambda log, s: log.warning("sent", extra={"body": ValueError(s)}),
    "bytes": lambda log, s: log.warning("sent", extra={"body": [s.encode()]}),
    "exception": log_exception,
    "ours": lambda _, s: structlog.get_logger("frontdesk").warning("sent", body={"deep": [s]}),
    "our exception": lambda _, s: log_exception(structlog.get_logger("frontdesk"), s),
    "bound": log_bound,
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", SECRETS)
def test_no_secret_reaches_a_line(place, kind):
    with lines() as (collected, text):
        PLACES[place](logging.getLogger("library"), SECRETS[kind])
    assert len(collected) == 1
    assert SECRETS[kind] not in text.getvalue()
    assert "hidden]" in text.getvalue()


@pytest.mark.parametrize("place", ["message", "argument", "nested", "object", "exception", "ours"])
@pytest.mark.parametrize(
    "words",
    [
        f"postgresql://app:{PASSWORD}@db.example.org/frontdesk",
        f"redis://:{PASSWORD}@cache:6379/0",
        f"Authorization: Bearer {PASSWORD}",
        f"-----BEGIN PRIVATE KEY-----\n{PASSWORD}\n-----END PRIVATE KEY-----",
    ],
)
def test_nor_does_a_password(place, words):
    with lines() as (_, text):
        PLACES[place](logging.getLogger("library"), words)
    assert PASSWORD not in text.getvalue()


@pytest.mark.parametrize("name", ["password", "x-api-key", "Authorization", "client_secret", "TELEGRAM_TOKEN"])
def test_a_value_whose_name_is_a_secrets_name_is_hidden_whatever_it_is(name):
    with lines() as (collected, _):
        logging.getLogger("library").warning("sent", extra={"headers": {name: "plain words", "tokens": 12}})
    assert collected[0]["headers"] == {name: "[hidden]", "tokens": 12}


def test_what_is_no_secret_stays_readable():
    said = "PostgreSQL at 127.0.0.1:5432/frontdesk does not answer; 3 of 20 jobs wait since 2026-11-21 05:02."
    with lines() as (collected, _):
        logging.getLogger("library").warning(said, extra={"status": 503, "seconds": 0.25, "lost": None})
    line = collected[0]
    assert line["event"] == said
    assert (line["status"], line["seconds"], line["lost"]) == (503, 0.25, None)
    assert (line["level"], line["logger"]) == ("warning", "library")


def test_every_line_names_its_request_also_a_librarys():
    with lines() as (collected, _):
        with bound("r1", tenant=1, platform="slack"):
            logging.getLogger("library").warning("one")
            structlog.get_logger("frontdesk").warning("two")
            with bound("r2", platform="teams"):
                logging.getLogger("library").warning("three")
        logging.getLogger("library").warning("four")
    assert [line.get("request_id") for line in collected] == ["r1", "r1", "r2", None]
    assert [line.get("platform") for line in collected] == ["slack", "slack", "teams", None]
    assert [line.get("tenant") for line in collected] == [1, 1, 1, None]


async def test_requests_that_run_together_keep_their_own_ids():
    async def work(name):
        with bound(name, tenant=name):
            await asyncio.sleep(0)
            return request_id.get(), bound_fields(), await asyncio.to_thread(bound_fields)

    for name, (seen, fields, in_thread) in zip("abc", await asyncio.gather(*map(work, "abc")), strict=True):
        assert seen == name
        assert fields == in_thread == {"request_id": name, "tenant": name}
    assert bound_fields() == {}


def test_the_engine_of_the_jobs_is_quiet_below_warning():
    with lines("debug") as (collected, _):
        logging.getLogger("procrastinate.worker").info("Fetched a job")
        logging.getLogger("procrastinate.worker").warning("Lost a job")
    assert [line["event"] for line in collected] == ["Lost a job"]


def test_ids_of_requests_are_all_different_and_can_name_a_trace():
    ids = {new_request_id() for _ in range(1_000)}
    assert len(ids) == 1_000
    assert all(len(made) == 32 and int(made, 16) for made in ids)


def test_without_a_tracer_the_work_is_done_all_the_same():
    with Untraced().begin("accept", platform="api") as span:
        span.note(inbox_id=1)
    with Untraced().span("serve") as span:
        span.add_steps({"search": 0.1})
    assert bound_fields() == {}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=8,
    )
)
def test_whatever_is_logged_becomes_one_line_of_json(value):
    with lines() as (collected, _):
        logging.getLogger("library").warning("sent", extra={"body": value})
    assert len(collected) == 1
    assert "body" in collected[0]


def test_telegrams_addresses_hold_no_token():
    with lines() as (_, text):
        logging.getLogger("library").info("POST https://api.telegram.org/bot%s/send", SECRETS["telegram token"])
    assert "/bot[hidden]/send" in text.getvalue()


def test_standard_error_is_where_lines_go():
    with lines() as (_, text):
        logging.getLogger("library").info("here")
    assert '"event": "here"' in text.getvalue()
