"""Serving the parts of a take side by side: from the ledger, or by asking."""

from __future__ import annotations

import contextvars
import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scorebed.answers import Unpacked, unpack
from scorebed.errors import BadAnswer, OutcomeUnknown
from scorebed.ledger import Fate, Ledger, Queue, Receipt, State, Stopped, fate_of, this_machine
from scorebed.model import Expected, PartOrder, Upload
from scorebed.stages.asking import Asking

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scorebed.ledger import Entry, Reservation
    from scorebed.model import Answer, Progress, Purse, Tell
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
    """Without attempts."""
    amount: float
    """Estimated price."""
    uploads: tuple[Upload, ...]
    """What would leave the machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought:
    """A part whose music is there."""

    part: Part
    unpacked: Unpacked
    asked: bool
    """Whether it was asked for in this run; else it was kept."""
    uploads: tuple[Upload, ...]
    """What left the machine for it, in this run or before."""
    expected: Expected
    """What was expected of its answer."""


def has_to_ask(receipt: Receipt | None, *, again: bool) -> bool:
    """Whether something has to be sent for a part; else the ledger has its answer, or will have.

    Args:
        receipt: What the ledger has of it.
        again: Whether what may have been billed already is bought again.

    Raises:
        OutcomeUnknown: If its answer was lost in an earlier run and is not to be bought again.
    """
    fate = fate_of(receipt, again=again)
    if receipt is not None and fate is Fate.LOST:
        raise _lost_before(receipt)
    return fate is Fate.TO_BUY


def _lost_before(receipt: Receipt) -> OutcomeUnknown:
    attempt = receipt.current
    said = f" ({attempt.message})" if attempt.message else ""
    number = f", request {attempt.request_id}" if attempt.request_id else ""
    there = near = ""
    if attempt.waits_at is not None and attempt.waits_at != this_machine():
        there = f", asked for on the machine {attempt.waits_at}"
        near = (
            f"Run the same command again on the machine {attempt.waits_at}, with the same ledger: "
            "the answer may lie there. Else: "
        )
    return OutcomeUnknown(
        f"{STAGE}: this take was asked for before and its answer lost{said}; it may have been "
        f"billed. Receipt {receipt.key[:12]}{number}{there}",
        remedy=f"{near}Look whether it was billed; then add --buy-again to buy it (again), or "
        "another --seed for another take.",
    )


class Counter:
    """Serves several parts side by side; each in a thread of its own, held up by nothing else."""

    def __init__(
        self,
        service: Service,
        ledger: Ledger,
        reservation: Reservation,
        purse: Purse,
        folder: Path,
        tell: Tell,
    ) -> None:
        self._service = service
        self._ledger = ledger
        self._reservation = reservation
        self._purse = purse
        self._folder = folder
        self._tell = tell

    def serve(self, parts: list[Part], progress: Progress) -> list[Bought]:
        """All of them, in order.

        Raises:
            ProviderError: The first that went wrong; what was in flight then has ended.
        """
        stop = threading.Event()
        done: queue.SimpleQueue[tuple[int, Bought | BaseException]] = queue.SimpleQueue()
        shares = [0.0] * len(parts)

        def work(number: int) -> None:
            def note(share: float) -> None:
                shares[number] = share

            try:
                done.put((number, self._one(parts[number], stop, note)))
            except BaseException as error:  # noqa: BLE001 - handed over to the main thread
                done.put((number, error))

        for number in range(len(parts)):
            # What is logged there is of this run too.
            here = contextvars.copy_context()
            # Daemons: a request that hangs must not keep a stopped run from ending.
            threading.Thread(target=here.run, args=(work, number), daemon=True).start()
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

    def _one(self, part: Part, stop: threading.Event, progress: Progress) -> Bought:
        with self._ledger.open(part.key, stop) as entry:
            asked = has_to_ask(entry.receipt, again=self._purse.buy_again)
            if asked:
                # Also what another run was to buy and did not.
                self._reservation.cover({part.key: part.amount}, stop)
                entry.plan(
                    part.receipt,
                    amount=part.amount,
                    purse=self._purse.name,
                    files=part.uploads,
                )
                asking = Asking(
                    service=self._service,
                    part=part.order,
                    entry=entry,
                    queue=self._queue(part),
                    stop=stop,
                    progress=progress,
                    tell=self._tell,
                )
                asking.run()
            return self._look(part, entry, asked=asked)

    def _queue(self, part: Part) -> Queue:
        account = self._service.account(part.order.order)
        return self._ledger.queue(account)

    def _look(self, part: Part, entry: Entry, *, asked: bool) -> Bought:
        place = self._folder / f"part-{part.order.number}"
        place.mkdir(exist_ok=True)
        answer = entry.answer(place / "answer")
        if answer is None:
            raise BadAnswer(
                f"{STAGE}: the ledger's answer in {entry.where} is gone",
                remedy="Bring it back from a backup, or run: scorebed ledger forget "
                f"{part.key[:12]} (the same command then buys again).",
            )
        try:
            expected = self._service.expects(part.order)
            unpacked = self._unpacked(part, answer, expected, place)
        except BadAnswer as error:
            # A copy of it goes with this run; what is named is where it stays.
            message = error.message.replace(str(answer.body), entry.kept_at(answer))
            message = self._hide(message, part)
            entry.mark(State.ANSWERED, message=message)
            raise BadAnswer(message, remedy=self._hide(error.remedy, part)) from None
        if entry.attempt.state is not State.KEPT:
            facts = [
                (self._hide(name, part), self._hide(value, part)) for name, value in unpacked.facts
            ]
            entry.mark(State.KEPT, facts=tuple(facts))
        return Bought(
            part=part,
            unpacked=unpacked,
            asked=asked,
            uploads=entry.attempt.files,
            expected=expected,
        )

    def _hide(self, text: str, part: Part) -> str:
        """A text without the key, which a service may have put into its answer."""
        assert part.order.order.service is not None
        return self._service.hide_key(text, part.order.order.service)

    def _unpacked(self, part: Part, answer: Answer, expected: Expected, place: Path) -> Unpacked:
        unpacked = unpack(answer, expected, folder=place)
        music_s = sum(unpacked.durations_s)
        if music_s < _LEAST_COVER * float(part.order.duration_s):
            raise BadAnswer(
                f"{STAGE}: the service's music is {float(music_s):.1f} s long, "
                f"{float(part.order.duration_s):.1f} s were asked for; it is kept: "
                f"{answer.body}",
                remedy="Use it as it is with --music FILE, or add --buy-again to buy another.",
            )
        return unpacked
