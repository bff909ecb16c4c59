"""What does the registry say of these resources? Their texts, for spans that left some out."""

from collections.abc import Iterable
from typing import Final

from analytics.gpu_json import Words
from analytics.span_rows import GPU_FROM_REGISTRY
from axonize.clickhouse import client as clickhouse

RESOURCES_PER_QUERY: Final = 1000


def registered(*, tenant: str, resource_uuids: Iterable[str]) -> Words:
    """Return the registry's word on each resource, empty texts where it has none. A query for RESOURCES_PER_QUERY.

    Raises ClickHouseUnavailable, ClickHouseError.
    """
    uuids = sorted(resource_uuids)
    words: dict[str, dict[str, str]] = {}
    for begin in range(0, len(uuids), RESOURCES_PER_QUERY):
        rows = clickhouse.query(
            f"""
            SELECT
                arrayJoin({{resource_uuids:Array(String)}}) AS uuid,
                dictGet({{registry:String}}, {GPU_FROM_REGISTRY}, ({{tenant:String}}, uuid)) AS word
            """,
            {"tenant": tenant, "resource_uuids": uuids[begin : begin + RESOURCES_PER_QUERY]},
        )
        words.update((row["uuid"], row["word"]) for row in rows)
    return words
