"""A database of the same schema in which a refused batch is tried in parts, so that no real table sees a part."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from clickhouse_connect.driver import Client
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from axonize.clickhouse import client as clickhouse, migrator
from axonize.clickhouse.errors import ClickHouseError, ClickHouseUnavailable, classify
from ingest import writer
from ingest.holds import Hold, HoldLost
from ingest.intake import enclose

TRIAL_MAX_SECONDS = 300  # less than the broker waits (visibility_timeout) before it gives the task to another worker


class TrialUndecided(Exception):
    """The trial can't tell what is wrong with a batch: ClickHouse's state is to blame, or its slowness."""


class Trial:
    """The database of a batch's trial."""

    def __init__(self, client: Client, hold: Hold) -> None:
        self._client = client
        self._hold = hold
        self._inserts = 0
        self._ends_at = time.monotonic() + TRIAL_MAX_SECONDS

    def refusal(self, frames: bytes) -> ClickHouseError | None:
        """Return why frames can't be stored, None where they can.

        Raises ClickHouseUnavailable, TrialUndecided when the time is over, HoldLost.
        """
        if time.monotonic() > self._ends_at:
            raise TrialUndecided(f"Trying its parts took longer than {TRIAL_MAX_SECONDS} s.")
        self._hold.extend()
        self._inserts += 1
        try:
            writer.write(batch_id=str(self._inserts), frames=frames, client=self._client)
        except ClickHouseUnavailable:
            raise
        except ClickHouseError as error:
            return error
        return None

    def check_control(self) -> None:
        """Try a request that is good beyond doubt. Raises TrialUndecided where even that is refused, and as above."""
        if error := self.refusal(enclose(control_request().SerializeToString(), "control")[0]):
            raise TrialUndecided(f"ClickHouse refuses a trial request that is good: {error.summary}.") from error


@contextmanager
def trial_database(batch_id: str, hold: Hold) -> Iterator[Trial]:
    """Make the database of a batch's trial, and drop it in the end, and what trials that died have left.

    Raises ClickHouseUnavailable, TrialUndecided, HoldLost.
    """
    prefix = f"{clickhouse.database_name()}_trial_"
    name = f"{prefix}{batch_id}"
    with clickhouse.connect(database="default") as server:
        try:
            with _made(server, name, hold) as client:
                _drop_left(server, prefix, hold)
                yield Trial(client, hold)
        except HoldLost:
            raise  # and so the database is somebody else's too
        except BaseException:
            _drop(server, name)
            raise
        _drop(server, name)


def _made(server: Client, database: str, hold: Hold) -> Client:
    """Return a client of the database, made anew."""
    try:
        _drop(server, database)
        for _ in migrator.migrate(database=database):
            hold.extend()
        return clickhouse.connect(database=database)
    except ClickHouseUnavailable:
        raise
    except ClickHouseError as error:
        raise TrialUndecided(
            f"The database {database}, to try its parts in, can't be made: {error.summary}."
        ) from error


def _drop_left(server: Client, prefix: str, hold: Hold) -> None:
    """Drop the databases of trials whose batches are done: their writers died, or lost their hold."""
    try:
        rows = server.query(
            "SELECT name FROM system.databases WHERE startsWith(name, {prefix:String})", parameters={"prefix": prefix}
        ).result_rows
    except Exception as error:
        raise classify(error, reading=False) from error
    for (name,) in rows:
        if hold.is_done(name.removeprefix(prefix)):
            _drop(server, name)


def control_request() -> ExportTraceServiceRequest:
    """Return a request with all that the mapping looks at: each type of attribute, a GPU, an event, a link."""
    values = {
        "text": AnyValue(string_value="text"),
        "flag": AnyValue(bool_value=True),
        "gen_ai.usage.input_tokens": AnyValue(int_value=1),
        "cost.usd": AnyValue(double_value=0.5),
        "list": AnyValue(array_value=ArrayValue(values=[AnyValue(int_value=1)])),
        "bytes": AnyValue(bytes_value=b"\0"),
        "gpu.0.resource_uuid": AnyValue(string_value="GPU-control"),
        "gpu.0.utilization": AnyValue(double_value=50.0),
    }
    attributes = [KeyValue(key=key, value=value) for key, value in values.items()]
    now_ns = time.time_ns()
    trace_id, span_id = b"\1" * 16, b"\1" * 8
    span = Span(
        trace_id=trace_id,
        span_id=span_id,
        parent_span_id=b"\2" * 8,
        name="control",
        kind=Span.SPAN_KIND_SERVER,
        start_time_unix_nano=now_ns,
        end_time_unix_nano=now_ns,
        attributes=attributes,
        events=[Span.Event(time_unix_nano=now_ns, name="event", attributes=attributes)],
        links=[Span.Link(trace_id=trace_id, span_id=span_id, attributes=attributes)],
    )
    resource = Resource(attributes=attributes)
    scopes = [ScopeSpans(scope=InstrumentationScope(name="control", attributes=attributes), spans=[span])]
    return ExportTraceServiceRequest(resource_spans=[ResourceSpans(resource=resource, scope_spans=scopes)])


def _drop(server: Client, database: str) -> None:
    try:
        server.command("DROP DATABASE IF EXISTS {database:Identifier} SYNC", parameters={"database": database})
    except Exception as error:
        raise classify(error, reading=False) from error
