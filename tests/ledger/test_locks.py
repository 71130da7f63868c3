"""What ``doctor`` says of the locks of a ledger's disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import filelock
import pytest

from scorebed import doctor
from scorebed.ledger import Ledger, locks, look_at_locks


@pytest.mark.parametrize(
    ("mount", "told", "well"),
    [
        ("/dev/sda1 {} ext4 rw,relatime 0 0", "locks hold (ext4)", True),
        ("srv:/x {} nfs4 rw,vers=4.2,local_lock=none 0 0", "nfs4 decides", True),
        ("srv:/x {} nfs rw,nolock,local_lock=all 0 0", "with local_lock=all, nolock", False),
        ("//srv/x {} cifs rw,nobrl 0 0", "this machine only (cifs", False),
        ("me@srv:/x {} fuse.sshfs rw 0 0", "fuse.sshfs decides", True),
    ],
)
def test_the_mount_is_told(
    mount: str, told: str, *, well: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "led ger"
    Ledger(root).prepare()
    before = sorted(root.iterdir())
    mounts = tmp_path / "mounts"
    place = str(root).replace(" ", "\\040")
    mounts.write_text(f"proc / xfs rw 0 0\n{mount.format(place)}\nx {place}x tmpfs nolock 0 0\n")
    monkeypatch.setattr(locks, "_MOUNTS", mounts)
    found, remedy = look_at_locks(root)
    assert told in found
    assert (remedy is None) == well
    assert sorted(root.iterdir()) == before


@pytest.mark.parametrize("how", ["shared", "fallen back", "older"])
def test_a_disk_without_locks_is_told_of(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def acquire(lock: filelock.BaseFileLock, **_: Any) -> None:
        if how == "older":
            raise NotImplementedError
        if how == "fallen back":
            lock.__class__ = filelock.SoftFileLock

    monkeypatch.setattr(filelock.FileLock, "acquire", acquire)
    monkeypatch.setattr(filelock.FileLock, "release", lambda _: None)
    found, remedy = look_at_locks(tmp_path)
    assert "keeps no locks" in found
    assert remedy is not None
    assert "scorebed ledger serve" in remedy


def test_doctor_names_what_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("SCOREBED_LEDGER", str(tmp_path / "ledger"))
    Ledger(tmp_path / "ledger").prepare()
    assert [one.what for one in doctor._ledger()] == ["ledger", "ledger's locks"]
    coming = tmp_path / "scorebed" / "incoming" / "key-1"
    coming.mkdir(parents=True)
    (coming / "answer.json").write_text("{}")
    waiting = doctor._ledger()[-1]
    assert waiting.what == "paid answers"
    assert str(coming.parent) in waiting.found
    assert waiting.remedy
    monkeypatch.setenv("SCOREBED_LEDGER", "http://me:secret@x")
    (refused,) = doctor._ledger()
    assert refused.remedy
    assert "secret" not in refused.found
