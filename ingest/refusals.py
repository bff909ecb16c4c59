"""Refusals that pass: the same request may be taken later, and the client is told when to come again."""

from typing import ClassVar


class TryLater(Exception):
    """The request is good, but not now. `retry_after_seconds` is when it may be.

    Each class of it has a `reason`, by which axonize.metrics.receiving counts it.
    """

    reason: ClassVar[str]

    def __init__(self, message: str, retry_after_seconds: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class QueueUnavailable(TryLater):
    """Redis is away, or as below."""

    reason = "queue_unreachable"


class QueueFull(QueueUnavailable):
    """What may wait does."""

    reason = "queue_full"


class RateExceeded(TryLater):
    """The key has sent more spans than it may."""

    reason = "rate"


class KeysUnchecked(TryLater):
    """PostgreSQL is away, and nobody knows the key."""

    reason = "keys_unreachable"


class ReceiverBusy(TryLater):
    """The receiver holds as many requests as its memory is meant for."""

    reason = "busy"
