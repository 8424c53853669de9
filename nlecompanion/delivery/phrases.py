"""The spoken phrases of the uses that need a person, in the timeline's own time."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from nlecompanion.delivery.script import Line, lines_in
from nlecompanion.model import Ruling, Span, Use, UseReport, Verdict

#: Pauses shorter than this do not end a phrase.
PAUSE_S = Fraction(3, 5)
#: A phrase is read as one subtitle, which stands for at most 7 s (as broadcasters' rules have it).
MAX_PHRASE_S = Fraction(7)
FLAGGED = frozenset({Ruling.UNFIXABLE, Ruling.WARN})


@dataclass(frozen=True, slots=True)
class Phrase:
    """One phrase to subtitle or to record again; `record` counts from the first frame.

    `text` is empty where no script says what is spoken, `cleaner` where no cleaner source of it
    was found. `is_cue`: it belongs on the ADR sheet; `is_shown`: in the subtitles.
    """

    use: Use
    verdict: Verdict
    record: Span
    text: str = ""
    character: str = ""
    cleaner: str = ""
    is_cue: bool = True
    is_shown: bool = True


def flagged_phrases(reports: Sequence[UseReport], script: Sequence[Line]) -> tuple[Phrase, ...]:
    """The phrases of all uses that are unfixable or doubtful, in the order of the timeline.

    A line of the script belongs to the first phrase that it is spoken in.
    """
    found: list[Phrase] = []
    for report in reports:
        if report.verdict is None or report.verdict.ruling not in FLAGGED:
            continue
        if report.diagnosis is None:
            continue
        found += phrases_of(report, report.verdict)
    found.sort(key=lambda phrase: (phrase.record.start_s, phrase.use.id))
    return _with_text(found, script)


def phrases_of(report: UseReport, verdict: Verdict) -> list[Phrase]:
    """What is spoken in one use, as far as it was heard, under that verdict."""
    speech = () if report.diagnosis is None else report.diagnosis.speech
    cleaner = report.proposals[0].reason if report.proposals else ""
    start_s = report.use.record.start_s
    return [
        Phrase(report.use, verdict, Span(start_s + s.start_s, s.duration_s), cleaner=cleaner)
        for s in phrase_spans(speech)
    ]


def phrase_spans(speech: Sequence[Span]) -> tuple[Span, ...]:
    """Stretches of speech, joined over short pauses and cut at their longest pause where long."""
    groups: list[list[Span]] = []
    for span in speech:
        if groups and span.start_s - groups[-1][-1].end_s < PAUSE_S:
            groups[-1].append(span)
        else:
            groups.append([span])
    return tuple(span for group in groups for span in _cut(group))


def _cut(group: list[Span]) -> list[Span]:
    whole = Span(group[0].start_s, group[-1].end_s - group[0].start_s)
    if whole.duration_s <= MAX_PHRASE_S:
        return [whole]
    if len(group) == 1:
        parts = -(-whole.duration_s // MAX_PHRASE_S)
        step_s = whole.duration_s / parts
        return [Span(whole.start_s + i * step_s, step_s) for i in range(int(parts))]
    pauses = [after.start_s - before.end_s for before, after in itertools.pairwise(group)]
    at = pauses.index(max(pauses)) + 1
    return _cut(group[:at]) + _cut(group[at:])


def _with_text(phrases: Sequence[Phrase], script: Sequence[Line]) -> tuple[Phrase, ...]:
    taken: set[Line] = set()
    result = []
    for phrase in phrases:
        lines = [line for line in lines_in(script, phrase.record) if line not in taken]
        taken.update(lines)
        result.append(
            Phrase(
                phrase.use,
                phrase.verdict,
                phrase.record,
                " ".join(line.text for line in lines),
                next((line.character for line in lines if line.character), ""),
                phrase.cleaner,
            )
        )
    return tuple(result)
