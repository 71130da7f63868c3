"""Receipts and takes that were paid for: written down before, kept for ever after."""

from __future__ import annotations

from scorebed.ledger.book import Ledger, default_ledger
from scorebed.ledger.disk import answers_waiting, now, this_machine
from scorebed.ledger.entry import Entry
from scorebed.ledger.locks import look_at_locks
from scorebed.ledger.purse import Reservation, reserve
from scorebed.ledger.queue import Queue
from scorebed.ledger.receipt import Attempt, Fate, Receipt, State, fate_of, key_of, money
from scorebed.ledger.store import AnswerWaits, LockLost
from scorebed.ledger.waiting import Stopped

__all__ = [
    "AnswerWaits",
    "Attempt",
    "Entry",
    "Fate",
    "Ledger",
    "LockLost",
    "Queue",
    "Receipt",
    "Reservation",
    "State",
    "Stopped",
    "answers_waiting",
    "default_ledger",
    "fate_of",
    "key_of",
    "look_at_locks",
    "money",
    "now",
    "reserve",
    "this_machine",
]
