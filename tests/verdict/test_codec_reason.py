"""A flagged use whose source went through a lossy codec says so in its reasons."""

from __future__ import annotations

from fractions import Fraction

import pytest

from nlecompanion.diagnosis.bandwidth import Bandwidth
from nlecompanion.diagnosis.findings import Findings
from nlecompanion.model import Diagnosis, Ruling, Span
from nlecompanion.settings import Profile
from nlecompanion.treatment.method import Method
from nlecompanion.verdict.evidence import Evidence
from nlecompanion.verdict.judge import Case, judge

GOOD = Evidence(sbr_db=10, heard=1, heard_in_voice=1, survives_db=35)
DOUBTFUL = Evidence(sbr_db=-6, heard=0.75, heard_in_voice=0.9, survives_db=18)
HOPELESS = Evidence(sbr_db=-20, heard=0.3, heard_in_voice=0.3, survives_db=5)


@pytest.mark.parametrize("damaged", [True, False])
@pytest.mark.parametrize(
    ("evidence", "ruling"),
    [(GOOD, Ruling.DELIVER), (DOUBTFUL, Ruling.WARN), (HOPELESS, Ruling.UNFIXABLE)],
)
def test_codec_damage_is_named_where_a_use_is_flagged(
    evidence: Evidence, ruling: Ruling, damaged: bool
) -> None:
    bandwidth = Bandwidth(11_200.0, 0.9, 900.0, False, damaged, 0.9 if damaged else 0.1)
    findings = Findings(
        background=None, noise_floor=None, reverberation=None, clipping=None, limiting=None,
        bandwidth=bandwidth, voice_bandwidth=None, hum=None, rumble=None, plosives=(),
        channels=None, pitch=None,
    )  # fmt: skip
    speech = (Span(Fraction(1), Fraction(3)),)
    diagnosis = Diagnosis(speech, Fraction(3), "mixture", -26.0, -30.0, evidence.sbr_db)
    verdict = judge(Case(diagnosis, findings, evidence, Method.SEPARATE, 0.8), Profile())
    assert verdict.ruling is ruling
    told = any("codec-damaged (11.2 kHz" in reason for reason in verdict.reasons)
    assert told is (damaged and ruling is not Ruling.DELIVER)
