"""What runs may spend together.

ROOT/purses/<name>.lock             held while the sum is made
ROOT/purses/<name>/<run>.json       what a run is about to buy: currency, and key -> price
ROOT/purses/<name>/<run>.lock       held while that run lives: what a dead one wanted does not count
"""

from __future__ import annotations

import hashlib
import json
import math
import threading
import uuid
from collections import defaultdict
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING, TypeAlias

from scorebed.errors import OverLimit, SettingsError
from scorebed.ledger.names import PURSES
from scorebed.ledger.receipt import Fate, fate_of, money
from scorebed.ledger.waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from scorebed.ledger.book import Ledger
    from scorebed.ledger.receipt import Receipt
    from scorebed.ledger.store import Hold, Store
    from scorebed.model import Purse

_Wanted: TypeAlias = dict[str, tuple[float, int]]
"""Key to its price, and how often it may have been billed before."""
_ROUNDING = 1e-9
_PATIENCE_S = 0.5


class Reservation:
    """Money that a run holds for what it is about to buy.

    Args:
        ledger: Where the receipts are.
        purse: What may be spent, and in which name.
        currency: Of all prices.
    """

    def __init__(self, ledger: Ledger, purse: Purse, currency: str) -> None:
        self._ledger = ledger
        self._purse = purse
        self._currency = currency
        self._wanted: _Wanted = {}
        self._guard = threading.Lock()
        self._run: str | None = None
        self._alive: Hold | None = None

    def cover(self, prices: Mapping[str, float], stop: Event | None = None) -> None:
        """Holds money for further purchases, or refuses; what is held already is not asked again.

        What another run has bought since the prices were made costs nothing more.

        Args:
            prices: Key of the purchase to its estimated price.
            stop: Set when the run ends: it no longer waits.

        Raises:
            OverLimit: If it would be more than may be spent.
            SettingsError: If the purse's limit would have to count another currency as well.
            Stopped: If the run ended while it waited.
        """
        with self._guard:
            new = {key: price for key, price in prices.items() if key not in self._wanted}
            if new:
                self._hold(new, stop or Event())

    def _hold(self, new: Mapping[str, float], stop: Event) -> None:
        if self._purse.name is None:
            held = self._wanted | {key: (price, 0) for key, price in self._to_buy(new)}
            self._refuse(sum(price for price, _ in held.values()), 0.0)
            self._wanted = held
            return
        store, folder = self._ledger.store, f"{PURSES}/{_name(self._purse.name)}"
        store.make_folder(folder)
        words = f"another run is adding up the purse {self._purse.name!r}: it is waited for"
        own = _taken(store, f"{folder}.lock", Waiting(words, self._ledger.tell, stop))
        try:
            # In this order: what others send in between is counted as spent, and then not as still
            # to come, neither by them nor by this run. Both figures are of the same receipts.
            others = _others(store, folder, self._run)
            receipts = self._ledger.all_receipts()
            charges = _charges(receipts)
            held = self._wanted | {key: (price, charges[key]) for key, price in self._to_buy(new)}
            spent = spent_in(receipts, self._purse.name)
            for currency, wanted in others:
                for key, (price, before) in wanted.items():
                    # What they want too is bought once, by whoever is first.
                    if key not in held and charges[key] == before:
                        spent[currency] += price
            self._refuse_others(spent)
            # What this run has held before is spent by now, or still to come.
            still = [price for key, (price, before) in held.items() if charges[key] == before]
            self._refuse(sum(still), spent.get(self._currency, 0.0))
            self._wanted = held
            self._write(store, folder, stop)
        finally:
            own.release()

    def _to_buy(self, prices: Mapping[str, float]) -> list[tuple[str, float]]:
        """Those of the prices that are still to be paid: another run may have been first."""
        again = self._purse.buy_again
        return [
            (key, price)
            for key, price in prices.items()
            if fate_of(self._ledger.receipt(key), again=again) is Fate.TO_BUY
        ]

    def _write(self, store: Store, folder: str, stop: Event) -> None:
        if self._run is None:
            run = f"{folder}/{uuid.uuid4().hex}"
            waiting = Waiting("a lock of this run is waited for", self._ledger.tell, stop)
            self._alive = _taken(store, f"{run}.lock", waiting)
            self._run = run
        store.write(f"{self._run}.json", json.dumps([self._currency, self._wanted]).encode())

    def release(self) -> None:
        """The run has ended."""
        if self._alive is not None:
            self._alive.release(gone=True)

    def _refuse_others(self, spent: Mapping[str, float]) -> None:
        """One limit cannot count two currencies: nobody here knows what one is in the other."""
        others = [one for one, amount in spent.items() if amount and one != self._currency]
        if others and self._purse.max_spend is not None:
            raise SettingsError(
                f"compose: the purse {self._purse.name!r} counts {money(spent[others[0]])} "
                f"{others[0]}, and this run would pay in {self._currency}: --max-spend cannot "
                "count both; nothing was sent",
                remedy=f"Name another --purse for what is paid in {self._currency}.",
            )

    def _refuse(self, wanted: float, spent: float) -> None:
        purse, currency = self._purse, self._currency
        if purse.max_spend is None or wanted + spent <= purse.max_spend + _ROUNDING:
            return
        before = f" after {money(spent)} {currency} spent in {purse.name!r}" if spent else ""
        needed = math.ceil((wanted + spent) * 100) / 100
        raise OverLimit(
            f"compose: about {money(wanted)} {currency} would be spent{before}, --max-spend allows "
            f"{money(purse.max_spend)}; nothing was sent",
            remedy=f"Give --max-spend {needed:.2f} or more, or use --provider embedded.",
        )


