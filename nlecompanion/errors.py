"""The error tree. Each message says what is wrong and the next move, with numbers.

NleCompanionError
├── SettingsError            a profile, setting or option that cannot be used
├── DocumentError            the dropped file, as a whole
│   ├── NotATimeline         no adapter knows it
│   ├── UnsafeDocument       it would harm whoever parses it (too deep, too large, entities)
│   └── UnsupportedDocument  a timeline, but one that cannot be conformed exactly
├── MediaError               one media file; the other uses go on
│   ├── MediaOffline
│   ├── MediaRefused         a URL, a pipe, a path outside the allowed roots
│   ├── MediaUnreadable
│   ├── NoAudio
│   └── MediaTooShort
├── EngineError
│   ├── UnknownEngine
│   └── WeightsMissing
├── ProgramFailed            a program that we started ended badly
├── DeliveryError
│   ├── NoSpace
│   └── NotWritable
└── WatchError               the watched folder or its journal
"""

from __future__ import annotations


class NleCompanionError(Exception):
    """Anything this package raises on purpose; `str()` is one line fit for a person."""


class SettingsError(NleCompanionError):
    """A profile, a setting or an option that cannot be used."""


class DocumentError(NleCompanionError):
    """The dropped file as a whole cannot be worked on."""


class NotATimeline(DocumentError):
    """No adapter recognises the file, or it ends too early."""


class UnsafeDocument(DocumentError):
    """The file would harm whoever parses it."""


class UnsupportedDocument(DocumentError):
    """A timeline, but one that cannot be read or conformed exactly."""


class MediaError(NleCompanionError):
    """One media file cannot be used; uses of other files go on."""


class MediaOffline(MediaError):
    """The file is not where the timeline says."""


class MediaRefused(MediaError):
    """A URL, a pipe, or a path outside the allowed roots."""


class MediaUnreadable(MediaError):
    """The file is there, but it is empty, damaged or still being written."""


class NoAudio(MediaError):
    """The file has no audio stream, or not the channels that the timeline uses."""


class MediaTooShort(MediaError):
    """The file ends before the timeline's use of it does."""


class EngineError(NleCompanionError):
    """An engine cannot do its work."""


class UnknownEngine(EngineError):
    """No engine of that name is installed."""


class WeightsMissing(EngineError):
    """The engine is installed, its weights are not."""


class ProgramFailed(NleCompanionError):
    """A program that we started ended with an error; carries its exit code and last words."""

    def __init__(self, program: str, exit_code: int, stderr_tail: str) -> None:
        super().__init__(program, exit_code, stderr_tail)
        self.program = program
        self.exit_code = exit_code
        self.stderr_tail = stderr_tail

    def __str__(self) -> str:
        last_line = self.stderr_tail.strip().splitlines()[-1:] or ["no message"]
        return f"{self.program} ended with exit code {self.exit_code}: {last_line[0]}"


class DeliveryError(NleCompanionError):
    """The delivery could not be written; nothing stands under its final name."""


class NoSpace(DeliveryError):
    """The disk is full."""


class NotWritable(DeliveryError):
    """The folder cannot be written to."""


class WatchError(NleCompanionError):
    """The watched folder or its journal cannot be used."""


class Interrupted(NleCompanionError):
    """Somebody asked the work to stop; nothing stands under a final name."""
