"""A cluster of two shards for tests: two real servers of the embedded engine, which ask one another over TCP.

They have no Keeper. So what ON CLUSTER has every server do, a fixture has each do in turn, and tables are made without
replication: all else is as on a cluster.
"""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import clickhouse_connect
from clickhouse_connect.driver import Client

from tests.engines import free_ports
from tests.processes import Process, wait_until

CLUSTER = "two_shards"


@dataclass(frozen=True)
class Node:
    """One server: a shard of its own."""

    tcp_port: int
    http_port: int

    def client(self, database: str = "default") -> Client:
        return clickhouse_connect.get_client(host="127.0.0.1", port=self.http_port, database=database)

    def answers(self) -> bool:
        try:
            with urlopen(Request(f"http://127.0.0.1:{self.http_port}/ping"), timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def configuration(nodes: list[Node], number: int) -> str:
    """Return the configuration of one of the servers."""
    shards = "".join(
        "<shard><internal_replication>true</internal_replication>"
        f"<replica><host>127.0.0.1</host><port>{node.tcp_port}</port></replica></shard>"
        for node in nodes
    )
    return f"""
    <clickhouse>
        <listen_host>127.0.0.1</listen_host>
        <tcp_port>{nodes[number].tcp_port}</tcp_port>
        <http_port>{nodes[number].http_port}</http_port>
        <macros><shard>{number}</shard><replica>0</replica></macros>
        <zookeeper><implementation>testkeeper</implementation></zookeeper>
        <remote_servers><{CLUSTER}>{shards}</{CLUSTER}></remote_servers>
    </clickhouse>
    """


@contextmanager
def two_shards(directory: Path) -> Iterator[list[Node]]:
    """Yield the servers of a cluster, running."""
    ports = free_ports(4)
    nodes = [Node(*ports[:2]), Node(*ports[2:])]
    with ExitStack() as stack:
        for number, node in enumerate(nodes):
            home = directory / str(number)
            home.mkdir()
            (home / "clickhouse-local.xml").write_text(configuration(nodes, number))
            process = Process("-m", "tests.clickhouse_node", str(home))
            stack.callback(process.wait)
            stack.callback(process.popen.kill)
            wait_until(node.answers, 60, partial(getattr, process, "output"))
        yield nodes


def on_one_server(statement: str) -> str:
    """Return what one server has to do of a statement for all, and a table of it without its other replicas."""
    statement = re.sub(rf" ?ON CLUSTER '{CLUSTER}'", "", statement)
    statement = re.sub(
        r"ENGINE = Replicated(\w+)\('[^']*', '\{replica\}'(?:, )?([^)]*)\)", r"ENGINE = \1(\2)", statement
    )
    statement = re.sub(r", replicated_deduplication_window_seconds = \d+", "", statement)
    return re.sub(r"\breplicated_deduplication_window\b", "non_replicated_deduplication_window", statement)


def doing_on_each(nodes: list[Node], command: Any) -> Any:
    """Return a Client's `command` that has each of the servers do what ON CLUSTER has all of them do."""

    def command_on_each(client: Client, cmd: str, parameters: Any = None, **options: Any) -> Any:
        if "ON CLUSTER" not in cmd:
            return command(client, cmd, parameters, **options)
        for node in nodes:
            with node.client(client.database or "default") as one:
                command(one, on_one_server(cmd), parameters, **options)
        return None

    return command_on_each
