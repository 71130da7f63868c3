"""What the test server remembers: requests, purchases, what is in flight, what is to go wrong."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from scorebed.testing.service_faults import concurrent
from scorebed.testing.service_requests import ClientGoneError, Form, Pairs, Received

if TYPE_CHECKING:
    from scorebed.testing.service_behaviours import Behaviour

Endpoint = Literal["music", "plan"]
"""All that makes music, or the free endpoint that makes plans."""


class Ticket:
    """A place among the requests in flight; it is given back once, however often it is ended."""

    def __init__(self, give_back: Callable[[], None]) -> None:
        self._give_back: Callable[[], None] | None = give_back

    def end(self) -> None:
        """Gives the place back."""
        give_back, self._give_back = self._give_back, None
        if give_back is not None:
            give_back()


class State:
    """Shared by all threads of a server.

    Args:
        key: The one key that it knows.
        at_once: Requests that may be in flight.
        work_s: Extra time that it works, in seconds, or a function of the request's number.
        form: Which of the two forms of the video request it takes.
        log: A file that gets one line of JSON for each request that has ended, without the key.
    """

    def __init__(
        self,
        *,
        key: str,
        at_once: int,
        work_s: float | Callable[[int], float],
        form: Form,
        log: Path | None,
    ) -> None:
        self.key = key
        self.at_once = at_once
        self.work_s = work_s
        self.form = form
        self.closing = threading.Event()
        self.last_answer = b""
        self.most_in_flight = 0
        self.in_flight = 0
        self.elsewhere_port = 0
        self._log = log
        self._lock = threading.Lock()
        self._received: list[Received] = []
        self._stolen: list[Pairs] = []
        self._coming: dict[Endpoint, deque[Behaviour]] = {"music": deque(), "plan": deque()}

    @property
    def received(self) -> tuple[Received, ...]:
        """All requests so far, in the order in which they came."""
        with self._lock:
            return tuple(self._received)

    @property
    def stolen(self) -> tuple[Pairs, ...]:
        """Headers of all that was sent to the second listener."""
        with self._lock:
            return tuple(self._stolen)

    def steal(self, headers: Pairs) -> None:
        """Remembers what the second listener was sent."""
        with self._lock:
            self._stolen.append(headers)

    def plan_for(self, endpoint: Endpoint, coming: list[Behaviour]) -> None:
        """Adds to what the next requests meet."""
        with self._lock:
            self._coming[endpoint].extend(coming)

    def next_behaviour(self, number: int, endpoint: Endpoint) -> Behaviour:
        """What this request meets."""
        with self._lock:
            coming = self._coming[endpoint]
            behaviour: Behaviour = coming.popleft() if coming else "ok"
            self._change(number, behaviour=behaviour)
        return behaviour

    def arrived(self, method: str, path: str, query: Pairs, headers: Pairs) -> int:
        """Remembers a request and returns its number."""
        with self._lock:
            number = len(self._received) + 1
            self._received.append(
                Received(
                    number=number,
                    method=method,
                    path=path,
                    query=query,
                    headers=headers,
                    at_s=time.monotonic(),
                )
            )
        return number

    def learn(self, number: int, **found: Any) -> None:  # noqa: ANN401 - fields of Received
        """Adds to what is known of a request."""
        with self._lock:
            self._change(number, **found)

    def _change(self, number: int, **found: Any) -> None:  # noqa: ANN401 - fields of Received
        self._received[number - 1] = replace(self._received[number - 1], **found)

    def admit(self) -> Ticket:
        """Takes a place among the requests in flight.

        Raises:
            RefusalError: 429, if all are taken.
        """
        with self._lock:
            if self.in_flight >= self.at_once:
                raise concurrent(self.at_once, self.in_flight)
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
        return Ticket(self._leave)

    def _leave(self) -> None:
        with self._lock:
            self.in_flight -= 1

    def work(self, number: int) -> None:
        """Takes its time over a request.

        Raises:
            ClientGoneError: If the service closes.
        """
        takes_s = self.work_s(number) if callable(self.work_s) else self.work_s
        if takes_s > 0:
            self.closing.wait(takes_s)
        self.going_on()

    def going_on(self) -> None:
        """Raises when there is no use in going on.

        Raises:
            ClientGoneError: If the service closes.
        """
        if self.closing.is_set():
            raise ClientGoneError("the service closes")

    def note(self, number: int) -> None:
        """Writes a request that has ended to the log."""
        if self._log is None:
            return
        with self._lock:
            said = asdict(self._received[number - 1])
            headers = said.pop("headers")
            # Only the key is secret; it may have been sent in another place by mistake.
            said["key"] = _key_state(headers, self.key)
            line = json.dumps(said).replace(json.dumps(self.key)[1:-1], "[key]")
            with self._log.open("a", encoding="utf-8") as file:
                file.write(line + "\n")


def _key_state(headers: Any, key: str) -> str:  # noqa: ANN401 - as asdict gives it
    sent = [value for name, value in headers if name.lower() == "xi-api-key"]
    if not sent:
        return "none"
    return "right" if sent == [key] else "wrong"
