"""Against a server that keeps the API's rules and misbehaves on command, a model answers completely or not at all."""

import asyncio
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.openai.chat import connect
from adapters.openai.retry import Breaker, RetryPolicy
from core.domain import Usage
from core.errors import ModelUnavailable, UsageError
from core.model_chain import ModelChain
from core.models import ChatMessage, Completion, ContextTooLong, ModelRequest

_SPEC = importlib.util.spec_from_file_location("model_server", Path(__file__).with_name("model_server.py"))
model_server = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(model_server)
STALL, DONE, WHOLE = model_server.STALL, model_server.DONE, model_server.WHOLE
SAME_ANSWER, TOO_LONG = model_server.SAME_ANSWER, model_server.TOO_LONG
RETRIED, FINAL = model_server.RETRIED, model_server.FINAL
chunk, stream, reply, error = model_server.chunk, model_server.stream, model_server.reply, model_server.error
Page, running_server = model_server.Page, model_server.running_server

QUICK = RetryPolicy(base_s=0.01, cap_s=0.02)
MESSAGES = (ChatMessage("system", "Answer from the sources."), ChatMessage("user", "How much is lunch?"))
REQUEST = ModelRequest(MESSAGES, max_tokens=50, temperature=0.2, deadline_s=10)


@pytest.fixture
async def server():
    async with running_server() as server:
        yield server


def chat_of(server, **options):
    return connect(base_url=server.base_url, api_key="secret", model="m", **{"policy": QUICK, **options})


@dataclass
class Outcome:
    completion: Completion | None
    error: ModelUnavailable | None
    page: Page


async def ask(model, request=REQUEST):
    page = Page()
    try:
        completion = await model.complete(request, page)
    except ModelUnavailable as failure:
        assert page.text == "", "half an answer was left standing"
        return Outcome(None, failure, page)
    assert page.text == completion.text
    return Outcome(completion, None, page)


async def test_an_answer_is_written_as_it_comes_and_counted(server):
    async with chat_of(server) as chat:
        outcome = await ask(chat)
    assert outcome.completion == Completion("Lunch is 20.", "m-2026", Usage(21, 5), "stop")
    assert outcome.page.restarts == 0
    assert server.bodies == [
        {
            "model": "m",
            "messages": [
                {"role": "system", "content": "Answer from the sources."},
                {"role": "user", "content": "How much is lunch?"},
            ],
            "stream": True,
            "max_tokens": 50,
            "temperature": 0.2,
            "stream_options": {"include_usage": True},
        }
    ]


async def test_pieces_are_passed_on_before_the_answer_is_complete(server):
    server.script = [stream(chunk("Lunch"), STALL)]
    async with chat_of(server) as chat:
        page = Page()
        task = asyncio.create_task(chat.complete(REQUEST, page))
        await page.begun.wait()
        assert (page.text, task.done()) == ("Lunch", False)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("parts", SAME_ANSWER.values(), ids=SAME_ANSWER)
async def test_the_same_answer_in_another_form_is_the_same_answer(server, parts):
    server.script = [stream(*parts)]
    async with chat_of(server) as chat:
        outcome = await ask(chat)
    assert outcome.completion == Completion("Lunch is 20.", "m-2026", Usage(21, 5), "stop")
    assert server.requests == 1


async def test_a_server_that_does_not_stream_is_understood(server):
    choice = {"message": {"role": "assistant", "content": "Lunch is 20."}, "finish_reason": "stop"}
    counts = {"prompt_tokens": 21, "completion_tokens": 5}
    server.script = [reply(200, {"model": "m-2026", "choices": [choice], "usage": counts})]
    async with chat_of(server) as chat:
        outcome = await ask(chat)
    assert outcome.completion == Completion("Lunch is 20.", "m-2026", Usage(21, 5), "stop")


async def test_an_answer_cut_at_the_limit_says_so(server):
    server.script = [stream(chunk("Lunch is"), chunk(finish="length"), DONE)]
    async with chat_of(server) as chat:
        outcome = await ask(chat)
    assert outcome.completion.finish_reason == "length"


async def test_tokens_are_estimated_where_the_server_does_not_count(server):
    server.script = [stream(chunk("Zwölf €"), chunk(finish="stop"), DONE)]
    async with chat_of(server) as chat:
        outcome = await ask(chat)
    assert outcome.completion.usage == Usage(11, 3)


async def test_a_character_cut_in_two_is_mended_and_half_a_character_replaced(server):
    first = rb'data: {"choices":[{"delta":{"content":"Hi \ud83d"}}]}'
    second = rb'data: {"choices":[{"delta":{"content":"\ude00 \ude00 \ud83d"},"finish_reason":"stop"}]}'
    server.script = [stream(first, b"\n\n", second, b"\n\n", DONE)]
    async with chat_of(server) as chat:
        outcome = await ask(chat)
    assert outcome.completion.text == "Hi \N{GRINNING FACE} \ufffd \ufffd"


