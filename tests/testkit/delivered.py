"""A staged delivery made by hand: media, a cleaned clip, reports and the account of a region."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from testkit.model import use as a_use
from testkit.sound import as_samples, noise, voice

from nlecompanion.delivery.report import ReportLimits, write_report
from nlecompanion.engines.contract import EngineInfo
from nlecompanion.media.probe import probe
from nlecompanion.model import (
    Delivery,
    Diagnosis,
    LeftAlone,
    Loss,
    Plan,
    Reason,
    Region,
    Ruling,
    Span,
    TimelineFacts,
    Unfixable,
    UseReport,
    Verdict,
)
from nlecompanion.settings import Settings

RATE_HZ = 48_000
FACTS = TimelineFacts("Scene 3", "fcp7xml", Fraction(25), 90_000, False, RATE_HZ)
ENGINE = EngineInfo("dialogue", "Voice against the rest", "1", "Apache-2.0", "", "")
_LENGTH_S = 14
_EMBEDDED = re.compile(r'data:[a-z]+/[a-z]+;base64,[A-Za-z0-9+/=]+|<path d="[^"]*"')


@dataclass(frozen=True, slots=True)
class Made:
    """What `write_report` is given."""

    delivery: Delivery
    regions: tuple[Region, ...]
    folder: Path
    settings: Settings = field(default_factory=Settings)

    def write(self, limits: ReportLimits | None = None) -> list[Loss]:
        """Writes the report."""
        return write_report(
            self.delivery, "Scene 3.xml", self.settings, ENGINE, self.regions, self.folder, limits
        )

    def page(self, limits: ReportLimits | None = None) -> str:
        """The report's text, after writing it without a loss."""
        assert self.write(limits) == []
        return self.text()

    def text(self) -> str:
        """The report as it lies there."""
        return (self.folder / "report.html").read_text(encoding="utf-8")


def without_media(page: str) -> str:
    """The page without its pictures and sounds."""
    return _EMBEDDED.sub("", page)


def delivered(
    folder: Path, uses: int = 1, rulings: tuple[Ruling, ...] = (Ruling.DELIVER,), name: str = "A003"
) -> Made:
    """`uses` of one file of 14 s, one after another, each with the next of the rulings."""
    media_folder, staged = folder / "home anna" / "rushes", folder / "staged"
    media_folder.mkdir(parents=True)
    (staged / "clips").mkdir(parents=True)
    speech, hiss = _sounds()
    path = media_folder / "A003.wav"
    soundfile.write(path, as_samples(speech + hiss), RATE_HZ, subtype="PCM_24")
    soundfile.write(
        staged / "clips" / "A003 DX.wav",
        as_samples(speech + hiss / 4)[RATE_HZ:],
        RATE_HZ,
        subtype="PCM_24",
    )
    region = Region(
        id="r1",
        media=probe(path),
        channels=(0,),
        rate_hz=RATE_HZ,
        start_sample=RATE_HZ,
        end_sample=_LENGTH_S * RATE_HZ,
        uses=(),
        frame_rate=Fraction(25),
        media_start_s=Fraction(0),
    )
    reports = tuple(
        treated(number, rulings[number % len(rulings)], name, path.as_uri())
        for number in range(uses)
    )
    delivery = Delivery(folder / "out", folder / "out" / "a.xml", FACTS, reports)
    return Made(replace(delivery, regions={"r1": account()} if uses else {}), (region,), staged)


@cache
def _sounds() -> tuple[Any, Any]:
    return voice(_LENGTH_S, level_db=-26), noise(_LENGTH_S, level_db=-36)


