"""ffmpeg: found, checked and run. The only room that starts a process, also of our own.

Graphs are built with ffmpeg-python; it only makes argument lists, which are run here so that
children are always ended, errors name the stage, and a stuck process does not hang a batch.
"""

from __future__ import annotations

import errno
import functools
import logging
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import ffmpeg
import imageio_ffmpeg
import numpy as np

from scorebed.errors import ToolError, ToolMissing, ToolStalled, WorkspaceError, no_room
from scorebed.journal import note
from scorebed.memory import LIBAV_BLOCK_BYTES
from scorebed.model import Audio, Progress, no_progress
from scorebed.timecode import SAMPLE_RATE_HZ

MIN_LIBAVFORMAT = 61
"""libavformat of FFmpeg 7.0. Measured with a click in a WAV muxed beside H.264 in Matroska:
FFmpeg 5.1 moves the picture by 21 ms and places Opus 6.5 ms early; 7.0 does neither."""
MIN_RELEASE = "7.0"

CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,mxf,nut,rm,wtv,dv,gxf,ivf,"
    "wav,w64,flac,mp3,aac,aiff,caf,ac3,eac3,opus,au,amr,ape,wv,tta"
)
"""Demuxers that may open a user's file. Those that open further files or addresses named inside
(hls, dash, concat, image2, imf, sdp, rtsp ...) are left out, so a crafted playlist is not read."""

