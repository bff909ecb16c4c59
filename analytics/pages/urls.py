"""The addresses of the pages."""

from django.urls import path

from analytics.pages import gpu, gpus, overview, trace, traces

app_name = "pages"

urlpatterns = [
    path("", overview.overview_page, name="overview"),
    path("overview/numbers", overview.numbers_part, name="overview_numbers"),
    path("overview/ttft", overview.ttft_part, name="overview_ttft"),
    path("overview/models", overview.models_part, name="overview_models"),
    path("overview/services", overview.services_part, name="overview_services"),
    path("overview/slowest", overview.slowest_part, name="overview_slowest"),
    path("traces", traces.traces_page, name="traces"),
    path("traces/list", traces.list_part, name="traces_list"),
    path("traces/durations", traces.durations_part, name="traces_durations"),
    path("traces/attributes", traces.attributes_part, name="traces_attributes"),
    path("traces/<str:trace_id>", trace.trace_page, name="trace"),
    path("traces/<str:trace_id>/waterfall", trace.waterfall_part, name="trace_waterfall"),
    path("traces/<str:trace_id>/spans/<str:span_id>", trace.span_part, name="trace_span"),
    path("traces/<str:trace_id>/otlp", trace.otlp_file, name="trace_otlp"),
    path("gpus", gpus.gpus_page, name="gpus"),
    # UUIDs are paths: a MIG slice of an older driver is called MIG-GPU-…/1/0.
    path("gpus/<path:resource_uuid>", gpu.gpu_page, name="gpu"),
]
