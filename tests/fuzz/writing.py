"""Puts what the intake accepted into ClickHouse, and finds what ClickHouse will not take."""

from collections.abc import Sequence
from dataclasses import dataclass

from clickhouse_connect.driver import Client as ClickHouse

from axonize.clickhouse.errors import ClickHouseError
from ingest.delivery import deliver
from ingest.holds import HoldLost
from ingest.intake import Verdict
from ingest.queue import connect
from ingest.tasks import new_batch_id
from ingest.trial import TrialUndecided


@dataclass(frozen=True)
class Accepted:
    """A request of which the intake kept something."""

    body: bytes
    verdict: Verdict


def unwritable(clickhouse: ClickHouse, accepted: Sequence[Accepted], *, most: int) -> list[str]:
    """Write them as one batch; return `most` of those that fail it, or lose or gain spans in it, and why."""
    if not accepted:
        return []
    expected = sum(one.verdict.accepted_spans for one in accepted)
    before = _stored(clickhouse)
    try:
        with connect() as queue:
            deliver(queue, new_batch_id(), b"".join(one.verdict.frame for one in accepted))
        stored = _stored(clickhouse) - before
        reason = "" if stored == expected else f"{expected} spans accepted, {stored} stored"
    except ClickHouseError as error:
        reason = str(error)[:400]
    except (HoldLost, TrialUndecided):  # it would look for what is bad in a batch that no queue has
        reason = "refused for good, as the log says"
    if not reason:
        return []
    if len(accepted) == 1:
        return [f"{reason}\nRequest: {accepted[0].body.hex()}"]
    middle = len(accepted) // 2
    found = unwritable(clickhouse, accepted[:middle], most=most)
    return found if len(found) >= most else found + unwritable(clickhouse, accepted[middle:], most=most - len(found))


def _stored(clickhouse: ClickHouse) -> int:
    count = clickhouse.command("SELECT count() FROM spans")
    assert isinstance(count, int)
    return count
