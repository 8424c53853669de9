"""A profile that leaves the sound as it is, for tests of everything around it."""

from __future__ import annotations

from nlecompanion.settings import Profile

#: With the `passthrough` engine every cleaned sample is its original.
BARE = Profile(
    intensity_db=0,
    keep_sbr_db=200,
    high_pass_hz=0,
    hum_db=0,
    plosive_db=0,
    de_echo=False,
    compression_ratio=1,
    deess_db=0,
    presence_db=0,
    match_level=False,
    ceiling_dbtp=0,
    room_tone=False,
    tone_clip_s=0,
)
