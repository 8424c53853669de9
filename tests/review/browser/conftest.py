"""A real delivery, the true server, and a browser on its page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from fractions import Fraction
from functools import partial
from typing import Any

import pytest
import soundfile
from testkit.browser import chromium, until
from testkit.fcp7xml import Clip, Media, Track, premiere_xml
from testkit.review_server import Review, review
from testkit.speech import RATE_HZ, speech

from nlecompanion.decisions import UNDECIDED
from nlecompanion.model import Delivery
from nlecompanion.pipeline import Place, run
from nlecompanion.settings import Settings

EVIL = "<img src=x onerror=document.title='run'>"
NAMES = (f"take {EVIL} & co.wav", "second.wav")
RATE = Fraction(25)
#: Frames of each clip: longer than one piece that the page fetches.
CLIP_FRAMES = 75


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture(autouse=True)
def own_folders() -> None:
    """One folder for all of these tests: what one has made ready, the others hear as well."""


@pytest.fixture(scope="session")
def delivery(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Delivery:
    """Two clips of noisy speech, one in stereo with markup in its name, cleaned by `dsp`."""
    folder = tmp_path_factory.mktemp("review")
    clips = []
    for number, name in enumerate(NAMES):
        channels = 2 if number == 0 else 1
        sound = speech(5, channels, noise=0.03, seed=number)
        soundfile.write(folder / name, sound, RATE_HZ, "PCM_24")
        media = Media(folder / name, RATE, 125, channels, picture=False)
        start = number * CLIP_FRAMES
        clips.append(Clip(media, start, start + CLIP_FRAMES, 25))
    document = folder / "Scene 3.xml"
    tracks = (Track((clips[0],), "Stereo"), Track(tuple(clips[1:]), "Mono", channels=1))
    document.write_bytes(premiere_xml(tracks, RATE, "Scene 3"))
    made = run(document, Settings(engine="dsp", handles_s=Fraction(12, 25)), Place(folder))
    assert made.cleaned + made.offered == len(NAMES)
    return made


@pytest.fixture(scope="session")
def served(delivery: Delivery) -> Iterator[Review]:
    assert delivery.folder is not None
    folder = delivery.folder.parent
    with review(folder, folder / "Scene 3.xml") as opened:
        yield opened


Open = Callable[..., Any]


@pytest.fixture
def opened(browser: Any, served: Review) -> Iterator[Open]:
    """Opens pages of the review; fails where one says an error, or asks for what is elsewhere.

    `context` is a window's own: cookies and storage. `expected` are beginnings of lines in the
    browser's console that a test causes itself.
    """
    contexts: list[Any] = []
    said: list[str] = []
    asked: list[str] = []
    allowed: list[str] = []

    def open_page(path: str = "/", context: Any = None, expected: str = "", **options: Any) -> Any:
        if context is None:
            context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
            contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        if expected:
            allowed.append(expected)
        context.add_cookies([served.cookie])
        page.goto(served.address + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [line for line in said if not line.startswith(tuple(allowed))] == []
    assert [url for url in asked if not url.startswith((served.address, "data:", "blob:"))] == []


@pytest.fixture(scope="session")
def delivery_path(served: Review, delivery: Delivery) -> str:
    """The address of the delivery's page."""
    listed = served.desk.deliveries()
    assert delivery.folder is not None
    return next(f"/d/{one['id']}" for one in listed if one["name"] == delivery.folder.name)


@pytest.fixture(autouse=True)
def nothing_decided(served: Review, delivery_path: str) -> None:
    """Each test begins with a clean sheet."""
    clean = asdict(UNDECIDED)
    for use in served.desk.uses(delivery_path.rpartition("/")[2])["uses"]:
        if use["decision"] != clean:
            put(served, delivery_path, use["id"], **clean)


def put(served: Review, delivery_path: str, use: str, **fields: Any) -> None:
    """Decides as another window would."""
    body = {"base_revision": 0, "set": fields}
    served.desk.decide(delivery_path.rpartition("/")[2], use, body)


@pytest.fixture
def decide(served: Review, delivery_path: str) -> Callable[..., None]:
    """Decides about a use as another window would."""
    return partial(put, served, delivery_path)


@pytest.fixture(scope="session")
def window(browser: Any) -> Iterator[Any]:
    """A browser that has been here before: what `page` opens is mostly in its cache."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context
    context.close()


@pytest.fixture
def page(opened: Open, window: Any, delivery_path: str, delivery: Delivery) -> Iterator[Any]:
    """The page of the first clip, when it can be played."""
    found = opened(f"{delivery_path}#clip={delivery.uses[0].use.id}", context=window)
    until(found, "document.querySelector('.deck')?.checkVisibility()", 60)
    yield found
    found.close()
