"""/healthz and /readyz of the web process."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema, inline_serializer
from rest_framework import serializers, status
from rest_framework.decorators import api_view, authentication_classes, permission_classes, throttle_classes
from rest_framework.request import Request
from rest_framework.response import Response

from axonize.health.checks import CHECKS, OK, PENDING, UNAVAILABLE, run_checks


@extend_schema(
    operation_id="healthz",
    tags=["health"],
    responses=inline_serializer("Health", {"status": serializers.ChoiceField([OK])}),
    examples=[OpenApiExample("It lives", value={"status": OK}, response_only=True)],
)
@api_view(["GET"])
@authentication_classes([])
@permission_classes([])
@throttle_classes([])
def healthz(_request: Request, /) -> Response:
    """Say that the process lives. Asks no engine."""
    return Response({"status": OK})


_READINESS = inline_serializer(
    "Readiness",
    {
        "status": serializers.ChoiceField(["ready", UNAVAILABLE]),
        "checks": inline_serializer(
            "ReadinessChecks", {name: serializers.ChoiceField([OK, PENDING, UNAVAILABLE]) for name in CHECKS}
        ),
    },
)


@extend_schema(
    operation_id="readyz",
    tags=["health"],
    responses={200: _READINESS, 503: _READINESS},
    examples=[
        OpenApiExample(
            "All is well",
            value={"status": "ready", "checks": dict.fromkeys(CHECKS, OK)},
            response_only=True,
            status_codes=[200],
        ),
        OpenApiExample(
            "ClickHouse is away",
            value={"status": UNAVAILABLE, "checks": dict.fromkeys(CHECKS, OK) | {"clickhouse": UNAVAILABLE}},
            response_only=True,
            status_codes=[503],
        ),
    ],
)
@api_view(["GET"])
@authentication_classes([])
@permission_classes([])
@throttle_classes([])
def readyz(_request: Request, /) -> Response:
    """Say whether ClickHouse, PostgreSQL and Redis answer and both schemas are current; 503 and what is away if not."""
    checks: dict[str, Any] = run_checks()
    if all(verdict == OK for verdict in checks.values()):
        return Response({"status": "ready", "checks": checks})
    return Response({"status": UNAVAILABLE, "checks": checks}, status=status.HTTP_503_SERVICE_UNAVAILABLE)
