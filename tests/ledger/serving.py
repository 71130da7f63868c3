"""``scorebed ledger serve`` as a process of its own, which ends with whoever has started it.

    python serving.py ledger serve --ledger DIR --port 0 ...

runs the command line, and stops it as SIGTERM does when stdin ends.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

from scorebed.cli.main import main
from scorebed.model import LedgerAddress

if TYPE_CHECKING:
    from types import TracebackType


class Server:
    """A server; use it in ``with``. It may be killed, and started again where it was.

    Args:
        root: The ledger.
        options: More of the command line.
    """

    def __init__(self, root: Path, *options: str, **env: str) -> None:
        self.root = root
        self.port = 0
        self._options = options
        self._env = os.environ | env
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def address(self) -> LedgerAddress:
        return LedgerAddress(f"http://127.0.0.1:{self.port}")

    def start(self) -> None:
        words = ("ledger", "serve", "--ledger", self.root, "--port", str(self.port), "--json")
        self._process = subprocess.Popen(
            [sys.executable, __file__, *map(str, words), *self._options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self._env,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, self._process.communicate()[1]
        self.port = int(json.loads(line)["url"].rpartition(":")[2])

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Ends it; returns its exit code and what it has said."""
        if self._process is None:
            return 0, ""
        process, self._process = self._process, None
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
        return process.returncode, said

    def kill(self) -> None:
        self.stop(signal.SIGKILL)


def _end_with_stdin() -> None:
    while os.read(0, 1000):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    main()
