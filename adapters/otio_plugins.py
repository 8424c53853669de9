"""The readers as OpenTimelineIO adapters: `nlecompanion_fcp7xml` and so on, for any OTIO user.

`plugin_manifest.json` beside this file names it once a format. OpenTimelineIO loads it afresh for
each entry, as the module `opentimelineio.adapters.<entry's name>`, and that name says the format.
No entry claims a file suffix: a reader is used only where it is asked for by name.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import opentimelineio as otio

_PREFIX = "nlecompanion_"
#: The adapter's name; this file's own where it is imported as a part of the package.
_FORMAT = __name__.rpartition(".")[2].removeprefix(_PREFIX)


def read_from_file(filepath: str) -> otio.schema.Timeline:
    """The document at `filepath` as a timeline, with the adapter's notes in its metadata.

    Raises:
        DocumentError: one sentence; the document cannot be read.
        NotSupportedError: this installation has no adapter of that format.
    """
    from nlecompanion.plugins import adapters

    installed = adapters()
    if _FORMAT not in installed:
        from opentimelineio.exceptions import NotSupportedError

        raise NotSupportedError(
            f"nlecompanion has no reader {_FORMAT!r} here. Installed: {', '.join(installed)}."
        )
    return installed[_FORMAT].read(Path(filepath))
