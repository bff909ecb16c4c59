"""GPUs: the inventory with the latest readings, one of them, and one's time series."""

import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import api_view
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from analytics.filters import GpuFilter
from analytics.gpu_serializers import (
    GpuContextsSerializer,
    GpuDetailSerializer,
    GpuMetricsSerializer,
    GpuPageSerializer,
    gpu_point_json,
)
from analytics.params import PageParameters, QueryParameters, TimeField, page_of
from analytics.queries.gpu_metrics import (
    AGGREGATES,
    MAX_POINTS,
    GpuPoint,
    default_step_seconds,
    gpu_metrics,
    point_count,
)
from analytics.queries.gpus import find_gpu, find_gpus
from analytics.queries.keyset import find_rows
from analytics.tenancy import tenant_of
from analytics.times import NS_PER_SECOND, format_time
from analytics.views.examples import CARD, GPU, HOLDER, READINGS, SIBLING, SLICE_UUID, answers, page_answer
from analytics.views.labelled import LABELS_PARAMETER, LabelledPageParameters, has_labels
from axonize.api import ERROR, READ_ERRORS
from registry.models import ComputeResource, ResourceContext
from registry.times import to_datetime

HOUR_NS: Final = 3600 * NS_PER_SECOND
NO_SUCH_GPU: Final = "There is no such GPU."
MAX_STEP_SECONDS: Final = 366 * 86_400
RESOURCE_UUID_PARAMETER: Final = OpenApiParameter(
    "resource_uuid", str, OpenApiParameter.PATH, description="A card's or MIG slice's UUID."
)


class GpuListParameters(LabelledPageParameters):
    """What `GET /gpus` takes."""

    filters = GpuFilter


@extend_schema(
    operation_id="list_gpus",
    tags=["gpus"],
    parameters=[GpuListParameters, LABELS_PARAMETER],
    responses={200: GpuPageSerializer, **READ_ERRORS},
    examples=answers("Two slices of a card, one of them idle", page_answer(gpus=[GPU, SIBLING])),
)
@api_view(["GET"])
def gpu_list(request: Request) -> Response:
    """List what processes can run on, full cards and MIG slices, by node and card, with the latest known readings."""
    parameters = GpuListParameters.read(request)
    page = page_of(request, parameters)
    tenant = tenant_of(request)
    wanted = GpuFilter(request.query_params, ComputeResource.objects.of_tenant(tenant).described())
    if not wanted.is_valid():
        raise ValidationError(wanted.errors)
    resources = wanted.qs.filter(has_labels(parameters["attributes"]))
    found = find_gpus(tenant=tenant, resources=resources, page=page)
    answer = {
        "gpus": found.gpus,
        "total": found.total,
        "limit": page.limit,
        "offset": page.offset,
        "next": found.next,
    }
    return Response(GpuPageSerializer(answer).data)


@extend_schema(
    operation_id="get_gpu",
    tags=["gpus"],
    parameters=[RESOURCE_UUID_PARAMETER],
    responses={200: GpuDetailSerializer, 404: ERROR, **READ_ERRORS},
    examples=answers("A busy slice", {**GPU, "physical": CARD, "contexts": [HOLDER], "siblings": [SIBLING]}),
)
@api_view(["GET"])
def gpu_detail(request: Request, resource_uuid: str) -> Response:
    """Show one resource, its card, the other slices of that card, and who held it last."""
    QueryParameters.read(request)
    found = None if "\0" in resource_uuid else find_gpu(tenant=tenant_of(request), resource_uuid=resource_uuid)
    if found is None:
        raise NotFound(NO_SUCH_GPU)
    return Response(GpuDetailSerializer(found).data)