_BYTES = "scorebed-bytes:"
STALL_S = 120.0
"""A process that makes no headway for this long is ended."""
_END_S = 2.0
_LIMITS = ("-max_alloc", str(LIBAV_BLOCK_BYTES))
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
_ENDING = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
_NO_ROOM = {os.strerror(one): one for one in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)}
_TOO_LARGE = -getattr(signal, "SIGXFSZ", 0)
"""How a process ends that has written more than its limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ffmpeg:
    """An ffmpeg that can be used."""

    path: str
    """The executable."""
    version: str
    """As it prints it."""
    origin: str
    """``SCOREBED_FFMPEG``, ``PATH`` or ``imageio-ffmpeg``."""


class FfmpegError(ToolError):
    """ffmpeg ended with an error; ``log`` is the end of what it said."""

    def __init__(self, message: str, *, remedy: str, log: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.log = log


def locate() -> Ffmpeg:
    """The ffmpeg to use: ``SCOREBED_FFMPEG``, else one on PATH that is recent enough, else the one
    that imageio-ffmpeg brings.

    Raises:
        ToolMissing: If the one that SCOREBED_FFMPEG names does not run or is too old, or none runs.
    """  # noqa: D205 - one sentence, two lines
    override = os.environ.get("SCOREBED_FFMPEG")
    return _locate(override, None if override else shutil.which("ffmpeg"))


@functools.cache
def _locate(override: str | None, installed: str | None) -> Ffmpeg:
    if override:
        found = _ask_version(override)
        if found is None:
            raise ToolMissing(
                f"SCOREBED_FFMPEG names {override!r}, which does not run as ffmpeg",
                remedy="Set it to the path of an ffmpeg executable, or unset it.",
            )
        version, libavformat = found
        if libavformat < MIN_LIBAVFORMAT:
            raise ToolMissing(
                f"SCOREBED_FFMPEG names ffmpeg {version}; {MIN_RELEASE} or later is needed",
                remedy="Unset SCOREBED_FFMPEG to use the ffmpeg that came with scorebed.",
            )
        return Ffmpeg(path=override, version=version, origin="SCOREBED_FFMPEG")
    if installed and (found := _ask_version(installed)) and found[1] >= MIN_LIBAVFORMAT:
        return Ffmpeg(path=installed, version=found[0], origin="PATH")
    try:
        bundled = imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise ToolMissing(
            f"no ffmpeg {MIN_RELEASE} or later was found ({error})",
            remedy="Run: python -m pip install --force-reinstall imageio-ffmpeg",
        ) from error
    found = _ask_version(bundled)
    if found is None or found[1] < MIN_LIBAVFORMAT:
        state = "does not run" if found is None else f"is {found[0]}, too old"
        raise ToolMissing(
            f"the ffmpeg that imageio-ffmpeg names ({bundled}) {state}",
            remedy=f"Install ffmpeg {MIN_RELEASE} or later and set SCOREBED_FFMPEG to its path.",
        )
    return Ffmpeg(path=bundled, version=found[0], origin="imageio-ffmpeg")


def _ask_version(path: str) -> tuple[str, int] | None:
    """Release and libavformat's major number, or None if it does not run as ffmpeg."""
    try:
        said = subprocess.run(  # noqa: S603 - the user's own choice of ffmpeg
            [path, "-version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=30,
        ).stdout.decode(errors="replace")
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = re.match(r"ffmpeg version (\S+)", said)
    libavformat = re.search(r"libavformat\s+(\d+)\.", said)
    return (version[1], int(libavformat[1])) if version and libavformat else None


# --- arguments ---------------------------------------------------------------------------------


def file_url(path: Path) -> str:
    """A name that ffmpeg takes for a file and nothing else, whatever characters it has.

    ffmpeg-python hashes names as UTF-8: one that is not goes through it in hexadecimal, until
    ``arguments`` puts it right.
    """
    name = str(path)
    try:
        name.encode()
    except UnicodeEncodeError:
        return _BYTES + os.fsencode(name).hex()
    return f"file:{name}"


def source(path: Path, **options: str | float | None) -> Any:  # noqa: ANN401 - ffmpeg-python is untyped
    """An input node of ffmpeg-python for a user's file: one local file, no playlist, no address.

    Args:
        path: The file.
        options: Further input options.
    """
    return ffmpeg.input(
        file_url(path), format_whitelist=CONTAINERS, protocol_whitelist="file", **options
    )


def arguments(node: Any) -> list[str]:  # noqa: ANN401 - ffmpeg-python is untyped
    """The arguments of a graph built with ffmpeg-python, without the program's name."""
    return [_restored(str(argument)) for argument in node.get_args()]


def _restored(argument: str) -> str:
    if not argument.startswith(_BYTES):
        return argument
    return "file:" + os.fsdecode(bytes.fromhex(argument.removeprefix(_BYTES)))


# --- running -----------------------------------------------------------------------------------


def run(
    args: list[str],
    *,
    stage: str,
    subject: Path,
    duration_s: Fraction | None = None,
    progress: Progress = no_progress,
    stall_s: float | None = None,
) -> str:
    """Runs ffmpeg to its end.

    Args:
        args: As ``arguments`` gives them.
        stage: Named in errors.
        subject: The file that is worked on, named in errors.
        duration_s: Length of what is made, in seconds, for ``progress``.
        progress: Called with the share that is done.
        stall_s: How long it may make no headway, in seconds; None for ``STALL_S``.

    Returns:
        The end of what it said (warnings).

    Raises:
        FfmpegError: If it ends with an error or makes no headway.
        WorkspaceError: If the disk is full.
    """
    options = ["-nostats", "-progress", "pipe:1", "-stats_period", "0.2"]
    with _process([*options, *args], stage=stage, subject=subject, stall_s=stall_s) as child:
        for line in child.lines():
            name, _, value = line.partition("=")
            # Figures that move are headway; a block is printed even when nothing does.
            if name in {"out_time_us", "total_size", "frame"}:
                child.headway(name, value)
            if name == "out_time_us" and duration_s and value.lstrip("-").isdigit():
                progress(min(max(int(value) / 1e6 / float(duration_s), 0.0), 1.0))
    return child.log


LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
"""ffmpeg's names of the layouts that are kept; any other comes as the smallest that holds it."""


def kept_channels(channels: int) -> int:
    """Channels that sound of so many channels is decoded to: its own number, or the next more.

    Args:
        channels: Of the stream; 0, where the container does not say, counts as two.
    """
    return next((kept for kept in LAYOUTS if kept >= (channels or 2)), max(LAYOUTS))


def on_time_line(first_samples: int | None, channels: int) -> str:
    """The filters that put decoded sound where its time stamps say, gaps filled with silence.

    Without ``first_pts`` (and copyts, in ``Decoding``) a late or early start is lost, and all that
    comes after it is out of sync.

    Args:
        first_samples: Position of the first sample wanted, at 48 kHz on the container's clock;
            None for the first that is decoded, wherever that is.
        channels: Channels that are left: one of ``LAYOUTS``.
    """
    first = "" if first_samples is None else f":first_pts={first_samples}"
    return (
        f"aresample=48000:async=1:min_comp=0.00001{first}:filter_size=64,"
        f"aformat=sample_fmts=flt:channel_layouts={LAYOUTS[channels]}"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """How an audio stream is decoded to 48 kHz float32."""

    path: Path
    """A user's file."""
    stream_index: int
    """Index of the stream in the container."""
    channels: int
    """Channels that the filters leave."""
    filters: str
    """A chain of ffmpeg filters."""

    def arguments(self) -> list[str]:
        """For ffmpeg, without its name; raw samples come out of stdout."""
        node = ffmpeg.output(
            source(self.path, copyts=None)[str(self.stream_index)],
            "pipe:1",
            format="f32le",
            acodec="pcm_f32le",
            ar=SAMPLE_RATE_HZ,
            af=self.filters,
        )
        return arguments(node)


def decode_stereo(path: Path, stream_index: int, *, stage: str) -> Generator[Audio, None, None]:
    """Decodes a piece of music to blocks of shape (samples, 2), from its first sample on.

    Args:
        path: The file.
        stream_index: Index of the stream in the container.
        stage: Named in errors.

    Raises:
        FfmpegError: If it cannot be decoded.
    """
    decoding = Decoding(
        path=path,
        stream_index=stream_index,
        channels=2,
        filters="aresample=48000:filter_size=64,aformat=channel_layouts=stereo",
    )
    return decode_audio(decoding, stage=stage)


def decode_audio(decoding: Decoding, *, stage: str) -> Generator[Audio, None, None]:
    """Decodes an audio stream to blocks of shape (samples, channels).

    Args:
        decoding: What, and how.
        stage: Named in errors.

    Raises:
        FfmpegError: If it cannot be decoded.
    """
    with _process(decoding.arguments(), stage=stage, subject=decoding.path) as child:
        frame_bytes = 4 * decoding.channels
        rest = b""
        total_bytes = 0
        while chunk := child.stdout.read(frame_bytes * 65_536):
            total_bytes += len(chunk)
            child.headway("bytes", str(total_bytes))
            whole = rest + chunk
            end = len(whole) - len(whole) % frame_bytes
            rest = whole[end:]
            yield np.frombuffer(whole[:end], dtype=np.float32).reshape(-1, decoding.channels)


class _Child:
    """A running ffmpeg: its output, the end of its log, and a watch for standstill."""

    def __init__(self, process: subprocess.Popen[bytes], stall_s: float) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self.process = process
        self.stdout: IO[bytes] = process.stdout
        self.stalled = False
        self.stall_s = stall_s
        self._stderr: IO[bytes] = process.stderr
        self._log: deque[str] = deque(maxlen=40)
        self._figures: dict[str, str] = {}
        self._moved = threading.Event()
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._read_log, daemon=True),
            threading.Thread(target=self._watch, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def log(self) -> str:
        return "\n".join(self._log)

    def lines(self) -> Iterator[str]:
        for line in self.stdout:
            yield line.decode(errors="replace").strip()

    def headway(self, name: str, value: str) -> None:
        if self._figures.get(name) != value:
            self._figures[name] = value
            self._moved.set()

    def end(self) -> None:
        """Ends the process if it still runs, and waits for it."""
        if self.process.poll() is None:
            self._signal(signal.SIGTERM)
            try:
                self.process.wait(_END_S)
            except subprocess.TimeoutExpired:
                self.kill()
        self.process.wait()
        self._ended.set()
        self._moved.set()
        for thread in self._threads:
            thread.join()
        self.stdout.close()
        self._stderr.close()

    def kill(self) -> None:
        """Ends the process at once, and what a wrapper script may have started."""
        self._signal(_KILL)

    def _signal(self, number: int) -> None:
        if os.name == "posix":
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                return
        else:
            self.process.terminate()

    def _read_log(self) -> None:
        for line in self._stderr:
            self._log.append(line.decode(errors="replace").rstrip())

    def _watch(self) -> None:
        while not self._ended.is_set():
            self._moved.clear()
            if not self._moved.wait(self.stall_s) and not self._ended.is_set():
                self.stalled = True
                self.kill()
                return


@contextmanager
def _process(
    args: list[str], *, stage: str, subject: Path, stall_s: float | None = None
) -> Iterator[_Child]:
    child: _Child | None = None
    try:
        with _signals_held():
            child = _spawn(args, stage, STALL_S if stall_s is None else stall_s)
        yield child
        child.process.wait()
    finally:
        if child is not None:
            with _signals_held():
                child.end()
            code, said = child.process.returncode, child.log.strip()
            note(logging.DEBUG, f"ffmpeg ended with {code}{said and f': {said}'}", stage=stage)
    if child.stalled:
        raise ToolStalled(
            f"{stage}: ffmpeg made no headway on {subject} for {child.stall_s:.0f} s and was ended",
            remedy="Check that the file is complete and its disk answers, then run again.",
        )
    if child.process.returncode:
        raise _failure(stage, subject, child, args[-1])


def _spawn(args: list[str], stage: str, stall_s: float) -> _Child:
    tool = locate()
    command = [tool.path, "-hide_banner", "-nostdin", "-loglevel", "warning", *_LIMITS, *args]
    note(logging.DEBUG, shlex.join(command), stage=stage)
    try:
        process = subprocess.Popen(  # noqa: S603 - arguments are a list, inputs are file: URLs
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(),
            # Its own group: Ctrl-C reaches scorebed, which ends its children itself.
            process_group=0 if os.name == "posix" else None,
        )
    except OSError as error:
        raise ToolMissing(
            f"{stage}: {tool.path} could not be started ({error})",
            remedy="Run: scorebed doctor",
        ) from error
    return _Child(process, stall_s)


PythonProcess = subprocess.Popen[bytes]
"""A process of our own, for rooms that start none."""


def start_python(code: str, args: list[str], *, talk: IO[bytes]) -> PythonProcess:
    """Starts another Python as this one, with pipes to its stdin and from its stdout.

    Whoever starts it ends it: it is in a session of its own, which no Ctrl-C reaches. Closing its
    stdin, by us or by our death, is how it is told to end.

    Args:
        code: What it runs.
        args: Its arguments.
        talk: A file that its stderr goes to.

    Raises:
        ToolError: If it cannot be started.
    """
    # Arithmetic in several threads would fight with the worker beside.
    single = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    try:
        with _signals_held():
            return subprocess.Popen(  # noqa: S603 - our own code, in the same interpreter
                [sys.executable, "-c", code, *args],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=talk,
                env=single | os.environ,
                start_new_session=True,
            )
    except OSError as error:
        raise ToolError(
            f"batch: {sys.executable} could not be started ({error})",
            remedy="Close other programs, or give --jobs 1.",
        ) from error


def running(process: PythonProcess) -> bool:
    """Whether a process still runs; unlike ``poll`` it leaves a dead one its number.

    Args:
        process: As ``start_python`` gave it.
    """
    if process.returncode is not None or not hasattr(os, "waitid"):
        return process.poll() is None
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def end_orphans(leader: PythonProcess) -> None:
    """Ends what a process of our own has left running when it was killed: its ffmpeg.

    Args:
        leader: As ``start_python`` gave it, not yet waited for, so that its number is its own.
            Linux alone says who belongs to whom; elsewhere an orphan ends with its work.
    """
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            told = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if told[3] == str(leader.pid) and path.parent.name != str(leader.pid):
            with suppress(ProcessLookupError):
                os.kill(int(path.parent.name), _KILL)


def _environment() -> dict[str, str]:
    """Children have no use for keys."""
    return {name: value for name, value in os.environ.items() if "API_KEY" not in name}


def listing(path: Path, *, stage: str) -> str:
    """What ffmpeg says of a file: streams, tags and side data, as a person would read it.

    Args:
        path: A user's file.
        stage: Named in errors.

    Raises:
        FfmpegError: If it does not come to an end.
    """
    asked = [*arguments(ffmpeg.output(source(path), "pipe:1", f="null"))]
    asked = asked[: asked.index("-i") + 2]
    try:
        said = subprocess.run(  # noqa: S603 - arguments are a list, the input is a file: URL
            [locate().path, "-hide_banner", "-nostdin", *asked],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=_environment(),
            # It always ends with an error: no output is named.
            check=False,
            timeout=STALL_S,
        )
    except subprocess.TimeoutExpired as error:
        raise FfmpegError(
            f"{stage}: ffmpeg made no headway on {path} for {STALL_S:.0f} s and was ended",
            remedy="Check that the file is complete and its disk answers, then run again.",
        ) from error
    return said.stderr.decode(errors="replace")


@contextmanager
def _signals_held() -> Iterator[None]:
    """Lets signals wait while a child is born or ended, so that none is ever lost sight of.

    Handlers run, and raise, in the main thread only; elsewhere there is nothing to hold.
    """
    held: list[int] = []
    former = {}
    if threading.current_thread() is threading.main_thread():
        for number in _ENDING:
            handler = signal.getsignal(number)
            if callable(handler):
                former[number] = handler
                signal.signal(number, lambda caught, _frame: held.append(caught))
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
        for caught in held:
            signal.raise_signal(caught)


def _failure(stage: str, subject: Path, child: _Child, target: str) -> ToolError | WorkspaceError:
    log = child.log
    said = [number for words, number in _NO_ROOM.items() if words.lower() in log.lower()]
    if child.process.returncode == _TOO_LARGE:
        said = [errno.EFBIG]
    full = no_room(said[0]) if said else None
    if full is not None:
        of = f"the disk of {Path(target.removeprefix('file:')).parent}"
        return WorkspaceError(
            f"{stage}: {of if target.startswith('file:') else 'the disk'} {full[0]}; "
            f"{subject} was worked on",
            remedy=f"{full[1]}, or name a folder on another disk, and run the same command again: "
            "it goes on where it stopped.",
        )
    last = log.strip().splitlines()[-1] if log.strip() else "it said nothing"
    return FfmpegError(
        f"{stage}: ffmpeg failed on {subject}: {last}",
        remedy="Play the file to see whether it is damaged; "
        "`scorebed doctor` checks ffmpeg itself.",
        log=log,
    )


# --- what it can do ----------------------------------------------------------------------------

NEEDED_ENCODERS = ("aac", "libopus", "libvorbis", "pcm_s16le", "pcm_s24le", "mp2", "wmav2")
NEEDED_FILTERS = ("aresample", "aformat", "volume", "apad", "adelay")
NEEDED_MUXERS = ("mp4", "mov", "matroska", "webm", "mpegts", "avi", "vob", "ogg", "asf", "flv")


def missing_parts() -> tuple[str, ...]:
    """Encoders, filters and muxers that the main job needs and this ffmpeg lacks."""
    missing = []
    for kind, needed in (
        ("encoders", NEEDED_ENCODERS),
        ("filters", NEEDED_FILTERS),
        ("muxers", NEEDED_MUXERS),
    ):
        said = subprocess.run(  # noqa: S603 - the located ffmpeg
            [locate().path, "-hide_banner", f"-{kind}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=30,
        ).stdout.decode(errors="replace")
        words = set(said.split())
        missing += [f"{kind[:-1]} {name}" for name in needed if name not in words]
    return tuple(missing)
