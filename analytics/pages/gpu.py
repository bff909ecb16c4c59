"""One GPU: what processes run on, a whole card or a slice of one; and a card with all of its slices."""

from typing import Final

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from rest_framework.exceptions import NotFound

from analytics.pages.bills import CardBill, bill_by_model, bills_of, period_of
from analytics.pages.fleet_rows import gpu_row, is_stale, readings_of_card, state_of
from analytics.pages.gpu_charts import gpu_charts, points_of
from analytics.pages.gpu_holders import holders_of
from analytics.pages.gpu_subject import NO_SUCH_GPU, Subject
from analytics.pages.page import page, show
from analytics.pages.viewer import Viewer
from analytics.pages.window import Window, WindowParameters, window_of
from analytics.params import Page
from analytics.queries.contexts import contexts_within
from analytics.queries.filters import TimedFilter
from analytics.queries.fleet import IDLE_AFTER, idle_since, open_holders
from analytics.queries.gpus import gpus_of
from analytics.queries.models import models
from analytics.queries.traces import find_traces
from registry.times import to_datetime

MOST_ROWS: Final = 10


@page
def gpu_page(request: HttpRequest, viewer: Viewer, resource_uuid: str) -> HttpResponse:
    """Show what the registry knows of a resource, and ask for the parts. A card that is only sliced has its own."""
    window = _window(request)
    subject = Subject(viewer.tenant, resource_uuid, is_card=False)
    try:
        resource = subject.resource()
    except NotFound:
        if subject.card() is None:
            raise
        query = request.GET.urlencode()
        return HttpResponseRedirect(f"{reverse('pages:card', args=[resource_uuid])}{'?' * bool(query)}{query}")
    card = resource.physical
    context = {
        "subject": subject,
        "resource": resource,
        "model": resource.model,
        "card": card,
        "node": (card and card.node) or resource.seen_node,
        "is_stale": is_stale(resource.last_seen),
        "price": resource.cost_per_hour_usd,
        "conflicts": [*resource.conflicts, *(card.conflicts if card else ())],
        "admin_url": reverse("admin:registry_computeresource_change", args=[resource.pk]),
        "card_admin_url": reverse("admin:registry_physicalgpu_change", args=[card.pk]) if card else None,
    }
    return show(request, viewer, "gpu.html", context, window=window)


@page
def card_page(request: HttpRequest, viewer: Viewer, uuid: str) -> HttpResponse:
    """Show what the registry knows of a card, and ask for the parts."""
    window = _window(request)
    subject = Subject(viewer.tenant, uuid, is_card=True)
    card = subject.card()
    if card is None:
        raise NotFound(NO_SUCH_GPU)
    admin_url = reverse("admin:registry_physicalgpu_change", args=[card.pk])
    context = {
        "subject": subject,
        "resource": None,
        "model": card.model,
        "card": card,
        "node": card.node,
        "is_stale": is_stale(card.last_seen),
        "price": card.cost_per_hour_usd,
        "conflicts": card.conflicts,
        "admin_url": admin_url,
        "card_admin_url": admin_url,
    }
    return show(request, viewer, "gpu.html", context, window=window)


@page
def numbers_part(request: HttpRequest, viewer: Viewer, uuid: str, *, is_card: bool = False) -> HttpResponse:
    """Show what it measured last, and over the range."""
    window = _window(request)
    subject = Subject(viewer.tenant, uuid, is_card)
    gpus = gpus_of(tenant=viewer.tenant, resources=subject.resources)
    since = idle_since()
    states = {state_of(gpu, since) for gpu in gpus}
    if is_card:
        card = subject.card()
        readings = readings_of_card(gpus, uuid)
        total_gb = card.memory_total_gb if card else None
    elif gpus:
        readings, total_gb = gpus[0].readings, gpus[0].readings.memory_total_gb
    else:
        raise NotFound(NO_SUCH_GPU)
    points, buckets = points_of(subject, window)
    context = {
        "subject": subject,
        "state": next((state for state in ("in use", "idle", "retired") if state in states), "not seen"),
        "readings": readings,
        "total_gb": total_gb or readings.memory_total_gb,
        "last_seen": max((gpu.last_seen for gpu in gpus if gpu.last_seen), default=None),
        "idle_minutes": IDLE_AFTER.seconds // 60,
        "charts": gpu_charts(points, buckets, memory_total_gb=total_gb),
    }
    return show(request, viewer, "gpu_numbers.html", context, window=window)


