"""What is heard on the review page: the render itself, without a gap where anything is switched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import soundfile
from testkit.browser import until
from testkit.review_ear import heard, level_db, mixed, starts_s, tap
from testkit.review_server import Review

from nlecompanion.model import Delivery

#: A change of gain takes 12 ms; windows of 5 ms around it are neither before nor after.
WINDOW = 240
Stems = dict[str, Any]


@pytest.fixture
def tapped(browser: Any, opened: Callable[..., Any], delivery_path: str, delivery: Delivery) -> Any:
    """The first clip's player, its sound at hand, and what it plays noted down."""
    context = browser.new_context(bypass_csp=True)
    tap(context)
    page = opened(f"{delivery_path}#clip={delivery.uses[0].use.id}", context=context)
    until(page, "document.querySelector('.deck')?.checkVisibility()", 60)
    page.locator(".matched").uncheck()
    until(page, "document.activeElement === document.body")
    yield page
    context.close()


def stems_of(served: Review, delivery_path: str, delivery: Delivery, number: int = 0) -> Stems:
    use = delivery.uses[number].use.id
    return served.desk.stems(delivery_path.rpartition("/")[2], use)


def current(stems: Stems) -> tuple[int, list[dict[str, Any]]]:
    """Where the delivered rung stands among those of its setting."""
    rungs = stems["rungs"][stems["current"]["key"]]
    intensities = [rung["intensity_db"] for rung in rungs]
    return intensities.index(stems["current"]["intensity_db"]), rungs


def runs_on(page: Any, seconds: float) -> None:
    """Waits until so much more has been played."""
    until(
        page,
        f"window.from ??= heard.blocks.length, heard.blocks.length - window.from > {seconds * 375}",
    )
    page.evaluate("delete window.from")


def sequence(played: Any, one: Any, other: Any) -> str:
    """Which of two sounds was played window after window: `a`, `b`, or `?` for neither."""
    letters = []
    for at in range(0, len(played) - WINDOW, WINDOW):
        window = played[at : at + WINDOW]
        errors = [level_db(window - sound[at : at + WINDOW]) for sound in (one, other)]
        letters.append("?" if min(errors) > -90 else "ab"[int(np.argmin(errors))])
    found = "".join(letters)
    # The sound may be let in some milliseconds after its start.
    assert len(found) - len(found.lstrip("?")) <= 8
    return found.lstrip("?")


def since_start(page: Any, stems: Stems) -> tuple[Any, int]:
    """What was played from the first sound on, and the sample that it began with.

    A start that came too late for this machine is silent, and another one follows.
    """
    told = heard(page)
    begins = sorted({round(when * stems["rate_hz"]) for when in starts_s(page)})
    sounding = told.first + int(np.flatnonzero(told.samples.any(axis=1))[0])
    early = [begin for begin in begins if begin <= sounding + 128]
    assert early, f"sound at {sounding}, told to start at {begins[:4]}"
    begin = max(early) - told.first
    return told.samples[begin:], round(stems["moment"]["start_s"] * stems["rate_hz"])


@pytest.mark.parametrize("number", [0, 1])
def test_what_is_mixed_here_is_what_was_delivered(
    opened: Callable[..., Any],
    served: Review,
    delivery: Delivery,
    delivery_path: str,
    number: int,
) -> None:
    """-60 dB or better against the delivered file, over all of it."""
    report = delivery.uses[number]
    page = opened(f"{delivery_path}#clip={report.use.id}")
    until(page, "document.querySelector('.deck')?.checkVisibility()", 60)
    stems = stems_of(served, delivery_path, delivery, number)
    at, rungs = current(stems)
    assert not rungs[at]["limited"]
    found = mixed(page, stems, rungs[at])
    assert delivery.folder is not None
    file = report.cleaned_file or report.offered_file
    assert file is not None
    delivered, rate_hz = soundfile.read(delivery.folder / file, dtype="float32", always_2d=True)
    assert rate_hz == stems["rate_hz"]
    assert found.shape == delivered.shape
    assert stems["offset_s"] == 0
    assert level_db(found - delivered) - level_db(delivered) <= -60
    # And the test can fail: the next rung is another sound.
    other = mixed(page, stems, rungs[at - 1 if at else at + 1])
    assert level_db(other - delivered) - level_db(delivered) > -60


