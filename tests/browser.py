"""A real Chromium for the tests: windows of any size and colour scheme, and everything that they complain of."""

import shutil
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.db import connections
from playwright.sync_api import Browser, Page, Playwright, Request, sync_playwright
from pytest_django.live_server_helper import LiveServer

LIGHT, DARK, PHONE = ("light", 1440, 900), ("dark", 1440, 900), ("dark", 390, 844)
WINDOWS = pytest.mark.parametrize("look", [LIGHT, DARK, PHONE], ids=["light", "dark", "phone"])


@dataclass
class Window:
    """A browser's window on the live server. A violation of the Content-Security-Policy is a complaint too."""

    page: Page
    url: str
    expected: frozenset[int]
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        """Open a page and wait until all its parts are there."""
        self.page.goto(self.url + path)
        self.page.wait_for_load_state("networkidle")
        return self.page

    def __post_init__(self) -> None:
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("response", lambda answer: self._judge(answer.status, answer.url))
        self.page.on("request", self._follow)

    def _hear(self, message: Any) -> None:
        is_of_expected = any(f"status of {status} " in message.text for status in self.expected)
        if message.type in {"error", "warning"} and not is_of_expected:
            self.complaints.append(message.text)

    def _judge(self, status: int, url: str) -> None:
        if status >= 400 and status not in self.expected:
            self.complaints.append(f"{status} {url}")

    def _follow(self, request: Request) -> None:
        if not request.url.startswith((self.url, "data:", "blob:")):
            self.complaints.append(f"asks another host: {request.url}")


OpenWindow = Callable[..., Window]


def executable(playwright: Playwright) -> str:
    """Return the Chromium that Playwright installed, else the system's; without one the test is skipped."""
    own = playwright.chromium.executable_path
    found = own if Path(own).exists() else next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    if found is None:
        pytest.skip("no Chromium: `apt-get install chromium` or `playwright install chromium` brings one")
    return found


@pytest.fixture
def browser() -> Iterator[Browser]:
    """Yield a Chromium. For one test, as the loop that Playwright runs meanwhile leaves no room for another one."""
    with sync_playwright() as playwright:
        # No sandbox: tests run as root in containers, where Chromium has none.
        browser = playwright.chromium.launch(executable_path=executable(playwright), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_window(browser: Browser, live_server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenWindow]:
    """Open windows of a colour scheme and size. In the end none may have complained but of the expected statuses."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright's loop runs in this thread, not ours
    opened: list[Window] = []

    def open_one(scheme: Any = "light", width: int = 1440, height: int = 900, expected: Collection[int] = ()) -> Window:
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": height})
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        opened.append(Window(context.new_page(), live_server.url, frozenset(expected)))
        return opened[-1]

    yield open_one
    connections.close_all()  # those of that loop's context, which nobody else knows of
    for window in opened:
        complaints = window.complaints
        window.page.context.close()
        assert complaints == []


def meanwhile(work: Callable[..., object], *args: object) -> None:
    """Do what needs an event loop of its own; in this thread Playwright's is running."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(work, *args).result()


def barriers(page: Page) -> list[str]:
    """Return what axe finds on the page that is serious or critical for who uses a keyboard or a screen reader."""
    violations = Axe().run(page).response["violations"]
    return [
        f"{found['id']}: {found['help']}: {[node['html'] for node in found['nodes']][:3]}"
        for found in violations
        if found["impact"] in {"serious", "critical"}
    ]


def scrolls_sideways(page: Page) -> bool:
    """Tell whether the page is wider than its window."""
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))