@page
def holders_part(request: HttpRequest, viewer: Viewer, uuid: str, *, is_card: bool = False) -> HttpResponse:
    """Show who held it through the range."""
    window = _window(request)
    subject = Subject(viewer.tenant, uuid, is_card)
    contexts, total = contexts_within(
        resources=subject.resources, start=to_datetime(window.start_ns), end=to_datetime(window.end_ns)
    )
    context = {
        "subject": subject,
        "holders": holders_of(contexts, window, timezone.now()),
        "shown": len(contexts),
        "total": total,
        "middle_ns": (window.start_ns + window.end_ns) // 2,
    }
    return show(request, viewer, "gpu_holders.html", context, window=window)


@page
def bill_part(request: HttpRequest, viewer: Viewer, uuid: str, *, is_card: bool = False) -> HttpResponse:
    """Show what the range costs: what spans held, by model or by slice, and the idle rest."""
    window = _window(request)
    subject = Subject(viewer.tenant, uuid, is_card)
    gpus = gpus_of(tenant=viewer.tenant, resources=subject.resources)
    period = period_of(window)
    if is_card:
        card = subject.card()
        price = card.cost_per_hour_usd if card else None
        admin_url = reverse("admin:registry_physicalgpu_change", args=[card.pk]) if card else None
        bills = bills_of(viewer.tenant, gpus, period)
        bill = CardBill(period.range_ns, price, [(gpu, bills[gpu.resource_uuid]) for gpu in gpus])
        context = {"subject": subject, "bill": bill, "admin_url": admin_url}
        return show(request, viewer, "card_bill.html", context, window=window)
    if not gpus:
        raise NotFound(NO_SUCH_GPU)
    (gpu,) = gpus
    context = {
        "subject": subject,
        "gpu": gpu,
        "bill": bill_by_model(viewer.tenant, gpu, period),
        "admin_url": reverse("admin:registry_computeresource_change", args=[gpu.pk]),
    }
    return show(request, viewer, "gpu_bill.html", context, window=window)


@page
def models_part(request: HttpRequest, viewer: Viewer, uuid: str, *, is_card: bool = False) -> HttpResponse:
    """Show the models that ran on it."""
    window = _window(request)
    subject = Subject(viewer.tenant, uuid, is_card)
    found = models(subject.population(window), limit=MOST_ROWS)
    return show(request, viewer, "gpu_models.html", {"subject": subject, "found": found})


@page
def slowest_part(request: HttpRequest, viewer: Viewer, uuid: str, *, is_card: bool = False) -> HttpResponse:
    """Show the slowest requests that ran on it."""
    window = _window(request)
    subject = Subject(viewer.tenant, uuid, is_card)
    wanted = TimedFilter(start_ns=window.start_ns, end_ns=window.end_ns, span=subject.spans)
    first = Page(limit=MOST_ROWS, offset=0, after=None, binding=request.path)
    found = find_traces(tenant=viewer.tenant, wanted=wanted, order_by="-duration_ms", page=first)
    longest_ns = max((trace.end_ns - trace.start_ns for trace in found.traces), default=0)
    return show(request, viewer, "gpu_slowest.html", {"subject": subject, "found": found, "longest_ns": longest_ns})


@page
def siblings_part(request: HttpRequest, viewer: Viewer, uuid: str, *, is_card: bool = False) -> HttpResponse:
    """Show the other slices of its card; of a card, all of them."""
    window = _window(request)
    subject = Subject(viewer.tenant, uuid, is_card)
    resources = subject.resources
    if not is_card:
        card_uuid = subject.resource().physical_uuid
        whole = Subject(viewer.tenant, card_uuid, is_card=True)
        resources = whole.resources.exclude(uuid=uuid) if card_uuid else resources.none()
    gpus = gpus_of(tenant=viewer.tenant, resources=resources)
    bills = bills_of(viewer.tenant, gpus, period_of(window))
    since = idle_since()
    holders = open_holders(gpu.pk for gpu in gpus)
    rows = [
        gpu_row(gpu, bills[gpu.resource_uuid], since=since, holders=holders.get(gpu.pk, ()), depth=1) for gpu in gpus
    ]
    return show(request, viewer, "gpu_siblings.html", {"subject": subject, "rows": rows}, window=window)


def _window(request: HttpRequest) -> Window:
    return window_of(WindowParameters.read_query(request.GET))
