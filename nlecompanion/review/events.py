"""Server-sent events (WHATWG HTML, 9.2): what happens is told to every window that listens."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response, StreamingResponse

#: Windows that listen at once; browsers allow themselves six connections a host anyway.
MAX_LISTENERS = 64
#: A window that takes nothing for this many events is let go; it comes back by itself.
_MAX_WAITING = 1000
_ALIVE_S = 15.0


@dataclass(eq=False)
class _Listener:
    """One window: `delivery` is the one that it shows, empty for the list."""

    delivery: str
    loop: asyncio.AbstractEventLoop
    waiting: asyncio.Queue[bytes | None] = field(
        default_factory=lambda: asyncio.Queue(_MAX_WAITING)
    )

    def give(self, message: bytes | None) -> None:
        """On the loop. Who does not listen any more loses the rest, and the connection."""
        if self.waiting.full():
            self.waiting.get_nowait()
            message = None
        self.waiting.put_nowait(message)


class Hub:
    """Tells listeners; `publish` may be called by any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: list[_Listener] = []

    @property
    def listening(self) -> int:
        """How many windows listen."""
        with self._lock:
            return len(self._listeners)

    def publish(self, event: str, data: Any, delivery: str = "") -> None:
        """To all, or to those that show that delivery or the list."""
        message = _message(event, data)
        with self._lock:
            hearing = [
                one for one in self._listeners if not delivery or one.delivery in {"", delivery}
            ]
        for listener in hearing:
            self._hand(listener, message)

    def close(self) -> None:
        """Ends every stream: the server goes."""
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            self._hand(listener, None)

    def _hand(self, listener: _Listener, message: bytes | None) -> None:
        try:
            listener.loop.call_soon_threadsafe(listener.give, message)
        except RuntimeError:  # its loop is closed: the server is gone
            self._leave(listener)

    def answer(self, delivery: str, first: Callable[[], list[tuple[str, Any]]]) -> Response:
        """A stream that begins with what `first` gives once nothing can be missed any more."""
        if self.listening >= MAX_LISTENERS:
            return Response(status_code=503, headers={"retry-after": "10"})
        return StreamingResponse(self._stream(delivery, first), media_type="text/event-stream")

    async def _stream(
        self, delivery: str, first: Callable[[], list[tuple[str, Any]]]
    ) -> AsyncIterator[bytes]:
        listener = _Listener(delivery, asyncio.get_running_loop())
        with self._lock:
            self._listeners.append(listener)
        try:
            yield b"retry: 2000\n\n"
            for event, data in await asyncio.to_thread(first):
                yield _message(event, data)
            while True:
                try:
                    message = await asyncio.wait_for(listener.waiting.get(), _ALIVE_S)
                except TimeoutError:
                    yield b": still here\n\n"  # tells us, too, when nobody is
                    continue
                if message is None:
                    return
                yield message
        finally:
            self._leave(listener)

    def _leave(self, listener: _Listener) -> None:
        with self._lock:
            if listener in self._listeners:
                self._listeners.remove(listener)


def _message(event: str, data: Any) -> bytes:
    # JSON has no line breaks of its own, which would end the event.
    return f"event: {event}\ndata: {json.dumps(data, ensure_ascii=True)}\n\n".encode("ascii")
