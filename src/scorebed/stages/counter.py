"""Serving the parts of a take side by side: from the ledger, or by asking."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scorebed.answers import Unpacked, unpack
from scorebed.errors import BadAnswer, OutcomeUnknown
from scorebed.ledger import Ledger, Queue, Receipt, State, Stopped
from scorebed.model import PartOrder, Upload
from scorebed.stages.asking import ask_patiently

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scorebed.ledger import Entry
    from scorebed.model import Answer, Order, Progress, Purse
    from scorebed.providers.base import Service

STAGE = "compose"
_TICK_S = 0.25
_LEAST_COVER = 0.5
"""Music that is shorter than this share of its picture is no answer to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of the take on its way."""

    order: PartOrder
    key: str
    receipt: Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought:
    """A part whose music is there."""

    part: Part
    unpacked: Unpacked
    paid: float
    """What this run paid for it; 0 for what was kept."""
    uploads: tuple[Upload, ...]


def lost_before(key: str, receipt: Receipt | None) -> OutcomeUnknown:
    """The error of a take whose answer was lost in an earlier run."""
    said = f" ({receipt.message})" if receipt and receipt.message else ""
    return OutcomeUnknown(
        f"{STAGE}: this take was asked for before and its answer lost{said}; it may have been "
        f"billed. Receipt {key[:12]}",
        remedy="Look whether it was billed; then add --buy-again to buy it (again), or another "
        "--seed for another take.",
    )


class Counter:
    """Serves several parts side by side; each in a thread of its own, held up by nothing else."""

    def __init__(
        self, service: Service, ledger: Ledger, order: Order, purse: Purse, folder: Path
    ) -> None:
        self._service = service
        self._ledger = ledger
        self._purse = purse
        self._folder = folder
        self._queue = Queue(ledger.root / "queue" / service.account(order))

    def serve(self, parts: list[Part], progress: Progress) -> list[Bought]:
        """All of them, in order.

        Raises:
            ProviderError: The first that went wrong; what was in flight then has ended.
        """
        stop = threading.Event()
        done: queue.SimpleQueue[tuple[int, Bought | BaseException]] = queue.SimpleQueue()
        shares = [0.0] * len(parts)

        def work(number: int) -> None:
            def tell(share: float) -> None:
                shares[number] = share

            try:
                done.put((number, self._one(parts[number], stop, tell)))
            except BaseException as error:  # noqa: BLE001 - handed over to the main thread
                done.put((number, error))

        for number in range(len(parts)):
            # Daemons: a request that hangs must not keep a stopped run from ending.
            threading.Thread(target=work, args=(number,), daemon=True).start()
        try:
            return self._collect(len(parts), done, stop, lambda: progress(sum(shares) / len(parts)))
        finally:
            stop.set()

    def _collect(
        self,
        count: int,
        done: queue.SimpleQueue[tuple[int, Bought | BaseException]],
        stop: threading.Event,
        tick: Callable[[], None],
    ) -> list[Bought]:
        found: dict[int, Bought] = {}
        failures: list[BaseException] = []
        while len(found) + len(failures) < count:
            tick()
            try:
                number, outcome = done.get(timeout=_TICK_S)
            except queue.Empty:
                continue
            if isinstance(outcome, BaseException):
                failures.append(outcome)
                # Those that wait stay at home; those in flight are paid for, so their answers
                # are waited for and kept.
                stop.set()
            else:
                found[number] = outcome
        for failure in failures:
            if not isinstance(failure, Stopped):
                raise failure
        return [found[number] for number in range(count)]

    def _one(self, part: Part, stop: threading.Event, tell: Progress) -> Bought:
        with self._ledger.open(part.key) as entry:
            paid = 0.0
            if not self._has_answer(entry):
                paid = part.receipt.amount
                entry.plan(part.receipt)
                ask_patiently(self._service, part.order, entry, self._queue, stop, tell)
            return self._look(part, entry, paid)

    def _has_answer(self, entry: Entry) -> bool:
        """Whether the ledger holds an answer that is to be used."""
        if entry.receipt is None:
            return False
        state = entry.receipt.state
        if state is State.UNKNOWN and not self._purse.buy_again:
            raise lost_before(entry.receipt.key, entry.receipt)
        bad = state is State.ANSWERED and entry.receipt.message is not None
        if bad and self._purse.buy_again:
            return False
        return state in {State.KEPT, State.ANSWERED}

    def _look(self, part: Part, entry: Entry, paid: float) -> Bought:
        answer = entry.answer()
        assert entry.receipt is not None
        if answer is None:
            raise BadAnswer(
                f"{STAGE}: the ledger's answer {entry.folder / 'answer'} is gone",
                remedy="Bring it back from a backup, or run: scorebed ledger forget "
                f"{part.key[:12]} (the same command then buys again).",
            )
        place = self._folder / f"part-{part.order.number}"
        place.mkdir(exist_ok=True)
        try:
            unpacked = self._unpacked(part, answer, place)
        except BadAnswer as error:
            entry.mark(State.ANSWERED, message=error.message)
            raise
        if entry.receipt.state is not State.KEPT:
            entry.mark(State.KEPT)
        return Bought(part=part, unpacked=unpacked, paid=paid, uploads=entry.receipt.files)

    def _unpacked(self, part: Part, answer: Answer, place: Path) -> Unpacked:
        unpacked = unpack(answer, self._service.expects(part.order), folder=place)
        music_s = sum(unpacked.durations_s)
        if music_s < _LEAST_COVER * float(part.order.range.duration_s):
            raise BadAnswer(
                f"{STAGE}: the service's music is {float(music_s):.1f} s long, "
                f"{float(part.order.range.duration_s):.1f} s were asked for; it is kept: "
                f"{answer.body}",
                remedy="Use it as it is with --music FILE, or add --buy-again to buy another.",
            )
        return unpacked
