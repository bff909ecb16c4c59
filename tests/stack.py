"""A running server as its clients see it, and `manage.py up` as one: what laptop and production have in common."""

import json
import shutil
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.engines import ports_of_a_stack
from tests.processes import Process, running, wait_until


@dataclass(frozen=True, kw_only=True)
class Stack:
    """The addresses of a running server, and how one comes in there."""

    web_port: int
    grpc_port: int
    http_port: int
    key: str = ""
    """An API key of every scope, where clients need one."""
    proxied: Mapping[str, str] = field(default_factory=dict)
    """The headers that a proxy in front of the web process sends it."""

    @property
    def credentials(self) -> dict[str, str]:
        """The header of a client's request, or its metadata."""
        return {"authorization": f"Bearer {self.key}"} if self.key else {}

    def fetch(self, path: str, **options: Any) -> bytes:
        """Return the body of an answer; an HTTP error is raised."""
        headers = {**self.proxied, **self.credentials, **options.pop("headers", {})}
        request = urllib.request.Request(f"http://127.0.0.1:{self.web_port}{path}", headers=headers, **options)
        with urllib.request.urlopen(request, timeout=20) as answer:
            body: bytes = answer.read()
            return body

    def get(self, path: str, **parameters: object) -> Any:
        """Return the JSON of an answer; an HTTP error is raised."""
        return json.loads(self.fetch(f"{path}?{urllib.parse.urlencode(parameters, doseq=True)}"))

    def knows(self, path: str) -> bool:
        try:
            return bool(self.get(path))
        except urllib.error.HTTPError:
            return False

    def write(self, method: str, path: str, **fields: object) -> None:
        body = json.dumps(fields).encode()
        self.fetch(path, method=method, data=body, headers={"Content-Type": "application/json"})

    def trace(self, trace_id: str, *, span_count: int) -> Any:
        """Return a trace once all of its spans are there."""

        def complete() -> bool:
            summaries = self.get("/api/v1/traces", limit=1000)["traces"]
            return any(t["trace_id"] == trace_id and t["span_count"] == span_count for t in summaries)

        wait_until(complete, 20)
        return self.get(f"/api/v1/traces/{trace_id}")


@dataclass(frozen=True, kw_only=True)
class Laptop(Stack):
    """A running `manage.py up`."""

    process: Process
    data_dir: Path


@contextmanager
def laptop(data_dir: Path, **settings: str) -> Iterator[Laptop]:
    """Run `manage.py up` on the data in a directory, with a few settings; it ends with SIGTERM."""
    environment = {**ports_of_a_stack(), "AXONIZE_DATA_DIR": str(data_dir), **settings}
    with running("manage.py", "up", env=environment, until="ready ", timeout_s=150) as process:
        yield Laptop(
            process=process,
            data_dir=data_dir,
            web_port=int(environment["AXONIZE_WEB_PORT"]),
            grpc_port=int(environment["AXONIZE_OTLP_GRPC_PORT"]),
            http_port=int(environment["AXONIZE_OTLP_HTTP_PORT"]),
        )


@contextmanager
def short_folder() -> Iterator[Path]:
    """Make an empty folder whose path is short enough for the sockets in it; it is removed in the end."""
    folder = Path(tempfile.mkdtemp(prefix="axonize-"))
    folder.chmod(0o711)  # run by root, PostgreSQL becomes another user
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
