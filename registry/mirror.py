"""The registry's word on each resource, from PostgreSQL to the ClickHouse dictionary that queries read.

PostgreSQL is the truth, and what the dictionary answers is compared with it as a whole. So it does not matter how the
two came apart: an edit, a deletion, a statement typed into psql, a ClickHouse that was away or begins anew.
"""

import time
from typing import Any, Final

from django.core.cache import cache
from django.db import transaction

from axonize.clickhouse.client import command, insert_rows, query
from axonize.clickhouse.tables import loaded
from registry.models import ComputeResource

COMPARE_EVERY_SECONDS: Final = 30
_COMPARED_KEY: Final = "registry.mirror.compared"

_TEXTS: Final = ("physical_uuid", "model", "vendor", "node_id", "resource_type")
_SET_TEXTS: Final = tuple(f"set_{name}" for name in _TEXTS)
_COLUMNS: Final = (*_TEXTS, *_SET_TEXTS, "cost_per_hour_usd")
_DICTIONARY_SQL: Final = """
SELECT
    tenant, resource_uuid, physical_uuid, model, vendor, node_id, resource_type,
    set_physical_uuid, set_model, set_vendor, set_node_id, set_resource_type, cost_per_hour_usd
FROM dictionary('registry')
"""
# What the dictionary answers for a resource that it does not have.
_NOTHING: Final = (*("" for _ in (*_TEXTS, *_SET_TEXTS)), None)

Key = tuple[str, str]
Facts = tuple[Any, ...]


def mirror_is_due() -> bool:
    """Claim the comparison that is due each COMPARE_EVERY_SECONDS, or sooner after demand_mirror()."""
    return cache.add(_COMPARED_KEY, 1, timeout=COMPARE_EVERY_SECONDS)


def demand_mirror() -> None:
    """Have the next synchronisation compare, however short ago the last one did."""
    cache.delete(_COMPARED_KEY)


def demand_mirror_on_commit() -> None:
    # Robust: a cache that is away is logged, and must not fail an edit that stands already.
    transaction.on_commit(demand_mirror, robust=True)


def mirror_registry() -> int:
    """Make the dictionary say what PostgreSQL says; return how many resources it had wrong.

    A resource of which nothing is known, or which was deleted, is a row of blanks: the dictionary's answer for a key
    that it lacks. Raises ClickHouseUnavailable, ClickHouseError.
    """
    # Taken before PostgreSQL is read: of two mirrors at a time the one that read later wins in ReplacingMergeTree.
    version = time.time_ns()
    wanted = _wanted()
    present = _present()
    wrong = [
        [*key, *wanted.get(key, _NOTHING), version]
        for key in wanted.keys() | present.keys()
        if wanted.get(key, _NOTHING) != present.get(key, _NOTHING)
    ]
    if wrong:
        insert_rows("registry_resources", wrong, ["tenant", "resource_uuid", *_COLUMNS, "version"])
        command(f"SYSTEM RELOAD DICTIONARY {loaded('registry')}")
    return len(wrong)


def _wanted() -> dict[Key, Facts]:
    rows = ComputeResource.objects.described().with_set_texts().values_list("tenant__slug", "uuid", *_COLUMNS)
    return {(tenant, uuid): tuple(facts) for tenant, uuid, *facts in rows.iterator(chunk_size=10_000)}


def _present() -> dict[Key, Facts]:
    rows = query(_DICTIONARY_SQL, settings={"max_result_rows": 0})
    return {(row["tenant"], row["resource_uuid"]): tuple(row[column] for column in _COLUMNS) for row in rows}
