"""Keep the times of calls in Redis or Valkey: one round trip a call, on the server's clock."""

import json
from collections.abc import Sequence
from functools import partial
from typing import Any, cast

from redis.asyncio import Redis

from adapters.redis.link import Link
from core.errors import StoreUnavailable
from core.pacing import Slot, Turn, merged

_PREFIX = "pacing:"

# core/pacing.py, class Book. A key holds held_from, held_until, newest, idle_at, then time and number of each call.
_READ = """
local function read(key, now)
    local packed = redis.call('get', key)
    local log = packed and cmsgpack.unpack(packed) or {0, 0, 0, 0}
    if log[1] > now then log[1], log[2] = now, now + log[2] - log[1] end
    return log
end
local function write(key, log, now)
    if log[4] <= now then return end
    redis.call('set', key, cmsgpack.pack(log), 'px', math.ceil((log[4] - now) / 1000))
end
local now = tonumber(ARGV[1])
if now < 0 then
    local clock = redis.call('time')
    now = clock[1] * 1000000 + clock[2]
end
"""
_TAKE = f"""{_READ}
local mine, most = tonumber(ARGV[2]), tonumber(ARGV[3])
local rules = cjson.decode(ARGV[4])
local logs, calls, ahead, longest = {{}}, {{}}, {{}}, {{}}
local at, number = now, now
for i, key in ipairs(KEYS) do
    local log = read(key, now)
    logs[i], calls[i], ahead[i], longest[i] = log, {{}}, {{}}, 0
    for _, rate in ipairs(rules[i]) do longest[i] = math.max(longest[i], rate[2]) end
    for j = 5, #log, 2 do
        local made, by, counted = log[j], log[j + 1], longest[i] > 0
        if counted and by == 0 then made = math.min(made, now) end
        if not counted or made + longest[i] > now and (mine == 0 or by ~= mine) then
            table.insert(calls[i], made)
            table.insert(calls[i], by)
            if mine == 0 or by < mine then table.insert(ahead[i], made) end
        end
    end
    table.sort(ahead[i])
    at, number = math.max(at, log[2]), math.max(number, log[3] + 1)
end
if mine ~= 0 then number = mine end
local before = -1
while at ~= before do
    before = at
    for i in ipairs(KEYS) do
        for _, rate in ipairs(rules[i]) do
            local times, count, per = ahead[i], rate[1], rate[2]
            for j = 1, #times - count + 1 do
                local first, last = times[j], times[j + count - 1]
                if last - first < per and last - per < at and at < first + per then at = first + per end
            end
        end
    end
end
for i, key in ipairs(KEYS) do
    local log = logs[i]
    if longest[i] > 0 then
        log[3] = math.max(log[3], number)
        if at == now or most < 0 or at - now <= most then
            table.insert(calls[i], at)
            table.insert(calls[i], at == now and 0 or number)
            log[4] = math.max(log[4], at + longest[i])
        end
    end
    local kept = {{log[1], log[2], log[3], log[4]}}
    for _, word in ipairs(calls[i]) do table.insert(kept, word) end
    write(key, kept, now)
end
return {{at - now, number}}
"""
_HOLD = f"""{_READ}
local log = read(KEYS[1], now)
log[1], log[2] = now, math.max(log[2], now + tonumber(ARGV[2]))
log[4] = math.max(log[4], log[2])
write(KEYS[1], log, now)
return 1
"""


class RedisPacing:
    """A PacingStore for all processes that share the server; raises StoreUnavailable while it does not answer."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def take(self, slots: Sequence[Slot], number: int, most_us: int, *, now_us: int = -1) -> Turn:
        """Count a call, or plan one; the server's clock tells the time where NOW_US does not."""
        wanted = merged(slots)
        rules = json.dumps([[[rate.count, rate.per_us] for rate in slot.rates] for slot in wanted])
        keys = [_PREFIX + slot.key for slot in wanted]
        wait_us, number = await self._run(_TAKE, keys, [now_us, number, most_us, rules])
        return Turn(wait_us, number)

    async def hold(self, key: str, for_us: int, *, now_us: int = -1) -> None:
        """Let no call go out under KEY for FOR_US."""
        await self._run(_HOLD, [_PREFIX + key], [now_us, for_us])

    async def _run(self, script: str, keys: list[str], words: list[str | int]) -> Any:
        answer = await self._link.call(partial(_call, script, keys, words))
        if answer is None:
            raise StoreUnavailable("Redis does not answer; try again soon.")
        return answer


async def _call(script: str, keys: list[str], words: list[str | int], client: Redis) -> Any:
    return await cast("Any", client.register_script(script))(keys, words)
