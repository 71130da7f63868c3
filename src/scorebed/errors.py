"""The errors of scorebed, each with the exit code that the command line returns.

    ScorebedError                1   the work could not be done as asked
     +- MarginMissed             1   speech would not stand over the music by what was required
     +- WorkerDied               1   the process that worked on a file was killed, or crashed
     +- SettingsError            2   a flag, a preset or a combination of them
     +- MediaError               3   unreadable, no picture, the container cannot hold the result
     +- ToolError                4   ffmpeg missing, too old or failed
     |   +- ToolMissing               there is no ffmpeg that can be used
     |   +- ToolStalled               ffmpeg made no headway and was ended
     +- ProviderError            5   the provider of music refused or failed
     |   +- MissingKey                there is no key, or the service does not know it
     |   +- OverLimit                 more than the service takes, or than may be spent
     |   +- RequestRejected           the service refused; nothing was bought
     |   +- RateLimited               the service is busy or the account's limit is reached
     |   +- ProviderUnavailable       it cannot be reached; nothing was bought
     |   +- OutcomeUnknown            the answer was lost; it may have been billed
     |   +- BadAnswer                 it answered with something else than music; kept on disk
     +- WorkspaceError           6   locked, not ours, disk full
     +- BatchFailed              7   some files of a batch failed, the rest are done

Every error says what happened, on which file and in which stage, and carries a ``remedy``:
an imperative that a person can follow or paste.
"""

from __future__ import annotations

import errno
from typing import Any, ClassVar

INTERRUPTED_EXIT_CODE = 130

_NO_ROOM = {
    errno.ENOSPC: ("is full", "Make room"),
    errno.EDQUOT: ("is full, as far as your quota goes", "Make room"),
    errno.EFBIG: ("takes no file as large as this", "Raise the limit (ulimit -f), if it is one"),
}


def no_room(number: int | None) -> tuple[str, str] | None:
    """What a disk without room is told as: the end of a sentence, and the beginning of a remedy.

    Args:
        number: What the operating system says, as in ``errno``.

    Returns:
        None if it says something else.
    """
    return _NO_ROOM.get(number or 0)


class ScorebedError(Exception):
    """Base of all errors that scorebed raises on purpose.

    Args:
        message: What happened, naming the file and the stage.
        remedy: What the person can do about it, as an imperative.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions are pickled by their args alone: without this a process pool loses the remedy.
        return _rebuild, (type(self), self.message, self.remedy), self.__dict__


def _rebuild(kind: type[ScorebedError], message: str, remedy: str) -> ScorebedError:
    return kind(message, remedy=remedy)


class MarginMissed(ScorebedError):
    """Somewhere speech would not stand over the music by the margin that was made a condition."""


class WorkerDied(ScorebedError):
    """The process that worked on a file of a batch was killed, or crashed."""


class SettingsError(ScorebedError):
    """A flag, a preset or a combination of settings that cannot be used."""

    exit_code = 2


class MediaError(ScorebedError):
    """A media file that cannot be read, has no picture, or cannot hold the result."""

    exit_code = 3


class ToolError(ScorebedError):
    """ffmpeg is missing, too old, failed, or took too long."""

    exit_code = 4


class ToolMissing(ToolError):
    """There is no ffmpeg, or none that runs and is recent enough."""


class ToolStalled(ToolError):
    """ffmpeg made no headway and was ended: nothing is known of the file by that."""


class ProviderError(ScorebedError):
    """The provider of music refused the request or failed."""

    exit_code = 5


class MissingKey(ProviderError):
    """There is no key for the service, or the service does not know the one that there is."""


class OverLimit(ProviderError):
    """More than the service takes, or more than may be spent; nothing was bought."""


class RequestRejected(ProviderError):
    """The service refused the request; nothing was bought."""


class _Passing(ProviderError):
    """The service did nothing, for now.

    Args:
        message: As for every error.
        remedy: As for every error.
        wait_s: How long the service asks to be left alone, in seconds; None if it does not say.
    """

    def __init__(self, message: str, *, remedy: str, wait_s: float | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.wait_s = wait_s


class RateLimited(_Passing):
    """The service is busy, or has as many requests of the account as it takes at once.

    Args:
        message: As for every error.
        remedy: As for every error.
        wait_s: How long the service asks to be left alone, in seconds; None if it does not say.
        concurrent: Whether the account's own requests are too many.
    """

    def __init__(
        self, message: str, *, remedy: str, wait_s: float | None = None, concurrent: bool = False
    ) -> None:
        super().__init__(message, remedy=remedy, wait_s=wait_s)
        self.concurrent = concurrent


class ProviderUnavailable(_Passing):
    """The service cannot be reached, or says that it is down; nothing was bought."""


class OutcomeUnknown(ProviderError):
    """The request was sent and its answer lost: it may have been billed."""


class BadAnswer(ProviderError):
    """The service answered with something that cannot be used; the answer is kept on disk."""


class WorkspaceError(ScorebedError):
    """The workspace is locked, is not ours, or the disk is full."""

    exit_code = 6


class BatchFailed(ScorebedError):
    """Some files of a batch failed; the rest are done.

    Args:
        message: As for every error.
        remedy: As for every error.
        result: What became of every file, as ``scorebed.batch`` would have returned it.
    """

    exit_code = 7

    def __init__(self, message: str, *, remedy: str, result: Any = None) -> None:  # noqa: ANN401 - a room above
        super().__init__(message, remedy=remedy)
        self.result = result


class Interrupted(BaseException):
    """The run was asked to stop (SIGTERM); passes ``except Exception`` like KeyboardInterrupt."""