async def test_a_connection_serves_again(server):
    async with chat_of(server) as chat:
        for _ in range(3):
            await ask(chat)
    assert len(server.peers) == 1


@pytest.mark.parametrize("behaviour", RETRIED.values(), ids=RETRIED)
async def test_a_passing_fault_is_healed_by_asking_again(server, behaviour):
    server.script = [behaviour, behaviour, stream(*WHOLE)]
    async with chat_of(server) as chat:
        outcome = await ask(chat)
    assert outcome.completion.text == "Lunch is 20."
    assert server.requests == 3


@pytest.mark.parametrize("behaviour", RETRIED.values(), ids=RETRIED)
async def test_a_lasting_fault_is_tried_three_times(server, behaviour):
    server.script = [behaviour]
    async with chat_of(server) as chat:
        outcome = await ask(chat)
    assert type(outcome.error) is ModelUnavailable
    assert server.requests == 3


@pytest.mark.parametrize("behaviour", FINAL.values(), ids=FINAL)
async def test_a_fault_that_asking_again_would_not_heal_is_told_at_once(server, behaviour):
    server.script = [behaviour]
    async with chat_of(server) as chat:
        outcome = await ask(chat)
    assert type(outcome.error) is ModelUnavailable
    assert server.requests == 1


@pytest.mark.parametrize("behaviour", TOO_LONG.values(), ids=TOO_LONG)
async def test_messages_that_are_too_long_are_told_apart(server, behaviour):
    server.script = [behaviour]
    async with chat_of(server) as chat:
        outcome = await ask(chat)
    assert type(outcome.error) is ContextTooLong
    assert server.requests == 1


@pytest.mark.parametrize("behaviour", [stream(STALL), stream(chunk("Lunch"), STALL)], ids=["silent", "in the middle"])
async def test_a_stalled_stream_fails_long_before_the_deadline(server, behaviour):
    server.script = [behaviour]
    async with chat_of(server, stall_s=0.1) as chat:
        outcome = await ask(chat, ModelRequest(MESSAGES, 50, deadline_s=100))
    assert "in time" in str(outcome.error)
    assert server.requests == 1


async def test_a_drip_ends_with_the_deadline_and_counts_as_a_failure(server):
    server.script = [stream(chunk("Lunch"), *SAME_ANSWER["byte by byte"], pause_s=0.02)]
    async with chat_of(server, stall_s=5, breaker=Breaker(failures=1)) as chat:
        outcome = await ask(chat, ModelRequest(MESSAGES, 50, deadline_s=1.5))
        assert "in time" in str(outcome.error)
        assert outcome.page.restarts == 1
        await server.hung_up.wait()
        assert "rests" in str((await ask(chat)).error)
    assert server.requests == 1


async def test_no_server_at_all_is_told(unused_port):
    options = {"api_key": "", "model": "m", "policy": QUICK}
    async with connect(base_url=f"http://127.0.0.1:{unused_port}/v1", **options) as chat:
        assert (await ask(chat)).error is not None


@pytest.fixture
async def unused_port():
    async with running_server() as server:
        return int(server.base_url.split(":")[2].removesuffix("/v1"))


async def test_a_try_never_comes_before_the_server_s_retry_after(server):
    server.script = [error(429, retry_after_ms="150"), stream(*WHOLE)]
    async with chat_of(server) as chat:
        assert (await ask(chat)).completion is not None
    assert server.arrivals_s[1] - server.arrivals_s[0] >= 0.15


@pytest.mark.parametrize("value", ["20", "Fri, 31 Dec 9999 23:59:59 GMT"])
async def test_a_retry_after_beyond_the_deadline_is_not_waited_for(server, value):
    server.script = [error(503, retry_after=value), stream(*WHOLE)]
    async with chat_of(server) as chat:
        assert (await ask(chat)).error is not None
    assert server.requests == 1


@pytest.mark.parametrize(
    "refused", [["stream_options"], ["max_tokens"], ["temperature"], ["temperature", "max_tokens", "stream_options"]]
)
async def test_a_parameter_refused_by_name_is_avoided_from_then_on(server, refused):
    server.script = [model_server.strict(*refused)]
    async with chat_of(server) as chat:
        assert (await ask(chat)).completion is not None
        assert server.requests == 1 + len(refused)
        assert (await ask(chat)).completion is not None
    assert server.requests == 2 + len(refused)
    assert ("max_completion_tokens" in server.bodies[-1]) == ("max_tokens" in refused)


