"""What ran in a time range, one row each: services, models, GPUs."""

from typing import Final

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from analytics.params import MAX_LIMIT
from analytics.queries.gpu_usage import gpu_usage
from analytics.queries.models import models
from analytics.queries.services import services
from analytics.tenancy import tenant_of
from analytics.usage_serializers import GpuUsagesSerializer, ModelsSerializer, ServicesSerializer
from analytics.views.filtering import AnalyticsParameters, population_of
from axonize.api import READ_ERRORS

DEFAULT_LIMIT: Final = 100


class UsageParameters(AnalyticsParameters):
    """What these endpoints take; the filters choose spans."""

    limit = serializers.IntegerField(
        min_value=1, max_value=MAX_LIMIT, default=DEFAULT_LIMIT, help_text="Those with the most spans come."
    )


RANGE_EXAMPLE: Final = {
    "total": 1,
    "limit": DEFAULT_LIMIT,
    "start": "2026-02-07T10:00:00.000000000Z",
    "end": "2026-02-07T11:00:00.000000000Z",
}
SPANS_EXAMPLE: Final = {
    "count": 5210,
    "error_rate": 0.002,
    "avg_ms": 812.4,
    "p50_ms": 640.0,
    "p95_ms": 2210.5,
    "p99_ms": 4031.9,
}


@extend_schema(
    operation_id="list_service_usage",
    tags=["analytics"],
    parameters=[UsageParameters],
    responses={200: ServicesSerializer, **READ_ERRORS},
    examples=[
        OpenApiExample(
            "An hour of one service",
            response_only=True,
            status_codes=[200],
            value={
                "services": [
                    {"service_name": "chat-api", **SPANS_EXAMPLE, "models": ["llama-3.3-70b"], "cost_usd": 1.29}
                ],
                **RANGE_EXAMPLE,
            },
        )
    ],
)
@api_view(["GET"])
def service_list(request: Request) -> Response:
    """List the services that sent spans of a range, the last 24 hours by default, busiest first."""
    parameters = UsageParameters.read(request)
    found = services(population_of(tenant_of(request), parameters), limit=parameters["limit"])
    return Response(ServicesSerializer({**parameters, **vars(found)}).data)


@extend_schema(
    operation_id="list_model_usage",
    tags=["analytics"],
    parameters=[UsageParameters],
    responses={200: ModelsSerializer, **READ_ERRORS},
    examples=[
        OpenApiExample(
            "An hour of one model",
            response_only=True,
            status_codes=[200],
            value={
                "models": [
                    {
                        "model_name": "llama-3.3-70b",
                        **SPANS_EXAMPLE,
                        "tokens_input": 2_913_400,
                        "tokens_output": 1_204_880,
                        "avg_ttft_ms": 121.3,
                        "p50_ttft_ms": 98.0,
                        "p95_ttft_ms": 301.2,
                        "p99_ttft_ms": 577.8,
                        "tokens_per_second": 71.5,
                        "cost_usd": 1.29,
                    }
                ],
                **RANGE_EXAMPLE,
            },
        )
    ],
)
@api_view(["GET"])
def model_list(request: Request) -> Response:
    """List the models that spans of a range name, the last 24 hours by default, busiest first."""
    parameters = UsageParameters.read(request)
    found = models(population_of(tenant_of(request), parameters), limit=parameters["limit"])
    return Response(ModelsSerializer({**parameters, **vars(found)}).data)


@extend_schema(
    operation_id="list_gpu_usage",
    tags=["analytics"],
    parameters=[UsageParameters],
    responses={200: GpuUsagesSerializer, **READ_ERRORS},
    examples=[
        OpenApiExample(
            "An hour of one slice",
            response_only=True,
            status_codes=[200],
            value={
                "gpus": [
                    {
                        "resource_uuid": "MIG-8b1f4c52-6a0e-5d3b-b7c9-1e2f3a4b5c6d",
                        "physical_uuid": "GPU-5f2c1a9e-8d47-4b1c-9a55-0d2f6b7e3c10",
                        "model": "NVIDIA H100 80GB HBM3",
                        "node_id": "dgx-h100-02",
                        "busy_share": 0.5,
                        "spans": 5210,
                        "avg_utilization": 64.1,
                        "max_utilization": 99.0,
                        "avg_memory_used_gb": 31.2,
                        "max_memory_used_gb": 37.9,
                        "memory_total_gb": 40.0,
                        "avg_power_watts": 310.0,
                        "max_power_watts": 402.0,
                        "energy_wh": 155.0,
                        "models": ["llama-3.3-70b"],
                        "cost_usd": 0.7125,
                        "idle_cost_usd": 0.7125,
                    }
                ],
                **RANGE_EXAMPLE,
            },
        )
    ],
)
@api_view(["GET"])
def gpu_usage_list(request: Request) -> Response:
    """List the GPUs and slices that spans of a range ran on, the last 24 hours by default, busiest first."""
    parameters = UsageParameters.read(request)
    found = gpu_usage(population_of(tenant_of(request), parameters), limit=parameters["limit"])
    return Response(GpuUsagesSerializer({**parameters, **vars(found)}).data)
