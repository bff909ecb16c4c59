"""The overview: how the traces of a time range did."""

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from analytics.queries.overview import overview
from analytics.serializers import OverviewSerializer
from analytics.tenancy import tenant_of
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
    answer = overview(
        tenant=tenant_of(request),
        start_ns=parameters["start"],
        end_ns=parameters["end"],
        span=span_filter(parameters),
    )
    return Response(OverviewSerializer(answer).data)
