"""The overview: how the traces of a time range did."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from analytics.queries.overview import Bucket, Overview, overview
from analytics.serializers import OverviewSerializer
from analytics.tenancy import tenant_of
from analytics.times import format_time, milliseconds
from analytics.views.examples import answers
from analytics.views.filtering import AnalyticsParameters, span_filter
from axonize.api import READ_ERRORS


@extend_schema(
    operation_id="get_overview",
    tags=["analytics"],
    parameters=[AnalyticsParameters],
    responses={200: OverviewSerializer, **READ_ERRORS},
    examples=answers(
        "A quarter of an hour, with nothing in its middle",
        {
            "total_traces": 412,
            "avg_latency_ms": 1873.4,
            "error_rate": 0.012,
            "active_gpu_count": 7,
            "total_spans": 2609,
            "tokens_input": 310_240,
            "tokens_output": 88_102,
            "cost_usd": 0.2134,
            "bucket_seconds": 300,
            "throughput_series": [
                {"timestamp": "2026-02-07T10:00:00.000000000Z", "count": 201},
                {"timestamp": "2026-02-07T10:05:00.000000000Z", "count": 0},
                {"timestamp": "2026-02-07T10:10:00.000000000Z", "count": 211},
            ],
            "latency_series": [
                {"timestamp": "2026-02-07T10:00:00.000000000Z", "p50_ms": 1410.0, "p95_ms": 5220.8, "p99_ms": 9107.3},
                {"timestamp": "2026-02-07T10:05:00.000000000Z", "p50_ms": None, "p95_ms": None, "p99_ms": None},
                {"timestamp": "2026-02-07T10:10:00.000000000Z", "p50_ms": 1389.1, "p95_ms": 5010.2, "p99_ms": 8870.0},
            ],
        },
    ),
)
@api_view(["GET"])
def overview_detail(request: Request) -> Response:
    """Count the traces that began in a range, the last 24 hours by default, with latency percentiles by time."""
    parameters = AnalyticsParameters.read(request)
    found = overview(
        tenant=tenant_of(request),
        start_ns=parameters["start"],
        end_ns=parameters["end"],
        span=span_filter(parameters),
    )
    return Response(overview_json(found))


def overview_json(found: Overview) -> dict[str, Any]:
    """Return what OverviewSerializer documents; by hand, for a serializer is far slower with some hundred buckets."""
    timestamps = [format_time(bucket.start_ns) for bucket in found.buckets]
    return {
        "total_traces": found.total_traces,
        "avg_latency_ms": milliseconds(found.avg_latency_ns),
        "error_rate": found.error_rate,
        "active_gpu_count": found.active_gpu_count,
        "total_spans": found.total_spans,
        "tokens_input": found.tokens_input,
        "tokens_output": found.tokens_output,
        "cost_usd": float(found.cost_usd),
        "bucket_seconds": found.bucket_seconds,
        "throughput_series": [
            {"timestamp": timestamp, "count": bucket.count}
            for timestamp, bucket in zip(timestamps, found.buckets, strict=True)
        ],
        "latency_series": [
            {"timestamp": timestamp, **_percentiles(bucket)}
            for timestamp, bucket in zip(timestamps, found.buckets, strict=True)
        ],
    }


def _percentiles(bucket: Bucket) -> dict[str, float | None]:
    percentiles = {"p50_ms": bucket.p50_ns, "p95_ms": bucket.p95_ns, "p99_ms": bucket.p99_ns}
    return {name: None if value_ns is None else milliseconds(value_ns) for name, value_ns in percentiles.items()}
