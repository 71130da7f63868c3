"""A Dask cluster that is there already: reached, asked, and given back as it was."""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import logging
import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorebed import __version__
from scorebed.batching.ground import Asked, Ground, look
from scorebed.errors import MissingKey, ScorebedError, SettingsError, ToolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_REACH_S = 4.0
"""How long a scheduler may take to answer."""
_ANSWER_S = 30.0
"""How long a worker may take to look around; on a slow disk it imports scorebed first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A scheduler that answers."""

    address: str
    """Where, as the user named it."""
    client: Any
    """Of dask.distributed."""

    @property
    def lost(self) -> bool:
        """Whether it no longer answers."""
        return bool(self.client.status != "running")

    def workers(self) -> dict[str, int]:
        """Address of each worker to its threads: films that it can be at.

        Raises:
            ToolError: If the scheduler is gone.
        """
        with self._there():
            return dict(self.client.nthreads())

    def gone(self) -> ToolError:
        """What to raise where the scheduler no longer answers."""
        return ToolError(
            f"batch: the Dask scheduler at {self.address} was lost",
            remedy="Start it and its workers, and run the same command with its address: it goes "
            "on where it stopped.",
        )

    @contextmanager
    def _there(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self.gone() from error

    def check(self, asked: Asked) -> dict[str, MissingKey]:
        """Asks every worker whether it can do its part.

        Args:
            asked: What must be there.

        Returns:
            Address of a worker to what keeps it from buying, of those that something does.

        Raises:
            ScorebedError: The first thing that is missing, naming the worker.
        """
        answers = self._ask(look, asked)
        return {worker: one for worker, one in answers.items() if one is not None}

    def check_release(self) -> None:
        """Refuses workers that have another release of scorebed, or none, or no ffmpeg.

        Raises:
            ScorebedError: Naming the worker and both releases.
        """
        # By a function of Python's own: ours may not be there.
        for worker, version in self._ask(importlib.metadata.version, "scorebed").items():
            if version != __version__:
                raise SettingsError(
                    f"batch: the worker {worker} has scorebed {version}, this is {__version__}",
                    remedy=f"On that machine: python -m pip install scorebed=={__version__}",
                )
        self.check(Asked(ground=Ground(version=__version__)))

    def _answers(self, question: Callable[..., Any], args: tuple[object, ...]) -> dict[str, Any]:
        """Each is asked on its own: Dask waits without end for one that is there and silent."""
        said: queue.SimpleQueue[tuple[str, Any, Exception | None]] = queue.SimpleQueue()

        def ask(worker: str) -> None:
            try:
                told = self.client.run(question, *args, workers=[worker], on_error="return")
                said.put((worker, told[worker], None))
            except Exception as error:  # noqa: BLE001 - raised where it is waited for
                said.put((worker, None, error))

        silent = set(self.client.nthreads())
        for worker in silent:
            threading.Thread(target=ask, args=(worker,), daemon=True).start()
        answers: dict[str, Any] = {}
        until = time.monotonic() + _ANSWER_S
        while silent:
            try:
                worker, answer, error = said.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                raise ToolError(
                    f"batch: the worker {min(silent)} has not answered for {_ANSWER_S:.0f} s",
                    remedy="Look whether its machine and its process still run; stop that worker, "
                    "and run the same command again.",
                ) from None
            if error is not None:
                raise error
            silent.remove(worker)
            answers[worker] = answer
        return answers

    def _ask(self, question: Callable[..., Any], *args: object) -> dict[str, Any]:
        with self._there():
            answers = self._answers(question, args)
        for worker, answer in sorted(answers.items()):
            if isinstance(answer, MissingKey):
                continue
            if isinstance(answer, importlib.metadata.PackageNotFoundError):
                raise SettingsError(
                    f"batch: scorebed is not installed where the worker {worker} runs",
                    remedy=f"On that machine: python -m pip install scorebed=={__version__}",
                )
            if isinstance(answer, ScorebedError):
                answer.message = f"batch: the worker {worker}: {answer.message}"
                raise answer
            if isinstance(answer, Exception):
                raise ToolError(
                    f"batch: the worker {worker} does not answer as it should: "
                    f"{type(answer).__name__}: {answer}",
                    remedy="Look at its log; it needs the same Python, dask and scorebed as here.",
                )
        return answers


@contextmanager
def reach(named: str | None, jobs: int | None) -> Iterator[Cluster | None]:
    """The cluster that a batch is to run on; None where it runs on this machine.

    Args:
        named: Address of the scheduler, or the file that it has left; None for this machine.
        jobs: Films at once, if that is said: then workers may come later.

    Raises:
        SettingsError: If dask.distributed is not installed, or it is no address.
        ToolError: If no scheduler answers there, or it has no workers.
    """
    if named is None:
        yield None
        return
    try:
        from distributed import Client  # noqa: PLC0415 - an extra, and half a second
    except ModuleNotFoundError as error:
        raise SettingsError(
            "batch: --cluster needs dask.distributed, which is not installed",
            remedy="Run: python -m pip install 'scorebed[dask]'",
        ) from error
    address = _address(named)
    try:
        # A thread of its own: in a notebook a loop runs in ours. Dask's client would print what
        # it cannot do, and wait without end for a server of another kind.
        with ThreadPoolExecutor(1) as aside:
            aside.submit(asyncio.run, _knock(address)).result()
        client = Client(address, timeout=_REACH_S, set_as_default=False, name="scorebed")
    except (ValueError, TypeError) as error:
        raise _no_address(named, f": {error}") from error
    except (OSError, MemoryError) as error:  # the latter where a web server answers
        raise ToolError(
            f"batch: no Dask scheduler answers at {address}",
            remedy="Start one with: dask scheduler - and give the address that it prints.",
        ) from error
    with _quiet(), client:
        cluster = Cluster(address=address, client=client)
        if jobs is None and not cluster.workers():
            raise ToolError(
                f"batch: the scheduler at {address} has no workers",
                remedy=f"Start some with: dask worker {address} - or give --jobs N, if they come "
                "when there is work.",
            )
        cluster.check_release()
        yield cluster


@contextmanager
def _quiet() -> Iterator[None]:
    """Dask's client logs a lost connection with a traceback; the batch says it in its own words."""
    log = logging.getLogger("distributed.client")

    def none(_record: logging.LogRecord) -> bool:
        return False

    log.addFilter(none)
    try:
        yield
    finally:
        log.removeFilter(none)


async def _knock(address: str) -> None:
    """Asks who answers there.

    Raises:
        ValueError: If it is no address, or that of something else in the cluster.
        OSError: If nobody does.
    """
    from distributed import Security, rpc  # noqa: PLC0415 - an extra

    keys = Security().get_connection_args("client")
    async with rpc(address, timeout=_REACH_S, connection_args=keys) as there:
        told = await asyncio.wait_for(there.identity(), _REACH_S + 0.5)
    if told["type"] != "Scheduler":
        raise ValueError(f"a {told['type'].lower()} answers there")


def _address(named: str) -> str:
    """What a scheduler's file says, or the address itself."""
    path = Path(named)
    if path.suffix != ".json" and not path.is_file():
        if not named.strip():
            raise _no_address(named)
        return named
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return str(told["address"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"batch: {path} is not the file of a Dask scheduler that runs",
            remedy="Start it with: dask scheduler --scheduler-file FILE",
        ) from error


def _no_address(named: str, why: str = "") -> SettingsError:
    return SettingsError(
        f"batch: --cluster {named!r} is not the address of a Dask scheduler{why}",
        remedy="Give what it prints, for example --cluster tcp://10.0.0.1:8786, or its "
        "--scheduler-file.",
    )
