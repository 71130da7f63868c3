"""The errors of scorebed, each with the exit code that the command line returns.

    ScorebedError                1   the work could not be done as asked
     +- SettingsError            2   a flag, a preset or a combination of them
     +- MediaError               3   unreadable, no picture, the container cannot hold the result
     +- ToolError                4   ffmpeg missing, too old, failed or timed out
     +- ProviderError            5   the provider of music refused or failed
     +- WorkspaceError           6   locked, not ours, disk full

Every error says what happened, on which file and in which stage, and carries a ``remedy``:
an imperative that a person can follow or paste.
"""

from __future__ import annotations

from typing import ClassVar

INTERRUPTED_EXIT_CODE = 130


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
        return _rebuild, (type(self), self.message, self.remedy)


def _rebuild(kind: type[ScorebedError], message: str, remedy: str) -> ScorebedError:
    return kind(message, remedy=remedy)


class SettingsError(ScorebedError):
    """A flag, a preset or a combination of settings that cannot be used."""

    exit_code = 2


class MediaError(ScorebedError):
    """A media file that cannot be read, has no picture, or cannot hold the result."""

    exit_code = 3


class ToolError(ScorebedError):
    """ffmpeg is missing, too old, failed, or took too long."""

    exit_code = 4


class ProviderError(ScorebedError):
    """The provider of music refused the request or failed."""

    exit_code = 5


class WorkspaceError(ScorebedError):
    """The workspace is locked, is not ours, or the disk is full."""

    exit_code = 6


class Interrupted(BaseException):
    """The run was asked to stop (SIGTERM); passes ``except Exception`` like KeyboardInterrupt."""
