"""A music service on loopback for tests: real sockets, real files, real time, and faults on demand.

It takes requests as ElevenLabs' music API does (video to music in both forms, text to music,
plans), checks them as strictly, and answers with music that it makes. On demand it refuses,
hangs, resets, or answers with something else: ``service_behaviours`` lists how. Nothing is bought.

By hand: ``python -m scorebed.testing.music_service --port 8080 --will 503 ok``.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Self

from scorebed.testing.service_behaviours import BEHAVIOURS, behaviour
from scorebed.testing.service_handler import Handler
from scorebed.testing.service_listener import Elsewhere, Listener
from scorebed.testing.service_requests import Form, Pairs, Received, ReceivedFile
from scorebed.testing.service_state import Endpoint, State

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler
    from types import TracebackType

__all__ = ["KEY", "MusicService", "Received", "ReceivedFile", "main"]

KEY = "test-key-0123456789abcdef"
"""The key that the service knows when it is given none."""
_POLL_S = 0.02
_LIFETIME_S = 600.0


class MusicService:
    """The server; use it in ``with``.

    Args:
        key: The one key that it knows.
        at_once: Requests that it takes at a time; more are refused with 429.
        work_s: Extra time that it works on each, in seconds; or a function of the request's
            number, 1 for the first.
        form: Which form of the video request it takes.
        port: Where it listens on 127.0.0.1; 0 for any free port.
        log: A file that gets one line of JSON for each request that has ended, the key redacted.
    """

    def __init__(
        self,
        key: str = KEY,
        at_once: int = 2,
        work_s: float | Callable[[int], float] = 0.0,
        form: Form = "current",
        *,
        port: int = 0,
        log: Path | None = None,
    ) -> None:
        self._state = State(key=key, at_once=at_once, work_s=work_s, form=form, log=log)
        self._port = port
        self._threads: dict[Listener, threading.Thread] = {}
        self._listeners: list[Listener] = []

    def __enter__(self) -> Self:
        self._state.elsewhere_port = self._listen(0, Elsewhere).server_port
        self._port = self._listen(self._port, Handler).server_port
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def key(self) -> str:
        """The key that it knows."""
        return self._state.key

    @property
    def at_once(self) -> int:
        """Requests that it takes at a time; may be changed while it runs."""
        return self._state.at_once

    @at_once.setter
    def at_once(self, number: int) -> None:
        self._state.at_once = number

    def will(self, *names: str, of: Endpoint = "music") -> None:
        """Says what the next requests meet, one each, in turn; afterwards all is well again.

        A request uses up its turn also when it is refused for another reason.

        Args:
            names: Behaviours by name.
            of: ``music`` for all that makes music, ``plan`` for the free endpoint.

        Raises:
            ValueError: If there is no such behaviour.
        """
        self._state.plan_for(of, [behaviour(name) for name in names])

    @property
    def requests(self) -> tuple[Received, ...]:
        """All requests so far, in the order in which they came."""
        return self._state.received

    @property
    def purchases(self) -> int:
        """Requests that were accepted and would be billed, also when the answer was lost."""
        return sum(request.purchase for request in self._state.received)

    @property
    def in_flight(self) -> int:
        """Requests that are worked on now."""
        return self._state.in_flight

    @property
    def most_in_flight(self) -> int:
        """Most requests that were worked on at the same time."""
        return self._state.most_in_flight

    @property
    def last_answer(self) -> bytes:
        """The last body that was sent whole with status 200."""
        return self._state.last_answer

    @property
    def stolen(self) -> tuple[Pairs, ...]:
        """Headers of what was sent where ``redirect`` points to; good clients send nothing."""
        return self._state.stolen

    def down(self) -> None:
        """Refuses connections from now on and ends those that are open."""
        listener = next(one for one in self._threads if one.server_port == self._port)
        listener.shutdown()
        self._threads.pop(listener).join()
        listener.socket.close()
        listener.hang_up()

    def up(self) -> None:
        """Listens again at the same address after ``down``."""
        self._listen(self._port, Handler)

    def close(self) -> None:
        """Ends all requests, connections and threads."""
        self._state.closing.set()
        for listener, thread in self._threads.items():
            listener.shutdown()
            thread.join()
        self._threads.clear()
        for listener in self._listeners:
            listener.end()
        self._listeners.clear()

    def _listen(self, port: int, handler: type[BaseHTTPRequestHandler]) -> Listener:
        listener = Listener(port, handler, self._state)
        thread = threading.Thread(
            target=listener.serve_forever, args=(_POLL_S,), name="scorebed-music-service"
        )
        self._threads[listener] = thread
        self._listeners.append(listener)
        thread.start()
        return listener


def main(args: list[str] | None = None) -> int:
    """Serves until the lifetime is over, SIGTERM or Ctrl-C comes, or stdin ends if so wanted."""
    asked = _parser().parse_args(args)
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    if asked.until_stdin_ends:
        threading.Thread(target=_wait_for_end, args=(over,), daemon=True).start()
    service = MusicService(
        asked.key, asked.at_once, asked.work_s, asked.form, port=asked.port, log=asked.log
    )
    with service:
        service.will(*asked.will)
        sys.stdout.write(service.url + "\n")
        sys.stdout.flush()
        over.wait(asked.lifetime)
    return 0


def _wait_for_end(over: threading.Event) -> None:
    while sys.stdin.buffer.read(1 << 10):
        pass
    over.set()


def _parser() -> argparse.ArgumentParser:
    listed = "\n".join(f"  {name:<24} {what}" for name, what in BEHAVIOURS.items())
    parser = argparse.ArgumentParser(
        prog="python -m scorebed.testing.music_service",
        description="A music service on loopback for tests. Its URL is the first line on stdout.",
        epilog=f"behaviours:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=0, help="0 (default) for any free port")
    parser.add_argument("--key", default=KEY, help=f"the key that it knows; default {KEY}")
    parser.add_argument("--form", choices=("current", "brief"), default="current")
    parser.add_argument("--at-once", type=int, default=2, help="requests in flight; default 2")
    parser.add_argument("--work-s", type=float, default=0.0, help="extra seconds per request")
    parser.add_argument(
        "--will",
        nargs="+",
        default=[],
        choices=list(BEHAVIOURS),
        metavar="NAME",
        help="what the next requests meet, in turn",
    )
    parser.add_argument("--log", type=Path, help="gets one line of JSON per request")
    parser.add_argument(
        "--lifetime", type=float, default=_LIFETIME_S, help="seconds after which it ends"
    )
    parser.add_argument("--until-stdin-ends", action="store_true", help="end when stdin is closed")
    return parser


if __name__ == "__main__":
    sys.exit(main())
