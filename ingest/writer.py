"""From a sealed batch to ClickHouse: one insert, repeatable without effect."""

from functools import lru_cache
from pathlib import Path

from clickhouse_connect.driver import Client

from axonize.clickhouse.client import BACKGROUND_SETTINGS, get_client
from axonize.clickhouse.errors import classify

ONE_BLOCK_ROWS = 2**31  # more than any batch has
PROTO = Path(__file__).with_name("otlp.proto")


@lru_cache(maxsize=1)
def format_schema() -> str:
    """Return ingest/otlp.proto without its comments, for it travels with every insert."""
    lines = (line.split("//")[0].rstrip() for line in PROTO.read_text().splitlines())
    return "\n".join(line for line in lines if line)


def write(*, batch_id: str, frames: bytes, client: Client | None = None) -> None:
    """Insert a batch: zstd frames, one after the other, of length-delimited Envelope messages (ingest/otlp.proto).

    The batch id is the deduplication token of every table that the insert reaches, so writing a batch again changes
    nothing, also where a part of it is left out by then. `client` is this process's unless told otherwise.
    Raises ClickHouseUnavailable, ClickHouseError.
    """
    try:
        (client or get_client()).raw_insert(
            "otlp_inbox",
            insert_block=frames,
            fmt="Protobuf",
            compression="zstd",
            settings=insert_settings(batch_id),
        )
    except Exception as error:
        raise classify(error, reading=False) from error


def insert_settings(batch_id: str) -> dict[str, object]:
    """Return the settings of the insert of a batch."""
    return {
        "insert_deduplication_token": batch_id,
        "deduplicate_blocks_in_dependent_materialized_views": 1,
        "async_insert": 0,
        "max_insert_threads": 1,
        # One block a batch and table: a token stands for a block, and a batch cut in two elsewhere than at the
        # first try would lose or repeat what is in between.
        "min_insert_block_size_rows": ONE_BLOCK_ROWS,
        "min_insert_block_size_bytes": 0,
        "parallel_view_processing": 0,
        # A fifth of the planning, for nothing: the mapping runs as fast in several steps.
        "query_plan_merge_expressions": 0,
        **BACKGROUND_SETTINGS,
        "format_schema_source": "string",
        "format_schema": format_schema(),
        "format_schema_message_name": "Envelope",
        "input_format_protobuf_oneof_presence": 1,
    }
