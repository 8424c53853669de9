"""The report in a real browser, offline: no errors, no requests, and before and after in step."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from testkit.browser import NAMELESS, axe_violations, chromium, until
from testkit.contrast import contrast
from testkit.delivered import delivered

from nlecompanion.model import Ruling

EVIL = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


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
    assert page.evaluate(NAMELESS) == []
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))


def test_axe_finds_nothing(page: Any) -> None:
    page.eval_on_selector_all("details", "all => all.forEach(one => { one.open = true; })")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert axe_violations(page) == []


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


@pytest.mark.parametrize("scheme", [0, 1, 2])
def test_every_text_stands_out_from_what_lies_under_it(scheme: int) -> None:
    """WCAG 2.2, 1.4.3 (AA): at least 4.5 to 1, in light, in dark and in print."""
    folder = resources.files("nlecompanion.templates")
    places = ("review/static/look.css", "report/report.css")
    css = "".join(folder.joinpath(place).read_text(encoding="utf-8") for place in places)
    blocks = [
        dict(re.findall(r"--([a-z]+): (#[0-9a-f]+)", b)) for b in re.findall(r":root \{[^}]*", css)
    ]
    colors = blocks[scheme]
    inks = ("ink", "dim", "link", "cleaned", "listen", "unfixable", "open", "good", "left")
    for paper in ("page", "paper", "shade"):
        for ink in inks[: 3 if paper != "paper" else len(inks)]:
            assert contrast(colors[ink], colors[paper]) >= 4.5, (ink, paper)
