"""Sound that one thread extracts while another already works on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from threading import Condition

from nlecompanion.media.scratch import ScratchAudio
from nlecompanion.model import Samples


class ArrivingTake:
    """A scratch file that is written by one thread and read by another.

    The reader waits for what is not there yet. What stops the writer is raised in the reader, and
    `stop` ends the writer when the reader has no use for the rest.
    """

    def __init__(self, take: ScratchAudio) -> None:
        self._take = take
        self._changed = Condition()
        self._error: BaseException | None = None
        self._stopped = False

    def filled(self, blocks: Iterable[Samples]) -> Iterator[Samples]:
        """Writes each block, then hands it on: for the writing thread's own measurements."""
        try:
            for block in blocks:
                with self._changed:
                    if self._stopped:
                        return
                    self._take.append(block)
                    self._changed.notify()
                yield block
        except BaseException as error:
            with self._changed:
                self._error = error
                self._changed.notify()
            raise

    def read(self, start_sample: int, end_sample: int) -> Samples:
        """Samples from `start_sample` to before `end_sample`, shape (count, channels).

        Raises:
            MediaError, DeliveryError: what stopped the writer.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._error is not None or self._take.length_samples >= end_sample
            )
            if self._error is not None:
                raise self._error
            return self._take.read(start_sample, end_sample - start_sample)

    def stop(self) -> None:
        """The rest is not needed."""
        with self._changed:
            self._stopped = True
