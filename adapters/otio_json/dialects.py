"""What Resolve and Premiere write about sound under their own metadata keys.

Neither is specified; these facts come from public exports and from programs that write for them.

Resolve (`Resolve_OTIO`): a clip's `Channels` is a list with one entry a channel, each naming the
`Source Track ID` (the file's audio track, from 0) and in it the `Source Channel ID` (from 0);
`Link Group ID` ties picture and sound together.

Premiere (`PremierePro_OTIO`): a clip's `AudioChannels.SecondaryAssignments` is a list with one
entry a channel, each with its `SecondaryChannelIndex`; `OriginalChannelGroupIndex` is the group
that it belongs to in the source clip; `LinkID` (text) ties picture and sound together. The
stack's `VideoFrameRate` and `AudioFrameRate` are the sequence's. A retimed clip lasts its source
range divided by the speed, where OTIO itself leaves the length alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from nlecompanion.model import LeftAlone, Reason
from nlecompanion.timeline.contract import NAMESPACE

from .document import (
    Document,
    active_reference,
    metadata_of,
)
from .times import Json, is_number

RESOLVE = "Resolve_OTIO"
PREMIERE = "PremierePro_OTIO"
_LINK_KEYS = ((RESOLVE, "Link Group ID"), (PREMIERE, "LinkID"))

#: More than any file has: RF64 and MXF recorders stop at 128.
MAX_CHANNELS = 1024

Channels = tuple[int, ...] | LeftAlone | None


def _index(entry: object, key: str) -> int | None:
    value = entry.get(key) if isinstance(entry, dict) else None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MAX_CHANNELS:
        return value
    return None


def _resolve_pairs(clip: Json) -> list[tuple[int, int]] | None:
    """Source track and channel of each channel of a clip; None where Resolve does not say."""
    entries = metadata_of(clip, RESOLVE).get("Channels")
    if not isinstance(entries, list) or not entries:
        return None
    pairs = [(_index(e, "Source Track ID") or 0, _index(e, "Source Channel ID")) for e in entries]
    known = [(track, channel) for track, channel in pairs if channel is not None]
    return known if len(known) == len(pairs) else None


def channel_reader(document: Document) -> Callable[[Json], Channels]:
    """A function that says which of its file's channels a clip plays; None: it does not say.

    Resolve counts channels within a file's tracks but does not say how many channels the tracks
    have. They are taken to be equally wide, as wide as the widest that the timeline shows.
    """
    widths: dict[object, int] = {}
    for item in document.clips():
        for _, channel in _resolve_pairs(item) or ():
            url = str(active_reference(item).get("target_url"))
            widths[url] = max(widths.get(url, 1), channel + 1)

    def read(clip: Json) -> Channels:
        pairs = _resolve_pairs(clip)
        if pairs is not None:
            width = widths[str(active_reference(clip).get("target_url"))]
            return tuple(track * width + channel for track, channel in pairs)
        return _premiere_channels(clip)

    return read


def _premiere_channels(clip: Json) -> Channels:
    metadata = metadata_of(clip, PREMIERE)
    audio = metadata.get("AudioChannels")
    entries = audio.get("SecondaryAssignments") if isinstance(audio, dict) else None
    if not isinstance(entries, list) or not entries:
        return None
    indices = [_index(entry, "SecondaryChannelIndex") for entry in entries]
    known = tuple(index for index in indices if index is not None)
    if len(known) != len(indices):
        return None
    group = _index(metadata, "OriginalChannelGroupIndex") or 0
    if group and min(known) < group:
        # Counted within the group or over the file? Cleaning the wrong microphone is worse.
        return LeftAlone(
            Reason.UNSUPPORTED,
            f"the document does not say which of the file's channels group {group + 1} has. "
            f"Export as Final Cut Pro XML to have this clip cleaned.",
        )
    return known


def is_muted(item: Json) -> bool:
    """Whether Premiere's own Mute parameter is on throughout, on a clip or on a track."""
    for effect in item.get("effects") or []:
        parameters = metadata_of(effect, PREMIERE).get("Parameters")
        for parameter in parameters if isinstance(parameters, list) else []:
            if isinstance(parameter, dict) and parameter.get("DisplayName") == "Mute":
                start = parameter.get("StartValue")
                value = start.get("Value") if isinstance(start, dict) else None
                if value is True or (is_number(value) and value >= 0.5):
                    return True
    return False


def says_drop_frame(document: Document) -> bool:
    """Whether a program wrote down that the timeline counts in drop-frame timecode."""
    for holder in (document.timeline, document.stack):
        metadata = holder.get("metadata")
        for values in metadata.values() if isinstance(metadata, dict) else ():
            for key, value in values.items() if isinstance(values, dict) else ():
                if "dropframe" in _plain(key) and (
                    value is True or _plain(value) in ("df", "drop")
                ):
                    return True
    return False


def _plain(value: object) -> str:
    return "".join(filter(str.isalnum, str(value).lower()))


def premiere_rate(document: Document, key: str) -> float | None:
    """The sequence's `VideoFrameRate` or `AudioFrameRate`, where Premiere wrote it."""
    value: object = metadata_of(document.stack, PREMIERE).get(key)
    return value if is_number(value) and 0 < value <= 768_000 else None


class LinkIds:
    """Link ids that no other item of the document has."""

    def __init__(self, items: Iterable[Any]) -> None:
        self._last = dict.fromkeys(_LINK_KEYS, 0)
        for item in items:
            for dialect, key in _LINK_KEYS:
                value = metadata_of(item, dialect).get(key)
                if isinstance(value, str) and value.isascii() and value.isdigit():
                    value = int(value[:18])
                if isinstance(value, int):
                    self._last[dialect, key] = max(self._last[dialect, key], value)

    def renew(self, clip: Json) -> None:
        """A copied clip is linked to nothing; where it has a link id, it gets its own."""
        for dialect, key in _LINK_KEYS:
            metadata = metadata_of(clip, dialect)
            if key in metadata:
                self._last[dialect, key] += 1
                fresh = self._last[dialect, key]
                metadata[key] = str(fresh) if isinstance(metadata[key], str) else fresh


def renumber_channels(clip: Json, channels: int) -> None:
    """A copied clip plays all channels of its own new file, in order."""
    resolve = metadata_of(clip, RESOLVE)
    if "Channels" in resolve:
        resolve["Channels"] = [
            {"Source Channel ID": channel, "Source Track ID": 0} for channel in range(channels)
        ]
    premiere = metadata_of(clip, PREMIERE)
    audio = premiere.get("AudioChannels")
    if isinstance(audio, dict):
        audio["SecondaryAssignments"] = [
            {"SecondaryChannelIndex": channel} for channel in range(channels)
        ]
        premiere.update(
            {key: 0 for key in ("OriginalChannelGroupIndex", "SourceClipIndex") if key in premiere}
        )
    metadata = clip.get("metadata")
    if isinstance(metadata, dict):
        metadata.pop(NAMESPACE, None)


def marker_metadata(document: Document, comment: str) -> Json:
    """Resolve reads a marker's note from here and not from `comment`."""
    if not document.written_by(RESOLVE):
        return {}
    return {RESOLVE: {"Keywords": [], "Note": comment}}
