"""A real browser for tests of pages: whichever Chromium the machine has, driven through its own protocol."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["NAMES", "Browser", "Visit", "find_browser", "launched"]

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_ARGUMENTS = (
    "--no-sandbox",  # it refuses to start as root otherwise, as in containers
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Visit:
    """A page that is open, and what happened on it.

    Attributes:
        page: playwright's.
        complaints: console messages and uncaught errors.
        requests: addresses that it asked for, but for itself and its own data URIs.
    """

    def __init__(self, page: Any) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []


def find_browser() -> str | None:
    """Path of the browser; None: there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """A running browser; each visit has a profile of its own."""

    def __init__(self, driver: Any) -> None:
        self._process = driver.chromium.launch(executable_path=find_browser(), args=[*_ARGUMENTS])

    @contextmanager
    def visit(self, file: Path) -> Iterator[Visit]:
        """The file as a page."""
        page = self._process.new_page(viewport={"width": 1280, "height": 1000})
        try:
            visit = Visit(page)
            page.on("console", lambda message: visit.complaints.append(message.text))
            page.on("pageerror", lambda error: visit.complaints.append(str(error)))
            page.on("dialog", lambda dialog: visit.complaints.append(dialog.message))
            page.on("request", lambda request: _note(visit, request.url, file))
            page.goto(file.as_uri())
            yield visit
        finally:
            page.close()

    def close(self) -> None:
        """Ends it."""
        self._process.close()


@contextmanager
def launched() -> Iterator[Browser]:
    """A browser; starting one takes seconds."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = Browser(driver)
        try:
            yield browser
        finally:
            browser.close()


def _note(visit: Visit, url: str, file: Path) -> None:
    if not url.startswith("data:") and url.partition("#")[0] != file.as_uri():
        visit.requests.append(url)
