"""Starts the embedded engine on the Compose file's configuration of ClickHouse, over one like the image's, and asks it.

A process of its own, for a process opens one engine: `python -m tests.deploy.clickhouse_config DIRECTORY`. It prints
JSON. The engine's session is the user `default`: with that one removed, as in Compose, it can't start, and
`--keep-default` leaves it in.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from tests.processes import ROOT

PASSWORD = "of-the-test"  # noqa: S105 - protects nothing
LOGS = (
    "aggregated_zookeeper_log", "asynchronous_insert_log", "asynchronous_metric_log", "azure_queue_log",
    "background_schedule_pool_log", "backup_log", "blob_storage_log", "bucketed_metric_log", "crash_log",
    "dead_letter_queue", "delta_lake_metadata_log", "error_log", "filesystem_cache_log",
    "filesystem_read_prefetches_log", "iceberg_metadata_log", "latency_log", "metric_log", "opentelemetry_span_log",
    "part_log", "predicate_statistics_log", "processors_profile_log", "query_log", "query_metric_log",
    "query_thread_log", "query_views_log", "s3queue_log", "session_log", "text_log", "trace_log",
    "transactions_info_log", "transposed_metric_log", "zookeeper_connection_log", "zookeeper_log",
)  # fmt: skip
"""Every table that ClickHouse 26 can write about itself: `LIST_OF_ALL_SYSTEM_LOGS`, src/Interpreters/SystemLog.h."""


def lay_out(directory: Path, *, keep_default: bool) -> Path:
    """Write a server's configuration as the image has it, all logs on, with ours beside it; return its path."""
    server, users = directory / "config.xml", directory / "users.xml"
    logs = "".join(
        f"<{log}><database>system</database><table>{log}</table>"
        f"<partition_by>toYYYYMM(event_date)</partition_by></{log}>"
        for log in LOGS
    )
    server.write_text(f"<clickhouse><users_config>{users}</users_config>{logs}</clickhouse>")
    users.write_text(
        "<clickhouse><profiles><default/></profiles><quotas><default/></quotas><users><default><password></password>"
        "<networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>"
        "<access_management>1</access_management></default></users></clickhouse>"
    )
    for name, folder in {"server.xml": "config.d", "users.xml": "users.d"}.items():
        text = (ROOT / "axonize" / "clickhouse" / name).read_text()
        if keep_default:
            text = text.replace('<default remove="1"/>', "")
        (directory / folder).mkdir()
        (directory / folder / "axonize.xml").write_text(text)
    return server


def main() -> None:
    directory = Path(sys.argv[1])
    server = lay_out(directory, keep_default="--keep-default" in sys.argv)
    os.environ["CLICKHOUSE_PASSWORD"] = PASSWORD
    import chdb  # noqa: PLC0415 - it takes half a second, which whoever imports the names above need not wait for

    bindings: Any = chdb._chdb  # chdb.connect knows no option of the server
    connection = bindings.connect(f"{directory}/data?config-file={server}")

    def ask(sql: str) -> list[list[str]]:
        answer: str = connection.query(sql, "TSV", params={}).bytes().decode()
        return [line.split("\t") for line in answer.splitlines()]

    ask("SYSTEM FLUSH LOGS")
    tables = ask(
        "SELECT name, extract(create_table_query, ' TTL (.+?) SETTINGS') FROM system.tables "
        "WHERE database = 'system' AND engine LIKE '%MergeTree'"
    )
    settings = ask("SELECT name, value FROM system.server_settings WHERE changed")
    print(  # noqa: T201 - the answer
        json.dumps({
            "ttls": dict(tables),
            "settings": dict(settings),
            "users": ask("SELECT name, auth_type FROM system.users ORDER BY name"),
            "grants": ask("SHOW GRANTS FOR axonize"),
        })
    )  # fmt: skip


if __name__ == "__main__":
    main()
