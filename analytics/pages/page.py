"""What all pages have in common: who may look, one shape of answers and of errors, whole or as a part by htmx."""

from collections.abc import Callable, Mapping
from functools import wraps
from http import HTTPStatus
from typing import Any, Concatenate, Final, ParamSpec

from django.contrib.auth.views import redirect_to_login
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers, patch_vary_headers
from django.views.decorators.http import require_safe
from django_htmx.http import HttpResponseClientRefresh
from rest_framework.exceptions import APIException, ValidationError

from analytics.pages.links import links_of
from analytics.pages.viewer import Viewer, viewer_of
from analytics.pages.window import RANGES, Window, settled
from axonize.api import RETRY_AFTER_SECONDS, foreseen

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, Viewer, P], HttpResponse]

_TITLES: Final = {
    HTTPStatus.BAD_REQUEST: "This address asks for something that there is not",
    HTTPStatus.NOT_FOUND: "Not found",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Too much for one answer",
    HTTPStatus.SERVICE_UNAVAILABLE: "Not available for now",
}


def page(view: View[P]) -> Callable[..., HttpResponse]:
    """Make a view of a function that takes the request and who looks, and returns what show() returns.

    Its times are in the viewer's zone. The query of the request has no empty values. What it raises, ValidationError,
    NotFound or an engine's failure, becomes a page, or for htmx a part of one, that says what to do.
    """

    @require_safe
    @wraps(view)
    def served(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            answer = _answer(request, *args, **kwargs)
        except (APIException, OperationalError, InterfaceError) as error:
            answer = _problem(request, None, error)
        patch_vary_headers(answer, ["Cookie", "HX-Request"])
        add_never_cache_headers(answer)
        return answer

    def _answer(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        viewer = viewer_of(request)
        if viewer is None:
            return _to_login(request)
        query = settled(request.GET, viewer.zone)
        if query != request.GET and not is_part(request):
            return HttpResponseRedirect(f"{request.path}?{query.urlencode()}")
        request.GET = query  # type: ignore[assignment]  # a copy, that nobody else has
        with timezone.override(viewer.zone):
            try:
                return view(request, viewer, *args, **kwargs)
            except Exception as error:  # noqa: BLE001  what is not foreseen is raised again
                return _problem(request, viewer, error)

    return served


def show(
    request: HttpRequest,
    viewer: Viewer,
    template: str,
    context: Mapping[str, Any],
    *,
    window: Window | None = None,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    """Return the template `pages/{template}`, which extends pages/base.html unless it is a part.

    `window` is what the picker of time ranges shows; without one there is no picker.
    """
    common = {"viewer": viewer, "window": window, "ranges": RANGES, **links_of(request.GET)}
    return render(request, f"pages/{template}", {**common, **context}, status=status)


def is_part(request: HttpRequest) -> bool:
    """Tell whether htmx asks, for a part of the page that it is on."""
    return request.headers.get("HX-Request") == "true"


def _to_login(request: HttpRequest) -> HttpResponse:
    if is_part(request):
        return HttpResponseClientRefresh()
    return redirect_to_login(request.get_full_path(), reverse("admin:login"))


def _problem(request: HttpRequest, viewer: Viewer | None, error: Exception) -> HttpResponse:
    """Return what tells of an error. Raises it again where nobody foresaw it."""
    told = error if isinstance(error, APIException) else foreseen(error, reads=True)
    if told is None:
        raise error
    status = HTTPStatus(told.status_code)
    wrong = _wrong(told)
    query = request.GET.copy()
    for name in wrong:
        query.pop(name, None)
    context = {
        "title": _TITLES.get(status, "This did not work"),
        "sentences": [] if wrong else [str(told.detail)],
        "wrong": wrong,
        # a part has it relative to the page that is open
        "without": f"{'' if is_part(request) else request.path}?{query.urlencode()}" if wrong else "",
        "is_away": status == HTTPStatus.SERVICE_UNAVAILABLE,
        "viewer": viewer,
    }
    template = "pages/problem_part.html" if is_part(request) else "pages/problem.html"
    answer = render(request, template, context, status=status)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        answer["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return answer


def _wrong(error: APIException) -> dict[str, list[str]]:
    """Return the sentences on each wrong parameter, by its name; empty for any other error."""
    if not isinstance(error, ValidationError) or not isinstance(error.detail, dict):
        return {}
    lists = {name: told if isinstance(told, list) else [told] for name, told in error.detail.items()}
    return {name: list(map(str, told)) for name, told in lists.items()}
