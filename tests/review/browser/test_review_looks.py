"""The review page at all sizes, by keyboard, for screen readers, with much and with nothing."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from importlib import resources
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from testkit.browser import NAMELESS, axe_violations, until
from testkit.contrast import contrast
from testkit.review_server import Review, review

from nlecompanion.delivery.report.view import Kind
from nlecompanion.model import Delivery

MANY = 5000
_STATIC = resources.files("nlecompanion.templates").joinpath("review", "static")


def static(name: str) -> str:
    return _STATIC.joinpath(name).read_text(encoding="utf-8")


def test_nothing_scrolls_sideways_and_all_can_be_hit(page: Any) -> None:
    """WCAG 2.2, 1.4.10 (reflow) and 2.5.8 (24 px)."""
    page.eval_on_selector_all("details", "all => all.forEach(one => { one.open = true; })")
    for width, view in product((360, 768, 1280), ("use", "list")):
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate(f"document.body.dataset.view = '{view}'")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        small = page.evaluate(
            "[...document.querySelectorAll('button, select, textarea, label.check, summary,"
            " input[type=range]')].filter(e => e.checkVisibility()"
            " && e.getBoundingClientRect().height < 24).map(e => e.outerHTML)"
        )
        assert small == []
        out = page.evaluate(
            "[...document.querySelectorAll('#list *, .bar *')].filter(e => e.checkVisibility()"
            " && !e.classList.contains('vh') && e.getBoundingClientRect().right >"
            " e.closest('#list, .bar').getBoundingClientRect().right + 1).map(e => e.outerHTML)"
        )
        assert out == []


def test_axe_finds_nothing(page: Any, opened: Callable[..., Any]) -> None:
    page.eval_on_selector_all("details", "all => all.forEach(one => { one.open = true; })")
    home = opened("/")
    until(home, "document.querySelector('#deliveries li')")
    for one, scheme in product((home, page), ("light", "dark")):
        one.emulate_media(color_scheme=scheme)
        assert axe_violations(one) == []
    for button in ("Keys", "Deliver again"):
        page.get_by_role("button", name=button, exact=True).click()
        assert axe_violations(page) == []
        page.keyboard.press("Escape")


def test_everything_that_can_be_used_has_a_name(page: Any) -> None:
    assert page.evaluate(NAMELESS) == []
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))


def test_the_keyboard_reaches_what_the_mouse_does(page: Any) -> None:
    page.evaluate("document.activeElement.blur()")
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.className || document.activeElement.id"))
    wanted = {"skip", "first", "row", "play first", "a", "b", "loop", "seek", "intensity"}
    assert wanted <= reached


def test_the_arrows_go_through_the_list(page: Any, delivery: Delivery) -> None:
    page.keyboard.press("ArrowDown")
    until(page, f"location.hash === '#clip={delivery.uses[1].use.id}'")
    assert page.inner_text("#use h2").endswith(delivery.uses[1].use.name)
    page.keyboard.press("ArrowUp")
    until(page, f"location.hash === '#clip={delivery.uses[0].use.id}'")


def test_single_keys_can_be_switched_off(page: Any) -> None:
    """WCAG 2.2, 2.1.4."""
    page.keyboard.press("?")
    page.get_by_label("Single keys are on").uncheck()
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    page.keyboard.press("a")
    assert page.locator(".a").get_attribute("aria-pressed") == "false"
    page.get_by_role("button", name="Keys", exact=True).click()
    page.get_by_label("Single keys are on").check()
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    assert page.locator(".a").get_attribute("aria-pressed") == "true"


def test_letters_typed_into_a_subtitle_are_only_letters(page: Any) -> None:
    words = page.get_by_label("Subtitle", exact=True)
    words.fill("")
    words.press_sequentially("a lo")
    assert words.input_value() == "a lo"
    assert page.locator(".b").get_attribute("aria-pressed") == "true"
    assert page.locator(".play").inner_text() == "Play"
    page.get_by_role("button", name="Leave the subtitle to the draft").click()
    until(page, "document.getElementById('saved').dataset.state === 'saved'")


def test_the_signs_are_those_of_the_report() -> None:
    marks = dict(re.findall(r'^  (\w+): "(.)",$', static("page.js"), re.MULTILINE))
    assert marks == {kind.css: kind.mark for kind in Kind}


@pytest.mark.parametrize("scheme", [0, 1])
def test_what_lies_on_a_button_stands_out(scheme: int) -> None:
    """WCAG 2.2, 1.4.3 and 1.4.11; the colours of look.css are measured with the report."""
    blocks = [
        dict(re.findall(r"--([a-z-]+): (#[0-9a-f]+)", block))
        for name in ("look.css", "review.css")
        for block in re.findall(r":root \{[^}]*", static(name))
    ]
    colors = blocks[scheme] | blocks[scheme + 2]
    assert contrast(colors["on-ink"], colors["on"]) >= 4.5
    for shade in ("moment", "loop"):
        assert contrast(colors["wave"], colors[shade]) >= 3
    for ink in ("ink", "dim", "link"):
        assert contrast(colors[ink], colors["moment"]) >= 4.5


@pytest.fixture(scope="module")
def crowded(delivery: Delivery, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Review]:
    """A folder with 5,000 uses, a delivery without any, and one half deleted."""
    assert delivery.folder is not None
    folder = tmp_path_factory.mktemp("crowded")
    receipt = json.loads((delivery.folder / "receipt.json").read_text(encoding="utf-8"))
    for name, count in (("Many", MANY), ("None", 0), ("Half", 0)):
        copy = folder / name
        shutil.copytree(delivery.folder, copy, ignore=shutil.ignore_patterns("clips"))
        uses = [dict(receipt["uses"][n % 2], id=f"U-{n:04}") for n in range(count)]
        (copy / "receipt.json").write_text(json.dumps({**receipt, "uses": uses}), "utf-8")
    Path(folder, "Half", "receipt.json").write_bytes(b'{"receipt_version": 1, "uses": [')
    with review(folder) as opened:
        yield opened


def of_crowd(browser: Any, crowd: Review, name: str) -> Any:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.add_cookies([crowd.cookie])
    page = context.new_page()
    (delivery,) = [one["id"] for one in crowd.desk.deliveries() if one["name"] == name]
    page.goto(f"{crowd.address}/d/{delivery}")
    return page


def test_thousands_of_uses_are_all_there_and_only_some_are_drawn(
    browser: Any, crowded: Review
) -> None:
    page = of_crowd(browser, crowded, "Many")
    rows = "document.querySelectorAll('.uses li').length"
    until(page, rows)
    assert page.inner_text(".shown") == f"{MANY} clips"
    assert page.locator(".uses li").first.get_attribute("aria-setsize") == str(MANY)
    page.evaluate("document.querySelector('.window').scrollTop = 1e9")
    until(page, f"document.querySelector('.uses li:last-child').ariaPosInSet === '{MANY}'")
    assert page.evaluate(rows) < 60
    page.locator(".uses li >> nth=-1").click()
    until(page, f"location.hash === '#clip=U-{MANY - 1}'")
    page.get_by_label("Search by name, track or timecode").fill("second")
    until(page, f"document.querySelector('.shown').textContent.startsWith('{MANY // 2} of')")
    page.get_by_label("Order").select_option("change")
    until(page, "document.querySelector('.uses li').textContent.includes('second')")
    page.context.close()


def test_a_delivery_without_uses_says_so(browser: Any, crowded: Review) -> None:
    page = of_crowd(browser, crowded, "None")
    until(page, "document.querySelector('.nothing').checkVisibility()")
    assert page.inner_text(".nothing") == "This delivery has no clips."
    page.context.close()


def test_a_damaged_delivery_says_so(browser: Any, crowded: Review) -> None:
    page = of_crowd(browser, crowded, "Half")
    assert "damaged" in page.inner_text("[role=alert] >> nth=0")
    assert page.locator("#deliver").is_disabled()
    page.context.close()
