"""The addresses under /api/v1."""

from django.urls import path

from analytics.views import gpus, overview, traces

urlpatterns = [
    path("traces", traces.trace_list),
    path("traces/<str:trace_id>", traces.trace_detail),
    path("traces/<str:trace_id>/spans", traces.trace_spans),
    path("gpus", gpus.gpu_list),
    path("gpus/<str:resource_uuid>", gpus.gpu_detail),
    path("gpus/<str:resource_uuid>/metrics", gpus.gpu_metrics_list),
    path("analytics/overview", overview.overview_detail),
]
