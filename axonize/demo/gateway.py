"""The gateway in front of the services: its SERVER span, and its CLIENT span of a call that it passes on."""

from http import HTTPStatus
from urllib.parse import urlsplit

from opentelemetry.trace import SpanKind

from axonize.demo.fleet import Pod
from axonize.demo.load import Moment
from axonize.demo.spans import Scope, Step, ns

_FASTAPI = Scope("opentelemetry.instrumentation.fastapi", "0.66b2")
_HTTPX = Scope("opentelemetry.instrumentation.httpx", "0.66b2")
_AUTH = Scope("gateway.auth", "4.2.0")


def gateway_request(moment: Moment, gateway: Pod, route: str, call: Step, *, start_ns: int, http_status: int) -> Step:
    """Return the gateway's SERVER span around one call to a backend, with the check of the caller's key before it."""
    authorize = Step(
        gateway,
        _AUTH,
        "authorize",
        start_ns + 400_000,
        call.start_ns - 200_000,
        {"auth.cache_hit": moment.rng.choice((True, True, True, False))},
    )
    return Step(
        gateway,
        _FASTAPI,
        f"POST {route}",
        start_ns,
        call.end_ns + ns(moment.noisy(0.0015)),
        {
            "http.request.method": "POST",
            "http.route": route,
            "http.response.status_code": http_status,
            "url.scheme": "https",
            "enduser.id": f"user-{moment.rng.randint(1, 400):04d}",
        },
        SpanKind.SERVER,
        # OpenTelemetry's HTTP conventions: a server span fails for 5xx only, 4xx is the client's fault.
        error=f"HTTP {http_status}" if http_status >= HTTPStatus.INTERNAL_SERVER_ERROR else None,
        children=(authorize, call),
    )


def gateway_delay_ns(moment: Moment) -> int:
    """Return how long the gateway takes until it calls a backend."""
    return 1_000_000 + ns(moment.noisy(0.003))


def passed_on(moment: Moment, gateway: Pod, url: str, backend: Step, *, route: str) -> Step:
    """Return the gateway's spans around a backend's SERVER span that it reaches with httpx."""
    parts = urlsplit(url)
    call = Step(
        gateway,
        _HTTPX,
        "POST",
        backend.start_ns - 900_000,
        backend.end_ns + 800_000,
        {
            "http.request.method": "POST",
            "url.full": url,
            "server.address": str(parts.hostname),
            "server.port": parts.port or 80,
            "http.response.status_code": 200,
        },
        SpanKind.CLIENT,
        children=(backend,),
    )
    return gateway_request(moment, gateway, route, call, start_ns=0, http_status=200)
