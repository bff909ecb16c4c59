"""The addresses of the pages."""

from django.urls import path

from analytics.pages import gpu, gpus, overview, trace, traces

app_name = "pages"

urlpatterns = [
    path("", overview.overview_page, name="overview"),
    path("arrived", overview.arrived_part, name="arrived"),
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
    # Parts stand beside, for a GPU may have any name. UUIDs are paths: a slice of an older driver is MIG-GPU-…/1/0.
    path("fleet/numbers", gpus.numbers_part, name="gpus_numbers"),
    path("fleet/list", gpus.fleet_part, name="gpus_fleet"),
    path("gpus/<path:resource_uuid>", gpu.gpu_page, name="gpu"),
    path("physical-gpus/<path:uuid>", gpu.card_page, name="card"),
    path("gpu/numbers/<path:uuid>", gpu.numbers_part, name="gpu_numbers"),
    path("gpu/holders/<path:uuid>", gpu.holders_part, name="gpu_holders"),
    path("gpu/bill/<path:uuid>", gpu.bill_part, name="gpu_bill"),
    path("gpu/models/<path:uuid>", gpu.models_part, name="gpu_models"),
    path("gpu/slowest/<path:uuid>", gpu.slowest_part, name="gpu_slowest"),
    path("gpu/siblings/<path:uuid>", gpu.siblings_part, name="gpu_siblings"),
    path("card/numbers/<path:uuid>", gpu.numbers_part, {"is_card": True}, name="card_numbers"),
    path("card/holders/<path:uuid>", gpu.holders_part, {"is_card": True}, name="card_holders"),
    path("card/bill/<path:uuid>", gpu.bill_part, {"is_card": True}, name="card_bill"),
    path("card/models/<path:uuid>", gpu.models_part, {"is_card": True}, name="card_models"),
    path("card/slowest/<path:uuid>", gpu.slowest_part, {"is_card": True}, name="card_slowest"),
    path("card/siblings/<path:uuid>", gpu.siblings_part, {"is_card": True}, name="card_siblings"),
]
