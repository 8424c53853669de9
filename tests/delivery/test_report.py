"""The report: what it says, what it hides, how large it gets, and what may fail without harm."""

from __future__ import annotations

import base64
import html
import io
import re
from dataclasses import replace
from pathlib import Path

import av
import pytest
from testkit.delivered import FACTS, Made, account, delivered, left, silence, without_media

from nlecompanion.delivery.report import ReportLimits
from nlecompanion.model import Delivery, Loss, Reason, Ruling, UseReport

SILENT = ReportLimits(sound_mb=0)
EVIL = "</style></script><script>alert(1)</script><img src=x onerror=alert(2)>\"'{{ 7*7 }}"


def plain(page: str) -> str:
    """The text that a person reads."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", without_media(page))).split())


def embedded(page: str, mime: str) -> list[bytes]:
    found = re.findall(rf'"data:{mime};base64,([A-Za-z0-9+/=]+)"', page)
    return [base64.b64decode(text) for text in found]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """One use of every ruling, and two that were left alone."""
    made = delivered(
        tmp_path_factory.mktemp("mixed"), 3, (Ruling.DELIVER, Ruling.WARN, Ruling.UNFIXABLE)
    )
    uses = (
        *made.delivery.uses,
        left(7, Reason.RETIMED, "200 % speed", marked=True),
        left(8, Reason.DISABLED),
    )
    losses = (Loss("a.xml", "fades are no part of the format"),)
    return replace(made, delivery=replace(made.delivery, uses=uses, losses=losses))


@pytest.fixture(scope="module")
def mixed_page(mixed: Made) -> str:
    """Its report."""
    return mixed.page()


def test_it_says_what_was_asked_what_was_done_and_what_needs_a_person(mixed_page: str) -> None:
    page = mixed_page
    text = plain(page)
    assert "2 uses were cleaned; 3 need a person." in text
    assert "Scene 3.xml" in text
    assert "exposed" in text
    assert "dialogue 1: Voice against the rest" in text
    assert "retimed: 200 % speed" in text
    assert "fades are no part of the format" in text
    flags = re.search(r'<ol class="flags">.*?</ol>', page, re.DOTALL)
    assert flags is not None
    assert re.findall(r'class="tc"[^>]*>([\d:]+)<', flags[0])[::2] == [
        "01:00:20:00",
        "01:01:10:00",
        "01:00:10:00",
    ]


def test_a_card_tells_the_numbers_that_decided(mixed_page: str) -> None:
    text = plain(mixed_page)
    assert "The voice stands 9.5 dB above its background" in text
    assert "0.61 before, 0.87 after" in text
    assert (
        "12 dB: the lowest intensity that meets the target. Not 6 dB: readability 0.75 of 0.85. "
        "Not 18 dB: pumping: floor 18.0 dB, limit 15" in text
    )
    assert "All 3 gates passed; the nearest to its limit is floor: 12.0 of 15 dB" in text
    assert "floor in gaps −48.0 dBFS, its colour within 0.4 dB of the place's own" in text
    assert "Speech at −23.0 LUFS" in text


def test_attempts_are_told_once_a_file_and_linked_to_by_the_others(mixed_page: str) -> None:
    page = mixed_page
    assert page.count("<details>") == 1
    (owner,) = set(re.findall(r'href="#(u\d+)">One file', page))
    card = re.search(rf'<article[^>]* id="{owner}".*?</article>', page, re.DOTALL)
    assert card is not None
    assert "<details>" in card[0]
    assert page.count(f'href="#{owner}">One file') == 2


def test_phrases_to_record_again_stand_on_the_card_with_their_timecodes(mixed_page: str) -> None:
    cards = re.findall(r"<article.*?</article>", mixed_page, re.DOTALL)
    beyond = [card for card in cards if 'class="card unfixable"' in card]
    assert len(beyond) == 1
    assert ">01:00:21:00<" in beyond[0]
    assert ">01:00:29:00<" in beyond[0]


def test_nothing_is_loaded_and_only_its_own_script_may_run(mixed_page: str) -> None:
    page = mixed_page
    assert "default-src 'none'" in page
    assert page.count("<script>") == 1
    assert not re.search(r"https?:|file:|//cdn|@import|url\(", page)
    sources = re.findall(r'\b(?:src|href)="([^"]*)"', page)
    assert all(s.startswith(("data:", "#", "receipt.json", "flags/")) for s in sources)


@pytest.mark.parametrize("field", ["name", "track", "detail", "title", "loss", "document"])
def test_markup_in_names_is_shown_and_not_run(tmp_path: Path, field: str) -> None:
    made = delivered(tmp_path, 1, name=EVIL if field == "name" else "A003")
    rest = left(2, Reason.FAILED, EVIL if field == "detail" else "no", marked=True)
    if field == "track":
        rest = replace(rest, use=replace(rest.use, track=EVIL))
    delivery = replace(
        made.delivery,
        uses=(*made.delivery.uses, rest),
        timeline=replace(FACTS, name=EVIL if field in ("title", "document") else "Scene 3"),
        losses=(Loss("a", EVIL),) if field == "loss" else (),
    )
    page = replace(made, delivery=delivery).page(SILENT)
    assert "<img src=x" not in page
    assert page.count("<script>") == page.count("</script>") == 1
    assert page.count("</style>") == 1
    assert "alert(1)&lt;" in page
    assert "{{ 7*7 }}" in page  # nor is it a template


def test_no_folder_of_this_machine_is_told(tmp_path: Path) -> None:
    made = delivered(tmp_path, 1)
    media = made.regions[0].media.path
    told = [
        f"{media} is damaged",
        f"{media.name} is no longer at {media.parent}: gone",
        f"{Path.home()}/secret/take.wav was not found",
        r"C:\Users\anna\Desktop\take 2.wav was not found",
        "file://localhost/Volumes/Anna/take.wav was refused",
        f"{tmp_path / 'out'} is full",
        f"{Path.home()} cannot be read",
    ]
    uses = [left(n, Reason.OFFLINE, text, marked=True) for n, text in enumerate(told, start=5)]
    delivery = replace(
        made.delivery,
        uses=(*made.delivery.uses, *uses),
        losses=tuple(Loss(str(media), text) for text in told),
    )
    text = without_media(replace(made, delivery=delivery).page())
    for secret in ("home anna", str(Path.home()), str(tmp_path), "Users", "Desktop",
                   "Volumes", "localhost"):  # fmt: skip
        assert secret not in text
    assert "A003.wav is damaged" in text
    assert "take 2.wav was not found" in text


def test_the_same_input_gives_the_same_bytes(mixed: Made, mixed_page: str) -> None:
    assert mixed.page() == mixed_page


def test_before_and_after_are_the_same_length_and_equally_loud(tmp_path: Path) -> None:
    page = delivered(tmp_path, 1).page()
    sounds = embedded(page, "audio/mpeg")
    lengths = []
    for content in sounds:
        with av.open(io.BytesIO(content), "r") as container:
            lengths.append(sum(frame.samples for frame in container.decode(audio=0)))
    assert len(sounds) == 2
    assert lengths[0] == lengths[1] == pytest.approx(8 * 32_000, abs=3 * 1152)
    assert sounds[0] != sounds[1]
    assert "Hardest moment, from" in page


def test_beyond_the_room_for_sound_a_card_has_pictures_and_figures(tmp_path: Path) -> None:
    made = delivered(tmp_path, 4)
    page = made.page(ReportLimits(sound_mb=0.1))
    assert len(embedded(page, "audio/mpeg")) == 2 * 1
    assert len(embedded(page, "image/png")) == 2 * 4
    assert page.count("0.1 MB of sound are used up") == 3
    assert page.count("Readability</dt>") == 4


def test_a_page_stays_small_with_500_uses(tmp_path: Path) -> None:
    made = delivered(tmp_path, 500, (Ruling.DELIVER, Ruling.WARN, Ruling.DELIVER))
    page = made.page(SILENT)
    assert len(without_media(page).encode()) < 200_000
    assert not embedded(page, "audio/mpeg")
    cards = page.count("<article")
    assert 20 <= cards < 167  # what is doubtful comes first
    assert page.count('class="card listen"') == cards
    more = re.search(r"(\d+) more uses stand in receipt.json", page)
    assert more is not None
    rows = re.search(r'<ul class="rows">.*?</ul>', page, re.DOTALL)
    assert rows is not None
    assert cards + rows[0].count("<li>") + int(more[1]) == 500


def test_no_uses_at_all(tmp_path: Path) -> None:
    page = delivered(tmp_path, 0).page()
    assert "The timeline holds no sound." in page
    assert "No clip was treated." in page
    assert 'class="strip"' not in page


def drop_original(made: Made) -> None:
    made.regions[0].media.path.unlink()


def drop_clip(made: Made) -> None:
    (made.folder / "clips" / "A003 DX.wav").unlink()


def cut_clip(made: Made) -> None:
    clip = made.folder / "clips" / "A003 DX.wav"
    clip.write_bytes(clip.read_bytes()[:100_000])


@pytest.mark.parametrize("harm", [drop_original, drop_clip, cut_clip])
def test_missing_sound_costs_the_pictures_and_nothing_else(tmp_path: Path, harm: object) -> None:
    made = delivered(tmp_path, 1)
    assert callable(harm)
    harm(made)
    (loss,) = made.write()
    assert loss.where == "report.html, A003"
    assert loss.what.startswith("no pictures and no sound: ")
    assert str(tmp_path) not in loss.what
    assert "0.61 before, 0.87 after" in made.text()
    assert not embedded(made.text(), "image/png")


def test_silence_is_drawn_and_played(tmp_path: Path) -> None:
    made = delivered(tmp_path, 1)
    silence(made.folder / "clips" / "A003 DX.wav")
    page = made.page()
    assert "Loudness could not be told" in page
    assert len(embedded(page, "audio/mpeg")) == 2


def test_an_encoder_that_fails_costs_the_sound_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bytes:
        raise OSError("no encoder here")

    monkeypatch.setattr("nlecompanion.delivery.report.sounds.mp3", broken)
    made = delivered(tmp_path, 1)
    assert made.write() == [Loss("report.html, A003", "no sound: no encoder here")]
    assert len(embedded(made.text(), "image/png")) == 2


def test_a_receipt_that_lacks_a_step_lacks_a_line(tmp_path: Path) -> None:
    made = delivered(tmp_path, 1)
    for missing in account():
        told = {key: value for key, value in account().items() if key != missing}
        page = replace(made, delivery=replace(made.delivery, regions={"r1": told})).page(SILENT)
        assert "<article" in page


def test_a_report_that_cannot_be_made_is_a_loss(tmp_path: Path) -> None:
    made = delivered(tmp_path, 1)
    broken = replace(made.delivery, regions={"r1": {"ladder": {"attempts": [{}], "chosen": 0}}})
    (loss,) = replace(made, delivery=broken).write()
    assert loss.where == "report.html"
    assert not (made.folder / "report.html").exists()


def short(made: Made, duration_s: str) -> Delivery:
    from fractions import Fraction

    report: UseReport = made.delivery.uses[0]
    source = replace(report.use.source, duration_s=Fraction(duration_s))
    use = replace(report.use, source=source, record=replace(source, start_s=Fraction(0)))
    return replace(made.delivery, uses=(replace(report, use=use),))


@pytest.mark.parametrize("duration_s", ["0.1", "0.0001", "0.000001"])
def test_a_use_of_a_blink_is_no_problem(tmp_path: Path, duration_s: str) -> None:
    made = delivered(tmp_path, 1)
    page = replace(made, delivery=short(made, duration_s)).page()
    assert "<article" in page
