"""A real browser for tests: any chromium of the system, driven by playwright, without a window."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

_CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None
)


#: Who uses the one browser now, and how it is closed: playwright runs once in a process.
_running: list[tuple[Any, ExitStack]] = []
_users: list[None] = []


@contextmanager
def chromium() -> Iterator[Any]:
    """The browser; the tests that ask for it are skipped where there is none."""
    if not _running:
        closing = ExitStack()
        _running.append((_start(closing), closing))
    _users.append(None)
    try:
        yield _running[0][0]
    finally:
        _users.pop()
        if not _users:
            _running.pop()[1].close()


def _start(closing: ExitStack) -> Any:
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if _CHROMIUM is None:
        pytest.skip("there is no chromium here")
    flags = ["--autoplay-policy=no-user-gesture-required"]
    if os.geteuid() == 0:
        # Chromium's sandbox needs rights that root in a container does not have.
        flags.append("--no-sandbox")
    playwright = closing.enter_context(driver.sync_playwright())
    started = playwright.chromium.launch(executable_path=_CHROMIUM, args=flags)
    closing.callback(started.close)
    return started


def until(page: Any, condition: str, most_s: int = 20) -> None:
    """Waits for a condition in JavaScript, at most so long.

    Playwright's own way evaluates text inside the page, which the page's policy forbids.
    """
    page.evaluate(
        "new Promise((done, failed) => { const end = performance.now() + MOST; const look = () => {"
        f"if ({condition}) done(); else if (performance.now() > end) failed('never');"
        "else setTimeout(look, 20); }; look(); })".replace("MOST", str(1000 * most_s))
    )


def axe_violations(page: Any) -> list[tuple[str, str]]:
    """What Deque's axe-core finds on a page: rule and first place; skipped where it is missing."""
    axe = os.environ.get("AXE_CORE", "")
    if not Path(axe).is_file():
        pytest.skip("AXE_CORE does not name an axe.min.js (npm: axe-core)")
    page.evaluate(Path(axe).read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")
    return [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]]


#: What can be used, and has no name that could be said.
NAMELESS = """[...document.querySelectorAll(
  'a, button, input, select, textarea, img, canvas, summary, progress, meter, section, dialog')]
  .filter(e => e.checkVisibility() && !(e.getAttribute('aria-label') || e.alt
    || e.textContent.trim() || e.closest('label')?.textContent.trim()
    || document.getElementById(e.getAttribute('aria-labelledby'))))
  .map(e => e.outerHTML.slice(0, 80))"""
