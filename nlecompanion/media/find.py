"""From the URLs of a timeline to probed files: every file is looked for and probed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from nlecompanion.errors import (
    MediaError,
    MediaOffline,
    MediaRefused,
    MediaTooShort,
    MediaUnreadable,
    NoAudio,
)
from nlecompanion.media.locate import local_path
from nlecompanion.media.probe import probe
from nlecompanion.model import LeftAlone, MediaFile, Reason, Use
from nlecompanion.settings import Settings
from nlecompanion.timeline.regions import settle

_REASONS: Mapping[type[MediaError], Reason] = {
    MediaOffline: Reason.OFFLINE,
    MediaRefused: Reason.REFUSED,
    MediaUnreadable: Reason.UNREADABLE,
    NoAudio: Reason.NO_AUDIO,
    MediaTooShort: Reason.MEDIA_TOO_SHORT,
}
#: Their media is looked at although they are left alone: a person may have to know of speech in it.
LISTENED_TO = frozenset({Reason.RETIMED, Reason.REVERSED, Reason.TOO_SHORT})


def why(error: MediaError) -> LeftAlone:
    """The reason that a media error is to a use."""
    return LeftAlone(_REASONS.get(type(error), Reason.FAILED), str(error))


def find_media(
    uses: Sequence[Use], document: Path, settings: Settings
) -> tuple[tuple[Use, ...], dict[str, MediaFile]]:
    """The uses settled against their media, and the files by `Use.media_url`.

    A use whose media cannot be had carries the reason; the others are not touched by it.
    """
    files: dict[str, MediaFile] = {}
    troubles: dict[str, LeftAlone] = {}
    settled = []
    for use in uses:
        if use.left_alone is not None and use.left_alone.reason not in LISTENED_TO:
            settled.append(use)
            continue
        url = use.media_url
        if url not in files and url not in troubles:
            try:
                files[url] = probe(
                    local_path(url, document, settings.path_map, settings.media_roots)
                )
            except MediaError as error:
                troubles[url] = why(error)
        if url in files:
            use = settle(use, files[url])
        elif use.left_alone is None:
            use = replace(use, left_alone=troubles[url])
        settled.append(use)
    return tuple(settled), files
