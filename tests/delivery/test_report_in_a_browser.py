"""The report in a real browser, offline: no errors, no requests, and before and after in step."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from testkit.delivered import delivered

from nlecompanion.model import Ruling

EVIL = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"
_CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium without a window; the tests are skipped where there is none."""
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if _CHROMIUM is None:
        pytest.skip("there is no chromium here")
    # Chromium's sandbox needs rights that root in a container does not have.
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with driver.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=_CHROMIUM, args=flags)
        yield started
        started.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report on three clips, with markup in their names."""
    made = delivered(
        tmp_path_factory.mktemp("report"),
        3,
        (Ruling.DELIVER, Ruling.WARN, Ruling.UNFIXABLE),
        name=f"take {EVIL}",
    )
    assert made.write() == []
    return made.folder / "report.html"


@pytest.fixture
def page(browser: Any, report: Path) -> Iterator[Any]:
    """The report, opened offline; fails where the page says an error or asks for anything."""
    context = browser.new_context(viewport={"width": 1000, "height": 900}, offline=True)
    opened = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(report.as_uri())
    yield opened
    context.close()
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]


def until(page: Any, condition: str) -> None:
    """Waits for it, at most 1200 frames; the page's policy forbids playwright's own way."""
    page.evaluate(
        "new Promise((done, failed) => { let left = 1200; const look = () => {"
        f"if ({condition}) done(); else if (--left < 0) failed('never');"
        "else requestAnimationFrame(look); }; look(); })"
    )


def test_markup_in_names_is_shown(page: Any) -> None:
    assert "run" not in page.title()
    assert EVIL in page.inner_text("article h3 >> nth=0")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_scrolls_sideways(page: Any, width: int, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    page.eval_on_selector_all("details", "all => all.forEach(one => { one.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not page.evaluate(
        "[...document.querySelectorAll('button, summary, .controls label')].filter("
        "e => e.getBoundingClientRect().width && e.getBoundingClientRect().height < 24).length"
    )


def test_switching_neither_stops_nor_moves_the_sound(page: Any) -> None:
    player = page.locator(".ab").first
    player.get_by_role("button", name="Play").click()
    until(page, "playing && playing.now() > 0.3")
    before = page.evaluate(
        "window.kept = playing.sources, ({began: playing.began, at: playing.now(),"
        " gains: playing.gains.map(g => g.gain.value)})"
    )
    player.get_by_role("radio", name="After").check(force=True)
    until(page, "playing.gains[1].gain.value === 1 && playing.gains[0].gain.value === 0")
    after = page.evaluate(
        "({began: playing.began, at: playing.now(), same: playing.sources === window.kept})"
    )
    assert before["gains"] == [1, 0]
    assert after["same"]
    assert after["began"] == before["began"]
    assert after["at"] > before["at"]
    assert player.locator("figure.heard figcaption").inner_text() == "After"
    player.get_by_role("button", name="Pause").click()
    assert page.evaluate("playing") is None


def test_both_sounds_lie_on_one_clock(page: Any) -> None:
    page.locator(".ab").first.get_by_role("button", name="Play").click()
    until(page, "playing && playing.buffers")
    before, after = (
        np.array(
            page.evaluate(
                f"Array.from(playing.buffers[{side}].getChannelData(0).slice(48e3, 144e3))"
            )
        )
        for side in (0, 1)
    )
    spectra = np.fft.rfft(before, 1 << 18) * np.conj(np.fft.rfft(after, 1 << 18))
    assert int(np.fft.irfft(spectra).argmax()) == 0


def test_a_second_player_stops_the_first(page: Any) -> None:
    page.locator(".play").nth(0).click()
    until(page, "playing")
    page.locator(".play").nth(1).click()
    until(page, "playing && playing.play === document.querySelectorAll('.play')[1]")
    assert page.locator(".play").all_inner_texts() == ["Play", "Pause", "Play"]


def test_the_keyboard_plays_switches_and_seeks(page: Any) -> None:
    page.locator(".play").first.focus()
    page.keyboard.press("Space")
    until(page, "playing")
    page.keyboard.press("b")
    assert page.evaluate("playing.side") == 1
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowLeft")  # radio buttons move by themselves
    assert page.evaluate("playing.side") == 0
    page.keyboard.press("Space")
    assert page.evaluate("playing") is None
    seek = page.locator(".seek").first
    seek.focus()
    seek.press("Home")
    seek.press("ArrowRight")
    assert 0 < float(seek.input_value()) < 0.2


def test_a_click_on_a_picture_goes_there(page: Any) -> None:
    picture = page.locator(".ab svg").first
    picture.click(position={"x": picture.bounding_box()["width"] / 2, "y": 5})
    assert abs(float(page.locator(".seek").first.input_value()) - 4) < 0.1


def test_a_timecode_is_copied(page: Any) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    code = page.locator(".flags .tc").first
    text = code.inner_text()
    code.click()
    until(page, "document.getElementById('said').textContent.startsWith('Copied')")
    assert page.evaluate("navigator.clipboard.readText()") == text


def test_everything_that_can_be_used_has_a_name(page: Any) -> None:
    nameless = page.evaluate(
        """[...document.querySelectorAll('a, button, input, img, summary, article, section')]
        .filter(e => !(e.getAttribute('aria-label') || e.alt || e.textContent.trim()
          || e.closest('label')?.textContent.trim()
          || document.getElementById(e.getAttribute('aria-labelledby'))))
        .map(e => e.outerHTML.slice(0, 80))"""
    )
    assert nameless == []
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))


def test_axe_finds_nothing(page: Any) -> None:
    """Deque's axe-core, where `AXE_CORE` names its axe.min.js (npm: axe-core)."""
    axe = os.environ.get("AXE_CORE", "")
    if not Path(axe).is_file():
        pytest.skip("AXE_CORE does not name an axe.min.js")
    page.eval_on_selector_all("details", "all => all.forEach(one => { one.open = true; })")
    page.evaluate(Path(axe).read_text(encoding="utf-8"))
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = page.evaluate("axe.run()")
        assert [(v["id"], v["nodes"][0]["html"]) for v in found["violations"]] == []


def test_it_prints_in_black_on_white_without_players(page: Any) -> None:
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator(".controls").first.is_visible()
    assert page.locator("figure img").first.is_visible()


def test_without_scripts_both_sounds_can_be_played(browser: Any, report: Path) -> None:
    context = browser.new_context(java_script_enabled=False, offline=True)
    opened = context.new_page()
    opened.goto(report.as_uri())
    assert opened.locator("audio[controls]").count() == 6
    assert opened.locator("audio").first.is_visible()
    context.close()


def _luminance(color: str) -> float:
    """WCAG 2.2, relative luminance."""
    digits = color[1:] if len(color) == 7 else "".join(2 * letter for letter in color[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1, 2])
def test_every_text_stands_out_from_what_lies_under_it(scheme: int) -> None:
    """WCAG 2.2, 1.4.3 (AA): at least 4.5 to 1, in light, in dark and in print."""
    css = resources.files("nlecompanion.templates").joinpath("report", "report.css").read_text()
    blocks = [
        dict(re.findall(r"--([a-z]+): (#[0-9a-f]+)", b)) for b in re.findall(r":root \{[^}]*", css)
    ]
    colors = blocks[scheme]
    inks = ("ink", "dim", "link", "cleaned", "listen", "unfixable", "open", "good", "left")
    for paper in ("page", "paper", "shade"):
        for ink in inks[: 3 if paper != "paper" else len(inks)]:
            light, dark = sorted((_luminance(colors[ink]), _luminance(colors[paper])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, paper)
