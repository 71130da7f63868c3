"""The command line as a process of its own that need not load numpy and the like again.

    python forker.py HANDLE

reads from a socket what to run, and forks for each; it ends with whoever holds the other end.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MOST_BYTES = 100_000
_IN_ANY_CASE = ("scipy.ndimage", "scipy.signal", "scorebed.composer", "scorebed.pipeline")
"""What a run loads whatever it does."""


class Forker:
    """Runs ``scorebed`` with arguments; Linux only.

    Args:
        env: The environment that it starts with.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        self._link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=env,
            )

    def run(
        self, args: Sequence[str], cwd: Path | None, env: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Runs it, in that environment and no other, and waits for its end."""
        asked = json.dumps({"args": list(args), "cwd": str(cwd or Path.cwd()), "env": dict(env)})
        answer, theirs = os.pipe()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            try:
                handles = [out.fileno(), err.fileno(), theirs]
                socket.send_fds(self._link, [asked.encode()], handles)
            finally:
                os.close(theirs)
            with open(answer, "rb") as pipe:  # noqa: PTH123 - a handle
                code = int(pipe.read())
            said = []
            for file in (out, err):
                file.seek(0)
                said.append(file.read().decode().replace("\r\n", "\n").replace("\r", "\n"))
        return subprocess.CompletedProcess(args, code, *said)

    def close(self) -> None:
        """Ends it."""
        self._link.close()
        self._process.wait()


def _asked(link: socket.socket) -> bool:
    """Waits for what to run; true in the process that is to run it, false at the end of all."""
    while True:
        message, handles, _, _ = socket.recv_fds(link, _MOST_BYTES, 3)
        if not message:
            return False
        if os.fork() == 0:
            return _is_child(json.loads(message), handles, link)
        for handle in handles:
            os.close(handle)
        while _reap():
            pass


def _reap() -> bool:
    try:
        return os.waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


def _is_child(asked: dict[str, Any], handles: list[int], link: socket.socket) -> bool:
    """Forks again: one waits and tells how the other one has ended, which goes on as asked."""
    link.close()
    out, err, answer = handles
    child = os.fork()
    if child:
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.write(answer, str(code).encode())
        os._exit(0)
    for own, given in enumerate((out, err), start=1):
        os.dup2(given, own)
    for handle in handles:
        os.close(handle)
    os.environ.clear()
    os.environ.update(asked["env"])
    os.chdir(asked["cwd"])
    sys.argv[1:] = asked["args"]
    return True


if __name__ == "__main__":
    # No thread is begun by it: one would be missing in a child.
    for name in _IN_ANY_CASE:
        importlib.import_module(name)
    with suppress(ImportError):  # typer loads it where it is installed
        importlib.import_module("pydantic.type_adapter")
    import scorebed
    from scorebed.cli.main import main

    # `python -m` puts it there, and it is how the program is called in its own help.
    assert scorebed.__file__
    sys.argv[0] = str(Path(scorebed.__file__).with_name("__main__.py"))
    if _asked(socket.socket(fileno=int(sys.argv[1]))):
        main()