class GpuMetricsParameters(QueryParameters):
    """What `GET /gpus/{resource_uuid}/metrics` takes; by default the last hour."""

    start = TimeField(required=False, help_text="RFC 3339, any offset; included. Default: an hour before `end`.")
    end = TimeField(required=False, help_text="RFC 3339, any offset; excluded. Default: now.")
    step = serializers.IntegerField(
        min_value=1,
        max_value=MAX_STEP_SECONDS,
        required=False,
        help_text="The width of a bucket in seconds. Default: so that at most 1,000 points come. "
        f"At most {MAX_POINTS:,} points may come.",
    )
    aggregate = serializers.ChoiceField(
        list(AGGREGATES), default="avg", help_text="What becomes of the readings of one bucket."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        end_ns = attrs.get("end", time.time_ns())
        start_ns = attrs.get("start", end_ns - HOUR_NS)
        if "end" not in attrs and start_ns > end_ns:
            raise ValidationError({"start": "Give a start that is not in the future, or an end too."}, code="invalid")
        attrs = super().validate({**attrs, "start": start_ns, "end": end_ns})
        step_seconds = attrs.setdefault("step", default_step_seconds(start_ns, end_ns))
        if point_count(start_ns, end_ns, step_seconds) > MAX_POINTS:
            sentence = f"This step makes more than {MAX_POINTS:,} points. Give a wider step or a narrower range."
            raise ValidationError({"step": sentence}, code="min_value")
        return attrs


class GpuContextsParameters(PageParameters):
    """What `GET /gpus/{resource_uuid}/contexts` takes."""

    at = TimeField(required=False, help_text="Who held it at this moment; without it all who ever did.")


@extend_schema(
    operation_id="list_gpu_contexts",
    tags=["gpus"],
    parameters=[RESOURCE_UUID_PARAMETER, GpuContextsParameters],
    responses={200: GpuContextsSerializer, 404: ERROR, **READ_ERRORS},
    examples=answers("Who holds a slice", page_answer(contexts=[{"id": 17, "resource_uuid": SLICE_UUID, **HOLDER}])),
)
@api_view(["GET"])
def gpu_contexts(request: Request, resource_uuid: str) -> Response:
    """List who held one resource, the last who came first; with `at` those who held it at that moment."""
    parameters = GpuContextsParameters.read(request)
    page = page_of(request, parameters)
    known = ComputeResource.objects.of_tenant(tenant_of(request))
    resource = None if "\0" in resource_uuid else known.filter(uuid=resource_uuid).first()
    if resource is None:
        raise NotFound(NO_SUCH_GPU)
    contexts = ResourceContext.objects.filter(resource=resource).select_related("resource")
    if "at" in parameters:
        contexts = contexts.held_at(to_datetime(parameters["at"]))
    found = find_rows(contexts, order=("-attached_at", "-id"), page=page)
    answer = {
        "contexts": found.rows,
        "total": found.total,
        "limit": page.limit,
        "offset": page.offset,
        "next": found.next,
    }
    return Response(GpuContextsSerializer(answer).data)


@extend_schema(
    operation_id="list_gpu_metrics",
    tags=["gpus"],
    parameters=[RESOURCE_UUID_PARAMETER, GpuMetricsParameters],
    responses={200: GpuMetricsSerializer, **READ_ERRORS},
    examples=answers(
        "A minute of a busy slice",
        {
            "metrics": [
                {
                    "timestamp": "2026-02-07T10:00:00.000000000Z",
                    "resource_uuid": SLICE_UUID,
                    **READINGS,
                    "active_spans": 14,
                }
            ],
            "resource_uuid": SLICE_UUID,
            "start": "2026-02-07T10:00:00.000000000Z",
            "end": "2026-02-07T10:01:00.000000000Z",
            "step": 60,
        },
    ),
)
@api_view(["GET"])
def gpu_metrics_list(request: Request, resource_uuid: str) -> Response:
    """Show how one resource was used over time, the last hour by default. An unknown one has an empty list."""
    parameters = GpuMetricsParameters.read(request)
    points = gpu_metrics(
        tenant=tenant_of(request),
        resource_uuid=resource_uuid,
        start_ns=parameters["start"],
        end_ns=parameters["end"],
        step_seconds=parameters["step"],
        aggregate=parameters["aggregate"],
    )
    return chart_answer(points, parameters, resource_uuid=resource_uuid)


def chart_answer(points: Iterable[GpuPoint], parameters: Mapping[str, Any], **whose: str) -> Response:
    """Return the answer to validated GpuMetricsParameters; `whose` is the UUID that was asked about, by its name."""
    answer = {
        "metrics": [gpu_point_json(point) for point in points],
        **whose,
        "start": format_time(parameters["start"]),
        "end": format_time(parameters["end"]),
        "step": parameters["step"],
    }
    return Response(answer)
