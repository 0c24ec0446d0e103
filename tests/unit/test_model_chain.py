"""The next model answers where the one before cannot, inside one deadline."""

import pytest

from core.domain import Usage
from core.errors import ModelUnavailable
from core.model_chain import ModelChain
from core.models import ChatMessage, Completion, ContextTooLong, ModelRequest

REQUEST = ModelRequest((ChatMessage("user", "How much is lunch?"),), max_tokens=50, deadline_s=30)


class Clock:
    def __init__(self):
        self.time_s = 0.0

    def __call__(self):
        return self.time_s


class Model:
    """A model that takes its time and then answers or fails."""

    def __init__(self, name, clock, takes_s=1.0, error=None):
        self.name, self._clock, self._takes_s, self._error = name, clock, takes_s, error
        self.deadlines_s = []

    async def complete(self, request, writer):
        self.deadlines_s.append(request.deadline_s)
        self._clock.time_s += min(self._takes_s, request.deadline_s)
        await writer.write(self.name)
        if self._error is not None:
            await writer.restart()
            raise self._error
        if self._takes_s > request.deadline_s:
            await writer.restart()
            raise ModelUnavailable(f"{self.name} is late")
        return Completion(self.name, self.name, Usage(1, 1), "stop")


class Page:
    def __init__(self):
        self.text, self.restarts = "", 0

    async def write(self, text):
        self.text += text

    async def restart(self):
        self.text, self.restarts = "", self.restarts + 1


@pytest.fixture
def clock():
    return Clock()


async def complete(models, clock, **options):
    page = Page()
    try:
        return await ModelChain(models, now=clock, **options).complete(REQUEST, page), page
    except ModelUnavailable as error:
        return error, page


async def test_the_first_model_that_answers_is_the_only_one_that_stands(clock):
    models = [Model("a", clock, error=ModelUnavailable("down")), Model("b", clock), Model("c", clock)]
    completion, page = await complete(models, clock)
    assert (completion.model, page.text, page.restarts) == ("b", "b", 1)
    assert models[2].deadlines_s == []


async def test_a_slow_model_leaves_time_for_the_next_and_the_deadline_holds_for_all(clock):
    models = [Model("a", clock, takes_s=100), Model("b", clock, takes_s=9)]
    completion, _ = await complete(models, clock, reserve_s=10)
    assert completion.model == "b"
    assert models[0].deadlines_s == [20]
    assert models[1].deadlines_s == [10]


async def test_a_short_deadline_is_shared_equally(clock):
    models = [Model(name, clock, takes_s=100) for name in "abc"]
    error, page = await complete(models, clock, reserve_s=20)
    assert [model.deadlines_s for model in models] == [[10], [10], [10]]
    assert str(error) == "c is late"
    assert (page.text, clock.time_s) == ("", 30)


async def test_what_a_quick_failure_leaves_goes_to_the_next(clock):
    models = [Model("a", clock, takes_s=0, error=ModelUnavailable("rests")), Model("b", clock)]
    await complete(models, clock, reserve_s=10)
    assert models[1].deadlines_s == [30]


async def test_no_model_is_asked_once_the_time_is_over(clock):
    class Overdue(Model):
        async def complete(self, request, writer):
            self._clock.time_s += 31
            raise ModelUnavailable("overdue")

    later = Model("b", clock)
    error, _ = await complete([Overdue("a", clock), later], clock)
    assert (str(error), later.deadlines_s) == ("overdue", [])


async def test_the_last_failure_is_told_unless_one_can_be_mended(clock):
    down, gone = ModelUnavailable("down"), ModelUnavailable("gone")
    long = ContextTooLong("too long")
    assert (await complete([Model("a", clock, error=down), Model("b", clock, error=gone)], clock))[0] is gone
    assert (await complete([Model("a", clock, error=long), Model("b", clock, error=gone)], clock))[0] is long


async def test_another_error_ends_the_chain(clock):
    later = Model("b", clock)
    with pytest.raises(KeyError):
        await complete([Model("a", clock, error=KeyError("bug")), later], clock)
    assert later.deadlines_s == []


def test_a_chain_is_named_after_its_models_and_needs_one(clock):
    assert ModelChain([Model("a", clock), Model("b", clock)]).name == "a, b"
    with pytest.raises(ValueError, match="at least one"):
        ModelChain([])
