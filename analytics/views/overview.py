"""The overview: how the traces of a time range did."""

import time
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import api_view
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from analytics.buckets import DAY_SECONDS
from analytics.queries.overview import overview
from analytics.serializers import OverviewSerializer
from analytics.tenancy import tenant_of
from analytics.times import NS_PER_SECOND
from analytics.views.filtering import FilterParameters, span_filter
from axonize.api import READ_ERRORS


class OverviewParameters(FilterParameters):
    """What `GET /analytics/overview` takes; without `end` until now, without `start` the 24 hours before `end`."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        end_ns = attrs.get("end", time.time_ns())
        start_ns = attrs.get("start", end_ns - DAY_SECONDS * NS_PER_SECOND)
        if "end" not in attrs and start_ns > end_ns:
            raise ValidationError({"start": "Give a start that is not in the future, or an end too."}, code="invalid")
        return super().validate({**attrs, "start": start_ns, "end": end_ns})


@extend_schema(
    operation_id="get_overview",
    tags=["analytics"],
    parameters=[OverviewParameters],
    responses={200: OverviewSerializer, **READ_ERRORS},
)
@api_view(["GET"])
def overview_detail(request: Request) -> Response:
    """Count the traces that began in a range, the last 24 hours by default, with latency percentiles by time."""
    parameters = OverviewParameters.read(request)
    answer = overview(
        tenant=tenant_of(request),
        start_ns=parameters["start"],
        end_ns=parameters["end"],
        span=span_filter(parameters),
    )
    return Response(OverviewSerializer(answer).data)
