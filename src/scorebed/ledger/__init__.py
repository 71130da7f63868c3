"""Receipts and takes that were paid for: written down before, kept for ever after."""

from __future__ import annotations

from scorebed.ledger.book import Ledger, default_ledger
from scorebed.ledger.disk import now
from scorebed.ledger.entry import Entry
from scorebed.ledger.purse import Reservation, reserve
from scorebed.ledger.queue import Queue, Stopped
from scorebed.ledger.receipt import Attempt, Fate, Receipt, State, fate_of, key_of, money

__all__ = [
    "Attempt",
    "Entry",
    "Fate",
    "Ledger",
    "Queue",
    "Receipt",
    "Reservation",
    "State",
    "Stopped",
    "default_ledger",
    "fate_of",
    "key_of",
    "money",
    "now",
    "reserve",
]
