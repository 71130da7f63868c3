"""The server of a ledger: one folder, for programs on other machines."""

from __future__ import annotations

from scorebed.ledger.serving.server import LEASE_S, LedgerServer

__all__ = ["LEASE_S", "LedgerServer"]
