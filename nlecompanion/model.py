"""The frozen types that pass between stages.

Times are exact seconds (`Fraction`); sample positions are integers at the rate that stands beside
them; sound is float32 with shape (samples, channels), full scale = 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


class Reason(StrEnum):
    """Why a use is left exactly as it was."""

    DISABLED = "disabled"
    MUTED = "muted"
    RETIMED = "retimed"
    REVERSED = "reversed"
    FROZEN = "frozen"
    NESTED = "nested"
    GENERATED = "generated"
    OFFLINE = "offline"
    REFUSED = "refused"
    UNREADABLE = "unreadable"
    NO_AUDIO = "no audio"
    TOO_SHORT = "too short"
    MEDIA_TOO_SHORT = "media too short"
    MUSIC_ROLE = "music role"
    NO_SPEECH = "no speech"
    ALREADY_GOOD = "already good"
    NOT_CHOSEN = "not chosen"
    EDITOR = "editor's decision"
    ALREADY_CLEANED = "already cleaned"
    UNSUPPORTED = "unsupported"
    FAILED = "failed"


#: Left alone against the editor's wish: dialogue among these gets a marker.
UNWANTED_REASONS = frozenset(
    {
        Reason.RETIMED,
        Reason.REVERSED,
        Reason.NESTED,
        Reason.OFFLINE,
        Reason.REFUSED,
        Reason.UNREADABLE,
        Reason.NO_AUDIO,
        Reason.TOO_SHORT,
        Reason.MEDIA_TOO_SHORT,
        Reason.UNSUPPORTED,
        Reason.FAILED,
    }
)

#: Left alone because something went wrong: these make the exit code 1.
FAILURES = frozenset(
    {
        Reason.OFFLINE,
        Reason.REFUSED,
        Reason.UNREADABLE,
        Reason.NO_AUDIO,
        Reason.MEDIA_TOO_SHORT,
        Reason.FAILED,
    }
)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time in exact seconds."""

    start_s: Fraction
    duration_s: Fraction

    @property
    def end_s(self) -> Fraction:
        """The first instant after the span."""
        return self.start_s + self.duration_s


