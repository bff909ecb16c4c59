"""What is in a stack's queue, read from Redis directly."""

from typing import cast

import redis

from bench.chaos.stack import Stack
from ingest.queue import PREFIX, QueueDepth, SealedBatches


def connected(stack: Stack) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(stack.data_dir / "run" / "redis.sock"))


def depth(stack: Stack) -> QueueDepth:
    """Return what waits. Raises redis.RedisError."""
    with connected(stack) as client:
        return SealedBatches(client).depth()


def is_empty(stack: Stack) -> bool:
    """Whether nothing waits; not while Redis is away."""
    with connected(stack) as client:
        try:
            return SealedBatches(client).depth() == QueueDepth(sealed_batches=0, queued_bytes=0)
        except redis.RedisError:
            return False


def is_being_written(stack: Stack) -> bool:
    """Whether a worker has a batch for itself just now."""
    with connected(stack) as client:
        try:
            return any(client.hexists(about(batch), "leased_until_ms") for batch in sealed(client))
        except redis.RedisError:
            return False


def let_leases_end(stack: Stack) -> None:
    """Make it as if the minute had passed for which a dead worker's batch is still taken to be at work on."""
    with connected(stack) as client:
        for batch in sealed(client):
            client.hdel(about(batch), "leased_until_ms")
            client.zadd(f"{PREFIX}sealed", {batch: 0}, xx=True)


def sealed(client: redis.Redis) -> list[str]:
    return [name.decode() for name in cast(list[bytes], client.zrange(f"{PREFIX}sealed", 0, -1))]


def about(batch: str) -> str:
    return f"{PREFIX}batch:{batch}:about"