def test_switching_has_no_gap_and_stays_at_the_place(
    tapped: Any, served: Review, delivery: Delivery, delivery_path: str
) -> None:
    rung, rungs = current(stems := stems_of(served, delivery_path, delivery))
    original, treated = mixed(tapped, stems, None), mixed(tapped, stems, rungs[rung])
    tapped.keyboard.press("Space")
    runs_on(tapped, 0.4)
    tapped.keyboard.press("a")
    runs_on(tapped, 0.4)
    tapped.keyboard.press("x")
    runs_on(tapped, 0.3)
    played, at = since_start(tapped, stems)
    found = sequence(played, original[at:], treated[at:])
    assert found.strip("b").strip("?").strip("a") == ""
    assert found.startswith("bbbbbbbb")
    assert found.endswith("bbbbbbbb")
    assert "aaaaaaaa" in found
    assert found.count("?") <= 2 * 4


def test_the_intensity_slides_while_it_plays(
    tapped: Any, served: Review, delivery: Delivery, delivery_path: str
) -> None:
    """The slider ends in exactly the rung that it shows, at the place, with nothing restarted."""
    rung, rungs = current(stems := stems_of(served, delivery_path, delivery))
    sounds = [mixed(tapped, stems, one) for one in rungs]
    tapped.keyboard.press("Space")
    runs_on(tapped, 0.3)
    way = "ArrowLeft" if tapped.locator(".intensity").input_value() != "0" else "ArrowRight"
    for _ in range(2):
        tapped.keyboard.press(way)
    runs_on(tapped, 0.6)
    shown = int(tapped.locator(".intensity").input_value())
    played, at = since_start(tapped, stems)
    assert shown != rung
    assert tapped.locator(".level").inner_text() == f"{rungs[shown]['intensity_db']:g} dB"
    found = sequence(played, sounds[shown][at:], sounds[rung][at:])
    assert found.startswith("bbbbbbbb")
    assert found.endswith("aaaaaaaa")


def test_the_shuttle_goes_back_and_the_loop_goes_round(tapped: Any) -> None:
    def place() -> float:
        minutes, seconds = tapped.locator(".time").inner_text().split(":")
        return 60 * int(minutes) + float(seconds)

    tapped.keyboard.press("End")
    tapped.locator(".seek").evaluate("e => { e.value = 2; e.dispatchEvent(new Event('input')); }")
    tapped.keyboard.press("j")
    until(tapped, "parseFloat(document.querySelector('.time').textContent.slice(2)) < 1.7")
    tapped.keyboard.press("k")
    stopped = place()
    assert 0 < stopped < 1.8
    assert tapped.locator(".play").inner_text() == "Play"
    tapped.keyboard.press("o")
    assert tapped.locator(".loop").get_attribute("aria-pressed") == "true"
    tapped.evaluate("document.activeElement.blur()")
    tapped.keyboard.press("l")
    tapped.keyboard.press("l")
    assert tapped.locator(".speed").inner_text() == "2×"
    until(tapped, "parseFloat(document.querySelector('.time').textContent.slice(2)) > 2.8")
    until(tapped, "parseFloat(document.querySelector('.time').textContent.slice(2)) < 2.4")
    tapped.keyboard.press("k")
    assert 0.4 <= place() <= 3.5


def test_equally_loud_turns_the_louder_side_down(tapped: Any) -> None:
    trims = "window.gains = []"
    tapped.evaluate(trims)
    tapped.evaluate(
        "(() => { const { setValueAtTime, linearRampToValueAtTime: ramp } = AudioParam.prototype;"
        "AudioParam.prototype.linearRampToValueAtTime = function (to, at) {"
        " gains.push(to); return ramp.call(this, to, at); }; })()"
    )
    tapped.keyboard.press("Space")
    runs_on(tapped, 0.2)
    tapped.locator(".matched").check()
    until(tapped, "gains.length >= 2")
    assert all(0 <= gain <= 1 for gain in tapped.evaluate("gains"))


def test_compared_is_what_differs_in_one_thing_only(tapped: Any) -> None:
    offered = tapped.locator(".compare option").all_inner_texts()
    assert offered[0] == "the original"
    assert any(text.startswith(("a step less: ", "a step more: ")) for text in offered)
    tapped.locator(".compare").select_option(index=1)
    until(tapped, "document.querySelector('.a').textContent.endsWith('dB')")
    shown = tapped.locator(".a").inner_text(), tapped.locator(".b").inner_text()
    assert shown[0].removeprefix("A") != shown[1].removeprefix("B")
