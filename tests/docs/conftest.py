"""What the tests of the documentation's examples share: a receiver that they reach, and an OpenAI that answers."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from tests.conftest import Drain
from tests.processes import Process, running

Traces = Callable[..., list[dict[str, Any]]]


def database_url() -> str:
    """Return the URL of the database that the tests see."""
    database = connection.settings_dict
    return f"postgresql://{database['USER']}@{quote(database['HOST'], safe='')}/{database['NAME']}"


@pytest.fixture(scope="module")
def receiver(django_db_setup: None) -> Iterator[Process]:  # noqa: ARG001  it must have run
    """Run a receiver that finds the keys that the tests make."""
    env = {"DATABASE_URL": database_url()}
    with running("manage.py", "receive_otlp", env=env, until="OTLP/gRPC on") as process:
        yield process


@pytest.fixture
def grpc_endpoint(receiver: Process) -> str:  # noqa: ARG001  it must run
    return f"http://127.0.0.1:{settings.OTLP_GRPC_PORT}"


@pytest.fixture
def http_endpoint(receiver: Process) -> str:  # noqa: ARG001  it must run
    return f"http://127.0.0.1:{settings.OTLP_HTTP_PORT}"


class _Chat(BaseHTTPRequestHandler):
    """Answers each chat with the same sentence, as an OpenAI-compatible server does."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.path == "/v1/chat/completions"
        message = {"role": "assistant", "content": "Hello, world"}
        answer = {
            "id": "chatcmpl-documented",
            "object": "chat.completion",
            "created": 1_800_000_000,
            "model": asked["model"],
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {
                "prompt_tokens": 23,
                "completion_tokens": 7,
                "total_tokens": 30,
                "prompt_tokens_details": {"cached_tokens": 16},
            },
        }
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def openai_url() -> Iterator[str]:
    """Run a server that speaks as much of OpenAI's API as the examples ask; yield its base URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Chat) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()
        thread.join()


@pytest.fixture
def traces(client: Client, drain: Drain) -> Traces:
    """Return, once all is written, the traces that filters choose, each with its spans."""

    def ask(*, key: str = "", **filters: str) -> list[dict[str, Any]]:
        drain()
        headers = {"authorization": f"Bearer {key}"} if key else {}
        listed = client.get("/api/v1/traces", filters, headers=headers).json()["traces"]
        return [client.get(f"/api/v1/traces/{trace['trace_id']}", headers=headers).json() for trace in listed]

    return ask
