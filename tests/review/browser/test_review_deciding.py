"""Decisions on the review page: saved as they are made, in step with other windows, never lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from testkit.browser import until
from testkit.review_server import Review

from nlecompanion.model import Delivery

SAVED = "document.getElementById('saved').dataset.state === 'saved'"
AWAY = "document.getElementById('saved').dataset.state === 'away'"
#: What the browser itself says when a request fails.
FAILED = "Failed to load resource"


def decided(served: Review, delivery_path: str, use: str) -> dict[str, Any]:
    """What the server would tell a page that asks now."""
    decision = served.desk.use(delivery_path.rpartition("/")[2], use)["decision"]
    assert isinstance(decision, dict)
    return decision


def wait_for_the_first_clip(page: Any) -> None:
    until(page, "document.querySelector('.decide [data-field]')?.checkVisibility()")


def test_a_decision_is_saved_as_it_is_made(
    page: Any, served: Review, delivery_path: str, delivery: Delivery
) -> None:
    use = delivery.uses[0].use.id
    accept = page.get_by_role("button", name="Accept", exact=True)
    keep = page.get_by_role("button", name="Keep the original")
    accept.click()
    assert accept.get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="Send to ADR").click()
    page.get_by_label("Subtitle", exact=True).fill("Morning, <b>everyone</b>.")
    until(page, SAVED)
    found = decided(served, delivery_path, use)
    assert (found["accept"], found["adr"]) == (True, True)
    assert found["subtitle"] == "Morning, <b>everyone</b>."
    keep.click()
    until(page, SAVED)
    found = decided(served, delivery_path, use)
    assert (found["accept"], found["keep_original"]) == (False, True)
    assert "keep original, ADR, subtitle" in page.inner_text(".uses li >> nth=0")


def test_what_is_heard_becomes_what_is_delivered(
    page: Any, served: Review, delivery_path: str, delivery: Delivery
) -> None:
    take = page.locator(".take")
    assert not take.is_visible()
    page.locator(".intensity").press("ArrowLeft")
    shown = page.locator(".level").inner_text()
    assert take.inner_text() == f"Deliver {shown} instead"
    take.click()
    until(page, SAVED)
    found = decided(served, delivery_path, delivery.uses[0].use.id)
    assert f"{found['intensity_db']:g} dB" == shown
    assert f"To be delivered: {shown}" in page.locator(".will").inner_text()


def test_two_windows_keep_each_others_decisions(
    opened: Callable[..., Any], served: Review, delivery_path: str, delivery: Delivery
) -> None:
    use = delivery.uses[0].use.id
    one, other = (opened(f"{delivery_path}#clip={use}") for _ in range(2))
    for window in (one, other):
        wait_for_the_first_clip(window)
    one.get_by_role("button", name="Accept", exact=True).click()
    other.get_by_role("button", name="Send to ADR").click()
    pressed = "[...document.querySelectorAll('.decide [aria-pressed=true]')].length === 2"
    for window in (one, other):
        until(window, pressed)
        until(window, SAVED)
    found = decided(served, delivery_path, use)
    assert (found["accept"], found["adr"]) == (True, True)


def test_a_text_that_is_written_is_not_taken_away_by_another_window(
    opened: Callable[..., Any],
    served: Review,
    delivery_path: str,
    delivery: Delivery,
    decide: Callable[..., None],
) -> None:
    use = delivery.uses[0].use.id
    page = opened(f"{delivery_path}#clip={use}")
    wait_for_the_first_clip(page)
    words = page.get_by_label("Subtitle", exact=True)
    words.fill("mine")
    until(page, SAVED)
    decide(use, subtitle="theirs")
    until(page, "document.querySelector('.elsewhere').checkVisibility()")
    assert words.input_value() == "mine"
    words.press("End")
    words.press("!")
    until(page, SAVED)
    assert decided(served, delivery_path, use)["subtitle"] == "mine!"
    words.evaluate("e => e.blur()")
    decide(use, subtitle="theirs again")
    until(page, "document.querySelector('.decide textarea').value === 'theirs again'")


def test_nothing_is_lost_while_the_server_is_away(
    opened: Callable[..., Any], served: Review, delivery_path: str, delivery: Delivery
) -> None:
    use = delivery.uses[0].use.id
    page = opened(f"{delivery_path}#clip={use}", expected=FAILED)
    wait_for_the_first_clip(page)
    page.route("**/decision", lambda route: route.abort())
    page.get_by_role("button", name="Accept", exact=True).click()
    until(page, AWAY)
    assert "Not saved: decisions on one clip" in page.inner_text("#saved")
    page.get_by_role("button", name="Send to ADR").click()
    page.unroute("**/decision")
    until(page, SAVED)
    found = decided(served, delivery_path, use)
    assert (found["accept"], found["adr"]) == (True, True)


def test_a_page_that_went_away_unsaved_is_taken_up_by_the_next(
    opened: Callable[..., Any], served: Review, delivery_path: str, delivery: Delivery
) -> None:
    use = delivery.uses[0].use.id
    page = opened(f"{delivery_path}#clip={use}", expected=FAILED)
    wait_for_the_first_clip(page)
    page.route("**/decision", lambda route: route.abort())
    page.get_by_role("button", name="Keep the original").click()
    until(page, AWAY)
    page.close()
    assert decided(served, delivery_path, use)["keep_original"] is False
    later = opened(delivery_path, context=page.context)
    until(later, "document.querySelector('.uses li')")
    until(later, SAVED)
    assert decided(served, delivery_path, use)["keep_original"] is True


def test_leaving_with_something_unsaved_is_asked_about(
    opened: Callable[..., Any], delivery_path: str, delivery: Delivery
) -> None:
    page = opened(f"{delivery_path}#clip={delivery.uses[0].use.id}", expected=FAILED)
    wait_for_the_first_clip(page)
    asked: list[str] = []

    def leave(dialog: Any) -> None:
        asked.append(dialog.type)
        dialog.accept()

    page.on("dialog", leave)
    page.route("**/decision", lambda route: route.abort())
    page.get_by_role("button", name="Accept", exact=True).click()
    until(page, AWAY)
    page.goto("about:blank")
    assert asked == ["beforeunload"]


def test_a_refused_value_is_said_and_taken_back(
    opened: Callable[..., Any], delivery_path: str, delivery: Delivery
) -> None:
    page = opened(f"{delivery_path}#clip={delivery.uses[0].use.id}", expected=FAILED)
    wait_for_the_first_clip(page)
    answer = {"status": 422, "content_type": "application/json", "body": '{"error": "No <i>."}'}
    page.route("**/decision", lambda route: route.fulfill(**answer))
    page.get_by_role("button", name="Accept", exact=True).click()
    until(page, "document.getElementById('trouble').textContent === 'Not saved: No <i>.'")
    assert page.locator(".decide [aria-pressed=true]").count() == 0


def test_delivered_again_with_what_was_decided(
    page: Any, served: Review, delivery_path: str, delivery: Delivery
) -> None:
    """The button leads to a new delivery beside the old one, and in it stands the decision."""
    page.locator(".intensity").press("ArrowLeft")
    shown = page.locator(".level").inner_text()
    page.locator(".take").click()
    until(page, SAVED)
    page.get_by_role("button", name="Deliver again").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Deliver", exact=True).click()
    until(page, "document.querySelector('#delivering a').checkVisibility()", 60)
    dialog.get_by_role("link", name="Open the new delivery").click()
    until(page, "document.querySelector('.uses li')")
    assert delivery_path not in page.url
    name = page.inner_text("h1")
    assert delivery.folder is not None
    made = delivery.folder.parent / name
    assert made != delivery.folder
    receipt = json.loads(Path(made, "receipt.json").read_text(encoding="utf-8"))
    (use,) = [one for one in receipt["uses"] if one["id"] == delivery.uses[0].use.id]
    assert f"{use['plan']['intensity_db']:g} dB" == shown