@contextmanager
def reserve(ledger: Ledger, purse: Purse, currency: str) -> Iterator[Reservation]:
    """Holds money while a run buys.

    Args:
        ledger: Where the receipts are.
        purse: What may be spent, and in which name.
        currency: Of all prices.
    """
    reservation = Reservation(ledger, purse, currency)
    try:
        yield reservation
    finally:
        reservation.release()


def _name(purse: str) -> str:
    return hashlib.sha256(purse.encode(errors="backslashreplace")).hexdigest()[:16]


def _taken(store: Store, name: str, waiting: Waiting) -> Hold:
    while True:
        waiting.go_on()
        hold = store.hold((name,), wait_s=_PATIENCE_S)
        if hold is not None:
            return hold


def _others(store: Store, folder: str, own: str | None) -> list[tuple[str, _Wanted]]:
    """What other runs that are alive want, each with its currency; of dead ones it is put away."""
    found = []
    for file in store.names(folder):
        run = f"{folder}/{file.removesuffix('.json')}"
        if not file.endswith(".json") or run == own:
            continue
        hold = store.hold((f"{run}.lock",), wait_s=0)
        if hold is None:
            found.append(_read(store, f"{run}.json"))
        else:
            hold.release(gone=True)
    return found


def _charges(receipts: Iterable[Receipt]) -> defaultdict[str, int]:
    """How often each key may have been billed."""
    found: defaultdict[str, int] = defaultdict(int)
    for receipt in receipts:
        found[receipt.key] += receipt.charges
    return found


def spent_in(receipts: Iterable[Receipt], purse: str) -> defaultdict[str, float]:
    """What may have been billed in the name of a purse, by currency."""
    spent: defaultdict[str, float] = defaultdict(float)
    for receipt in receipts:
        for attempt in receipt.attempts:
            if attempt.purse == purse and attempt.state.may_be_billed:
                spent[receipt.currency] += attempt.amount
    return spent


def _read(store: Store, name: str) -> tuple[str, _Wanted]:
    told = store.read(name)
    if told is None:  # that run has just ended
        return "", {}
    currency, wanted = json.loads(told)
    return currency, wanted
