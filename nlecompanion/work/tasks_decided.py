"""The editor's decisions as profiles: one region is treated in one way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nlecompanion.decisions import Decision, Decisions
from nlecompanion.model import Loss, Region, Use
from nlecompanion.settings import Profile


def profile_for(
    region: Region, profile: Profile, decisions: Decisions
) -> tuple[Profile, tuple[Loss, ...]]:
    """The profile of a region: that of its first use on the timeline about which was decided.

    The other uses that wanted something else are told as losses.
    """
    uses = sorted(region.uses, key=lambda use: (use.record.start_s, use.track_number, use.id))
    first, decision = _leading(uses, decisions)
    losses = tuple(
        Loss(use.name or use.id, _lost(first, use))
        for use in uses
        if _differs(decisions.of(use.id), decision)
    )
    return _decided(profile, decision), losses


def _leading(uses: Sequence[Use], decisions: Decisions) -> tuple[Use, Decision]:
    return next(
        (
            (u, decisions.of(u.id))
            for u in uses
            if any(v is not None for v in decisions.of(u.id).sound)
        ),
        (uses[0], decisions.of(uses[0].id)),
    )


def _differs(one: Decision, leading: Decision) -> bool:
    return one.sound != leading.sound


def _lost(first: Use, use: Use) -> str:
    return (
        f"shares its sound with {first.name or first.id}, and is treated as was decided for that "
        f"one; for {use.id} another decision, or none, was made"
    )


def _decided(profile: Profile, decision: Decision) -> Profile:
    intensity_db, de_echo, room_tone = decision.sound
    if intensity_db is not None:
        profile = replace(profile, intensity_db=intensity_db)
    if de_echo is not None:
        profile = replace(profile, de_echo=de_echo)
    if room_tone is not None:
        profile = replace(profile, room_tone=room_tone)
    return profile
