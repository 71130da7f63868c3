"""A process that asks for a take: ``buyer.py ORDER.pickle LEDGER FOLDER [--buy-again]``."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

from scorebed.errors import ScorebedError
from scorebed.model import Purse
from scorebed.stages.compose import compose


def main() -> int:
    order, purse = pickle.loads(Path(sys.argv[1]).read_bytes())  # noqa: S301 - the test's own
    assert isinstance(purse, Purse)
    folder = Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    try:
        take = compose("elevenlabs", order, folder=folder, purse=purse)
    except ScorebedError as error:
        print(type(error).__name__, error.message)  # noqa: T201
        return error.exit_code
    print("take", take.spent.amount, take.pieces[0].audio.sha256)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
