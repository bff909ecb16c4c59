"""ClickHouse: its version, its schema, what the user may do, its disks, and work that does not get done."""

import time
from collections.abc import Iterator
from typing import Final

from clickhouse_connect.driver.binding import quote_identifier

from axonize.clickhouse import client as clickhouse, migrator
from axonize.clickhouse.cluster_checks import ClusterMisconfigured
from axonize.clickhouse.errors import ClickHouseError, ClickHouseUnavailable, classify
from axonize.doctor.data_directory import space
from axonize.doctor.finding import Check, Finding, clock, fail, ok, warn

TESTED_VERSION: Final = (26, 8)
PRIVILEGES: Final = (
    "SELECT", "INSERT", "ALTER", "CREATE TABLE", "CREATE VIEW", "CREATE DICTIONARY", "DROP TABLE", "DROP VIEW",
    "DROP DICTIONARY", "TRUNCATE", "dictGet",
)  # fmt: skip
EVERYWHERE: Final = ("SYSTEM RELOAD DICTIONARY",)
"""Privileges that ClickHouse gives for all databases alone."""
ON_CLUSTER: Final = (*EVERYWHERE, "CLUSTER", "REMOTE")
"""The same, where statements go to all servers and tables are distributed over them."""
MANY_PARTS: Final = 500
"""In one partition. ClickHouse takes inserts more slowly from 1,000 on, and none at 3,000."""
MUTATION_SECONDS: Final = 3600


def server() -> Iterator[Finding]:
    """Look at the server that CLICKHOUSE_URL names."""
    asked_s = time.time()
    try:
        [row] = clickhouse.query("SELECT version() AS version, toUnixTimestamp64Milli(now64(3)) AS now_ms")
    except ClickHouseUnavailable as error:
        mend = "Start it, and look at CLICKHOUSE_URL; `manage.py up` starts one of its own where that is not set."
        yield fail(f"It does not answer: {error}", mend)
        return
    yield _version(row["version"])
    yield clock("ClickHouse", theirs_s=row["now_ms"] / 1000, asked_s=asked_s, answered_s=time.time())
    yield from _rights()
    for disk in clickhouse.query("SELECT name, free_space AS free, total_space AS total FROM system.disks"):
        yield space(f"Its disk {disk['name']}", free_bytes=disk["free"], total_bytes=disk["total"])


def schema() -> Iterator[Finding]:
    """Look for migrations that are not applied, and for files that were changed since."""
    try:
        pending = migrator.pending()
    except migrator.SchemaChanged as error:
        yield fail("Its schema is not of this version.", str(error))
        return
    except ClusterMisconfigured as error:
        yield fail("CLICKHOUSE_CLUSTER and the server do not fit one another.", str(error))
        return
    if pending:
        what = f"{len(pending)} migrations are pending, the first is {pending[0].name}."
        yield fail(what, "Run `manage.py migrate_clickhouse`.")
    else:
        yield ok("No migration is pending.")


def work() -> Iterator[Finding]:
    """Look for mutations that fail, partitions of many parts, and replicas that take nothing."""
    faults = []
    ours = {"databases": clickhouse.database_names()}
    for row in clickhouse.query(
        """
        SELECT table, latest_fail_reason AS reason, dateDiff('second', create_time, now()) AS seconds
        FROM system.mutations WHERE database IN {databases:Array(String)} AND NOT is_done
        """,
        ours,
    ):
        if row["reason"]:
            mend = "Mend what the reason names; ClickHouse goes on by itself, and KILL MUTATION gives it up."
            faults.append(fail(f"A change of {row['table']} does not succeed: {row['reason'][:200]}", mend))
        elif row["seconds"] > MUTATION_SECONDS:
            mend = "Wait, or look at system.mutations: `parts_to_do` must fall."
            faults.append(warn(f"A change of {row['table']} has been going on for {row['seconds'] // 60} min.", mend))
    for row in clickhouse.query(
        """
        SELECT table, partition, count() AS parts FROM system.parts
        WHERE database IN {databases:Array(String)} AND active GROUP BY table, partition HAVING parts > {many:UInt32}
        """,
        {"many": MANY_PARTS, **ours},
    ):
        what = f"{row['table']} has {row['parts']} parts in the partition {row['partition']}."
        mend = "Look at the disk and the CPU of ClickHouse, for it merges too slowly; fewer, larger batches help."
        faults.append(warn(what, mend))
    for row in clickhouse.query(
        "SELECT table FROM system.replicas WHERE database IN {databases:Array(String)} AND is_readonly", ours
    ):
        mend = "Look at ClickHouse Keeper and its connection; SYSTEM RESTORE REPLICA mends lost metadata."
        faults.append(fail(f"The replica of {row['table']} takes no writes.", mend))
    yield from faults or [ok("It gets its work done.")]


def _version(text: str) -> Finding:
    if tuple(int(part) for part in text.split(".")[:2]) < TESTED_VERSION:
        least = ".".join(map(str, TESTED_VERSION))
        return warn(f"It is version {text}, older than what this was tested with.", f"Install {least} or later.")
    return ok(f"It answers, version {text}.")


def _rights() -> Iterator[Finding]:
    user, _ = clickhouse.credentials()
    everywhere = ON_CLUSTER if clickhouse.configured_cluster() else EVERYWHERE
    wanted = {f"{quote_identifier(name)}.*": PRIVILEGES for name in clickhouse.database_names()} | {"*.*": everywhere}
    try:
        lacking = {on: [each for each in names if not _may(each, on)] for on, names in wanted.items()}
    except ClickHouseError as error:
        yield warn(f"What {user} may do can't be told: {error.summary}", f"Look at SHOW GRANTS FOR {user}.")
        return
    for on, names in lacking.items():
        if names:
            mend = f"Run, as its administrator: `GRANT {', '.join(names)} ON {on} TO {user}`."
            yield fail(f"{user} may not {', '.join(names)} on {on}.", mend)
    if not any(lacking.values()):
        yield ok(f"{user} may do what it has to.")


def _may(privilege: str, on: str) -> bool:
    # No value can be bound in it; these are ours and not a request's.
    try:
        return str(clickhouse.get_client().command(f"CHECK GRANT {privilege} ON {on}")).strip() == "1"
    except Exception as error:
        raise classify(error, reading=False) from error


CHECKS: Final[dict[str, Check]] = {"ClickHouse": server, "ClickHouse's schema": schema, "ClickHouse's work": work}
