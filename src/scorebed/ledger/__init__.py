"""Receipts and takes that were paid for: written down before, kept for ever after."""

from __future__ import annotations

from scorebed.ledger.book import Ledger, default_ledger
from scorebed.ledger.entry import Entry
from scorebed.ledger.purse import reserve
from scorebed.ledger.queue import Queue, Stopped
from scorebed.ledger.receipt import Receipt, State, key_of

__all__ = [
    "Entry",
    "Ledger",
    "Queue",
    "Receipt",
    "State",
    "Stopped",
    "default_ledger",
    "key_of",
    "reserve",
]