async def test_a_refusal_in_plain_words_is_understood(server):
    server.script = [reply(422, {"detail": [{"loc": ["body", "stream_options"], "msg": "extra"}]}), stream(*WHOLE)]
    async with chat_of(server) as chat:
        assert (await ask(chat)).completion is not None


async def test_an_adaptation_that_did_not_help_is_not_remembered(server):
    server.script = [error(400, "max_tokens is too large", param="max_tokens")]
    async with chat_of(server) as chat:
        for _ in range(2):
            assert (await ask(chat)).error is not None
    assert ["max_tokens" in body for body in server.bodies] == [True, False, True, False]


class Clock:
    def __init__(self):
        self.time_s = 0.0

    def __call__(self):
        return self.time_s


async def test_after_five_failures_the_server_is_left_alone_then_probed_once(server):
    clock = Clock()
    server.script = [error(500)]
    async with chat_of(server, breaker=Breaker(now=clock)) as chat:
        assert [str((await ask(chat)).error) for _ in range(4)][2:] == [
            "The model m has failed too often and rests; try again in a minute."
        ] * 2
        assert server.requests == 5
        clock.time_s += 30
        await asyncio.gather(ask(chat), ask(chat))
        assert server.requests == 6
        clock.time_s += 30
        server.script = [stream(*WHOLE)]
        assert (await ask(chat)).completion is not None
        assert (await ask(chat)).completion is not None


async def test_no_try_is_waited_for_once_the_breaker_is_open(server):
    server.script = [error(500, retry_after="1000")]
    async with chat_of(server, breaker=Breaker(failures=1)) as chat, asyncio.timeout(30):
        assert (await ask(chat, ModelRequest(MESSAGES, 50, deadline_s=2000))).error is not None
    assert server.requests == 1


@pytest.mark.parametrize("name", ["400", "403", "422", "filtered", "empty"])
async def test_what_is_refused_for_its_text_does_not_open_the_breaker(server, name):
    server.script = [FINAL[name], stream(*WHOLE)]
    async with chat_of(server, breaker=Breaker(failures=1)) as chat:
        assert (await ask(chat)).error is not None
        assert (await ask(chat)).completion is not None


@pytest.mark.parametrize("name", ["401", "404", "rubbish", "HTML with 200"])
async def test_what_every_request_would_meet_opens_the_breaker(server, name):
    server.script = [FINAL[name]]
    async with chat_of(server, breaker=Breaker(failures=1)) as chat:
        for _ in range(2):
            assert (await ask(chat)).error is not None
    assert server.requests == 1


async def test_a_cancelled_answer_hangs_up(server):
    server.script = [stream(chunk("Lunch"), STALL), stream(*WHOLE)]
    async with chat_of(server, breaker=Breaker(failures=1)) as chat:
        page = Page()
        task = asyncio.create_task(chat.complete(REQUEST, page))
        await page.begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.hung_up.wait()
        assert (page.text, page.restarts, server.requests) == ("Lunch", 0, 1)
        assert (await ask(chat)).completion is not None


async def test_a_pause_between_tries_can_be_cancelled(server):
    server.script = [stream(chunk("Lunch"), DONE)]
    async with chat_of(server, policy=RetryPolicy(base_s=1e9, cap_s=1e9)) as chat:
        page = Page()
        long = ModelRequest(MESSAGES, 50, deadline_s=1e10)
        task = asyncio.create_task(chat.complete(long, page))
        await page.taken_back.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert server.requests == 1


@pytest.mark.parametrize("failure", [TimeoutError, ConnectionResetError, ModelUnavailable])
async def test_an_error_of_the_writer_passes_through_and_is_not_blamed_on_the_model(server, failure):
    class BrokenPage(Page):
        async def write(self, text):
            raise failure("the channel is gone")

    async with chat_of(server, breaker=Breaker(failures=1)) as chat:
        with pytest.raises(failure, match="the channel is gone"):
            await chat.complete(REQUEST, BrokenPage())
        assert server.requests == 1
        assert (await ask(chat)).completion is not None


async def test_the_next_model_of_a_chain_answers_on_a_clean_page(server):
    server.script = [stream(chunk("Dinner"), DONE)]
    async with running_server() as other, chat_of(server) as first, chat_of(other) as second:
        chain = ModelChain([first, second])
        for _ in range(3):
            outcome = await ask(chain)
            assert outcome.completion.text == "Lunch is 20."
    assert (server.requests, other.requests) == (5, 3)


async def test_a_key_that_no_header_can_carry_is_refused():
    with pytest.raises(UsageError):
        async with connect(base_url="http://127.0.0.1:9/v1", api_key="sk-“x”", model="m"):
            pass
