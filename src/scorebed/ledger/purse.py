"""What runs may spend together.

ROOT/purses/<name>.lock             held while the sum is made
ROOT/purses/<name>/<run>.json       what a run is about to buy: key -> price
ROOT/purses/<name>/<run>.lock       held while that run lives: what a dead one wanted does not count
"""

from __future__ import annotations

import hashlib
import json
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

import filelock

from scorebed.errors import OverLimit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from scorebed.ledger.book import Ledger
    from scorebed.model import Purse

_CENT = 0.005


@contextmanager
def reserve(
    ledger: Ledger, purse: Purse, wanted: Mapping[str, float], currency: str
) -> Iterator[None]:
    """Holds money for what a run is about to buy, or refuses.

    Args:
        ledger: Where the receipts are.
        purse: What may be spent, and in which name.
        wanted: Key to estimated price, of all that the run has to buy.
        currency: Of those prices.

    Raises:
        OverLimit: If it would be more than may be spent; nothing was sent.
    """
    if purse.name is None:
        _refuse(purse, sum(wanted.values()), 0.0, currency)
        yield
        return
    name = hashlib.sha256(purse.name.encode(errors="backslashreplace")).hexdigest()[:16]
    folder = ledger.root / "purses" / name
    folder.mkdir(exist_ok=True)
    mine = folder / f"{uuid.uuid4().hex}.json"
    alive = filelock.FileLock(mine.with_suffix(".lock"), is_singleton=False)
    try:
        with filelock.FileLock(folder.with_suffix(".lock"), is_singleton=False):
            spent = _spent(ledger, purse.name, _reserved(folder), wanted)
            _refuse(purse, sum(wanted.values()), spent, currency)
            alive.acquire()
            mine.write_text(json.dumps(dict(wanted)))
        yield
    finally:
        mine.unlink(missing_ok=True)
        alive.release()
        mine.with_suffix(".lock").unlink(missing_ok=True)


def _refuse(purse: Purse, wanted: float, spent: float, currency: str) -> None:
    if purse.max_spend is None or wanted + spent <= purse.max_spend + _CENT:
        return
    before = f" after {spent:.2f} {currency} spent in {purse.name!r}" if spent else ""
    raise OverLimit(
        f"compose: about {wanted:.2f} {currency} would be spent{before}, --max-spend allows "
        f"{purse.max_spend:.2f}; nothing was sent",
        remedy=f"Give --max-spend {wanted + spent:.2f} or more, or use --provider embedded.",
    )


def _reserved(folder: Path) -> dict[str, float]:
    """What other runs that are alive are about to buy."""
    found: dict[str, float] = {}
    for path in folder.glob("*.json"):
        lock = filelock.FileLock(path.with_suffix(".lock"), is_singleton=False)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            found |= json.loads(path.read_text())
            continue
        path.unlink(missing_ok=True)
        lock.release()
        path.with_suffix(".lock").unlink(missing_ok=True)
    return found


def _spent(
    ledger: Ledger, name: str, reserved: Mapping[str, float], wanted: Mapping[str, float]
) -> float:
    """What was spent in a name, and what others are about to spend; a key that this run wants too
    is bought once, by whoever is first.
    """  # noqa: D205 - one sentence, two lines
    receipts = {one.key: one for one in ledger.receipts() if one.purse == name}
    spent = sum(one.may_have_cost for one in receipts.values())
    coming = sum(
        price
        for key, price in reserved.items()
        if key not in wanted and not (key in receipts and receipts[key].charges)
    )
    return spent + coming
