"""What becomes of paths in a document that now lies in another folder."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nlecompanion.model import Loss, Use

_ABSOLUTE = re.compile(r"^([a-z][a-z0-9+.-]*:|[/\\])", re.IGNORECASE)


def path_losses(uses: Sequence[Use], document_name: str) -> list[Loss]:
    """Relative media paths stay as they were written: the rest of the document is not ours."""
    relative = sorted(
        {u.media_url for u in uses if u.media_url and not _ABSOLUTE.match(u.media_url)}
    )
    if not relative:
        return []
    return [
        Loss(
            document_name,
            f"{len(relative)} media paths are relative ({relative[0]} …) and counted from the "
            f"folder of the original document. Import it from there, or relink to that folder.",
        )
    ]
