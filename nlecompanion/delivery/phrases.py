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
    was found.
    """

    use: Use
    verdict: Verdict
    record: Span
    text: str = ""
    character: str = ""
    cleaner: str = ""


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
        for span in phrase_spans(report.diagnosis.speech):
            record = Span(report.use.record.start_s + span.start_s, span.duration_s)
            cleaner = report.proposals[0].reason if report.proposals else ""
            found.append(Phrase(report.use, report.verdict, record, cleaner=cleaner))
    found.sort(key=lambda phrase: (phrase.record.start_s, phrase.use.id))
    return _with_text(found, script)


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
