"""Where the figures of all processes are: in Redis, each step one Lua script, so that it happens whole or not at all.

processes  each process's last snapshot, by its name
seen       when each one last reported, by Redis's clock
gone       the sums over all processes that are gone, by sample
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from axonize.metrics.snapshot import Snapshot, Values

KEYS: Final = ("axonize:metrics:processes", "axonize:metrics:seen", "axonize:metrics:gone")
TIMEOUT_SECONDS: Final = 1.0
SILENT_MS: Final = 30_000  # a process that reports every few seconds is not there any more
LOST_MS: Final = 60_000  # what it counted goes to the sums of those that are gone
FOLDED_AT_ONCE: Final = 20

# Numbers travel with the digits that a double has: Lua's own texts have fewer.
_FOLD: Final = """
local processes, seen, gone = KEYS[1], KEYS[2], KEYS[3]
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)

local function fold(name)
    local told = cjson.decode(redis.call('HGET', processes, name) or '{"summed":{},"latest":{}}')
    for sample, value in pairs(told.summed) do
        redis.call('HINCRBYFLOAT', gone, sample, string.format('%.17g', value))
    end
    for sample, value in pairs(told.latest) do
        if value > tonumber(redis.call('HGET', gone, sample) or '0') then
            redis.call('HSET', gone, sample, string.format('%.17g', value))
        end
    end
    redis.call('HDEL', processes, name)
    redis.call('ZREM', seen, name)
    return told.process
end

local function fold_lost(lost_ms, most)
    for _, name in ipairs(redis.call('ZRANGEBYSCORE', seen, '-inf', now_ms - lost_ms, 'LIMIT', 0, most)) do
        local process = fold(name)
        if process then
            redis.call('HINCRBYFLOAT', gone, cjson.encode({'axonize_processes_lost_total', 'process', process}), 1)
        end
    end
end
"""

# Answers 0 where the process was folded meanwhile, and so must not tell again what it told before.
_REPORT: Final = (
    _FOLD
    + """
local name, text, is_first, is_last = ARGV[1], ARGV[2], ARGV[3] == '1', ARGV[4] == '1'
if not is_first and redis.call('HEXISTS', processes, name) == 0 then
    return 0
end
redis.call('HSET', processes, name, text)
redis.call('ZADD', seen, now_ms, name)
if is_last then
    fold(name)
end
fold_lost(tonumber(ARGV[5]), tonumber(ARGV[6]))
return 1
"""
)

_READ: Final = (
    _FOLD
    + """
fold_lost(tonumber(ARGV[1]), tonumber(ARGV[2]))
return {
    redis.call('HGETALL', processes), redis.call('HGETALL', gone),
    redis.call('ZRANGEBYSCORE', seen, now_ms - tonumber(ARGV[3]), '+inf'),
}
"""
)


@dataclass(frozen=True)
class Stored:
    """What all processes have reported: those that are there, whether each was heard of just now, and the rest."""

    processes: Sequence[tuple[Snapshot, bool]]
    gone: Values


class Store:
    """A connection of its own to the server that REDIS_URL names. Every method raises redis.RedisError."""

    def __init__(self) -> None:
        self._client = redis.Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 1),
        )
        self._report = self._client.register_script(_REPORT)
        self._read = self._client.register_script(_READ)

    def report(self, name: str, text: bytes, *, is_first: bool, is_last: bool) -> bool:
        """Keep a process's snapshot; tell whether it was. It is not where an earlier one is counted as gone by now.

        The last one is counted as gone at once. `is_first` is for a process that has no earlier one.
        """
        arguments: list[str | bytes | int] = [name, text, int(is_first), int(is_last), LOST_MS, FOLDED_AT_ONCE]
        return bool(self._report(keys=KEYS, args=arguments))

    def read(self) -> Stored:
        """Return what is there, those that fell silent counted as gone."""
        answer = self._read(keys=KEYS, args=[LOST_MS, FOLDED_AT_ONCE, SILENT_MS])
        processes, gone, heard = cast(tuple[list[bytes], list[bytes], list[bytes]], answer)
        return Stored(
            processes=[(Snapshot.parsed(text), name in heard) for name, text in _pairs(processes).items()],
            gone={sample.decode(): float(value) for sample, value in _pairs(gone).items()},
        )

    def close(self) -> None:
        self._client.close()


def _pairs(flat: list[bytes]) -> Mapping[bytes, bytes]:
    return dict(zip(flat[::2], flat[1::2], strict=True))
