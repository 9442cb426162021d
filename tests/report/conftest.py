"""A headless Chromium for the pages, one for all tests of this folder, and everything it complains about."""

from __future__ import annotations

import importlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

SHELLS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox",  # as root there is no other way; the pages are our own
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",  # else it asks for updates, which a closed network refuses
    "--disable-component-update",
    "--disable-sync",
)
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def missing(what: str) -> None:
    """Skip on somebody's machine; fail where the gate runs, which installs everything."""
    message = f"{what}: run tests/report/install and tests/vendors/install, and install the extra 'test'"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Any]:
    """The browser; each test has a window of its own."""
    try:
        sync_playwright = importlib.import_module("playwright.sync_api").sync_playwright
    except ImportError:
        missing("the package 'playwright' is not installed")
        raise
    names = (os.environ.get("D365_CHROMIUM", ""), *SHELLS)
    found = next((path for name in names if name and (path := shutil.which(name))), None)
    if found is None:
        missing("there is no Chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def axe() -> str:
    """The script of axe-core."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(os.environ.get("D365_VENDORS") or Path(cache, "d365setup", "vendors"))
    script = folder / "node_modules" / "axe-core" / "axe.min.js"
    if not script.is_file():
        missing(f"there is no axe-core in {folder}")
    return script.read_text(encoding="utf-8")


@dataclass
class Window:
    """A page as a person has it before them, and what went wrong with it: it must stay empty."""

    page: Any
    file: Path
    complaints: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return self.file.as_uri()

    def go(self, anchor: str = "") -> None:
        """Open the page, at an anchor."""
        self.page.goto(self.address + (f"#{anchor}" if anchor else ""))

    def become(self, text: str) -> None:
        """Open another text in its place."""
        self.file.write_text(text, encoding="utf-8")
        self.go()

    def ask(self, script: str, argument: object = None) -> Any:
        """What a script of the test's own says about the page."""
        return self.page.evaluate(script, argument)

    def accuse(self, axe: str) -> list[str]:
        """What axe-core finds serious or critical: rule and place."""
        self.ask(axe)
        found = self.ask("tags => axe.run(document, {runOnly: tags})", AXE_TAGS)
        bad = [each for each in found["violations"] if each["impact"] in ("serious", "critical")]
        return [f"{each['id']}: {node['target']} {node['failureSummary']}" for each in bad for node in each["nodes"]]


Open = Callable[..., Window]


@pytest.fixture
def opened(chromium: Any, tmp_path: Path) -> Iterator[Open]:
    """Opens a page's text: ``opened(text, width=360, scheme="dark", scripts=False)``."""
    contexts = []
    windows: list[Window] = []

    def open_page(text: str, *, width: int = 1280, scheme: str = "light", scripts: bool = True) -> Window:
        file = tmp_path / f"{len(windows)}.html"
        file.write_text(text, encoding="utf-8")
        context = chromium.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            java_script_enabled=scripts,
            reduced_motion="reduce",
        )
        contexts.append(context)
        window = Window(context.new_page(), file)
        windows.append(window)
        _listen(window)
        window.go()
        return window

    yield open_page
    for context in contexts:
        context.close()
    assert [complaint for window in windows for complaint in window.complaints] == []


def _listen(window: Window) -> None:
    page, complaints = window.page, window.complaints
    page.on("console", lambda message: complaints.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
    page.on("dialog", lambda dialog: (complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))

    def judge(route: Any) -> None:
        if route.request.url.split("#")[0] == window.address:
            route.continue_()
        else:
            complaints.append(f"request: {route.request.url}")
            route.abort()

    page.route("**/*", judge)
