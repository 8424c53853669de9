"""The ruling on one use, first form: from its measured ratio of speech to background."""

from __future__ import annotations

from nlecompanion.model import Diagnosis, Ruling, Verdict
from nlecompanion.settings import Profile


def judge(diagnosis: Diagnosis, profile: Profile) -> Verdict:
    """Keep what is already good, warn where the voice is weaker than what surrounds it."""
    ratio_db = diagnosis.sbr_db
    if ratio_db is None:
        return Verdict(Ruling.WARN, ("the ratio of speech to background could not be measured",))
    if ratio_db >= profile.keep_sbr_db:
        return Verdict(
            Ruling.KEEP,
            (
                f"the voice stands {ratio_db:.1f} dB above its background, "
                f"{profile.keep_sbr_db:g} dB is good enough for {profile.name}",
            ),
        )
    if ratio_db < profile.warn_sbr_db:
        return Verdict(
            Ruling.WARN,
            (f"the voice lies {-ratio_db:.1f} dB below its background; listen to it before use",)
            if ratio_db < 0
            else (f"the voice stands only {ratio_db:.1f} dB above its background",),
        )
    return Verdict(Ruling.DELIVER, (f"the voice stands {ratio_db:.1f} dB above its background",))
