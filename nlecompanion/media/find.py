"""From the URLs of a timeline to probed files: every file is looked for and probed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nlecompanion.errors import (
    MediaError,
    MediaOffline,
    MediaRefused,
    MediaTooShort,
    MediaUnreadable,
    NoAudio,
)
from nlecompanion.isolation import Isolation
from nlecompanion.media.essence import ESSENCE, may_hold_essence
from nlecompanion.media.locate import local_path
from nlecompanion.media.probing import probe_apart
from nlecompanion.media.search import Search, confirmed, file_names
from nlecompanion.model import Elsewhere, LeftAlone, Loss, MediaFile, Reason, Span, Use
from nlecompanion.settings import Settings
from nlecompanion.timeline.documents import StatedMedia
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


def wanted_urls(uses: Sequence[Use]) -> set[str]:
    """The media that have to be looked at."""
    return {use.media_url for use in uses if _is_looked_at(use)}


def _is_looked_at(use: Use) -> bool:
    return use.left_alone is None or use.left_alone.reason in LISTENED_TO


@dataclass(frozen=True, slots=True)
class FoundMedia:
    """The uses settled against their media, the files by `Use.media_url`, and what was searched."""

    uses: tuple[Use, ...]
    files: dict[str, MediaFile]
    notes: tuple[Loss, ...] = ()


def find_media(
    uses: Sequence[Use],
    stated: Sequence[StatedMedia],
    document: Path,
    settings: Settings,
    isolation: Isolation,
    room: Path | None = None,
) -> FoundMedia:
    """Every file is looked for and probed once; `room` holds what a zip bundle's paths mean.

    A use whose media cannot be had carries the reason; the others are not touched by it.
    """
    by_url: dict[str, list[Use]] = {}
    uses = [_at_its_file(use, document, settings) for use in uses]
    for use in uses:
        if _is_looked_at(use):
            by_url.setdefault(use.media_url, []).append(use)
    finder = _Finder(by_url, stated, settings, isolation, document, room)
    for url in by_url:
        finder.find(url)
    settled = []
    for use in uses:
        if _is_looked_at(use) and use.media_url in finder.files:
            use = settle(use, finder.files[use.media_url])
        elif use.left_alone is None:
            use = replace(use, left_alone=finder.troubles[use.media_url])
        settled.append(use)
    return FoundMedia(tuple(settled), finder.files, finder.all_notes())


def _at_its_file(use: Use, document: Path, settings: Settings) -> Use:
    """The use at the first of its places at which there is a file; the same use if at none."""
    here = Elsewhere(use.media_url, use.channels, use.source.start_s)
    for place in (here, *use.elsewhere) if use.elsewhere and _is_looked_at(use) else ():
        try:
            local_path(place.media_url, document, settings.path_map, settings.media_roots)
        except MediaError:
            continue
        source = Span(place.start_s, use.source.duration_s)
        return replace(use, media_url=place.media_url, channels=place.channels, source=source)
    return use


class _Finder:
    """Looks for each URL's file: where the document says, by the path map, then by search."""

    def __init__(
        self,
        uses: Mapping[str, Sequence[Use]],
        stated: Sequence[StatedMedia],
        settings: Settings,
        isolation: Isolation,
        document: Path,
        room: Path | None,
    ) -> None:
        self.files: dict[str, MediaFile] = {}
        self.troubles: dict[str, LeftAlone] = {}
        self._notes: list[Loss] = []
        self._uses = uses
        self._stated = {media.url: media for media in stated}
        self._map = settings.path_map
        self._isolation = isolation
        # What relative paths count from; what lies inside of a bundle may always be read.
        self._room = document if room is None else room / document.name
        self._document = document if may_hold_essence(document) else self._room
        inside = room if room is not None else document if document.is_dir() else None
        self._roots = settings.media_roots
        if self._roots and inside is not None:
            self._roots = (*self._roots, inside)
        names = frozenset(name for url in uses for name in file_names(url))
        self._search = Search(settings.search_roots, settings.media_roots, names)

    def find(self, url: str) -> None:
        """Fills `files` or `troubles`."""
        try:
            beside = self._room if url.startswith(ESSENCE) else self._document
            path = local_path(url, beside, self._map, self._roots)
            self.files[url] = self._probe(path)
        except MediaOffline as error:
            self._look_further(url, error)
        except MediaError as error:
            self.troubles[url] = why(error)

    def _look_further(self, url: str, offline: MediaOffline) -> None:
        if not self._search.roots:
            self.troubles[url] = why(offline)
            return
        candidates = self._search.candidates(url)
        found = confirmed(candidates, self._uses[url], self._stated.get(url), self._probe)
        if isinstance(found, str):
            self.troubles[url] = why(MediaOffline(f"{offline} {found}"))
            return
        self.files[url] = found.file
        self._notes.append(
            Loss(url, f"is not where the timeline says; found by {found.agreed}: {found.file.path}")
        )

    def _probe(self, path: Path) -> MediaFile:
        return probe_apart(path, self._isolation)

    def all_notes(self) -> tuple[Loss, ...]:
        """Every file that a search found, and whether the search came to its end."""
        if not self._search.stopped:
            return tuple(self._notes)
        stop = Loss(
            "search",
            f"it stopped after {self._search.max_entries} files and folders. "
            "Name folders nearer to the media.",
        )
        return (*self._notes, stop)
