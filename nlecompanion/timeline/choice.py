"""Which uses may be dialogue, as far as the document and the user say."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from fractions import Fraction
from urllib.parse import unquote

from nlecompanion.errors import SettingsError
from nlecompanion.model import LeftAlone, Reason, Span, Use

_DIALOGUE_WORDS = re.compile(
    r"(?<![a-z])(dx|dia|dial|dialog|dialogue|dialogues|vo|voice|voiceover|voices|speech|interview|"
    r"narration|narrator|lav|lavs|boom|adr|sync|mic)(?![a-z])"
)
_OTHER_WORDS = re.compile(
    r"(?<![a-z])(mx|music|musik|musique|score|song|songs|fx|sfx|sound ?effects?|effects|foley|"
    r"atmo|atmos|ambience|ambiance|room ?tone|m&e|bg|bgs|temp ?music)(?![a-z])"
)
CLEAN_TRACK_NAME = "DX clean"
OFFER_TRACK_NAME = "DX best effort"
TONE_TRACK_NAME = "Room tone"
#: How a delivery names its sound: `A003 DX.wav`, `A003 DX 2.wav`.
CLEANED_ENDING = " DX"
_OURS = re.compile(rf"{CLEANED_ENDING}(?: \d+)?\.wav$", re.IGNORECASE)


def says_dialogue(text: str) -> bool:
    """Whether a track name or role speaks of dialogue."""
    return bool(_DIALOGUE_WORDS.search(_words(text)))


def says_other(text: str) -> bool:
    """Whether a track name or role speaks of music or effects, and not of dialogue."""
    return bool(_OTHER_WORDS.search(_words(text))) and not says_dialogue(text)


def _words(text: str) -> str:
    """Lower case, with digits and underscores as spaces: `MX_1` and `Dialogue2` are words."""
    return re.sub(r"[\d_]+", " ", text.lower())


def matches_track(use: Use, wanted: str) -> bool:
    """Whether the user's word names this use's track: its number (`2`, `A2`) or its name."""
    word = wanted.strip().casefold()
    return word in {
        use.track.casefold(),
        str(use.track_number),
        f"a{use.track_number}",
    }


def require_tracks(uses: Sequence[Use], tracks: Sequence[str]) -> None:
    """Refuses words that name no track with sound on it.

    Raises:
        SettingsError: lists the tracks that there are.
    """
    for wanted in tracks:
        if not any(matches_track(use, wanted) for use in uses):
            there = dict.fromkeys(
                f"A{use.track_number}" + (f" ({use.track})" if use.track else "") for use in uses
            )
            raise SettingsError(
                f"No track with sound is called {wanted!r}. "
                f"There are: {', '.join(there) or 'none'}."
            )


def choose(uses: Sequence[Use], tracks: Sequence[str], min_use_s: Fraction) -> tuple[Use, ...]:
    """The same uses; those that are certainly not worked on now carry the reason.

    What the document said already stays. Naming tracks overrules their names, not their state.
    """
    offered = {use.record for use in uses if _is_off(use) and _OURS.search(_file_name(use))}
    return tuple(_chosen(use, tracks, min_use_s, offered) for use in uses)


def _is_off(use: Use) -> bool:
    return use.left_alone is not None and use.left_alone.reason in {Reason.DISABLED, Reason.MUTED}


def _file_name(use: Use) -> str:
    return unquote(use.media_url).replace("\\", "/").rpartition("/")[2]


def _chosen(use: Use, tracks: Sequence[str], min_use_s: Fraction, offered: Collection[Span]) -> Use:
    if _is_off(use):
        return use
    left_alone: LeftAlone | None = None
    if use.track.startswith((CLEAN_TRACK_NAME, OFFER_TRACK_NAME, TONE_TRACK_NAME)):
        left_alone = LeftAlone(Reason.ALREADY_CLEANED, f"it lies on track {use.track}")
    elif use.record in offered:
        # An earlier run found it beyond saving: what it could do lies there, switched off.
        left_alone = LeftAlone(Reason.ALREADY_CLEANED, "a best effort lies beside it, switched off")
    elif tracks:
        if not any(matches_track(use, wanted) for wanted in tracks):
            left_alone = LeftAlone(Reason.NOT_CHOSEN, f"track {use.track} was not asked for")
    elif says_other(use.role) or (not says_dialogue(use.role) and says_other(use.track)):
        left_alone = LeftAlone(Reason.MUSIC_ROLE, use.role or f"track {use.track}")
    if left_alone is None:
        left_alone = use.left_alone
    if left_alone is None and use.source.duration_s < min_use_s:
        left_alone = LeftAlone(
            Reason.TOO_SHORT,
            f"{float(use.source.duration_s):.2f} s is under {float(min_use_s):.2f} s",
        )
    return replace(use, left_alone=left_alone)
