"""`manage.py health` as Compose and Kubernetes run it, and gRPC's health protocol as load balancers speak it."""

from collections.abc import Mapping

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from tests.processes import finished

PARTS = ("receiver", "worker", "beat", "web")
TRACE_SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"
SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING


def health(part: str, *options: str, env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Return the exit status and what was printed."""
    done = finished("manage.py", "health", part, *options, env=env)
    return done.returncode, done.stdout + done.stderr


def is_ready(part: str, env: Mapping[str, str] | None = None) -> bool:
    return health(part, env=env)[0] == 0


def grpc_health(port: int, service: str = "") -> int:
    """Return the status that gRPC's Check answers. Raises grpc.RpcError."""
    with grpc.insecure_channel(f"127.0.0.1:{port}", [("grpc.enable_http_proxy", 0)]) as channel:
        status: int = HealthStub(channel).Check(HealthCheckRequest(service=service), timeout=10).status
        return status
