"""The profile's keys as the limits of each step."""

from __future__ import annotations

from nlecompanion.settings import Profile
from nlecompanion.treatment.chain import ChainLimits
from nlecompanion.treatment.compression import CompressionLimits
from nlecompanion.treatment.de_echo import DeEchoLimits
from nlecompanion.treatment.finishing import FinishingLimits
from nlecompanion.treatment.level import LevelLimits
from nlecompanion.treatment.room_tone import RoomToneLimits
from nlecompanion.treatment.rumble_plan import RumbleLimits
from nlecompanion.treatment.sibilance import SibilanceLimits


def chain_limits(profile: Profile) -> ChainLimits:
    """Rumble, echo and finishing."""
    return ChainLimits(
        rumble=RumbleLimits(
            high_pass_hz=profile.high_pass_hz,
            hum_db=profile.hum_db,
            plosive_db=profile.plosive_db,
        ),
        de_echo=DeEchoLimits(
            enabled=profile.de_echo,
            c50_limit_db=profile.c50_limit_db,
            depth_db=profile.de_echo_db,
            budget_db=profile.budget_db,
        ),
        finishing=FinishingLimits(
            compression=CompressionLimits(ratio=profile.compression_ratio),
            sibilance=SibilanceLimits(deess_db=profile.deess_db),
            presence_db=profile.presence_db,
        ),
    )


def level_limits(profile: Profile) -> LevelLimits:
    """As loud as the original, or as a target asks."""
    return LevelLimits(
        match=profile.match_level, target_lufs=profile.target_lufs, ride_db=profile.ride_db
    )


def tone_limits(profile: Profile) -> RoomToneLimits:
    """Room tone."""
    return RoomToneLimits(enabled=profile.room_tone, lowered_db=profile.tone_lowered_db)
