"""The addresses under /api/v1."""

from typing import Any, Final

from django.urls import path

from analytics.views import gpus, overview, series, spans, traces, usage
from analytics.views.compute_resources import ComputeResourceViews
from analytics.views.nodes import NodeViews
from analytics.views.physical_gpus import PhysicalGpuViews, physical_gpu_metrics_list
from analytics.views.resource_contexts import ResourceContextViews

ALL: Final[dict[str, Any]] = {"get": "list", "post": "create"}
BULK: Final[dict[str, Any]] = {"post": "bulk"}
ONE: Final[dict[str, Any]] = {"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"}

urlpatterns = [
    path("traces", traces.trace_list),
    path("traces/<str:trace_id>", traces.trace_detail),
    path("traces/<str:trace_id>/spans", spans.trace_spans),
    path("spans", spans.span_list),
    path("gpus", gpus.gpu_list),
    # UUIDs are paths: a MIG slice of an older driver is called MIG-GPU-…/1/0.
    path("gpus/<path:resource_uuid>/metrics", gpus.gpu_metrics_list),
    path("gpus/<path:resource_uuid>/contexts", gpus.gpu_contexts),
    path("gpus/<path:resource_uuid>", gpus.gpu_detail),
    path("nodes", NodeViews.as_view(ALL)),
    path("nodes/bulk", NodeViews.as_view(BULK)),
    path("nodes/<path:node_id>", NodeViews.as_view(ONE)),
    path("physical-gpus", PhysicalGpuViews.as_view(ALL)),
    path("physical-gpus/bulk", PhysicalGpuViews.as_view(BULK)),
    path("physical-gpus/<path:uuid>/metrics", physical_gpu_metrics_list),
    path("physical-gpus/<path:uuid>", PhysicalGpuViews.as_view(ONE)),
    path("compute-resources", ComputeResourceViews.as_view(ALL)),
    path("compute-resources/bulk", ComputeResourceViews.as_view(BULK)),
    path("compute-resources/<path:uuid>", ComputeResourceViews.as_view(ONE)),
    path("resource-contexts", ResourceContextViews.as_view(ALL)),
    path("resource-contexts/<str:id>", ResourceContextViews.as_view(ONE)),
    path("analytics/overview", overview.overview_detail),
    path("analytics/latency", series.latency_detail),
    path("analytics/throughput", series.throughput_detail),
    path("analytics/services", usage.service_list),
    path("analytics/models", usage.model_list),
    path("analytics/gpus", usage.gpu_usage_list),
]
