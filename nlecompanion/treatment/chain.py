"""The steps between the split and the mix, in their order: rumble, echo, finishing.

Each is a function of frozen values with its own off switch and its own report. None changes the
length, and each acts on voice and background without mixing them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from nlecompanion.diagnosis.findings import Findings
from nlecompanion.model import Samples, Span
from nlecompanion.treatment.de_echo import (
    DeEchoLimits,
    DeEchoMeasures,
    DeEchoMeter,
    DeEchoPlan,
    apply_de_echo,
    fit_de_echo,
    plan_de_echo,
    within_budget,
)
from nlecompanion.treatment.finishing import (
    FinishingLimits,
    FinishingPlan,
    FinishingReport,
    VoiceBandMeter,
    apply_finishing,
    finishing_report,
    plan_finishing,
)
from nlecompanion.treatment.rumble import apply_rumble
from nlecompanion.treatment.rumble_plan import (
    RumbleLimits,
    RumbleMeter,
    RumblePlan,
    RumbleReport,
    plan_rumble,
)
from nlecompanion.treatment.stems import Read, Stems
from nlecompanion.treatment.voice_bands import VoiceBands

#: What compression, riding and presence may do is asked of the profile; presence never more.
MAX_PRESENCE_DB = 3.0
#: The lines of hum: its exact fundamental, and (order, dB over the neighbours) of each.
HumLines = tuple[float | None, tuple[tuple[int, float], ...]]


@dataclass(frozen=True, slots=True)
class ChainLimits:
    """How far each step may go; each has its own off switch."""

    rumble: RumbleLimits = field(default_factory=RumbleLimits)
    de_echo: DeEchoLimits = field(default_factory=DeEchoLimits)
    finishing: FinishingLimits = field(default_factory=FinishingLimits)


@dataclass(frozen=True, slots=True, eq=False)
class ChainPlan:
    """What each step does; `voice` are the band levels that finishing was planned from."""

    rumble: RumblePlan
    de_echo: DeEchoPlan
    finishing: FinishingPlan
    voice: VoiceBands


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What each step changed."""

    rumble: RumbleReport
    de_echo: DeEchoMeasures | None
    finishing: FinishingReport


def plan_chain(
    findings: Findings,
    hum: HumLines,
    voice: VoiceBands,
    speech: Sequence[Span],
    limits: ChainLimits,
    *,
    intensity_db: float,
    presence_db: float = 0.0,
) -> ChainPlan:
    """From what was measured on the region; `presence_db` is what the ladder found necessary."""
    pitch, rumble, room = findings.pitch, findings.rumble, findings.reverberation
    finishing = plan_finishing(voice, speech, limits.finishing)
    if presence_db > finishing.presence_db:
        finishing = replace(
            finishing,
            presence_db=min(presence_db, MAX_PRESENCE_DB),
            presence_reason=f"presence {presence_db:+.1f} dB: consonants were lost at "
            f"{intensity_db:g} dB",
        )
    return ChainPlan(
        rumble=plan_rumble(
            pitch.lowest_hz if pitch is not None else None,
            rumble.level_dbfs if rumble is not None else None,
            *hum,
            [(p.span, p.over_speech_db) for p in findings.plosives],
            limits.rumble,
        ),
        de_echo=within_budget(
            plan_de_echo(
                None if room is None else room.c50_db,
                0.0 if room is None else room.sureness,
                limits.de_echo,
            ),
            intensity_db,
            limits.de_echo,
        ),
        finishing=finishing,
        voice=voice,
    )


def fit_chain(plan: ChainPlan, voice: Read, length_samples: int, rate_hz: int) -> ChainPlan:
    """The plan with what only listening to the voice itself can settle."""
    return replace(plan, de_echo=fit_de_echo(plan.de_echo, voice, length_samples, rate_hz))


class Chain:
    """One run of the plan over one region's stems; the report is there once all were drawn."""

    def __init__(self, plan: ChainPlan, rate_hz: int, channels: int) -> None:
        self._plan, self._rate_hz = plan, rate_hz
        self._rumble = RumbleMeter(plan.rumble)
        self._echo = None if plan.de_echo.off else DeEchoMeter(rate_hz)
        self._voice = VoiceBandMeter(rate_hz, channels)

    def run(self, blocks: Iterable[Stems]) -> Iterator[Stems]:
        """The stems treated, as many samples in all as were given."""
        given = taken = 0

        def counted() -> Iterator[Stems]:
            nonlocal given
            for block in blocks:
                given += len(block)
                yield block

        quiet = apply_rumble(counted(), self._plan.rumble, self._rate_hz, self._rumble)
        for block in apply_finishing(self._dried(quiet), self._plan.finishing, self._rate_hz):
            taken += len(block)
            self._voice.push(block.voice)
            yield block
        if given != taken:
            raise AssertionError(f"the treatment made {taken} samples of {given}")

    def _dried(self, blocks: Iterable[Stems]) -> Iterator[Stems]:
        if self._echo is None:
            yield from blocks
            return
        before: list[Samples] = []

        def tapped() -> Iterator[Stems]:
            for block in blocks:
                before.append(block.voice)
                yield block

        for block in apply_de_echo(tapped(), self._plan.de_echo, self._rate_hz):
            self._compare(before, block.voice)
            yield block

    def _compare(self, before: list[Samples], after: Samples) -> None:
        assert self._echo is not None
        done = 0
        while done < len(after):
            first = before.pop(0)
            count = min(len(first), len(after) - done)
            self._echo.push(first[:count], after[done : done + count])
            if count < len(first):
                before.insert(0, first[count:])
            done += count

    def report(self, speech: Sequence[Span]) -> ChainReport:
        """What each step changed."""
        return ChainReport(
            rumble=self._rumble.finish(),
            de_echo=None if self._echo is None else self._echo.finish(),
            finishing=finishing_report(
                self._plan.finishing, self._plan.voice, self._voice.finish(), speech
            ),
        )
