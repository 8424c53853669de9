"""What an editor has decided about lines: which to record again, and how they read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nlecompanion.decisions import Decision, Decisions
from nlecompanion.delivery.phrases import Phrase, phrases_of
from nlecompanion.model import Ruling, Span, UseReport, Verdict


def with_decisions(
    phrases: Sequence[Phrase], reports: Sequence[UseReport], decisions: Decisions
) -> tuple[Phrase, ...]:
    """The phrases that were flagged, and those that the editor has flagged or written.

    A use that shall be recorded again is a cue whatever was judged. The words for a use are shared
    out among its phrases by their length; empty words take it out of the subtitles.
    """
    found: list[Phrase] = []
    for report in reports:
        own = [phrase for phrase in phrases if phrase.use.id == report.use.id]
        found += _decided(own, report, decisions.of(report.use.id))
    return tuple(sorted(found, key=lambda phrase: (phrase.record.start_s, phrase.use.id)))


def _decided(own: list[Phrase], report: UseReport, decision: Decision) -> list[Phrase]:
    if decision.adr:
        verdict = _again(report.verdict)
        own = [replace(p, verdict=verdict) for p in own or _whole(report, verdict)]
    if decision.subtitle is None:
        return own
    words = decision.subtitle.split()
    if not words:
        return [replace(phrase, is_shown=False) for phrase in own]
    if not own:
        verdict = report.verdict or Verdict(Ruling.KEEP)
        own = [replace(p, is_cue=False) for p in _whole(report, verdict)]
    texts = _shared(words, [float(phrase.record.duration_s) for phrase in own])
    # A phrase too short for a word of its own is not shown.
    return [
        replace(phrase, text=text, is_shown=bool(text))
        for phrase, text in zip(own, texts, strict=True)
    ]


def _again(verdict: Verdict | None) -> Verdict:
    reasons = () if verdict is None else verdict.reasons
    kind = None if verdict is None else verdict.kind
    return Verdict(Ruling.UNFIXABLE, ("the editor wants it recorded again", *reasons), kind)


def _whole(report: UseReport, verdict: Verdict) -> list[Phrase]:
    """The use's phrases; all of it is one where nobody was heard, or nobody listened."""
    use = report.use
    whole = Span(use.record.start_s, use.record.duration_s)
    return phrases_of(report, verdict) or [Phrase(use, verdict, whole)]


def _shared(words: Sequence[str], lengths_s: Sequence[float]) -> list[str]:
    """Consecutive words for each of several stretches, by their lengths."""
    total_s = sum(lengths_s)
    texts, taken, passed_s = [], 0, 0.0
    for length_s in lengths_s:
        passed_s += length_s
        until = round(len(words) * passed_s / total_s) if total_s else len(words)
        texts.append(" ".join(words[taken:until]))
        taken = max(taken, until)
    return texts
