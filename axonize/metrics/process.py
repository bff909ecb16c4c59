"""Which process this is, and what the system tells of it."""

import os
import socket
import time
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import Counter
from prometheus_client.process_collector import ProcessCollector

KINDS: Final = ("receiver", "worker", "beat", "web")

STARTS: Final = Counter("axonize_process_starts_total", "Processes started.", ["process"])
LOST: Final = Counter(
    "axonize_processes_lost_total", "Processes that fell silent without having said that they end.", ["process"]
)
CPU_SECONDS: Final = "axonize_process_cpu_seconds_total"
# What each process tells of itself, by name; the system may know less (proc(5)).
OWN: Final = {
    "axonize_process_resident_memory_bytes": "Resident memory of a process.",
    "axonize_process_start_time_seconds": "When a process started, in seconds since 1970.",
    "axonize_process_open_fds": "Files and connections that a process has open.",
    "axonize_process_max_fds": "How many a process may have open.",
}
for _kind in KINDS:
    STARTS.labels(_kind)
    LOST.labels(_kind)

_collector: Final = ProcessCollector(namespace="axonize", registry=None)


@dataclass(frozen=True)
class Process:
    """A process of ours. No two have the same name, also where a host gives a number out again."""

    kind: str
    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)
    began_ns: int = field(default_factory=time.time_ns)

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.host}:{self.pid}:{self.began_ns}"


def of_the_system() -> dict[str, float]:
    """Return CPU_SECONDS and OWN as the system knows them now."""
    told = {sample.name: sample.value for metric in _collector.collect() for sample in metric.samples}
    return {name: value for name, value in told.items() if name == CPU_SECONDS or name in OWN}