@dataclass(frozen=True, slots=True)
class TimelineFacts:
    """What holds for the whole timeline."""

    name: str
    format: str
    rate: Fraction
    start_frame: int
    drop_frame: bool
    sample_rate_hz: int


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """Why a use is not worked on, for a machine and for a person."""

    reason: Reason
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.reason.value}: {self.detail}" if self.detail else self.reason.value


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Another file with the same sound: `channels` as in `Use`, from `start_s` of the file on."""

    media_url: str
    channels: tuple[int, ...] | None
    start_s: Fraction


@dataclass(frozen=True, slots=True)
class Use:
    """One appearance of a media file's sound on the timeline.

    `record` counts from the timeline's first frame; `source` from the media's first instant
    (not from its timecode). `channels` are zero-based over all of the file's audio streams laid
    side by side; None means all of the first stream. `addresses` name the document's elements
    that make up the use, in channel order (a Premiere stereo clip has two). `lead_s` and `tail_s`
    are the sound that transitions take before and after the span. `frame_rate` is the grid that
    the document's source positions lie on; None where they lie on samples. `counts_timecode`: the
    source still counts on the media's own timecode, which only the media can tell;
    `rate_is_guessed`: the document does not say its rate. `elsewhere` is where the document says
    that the same sound lies too, the likeliest first.
    """

    id: str
    name: str
    track: str
    track_number: int
    record: Span
    source: Span
    media_url: str
    media_start_s: Fraction | None
    channels: tuple[int, ...] | None
    addresses: tuple[str, ...]
    frame_rate: Fraction | None
    lead_s: Fraction = Fraction(0)
    tail_s: Fraction = Fraction(0)
    role: str = ""
    left_alone: LeftAlone | None = None
    counts_timecode: bool = False
    rate_is_guessed: bool = False
    elsewhere: tuple[Elsewhere, ...] = ()


@dataclass(frozen=True, slots=True)
class AudioStream:
    """One audio stream of a media file.

    `start_s` is where its first decoded sample lies after the media's first instant, negative
    where it lies before; `duration_s` is None where the container does not say.
    """

    index: int
    codec: str
    rate_hz: int
    channels: int
    layout: str
    start_s: Fraction
    duration_s: Fraction | None


@dataclass(frozen=True, slots=True)
class MediaFile:
    """A probed media file; `start_timecode_s` is the timecode of its first instant, if any."""

    path: Path
    container: str
    size_bytes: int
    modified_ns: int
    duration_s: Fraction
    streams: tuple[AudioStream, ...]
    video_rate: Fraction | None = None
    start_timecode_s: Fraction | None = None
    cleaned_by_us: bool = False


@dataclass(frozen=True, slots=True)
class Region:
    """One stretch of one media file's channels, worked on once whatever uses it serves.

    Sample positions count from the media's first instant at `rate_hz`, the timeline's sample
    rate; the media is resampled to it as if the whole file were.
    """

    id: str
    media: MediaFile
    channels: tuple[int, ...]
    rate_hz: int
    start_sample: int
    end_sample: int
    uses: tuple[Use, ...]
    frame_rate: Fraction | None
    media_start_s: Fraction

    @property
    def length_samples(self) -> int:
        """Samples a channel."""
        return self.end_sample - self.start_sample


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """Sound: float32, shape (samples, channels), full scale = 1, at `rate_hz`."""

    samples: Samples
    rate_hz: int

    def __post_init__(self) -> None:
        if self.samples.ndim != 2 or self.samples.dtype != np.float32:
            raise ValueError(
                f"a take is float32 of shape (samples, channels), not "
                f"{self.samples.dtype} of shape {self.samples.shape}"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """A take as voice and background, which sum to it sample by sample (to 1e-6)."""

    voice: Take
    background: Take


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was measured on one use; levels in dBFS (RMS over frames with speech or without).

    `sbr_db` is the speech-to-background ratio over frames with speech, None where either is
    missing: `sbr_split_db`, that of the two estimates, steadied by `sbr_gaps_db`, that of the
    mixture with speech over the mixture without (`diagnosis/ratio.py`). `speech` are spans from
    the use's first instant. `found_in` names the signal in which the speech was found: "mixture"
    or "voice".
    """

    speech: tuple[Span, ...]
    speech_s: Fraction
    found_in: str
    speech_level_db: float | None
    background_level_db: float | None
    sbr_db: float | None
    sbr_split_db: float | None = None
    sbr_gaps_db: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """How a region is treated: the engine that splits it and how far the background goes down."""

    engine: str
    intensity_db: float
    reasons: tuple[str, ...] = ()
    method: str = ""


class Ruling(StrEnum):
    """The four verdicts."""

    KEEP = "keep the original"
    DELIVER = "deliver"
    WARN = "deliver with a warning"
    UNFIXABLE = "unfixable"


