"""Series over a time range: how long traces and spans took, and how many there were."""

from typing import Any, Final

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.decorators import api_view
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from analytics.buckets import DAY_SECONDS, Buckets, usual_width_seconds
from analytics.queries.group_series import MOST_GROUPS
from analytics.queries.latency import MEASURES, latency
from analytics.queries.population import GROUPS
from analytics.queries.throughput import throughput
from analytics.series import MAX_POINTS, TooManyPoints
from analytics.series_serializers import LatencySerializer, ThroughputSerializer
from analytics.tenancy import tenant_of
from analytics.times import format_time
from analytics.views.filtering import AnalyticsParameters, population_of
from axonize.api import READ_ERRORS

MOST_USUAL_BUCKETS: Final = 120
TOO_MANY_POINTS: Final = f"This makes more than {MAX_POINTS:,} points. Give wider buckets or a narrower range."


class SeriesParameters(AnalyticsParameters):
    """What every endpoint with a series takes."""

    bucket = serializers.IntegerField(
        min_value=1,
        max_value=366 * DAY_SECONDS,
        required=False,
        help_text=f"The width of a bucket in seconds. Default: so that about {MOST_USUAL_BUCKETS} come at most. "
        f"The buckets times the groups may be {MAX_POINTS:,}.",
    )
    group_by = serializers.ChoiceField(
        list(GROUPS),
        required=False,
        help_text="A series for each value: a span is in that of every GPU or node that it ran on, a trace in those of "
        f"all its spans that satisfy the filters. The {MOST_GROUPS} with the most come, in this order.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        attrs.setdefault("bucket", usual_width_seconds(attrs["start"], attrs["end"], most=MOST_USUAL_BUCKETS))
        # Of groups it takes the query to know how many there are.
        if "group_by" not in attrs and len(_buckets(attrs).starts_ns) > MAX_POINTS:
            raise too_many_points()
        return attrs


class LatencyParameters(SeriesParameters):
    """What `GET /analytics/latency` takes."""

    of = serializers.ChoiceField(
        list(MEASURES),
        default=MEASURES[0],
        help_text="Whole traces, spans, or of spans that sent it the time to the first token or in the queue.",
    )


POINT_EXAMPLE: Final = {"timestamp": "2026-02-07T10:00:00.000000000Z", "group": "llama-3.3-70b"}
RANGE_EXAMPLE: Final = {
    "start": "2026-02-07T10:00:00.000000000Z",
    "end": "2026-02-07T10:01:00.000000000Z",
    "bucket_seconds": 60,
}


@extend_schema(
    operation_id="get_latency",
    tags=["analytics"],
    parameters=[LatencyParameters],
    responses={200: LatencySerializer, **READ_ERRORS},
    examples=[
        OpenApiExample(
            "A minute of one model",
            response_only=True,
            status_codes=[200],
            value={
                **RANGE_EXAMPLE,
                "summary": {
                    "count": 4,
                    "avg_ms": 512.5,
                    "min_ms": 390.0,
                    "max_ms": 640.0,
                    "p50_ms": 510.0,
                    "p90_ms": 607.0,
                    "p95_ms": 623.5,
                    "p99_ms": 636.7,
                },
                "histogram": [
                    {"from_ms": 315.0, "to_ms": 400.0, "count": 1},
                    {"from_ms": 400.0, "to_ms": 500.0, "count": 1},
                    {"from_ms": 500.0, "to_ms": 630.0, "count": 1},
                    {"from_ms": 630.0, "to_ms": 800.0, "count": 1},
                ],
                "series": [{**POINT_EXAMPLE, "count": 4, "p50_ms": 510.0, "p95_ms": 623.5, "p99_ms": 636.7}],
            },
        )
    ],
)
@api_view(["GET"])
def latency_detail(request: Request) -> Response:
    """Show how long traces or spans took that began in a range: summed up, by size, and by time and group."""
    parameters = LatencyParameters.read(request)
    try:
        found = latency(
            population_of(tenant_of(request), parameters), of=parameters["of"], buckets=_buckets(parameters)
        )
    except TooManyPoints as error:
        raise too_many_points() from error
    return Response(
        {
            **_range(parameters),
            "summary": vars(found.summary),
            "histogram": [vars(bucket) for bucket in found.histogram],
            "series": list(found.series.points()),
        }
    )


@extend_schema(
    operation_id="get_throughput",
    tags=["analytics"],
    parameters=[SeriesParameters],
    responses={200: ThroughputSerializer, **READ_ERRORS},
    examples=[
        OpenApiExample(
            "A minute of one model",
            response_only=True,
            status_codes=[200],
            value={
                **RANGE_EXAMPLE,
                "series": [
                    {
                        **POINT_EXAMPLE,
                        "traces": 4,
                        "spans": 6,
                        "errors": 1,
                        "tokens_input": 2310,
                        "tokens_output": 846,
                        "tokens_per_second": 14.1,
                    }
                ],
            },
        )
    ],
)
@api_view(["GET"])
def throughput_detail(request: Request) -> Response:
    """Count the traces, spans, failures and tokens that began in each bucket of a range, by group where asked to."""
    parameters = SeriesParameters.read(request)
    try:
        found = throughput(population_of(tenant_of(request), parameters), buckets=_buckets(parameters))
    except TooManyPoints as error:
        raise too_many_points() from error
    return Response({**_range(parameters), "series": list(found.points())})


def too_many_points() -> ValidationError:
    return ValidationError({"bucket": TOO_MANY_POINTS}, code="min_value")


def _buckets(parameters: dict[str, Any]) -> Buckets:
    return Buckets(parameters["start"], parameters["end"], parameters["bucket"])


def _range(parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        "start": format_time(parameters["start"]),
        "end": format_time(parameters["end"]),
        "bucket_seconds": parameters["bucket"],
    }
