"""The fleet: nodes, their cards, and the slices of these."""

from typing import Final

from django.http import HttpRequest, HttpResponse

from analytics.pages.bills import bills_of, period_of
from analytics.pages.fleet_filter import IN_FORM, asked_of, chips_of
from analytics.pages.fleet_rows import node_rows
from analytics.pages.page import page, show
from analytics.pages.viewer import Viewer
from analytics.queries.fleet import IDLE_AFTER, STALE_AFTER, find_fleet, idle_since
from analytics.queries.fleet_choices import fleet_choices
from analytics.queries.fleet_sums import fleet_sums

# Of cards, and of slices on no known card: three nodes of eight cards.
UNITS_A_PAGE: Final = 24


@page
def gpus_page(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Show the frame, which asks for its parts, or what to do where no GPU is known."""
    asked = asked_of(request.GET, viewer.tenant)
    chips = chips_of(request.GET)
    context = {
        "choices": fleet_choices(tenant=viewer.tenant),
        "chips": chips,
        "is_filtered": bool(chips) or any(name in request.GET for name in IN_FORM),
        "idle_minutes": IDLE_AFTER.seconds // 60,
    }
    return show(request, viewer, "gpus.html", context, window=asked.window)


@page
def numbers_part(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Show how much there is, how much of it is used, and what it costs."""
    asked = asked_of(request.GET, viewer.tenant)
    found = fleet_sums(asked.in_service, since=idle_since())
    context = {"found": found, "idle_minutes": IDLE_AFTER.seconds // 60}
    return show(request, viewer, "gpus_numbers.html", context, window=asked.window)


@page
def fleet_part(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Show a page of the fleet, node by node."""
    asked = asked_of(request.GET, viewer.tenant)
    found = find_fleet(asked.listed, limit=UNITS_A_PAGE, offset=asked.offset)
    period = period_of(asked.window)
    gpus = [gpu for unit in found.units for gpu in unit.gpus]
    bills = bills_of(viewer.tenant, gpus, period)
    last = asked.offset + len(found.units)
    context = {
        "nodes": node_rows(found, bills, since=idle_since()),
        "total": found.total,
        "first": asked.offset + 1,
        "last": last,
        "previous": max(asked.offset - UNITS_A_PAGE, 0) if asked.offset else None,
        "next": last if last < found.total else None,
        "idle_minutes": IDLE_AFTER.seconds // 60,
        "stale_days": STALE_AFTER.days,
        "is_filtered": any(name in request.GET for name in (*IN_FORM, *(chip.name for chip in chips_of(request.GET)))),
    }
    return show(request, viewer, "gpus_fleet.html", context, window=asked.window)
