"""Redis: whether it keeps what it is given, for every acknowledged request waits in it."""

import time
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

import redis
from django.conf import settings

from axonize.doctor.finding import Check, Finding, clock, fail, ok, warn

LEAST_VERSION: Final = (6, 2)
TIMEOUT_SECONDS: Final = 5
KEEP: Final = "See docs/decisions/0006-when-redis-syncs.md."


def server() -> Iterator[Finding]:
    """Look at the server that REDIS_URL names."""
    with redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
    ) as client:
        try:
            info = cast(Mapping[str, Any], client.info())
        except redis.RedisError as error:
            mend = "Start it, and look at REDIS_URL; `manage.py up` starts one of its own where that is not set."
            yield fail(f"It does not answer: {error}", mend)
            return
        yield _version(str(info["redis_version"]))
        yield from _keeping(info)
        yield from _syncing(client)
        asked_s = time.time()
        seconds, microseconds = cast(tuple[int, int], client.time())
        theirs_s = seconds + microseconds / 1e6
        yield clock("Redis", theirs_s=theirs_s, asked_s=asked_s, answered_s=time.time())


def _version(text: str) -> Finding:
    if tuple(int(part) for part in text.split(".")[:2]) < LEAST_VERSION:
        return fail(f"It is version {text}.", "Install Redis 6.2 or later.")
    return ok(f"It answers, version {text}.")


def _keeping(info: Mapping[str, Any]) -> Iterator[Finding]:
    faults = []
    if not info["aof_enabled"]:
        mend = f"Set `appendonly yes`, in its configuration file and by CONFIG SET. {KEEP}"
        faults.append(fail("It writes no append-only file: what is acknowledged is lost when it ends.", mend))
    elif info["aof_last_write_status"] != "ok":
        mend = "Make room on its disk, and look at its log."
        faults.append(fail("It could not write its append-only file.", mend))
    if info["maxmemory_policy"] != "noeviction":
        what = f"It may throw away what waits in the queue: maxmemory-policy is {info['maxmemory_policy']}."
        faults.append(fail(what, "Set `maxmemory-policy noeviction`, in its configuration file and by CONFIG SET."))
    if info["role"] != "master":
        faults.append(fail("It is a replica, which takes no writes.", "Name the primary in REDIS_URL."))
    yield from faults or [ok("It keeps what it is given.")]


def _syncing(client: redis.Redis) -> Iterator[Finding]:
    try:
        fsync = cast(Mapping[str, str], client.config_get("appendfsync")).get("appendfsync")
    except redis.RedisError:  # a managed one does not show its configuration
        return
    if fsync == "everysec":
        what = "appendfsync is everysec, which puts off the writing itself by up to two seconds."
        yield warn(what, f"Set `appendfsync no`, or `always` where the death of the machine must lose nothing. {KEEP}")


CHECKS: Final[dict[str, Check]] = {"Redis": server}
