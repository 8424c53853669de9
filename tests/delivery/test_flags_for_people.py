"""Draft subtitles and ADR cues: timed to the phrases, in the words of the script if any."""

from __future__ import annotations

import csv
import itertools
from fractions import Fraction
from pathlib import Path

import pysubs2
import pytest
from testkit.model import use as a_use

from nlecompanion.delivery.adr import COLUMNS, cues, write_adr
from nlecompanion.delivery.phrases import MAX_PHRASE_S, flagged_phrases, phrase_spans
from nlecompanion.delivery.script import Line, find_script, read_script
from nlecompanion.delivery.subtitles import draft, write_subtitles
from nlecompanion.errors import UnsupportedDocument
from nlecompanion.model import (
    Diagnosis,
    Ruling,
    Span,
    TimelineFacts,
    Unfixable,
    UseReport,
    Verdict,
)

FACTS = TimelineFacts("Scene <3>", "test", Fraction(30000, 1001), 107892, True, 48000)


def span(start_s: float, end_s: float) -> Span:
    start = Fraction(start_s).limit_denominator(1000)
    return Span(start, Fraction(end_s).limit_denominator(1000) - start)


SPEECH = (span(0.5, 2), span(2.2, 3), span(5, 6))
RECORD = span(10, 20)


def report(
    ruling: Ruling = Ruling.UNFIXABLE,
    speech: tuple[Span, ...] = SPEECH,
    record: Span = RECORD,
    kind: Unfixable | None = Unfixable.MASKED,
) -> UseReport:
    use = a_use(record=record)
    total = sum((s.duration_s for s in speech), Fraction(0))
    diagnosis = Diagnosis(speech, total, "voice", -30.0, -25.0, -5.0)
    return UseReport(use, None, diagnosis, verdict=Verdict(ruling, ("5.0 dB below",), kind))


def test_phrases_join_over_short_pauses_and_lie_in_the_timelines_time() -> None:
    phrases = flagged_phrases([report()], ())
    assert [p.record for p in phrases] == [span(10.5, 13), span(15, 16)]


def test_only_what_needs_a_person_is_flagged() -> None:
    good = [report(Ruling.DELIVER, kind=None), report(Ruling.KEEP, kind=None)]
    assert flagged_phrases(good, ()) == ()
    assert len(flagged_phrases([report(Ruling.WARN, kind=None)], ())) == 2


@pytest.mark.parametrize("length_s", [7, 7.5, 21, 100])
def test_long_speech_is_cut_into_readable_phrases_that_cover_it(length_s: float) -> None:
    spans = phrase_spans([span(1, 1 + length_s)])
    assert all(s.duration_s <= MAX_PHRASE_S for s in spans)
    assert spans[0].start_s == 1
    assert spans[-1].end_s == span(1, 1 + length_s).end_s
    assert all(a.end_s == b.start_s for a, b in itertools.pairwise(spans))


def test_long_speech_is_cut_at_its_longest_pause() -> None:
    speech = [span(0, 3), span(3.1, 5), span(5.5, 9)]
    assert phrase_spans(speech) == (span(0, 5), span(5.5, 9))


def test_the_scripts_words_and_speakers_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "Scene 3.srt"
    path.write_text(
        "1\n00:00:10,400 --> 00:00:13,100\nANNA: Where\nis it?\n\n"
        "2\n00:00:40,000 --> 00:00:41,000\nSomebody else\n",
        encoding="utf-8",
    )
    assert find_script(tmp_path / "Scene 3.xml") == path
    phrases = flagged_phrases([report()], read_script(path, FACTS))
    assert [(p.character, p.text) for p in phrases] == [("ANNA", "Where is it?"), ("", "")]


def test_a_script_on_the_timelines_timecode_is_counted_from_the_first_frame(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.vtt"
    path.write_text("WEBVTT\n\n01:00:10.500 --> 01:00:13.000\nHello\n", encoding="utf-8")
    start_s = Fraction(107892) / FACTS.rate  # 01:00:00;00
    (line,) = read_script(path, FACTS)
    assert line.span.start_s == Fraction("3610.5") - start_s
    assert abs(line.span.start_s - Fraction("10.5")) < Fraction(1, 100)


def test_no_script_at_all(tmp_path: Path) -> None:
    assert find_script(tmp_path / "Scene 3.xml") is None


@pytest.mark.parametrize("content", [b"\x00\xff\xfe garbage", b"", b"no subtitles in here\n"])
def test_what_is_no_subtitle_file_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.srt"
    path.write_bytes(content)
    with pytest.raises(UnsupportedDocument, match=r"^a\.srt could not be read[^\n]*$"):
        read_script(path, FACTS)


def test_subtitles_are_written_in_three_formats_with_the_same_times(tmp_path: Path) -> None:
    script = [Line(span(10.5, 13), "It is not here, and it never was, believe me.", "ANNA")]
    phrases = flagged_phrases([report()], script)
    paths = write_subtitles(phrases, FACTS, tmp_path, "Scene 3")
    assert [p.suffix for p in paths] == [".srt", ".vtt", ".ass"]
    for path in paths:
        read = pysubs2.load(str(path))
        assert [(e.start, e.end) for e in read] == [(10500, 13000), (15000, 16000)]
        assert read[0].plaintext.replace("\n", " ") == script[0].text
        assert "unclear at 01:00:15;00" in read[1].plaintext
    styled = pysubs2.load(str(paths[2]))
    assert [e.style for e in styled] == ["Default", "Placeholder"]
    assert set(styled.styles) == {"Default", "Placeholder"}


def test_a_short_phrase_is_shown_for_a_second_but_not_into_the_next() -> None:
    speech = (span(0, 0.3), span(1, 1.2), span(4, 4.2))
    read = draft(flagged_phrases([report(speech=speech)], ()), FACTS)
    assert [(e.start, e.end) for e in read] == [(10000, 11000), (11000, 12000), (14000, 15000)]


def test_the_cue_sheet_has_the_fields_columns_and_says_why(tmp_path: Path) -> None:
    script = [Line(span(10.5, 13), "=cmd|' /C calc'!A0 <b>", "ANNA")]
    doubtful = report(Ruling.WARN, record=span(30, 40), kind=None)
    sheet = cues(flagged_phrases([report(), doubtful], script), FACTS)
    table, page = write_adr(sheet, FACTS, tmp_path, "Scene 3")
    with table.open(encoding="utf-8-sig", newline="") as opened:
        rows = list(csv.reader(opened))
    assert tuple(rows[0]) == COLUMNS
    assert rows[1][:4] == ["101", "ANNA", "01:00:10;15", "01:00:13;00"]
    assert rows[1][4].startswith("'=")  # no formula
    assert rows[1][5:] == ["masked; 5.0 dB below", "1"]
    assert [row[6] for row in rows[1:]] == ["1", "1", "2", "2"]
    text = page.read_text(encoding="utf-8")
    assert "&lt;b&gt;" in text
    assert "<b>" not in text
    assert "Scene &lt;3&gt;" in text
    assert "http" not in text