class Unfixable(StrEnum):
    """What puts a voice beyond saving."""

    MASKED = "masked"
    DAMAGED = "damaged"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The ruling on one use, with its reasons in words and numbers.

    `kind` stands beside an unfixable ruling, and beside a warning that comes close to it;
    `risk` is the estimated probability that the voice is beyond saving, None where not judged.
    """

    ruling: Ruling
    reasons: tuple[str, ...] = ()
    kind: Unfixable | None = None
    risk: float | None = None


@dataclass(frozen=True, slots=True)
class CleanedMedia:
    """One Broadcast WAV of the delivery, as the conformed document must describe it.

    `path` is where it will lie in the end, as the editor's machine sees it. `start_s` is the
    timecode of its first sample, in seconds from midnight, on the source's own clock; `frame_rate`
    the grid that clips count on.
    """

    id: str
    path: PurePath
    rate_hz: int
    channels: int
    length_samples: int
    start_s: Fraction
    frame_rate: Fraction | None

    @property
    def duration_s(self) -> Fraction:
        """Exact length."""
        return Fraction(self.length_samples, self.rate_hz)


@dataclass(frozen=True, slots=True)
class CleanedClip:
    """A clip to add: it stands in for the elements at `like`, at the same record range.

    `source_in_s` counts from the cleaned file's first sample. Whatever the originals carry (gain,
    pan, fades, transitions, filters) belongs on the new clip as well, unless it is `plain`: then
    the originals say only which form a clip has, and `record` is its own.
    """

    use_id: str
    like: tuple[str, ...]
    media: CleanedMedia
    source_in_s: Fraction
    record: Span
    plain: bool = False


@dataclass(frozen=True, slots=True)
class CleanTrack:
    """A track to append: clips in record order that do not overlap, all with `channels`.

    A track that is not `enabled` is an offer: it is there, and switched off.
    """

    name: str
    channels: int
    clips: tuple[CleanedClip, ...]
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class TimelineMarker:
    """A marker on the timeline; `record` counts from its first frame."""

    record: Span
    name: str
    comment: str
    color: str = "RED"


@dataclass(frozen=True, slots=True)
class ConformPlan:
    """What to do to a copy of the document: nothing else may change."""

    timeline_name: str
    tracks: tuple[CleanTrack, ...] = ()
    disable: tuple[str, ...] = ()
    markers: tuple[TimelineMarker, ...] = ()


@dataclass(frozen=True, slots=True)
class Loss:
    """What a format cannot say, or a step could not do: an entry of the receipt."""

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class SourceQuality:
    """What one stretch of one source is worth: figures of a stretch of at most 8 s.

    `sbr_db` is None where nobody is heard, `highest_hz` where it is too quiet to tell.
    """

    sbr_db: float | None
    highest_hz: float | None
    codec_damaged: bool
    clipped: bool


@dataclass(frozen=True, slots=True)
class Proposal:
    """A cleaner source of a use's sound, found by sound: offered with numbers, never swapped.

    `path` as the editor's machine sees it; `channels` zero-based over all of the file's streams.
    The use's first instant lies at `start_s` of that file, `offset_s` after its place in its own,
    to the sample; `correlation` is that of the whitened sounds, negative where the polarity is
    turned over.
    """

    path: PurePath
    channels: tuple[int, ...]
    start_s: Fraction
    offset_s: Fraction
    correlation: float
    now: SourceQuality
    there: SourceQuality
    reason: str


@dataclass(frozen=True, slots=True)
class UseReport:
    """One use's line in the receipt.

    `cleaned_file` plays in place of the original; `offered_file` is a best effort that lies on a
    track of its own, switched off, while the original plays on. `region` is the id under which
    the receipt tells what was decided and done, `evidence` what the verdict rests on;
    `proposals` are cleaner sources of the same sound, the best first.
    """

    use: Use
    left_alone: LeftAlone | None = None
    diagnosis: Diagnosis | None = None
    plan: Plan | None = None
    verdict: Verdict | None = None
    cleaned_file: str | None = None
    marked: bool = False
    offered_file: str | None = None
    region: str = ""
    evidence: Mapping[str, Any] | None = None
    proposals: tuple[Proposal, ...] = ()


@dataclass(frozen=True, slots=True)
class Delivery:
    """What was handed back. `folder` is None where there was nothing to deliver.

    `regions` are the receipt's values of what was decided and done on each, by id.
    """

    folder: Path | None
    document: Path | None
    timeline: TimelineFacts
    uses: tuple[UseReport, ...]
    losses: tuple[Loss, ...] = ()
    plan: ConformPlan | None = None
    regions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def cleaned(self) -> int:
        """Uses that got a cleaned clip."""
        return sum(report.cleaned_file is not None for report in self.uses)

    @property
    def offered(self) -> int:
        """Uses beyond saving, whose best effort lies beside them, switched off."""
        return sum(report.offered_file is not None for report in self.uses)

    @property
    def failed(self) -> int:
        """Uses that something went wrong with."""
        return sum(
            report.left_alone is not None and report.left_alone.reason in FAILURES
            for report in self.uses
        )
