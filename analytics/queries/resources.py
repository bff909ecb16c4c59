"""What sent these spans? The attributes of each resource, which never change: its id is their hash."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from threading import Lock
from typing import Final

from analytics.attributes import ATTRIBUTE_COLUMNS, attribute_texts
from axonize.clickhouse.json_rows import query_json

RESOURCES_PER_QUERY: Final = 1000
MAX_ANSWER_BYTES: Final = 256 * 1024 * 1024
MAX_CACHE_BYTES: Final = 32 * 1024 * 1024


class ResourceTexts:
    """The JSON objects of resources' attributes by tenant and id: those asked for last, as many as the bound allows."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._texts: OrderedDict[tuple[str, bytes], bytes] = OrderedDict()
        self._lock = Lock()

    def get(self, tenant: str, resource_ids: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return those that are here."""
        found = {}
        with self._lock:
            for resource_id in resource_ids:
                text = self._texts.get((tenant, resource_id))
                if text is not None:
                    self._texts.move_to_end((tenant, resource_id))
                    found[resource_id] = text
        return found

    def put(self, tenant: str, texts: dict[bytes, bytes]) -> None:
        with self._lock:
            for resource_id, text in texts.items():
                if (tenant, resource_id) not in self._texts:
                    self._texts[tenant, resource_id] = text
                    self._bytes += len(text)
            while self._bytes > self._max_bytes:
                self._bytes -= len(self._texts.popitem(last=False)[1])


_kept: Final = ResourceTexts(MAX_CACHE_BYTES)


def resource_texts(*, tenant: str, resource_ids: Iterable[bytes]) -> dict[bytes, bytes]:
    """Return the JSON object of each resource's attributes, by its id, JSON texts of hex both.

    No query for those that were asked for lately, one for each RESOURCES_PER_QUERY others.
    Raises QueryTooLarge, ClickHouseUnavailable, ClickHouseError.
    """
    wanted = set(resource_ids)
    found = _kept.get(tenant, wanted)
    missing = sorted(wanted - found.keys())
    for begin in range(0, len(missing), RESOURCES_PER_QUERY):
        read = _read(tenant, missing[begin : begin + RESOURCES_PER_QUERY])
        _kept.put(tenant, read)
        found |= read
    return found


def resource_columns(*, tenant: str, resource_ids: Iterable[bytes]) -> dict[bytes, dict[str, bytes]]:
    """Return ATTRIBUTE_COLUMNS of each resource, JSON texts, by its id. A query for each RESOURCES_PER_QUERY.

    Raises QueryTooLarge, ClickHouseUnavailable, ClickHouseError.
    """
    wanted = sorted(set(resource_ids))
    found = {}
    for begin in range(0, len(wanted), RESOURCES_PER_QUERY):
        columns = _columns(tenant, wanted[begin : begin + RESOURCES_PER_QUERY])
        ids = columns.pop("id")
        for resource_id, values in zip(ids, zip(*columns.values(), strict=True), strict=True):
            found[resource_id] = dict(zip(columns, values, strict=True))
    return found


def _read(tenant: str, resource_ids: Sequence[bytes]) -> dict[bytes, bytes]:
    columns = _columns(tenant, resource_ids)
    return dict(zip(columns["id"], attribute_texts(columns), strict=True))


def _columns(tenant: str, resource_ids: Sequence[bytes]) -> dict[str, list[bytes]]:
    return query_json(
        f"""
        SELECT hex(resource_id) AS id, {", ".join(ATTRIBUTE_COLUMNS)}
        FROM resources
        PREWHERE tenant = {{tenant:String}}
            AND resource_id IN (SELECT toFixedString(unhex(arrayJoin({{resource_ids:Array(String)}})), 16))
        LIMIT 1 BY resource_id
        """,
        {"tenant": tenant, "resource_ids": [one.decode().strip('"') for one in resource_ids]},
        settings={"max_result_bytes": MAX_ANSWER_BYTES},
    ).columns()
