"""How soon the pages are there with ten million spans stored, by a stack of its own: `make bench-pages`.

Asks for each page as a browser does, first its frame and then all parts at the same time. Prints medians in
milliseconds: the frame, the slowest part when nobody else asks, and the view, from the first request to the last part.
"""

import argparse
import http.client
import re
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html import unescape
from pathlib import Path

from bench.query.report import machine
from bench.query.stored import stored

PAGES = {
    "overview, 1 hour": "/",
    "overview, 24 hours": "/?range=24h",
    "overview, 30 days": "/?range=30d",
    "overview of a service, 24 hours": "/?range=24h&service_name={service}",
    "traces, 1 hour": "/traces",
    "traces, 30 days": "/traces?range=30d",
    "failed traces, slowest first, 24 hours": "/traces?range=24h&status=error&order_by=-duration_ms",
    "a trace": "/traces/{trace}",
    "GPUs": "/gpus",
    "a GPU, 24 hours": "/gpus/{gpu}?range=24h",
}
CONNECTIONS = 6
"""As many as browsers open to one host."""
_PART = re.compile(r'hx-get="([^"]+)"[^>]*hx-trigger="load|data-waterfall="([^"]+)"')


@dataclass(frozen=True)
class View:
    """A page as it was shown once; milliseconds."""

    frame: float
    parts: int
    slowest_part: float
    whole: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=10_000_000)
    parser.add_argument("--data-dir", type=Path, help="a directory that `make bench-query` loaded; it is copied")
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    with stored(options.data_dir, spans=options.spans, seed=1, say=print) as server:
        columns = "lower(hex(trace_id)), service_name, gpus.resource_uuid[1]"
        condition = "tenant = 'default' AND notEmpty(gpus.resource_uuid)"
        [(trace, service, gpu)] = server.stack.ask(
            f"SELECT {columns} FROM spans WHERE {condition} ORDER BY start_time DESC LIMIT 1"  # noqa: S608  constants
        )
        print(f"{'page':42} {'parts':>6} {'frame':>8} {'slowest part':>14} {'view':>8}")
        for name, path in PAGES.items():
            target = path.format(trace=trace, service=service, gpu=gpu)
            views = [show(server.web_port, target) for _ in range(options.runs + 1)][1:]
            frame, slowest, whole = (
                statistics.median(getattr(view, each) for view in views) for each in ("frame", "slowest_part", "whole")
            )
            print(f"{name:42} {views[0].parts:>6} {frame:>8.0f} {slowest:>14.0f} {whole:>8.0f}")
    print(*(f"{name}: {text}" for name, text in machine().items()), sep="\n")


def show(port: int, target: str) -> View:
    """Ask for a page and its parts: once together, as a browser does, and once each part alone."""
    begun = time.perf_counter()
    frame, page = ask(port, target)
    parts = [unescape(first or second) for first, second in _PART.findall(page)]
    with ThreadPoolExecutor(CONNECTIONS) as browser:
        list(browser.map(lambda part: ask(port, part), parts))
    whole = (time.perf_counter() - begun) * 1000
    alone: Sequence[float] = [ask(port, part)[0] for part in parts]
    return View(frame, len(parts), max(alone, default=0.0), whole)


def ask(port: int, target: str) -> tuple[float, str]:
    """Return how many milliseconds an answer took, and the answer. Raises RuntimeError for any but 200."""
    begun = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", target, headers={"Accept-Encoding": "identity"})
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    if answer.status != http.HTTPStatus.OK:
        raise RuntimeError(f"{target} answers {answer.status}.")
    return (time.perf_counter() - begun) * 1000, body


if __name__ == "__main__":
    main()