def treated(number: int, ruling: Ruling, name: str, url: str) -> UseReport:
    """A use of 10 s that was worked on."""
    use = a_use(
        number,
        record=Span(Fraction(10 * number), Fraction(10)),
        source=Span(Fraction(2), Fraction(10)),
        name=name,
        media_url=url,
        track=f"Dialogue {number % 3}",
        track_number=number % 3,
    )
    diagnosis = Diagnosis(
        (Span(Fraction(1), Fraction(3)), Span(Fraction(5), Fraction(4))),
        Fraction(7), "mixture", -26.0, -36.0, 9.5,
    )  # fmt: skip
    beyond = ruling is Ruling.UNFIXABLE
    verdict = Verdict(
        ruling, ("the voice stands 9.5 dB above it",), Unfixable.MASKED if beyond else None, 0.1
    )
    file = "clips/A003 DX.wav"
    return UseReport(
        use,
        None,
        diagnosis,
        Plan("dialogue", 12.0, ("why",), "separation"),
        verdict,
        None if beyond else file,
        offered_file=file if beyond else None,
        region="r1",
    )


def left(number: int, reason: Reason, detail: str = "", *, marked: bool = False) -> UseReport:
    """A use that was left alone."""
    use = a_use(number, record=Span(Fraction(10 * number), Fraction(5)))
    return UseReport(use, LeftAlone(reason, detail), marked=marked)


def gate(measure: str, value: float | None, limit: float = 6.0) -> dict[str, Any]:
    """One harm gate of an attempt."""
    return {
        "symptom": "pumping", "measure": measure, "value": value, "limit": limit, "unit": "dB",
        "passed": value is None or value <= limit, "at_s": None,
        "reason": "nothing there" if value is None else "",
    }  # fmt: skip


def attempt(number: int, intensity_db: float, mean: float, left_because: str) -> dict[str, Any]:
    """One rung of the ladder."""
    return {
        "id": number, "parent": number - 1 if number else None,
        "changed": "intensity_db" if number else "", "intensity_db": intensity_db,
        "presence_db": 0.0,
        "readability": {"mean": mean, "quietest_fifth": mean / 2, "word_endings": None,
                        "leakage_db": None, "reason": ""},
        "harm": 0.0, "floor_db": -40.0,
        "gates": [gate("under speech", 3.0), gate("floor", intensity_db, 15.0), gate("ring", None)],
        "left_because": left_because,
    }  # fmt: skip


def account() -> Mapping[str, Any]:
    """The receipt's values of a region: 12 dB of 0, 6, 12 and 18 were chosen."""
    attempts = [
        attempt(0, 0.0, 0.61, "readability 0.61 of 0.85"),
        attempt(1, 6.0, 0.75, "readability 0.75 of 0.85"),
        attempt(2, 12.0, 0.87, ""),
        attempt(3, 18.0, 0.9, "pumping: floor 18.0 dB, limit 15"),
    ]
    return {
        "hardest_moment": {
            "start_s": 2.0, "duration_s": 8.0, "representative": True, "windows_compared": 2,
            "worst_readability": 0.86,
        },
        "ladder": {
            "reason": "the lowest intensity that meets the target", "chosen": 2,
            "target": {"mean": 0.85, "quietest_fifth": 0.25}, "attempts": attempts,
        },
        "rumble": {"reasons": ["high-pass at 80 Hz"]},
        "de_echo": {"on": False, "reason": "C50 of 20.0 dB is not below 5 dB"},
        "finishing": {"reasons": ["compressed 1.3 : 1"]},
        "level": {"speech_lufs": [-24.0, -23.0], "reason": "speech as loud as before"},
        "room_tone": {
            "on": True, "reason": "the floor sinks", "estimated": False, "heard_s": 4.0,
            "after": {"floor_dbfs": -48.0, "third_octave_difference_db": 0.4},
        },
        "limit": {"ceiling_dbtp": -1.0, "limited_s": 0.0, "most_db": 0.0},
        "findings": {"background": {"kind": "steady noise", "sureness": 0.9}},
    }  # fmt: skip


def silence(path: Path) -> None:
    """A file of the same length, all zero."""
    info = soundfile.info(path)
    zeros = np.zeros((info.frames, info.channels), np.float32)
    soundfile.write(path, zeros, info.samplerate, subtype="PCM_24")
