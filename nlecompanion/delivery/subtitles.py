"""Draft subtitles for what cannot be understood: SRT, WebVTT and ASS."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from nlecompanion.delivery.phrases import Phrase
from nlecompanion.delivery.receipt import record_timecode
from nlecompanion.delivery.staging import disk_errors
from nlecompanion.model import TimelineFacts

if TYPE_CHECKING:
    import pysubs2

FORMATS = ("srt", "vtt", "ass")
#: Shorter ones cannot be read; they stand on into the pause that follows.
MIN_SHOWN_S = Fraction(1)
#: Characters a line, as broadcasters' rules have it.
LINE_CHARACTERS = 42


def write_subtitles(
    phrases: Sequence[Phrase], facts: TimelineFacts, folder: Path, stem: str
) -> tuple[Path, ...]:
    """`STEM.srt`, `.vtt` and `.ass` below `folder`; times count from the timeline's first frame."""
    subtitles = draft(phrases, facts)
    written = []
    with disk_errors(folder):
        for kind in FORMATS:
            path = folder / f"{stem}.{kind}"
            subtitles.save(str(path), format_=kind, encoding="utf-8")
            written.append(path)
    return tuple(written)


def draft(phrases: Sequence[Phrase], facts: TimelineFacts) -> pysubs2.SSAFile:
    """One event a phrase, in order; a phrase without text gets a placeholder with its timecode."""
    import pysubs2

    style = resources.files("nlecompanion.templates").joinpath("subtitles", "style.ass")
    subtitles = pysubs2.SSAFile.from_string(style.read_text(encoding="utf-8"), format_="ass")
    for index, phrase in enumerate(phrases):
        end_s = max(phrase.record.end_s, phrase.record.start_s + MIN_SHOWN_S)
        if index + 1 < len(phrases):
            # Two people may speak at once: then both are shown as long as they speak.
            end_s = max(phrase.record.end_s, min(end_s, phrases[index + 1].record.start_s))
        event = pysubs2.SSAEvent(start=round(phrase.record.start_s * 1000), end=round(end_s * 1000))
        event.plaintext = _wrapped(phrase.text) if phrase.text else placeholder(phrase, facts)
        event.style = "Default" if phrase.text else "Placeholder"
        event.name = phrase.character
        subtitles.append(event)
    return subtitles


def placeholder(phrase: Phrase, facts: TimelineFacts) -> str:
    """What stands where nobody has written down what is said."""
    return f"[unclear at {record_timecode(phrase.record.start_s, facts)}]"


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, LINE_CHARACTERS, break_long_words=False)) or text
