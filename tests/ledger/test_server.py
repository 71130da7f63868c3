"""The server of a ledger: who may do what, what is lost and found again, and what is never."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import platform
import signal
import socket
import socketserver
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from tests.ledger.serving import Server

from scorebed.cli import main as command_line
from scorebed.errors import OverLimit, SettingsError, WorkspaceError
from scorebed.ledger import (
    AnswerWaits,
    Entry,
    Fate,
    Ledger,
    LockLost,
    Reservation,
    State,
    answers_waiting,
    fate_of,
)
from scorebed.ledger.folder import FolderStore
from scorebed.ledger.names import is_plain
from scorebed.ledger.receipt import Receipt
from scorebed.ledger.remote import link
from scorebed.ledger.remote.lease import Lease
from scorebed.ledger.serving import LedgerServer, server
from scorebed.model import Answer, LedgerAddress, Purse, ledger_named
from scorebed.options import Options
from scorebed.presets import fill, load_options

KEY = "0" * 31 + "a"
OTHER = "0" * 31 + "b"
ID = "ab" * 16
HEADERS = {"Scorebed-Ledger": "1"}
TOKEN = "token-of-this-ledger-4711"  # noqa: S105 - of these tests
Asked = Callable[..., httpx.Response]


def receipt(key: str = KEY) -> Receipt:
    return Receipt(
        key=key,
        provider="elevenlabs",
        title="film.mp4",
        picture_sha256="ab" * 32,
        part=0,
        asked=(("seed", "1"),),
        length_s=60.0,
        currency="USD",
    )


def plan(entry: Entry, key: str = KEY) -> None:
    entry.plan(receipt(key), amount=1.0, purse=None, files=())


def kept(ledger: Ledger, key: str = KEY, body: bytes = b"ID3 music") -> None:
    with ledger.open(key) as entry:
        plan(entry, key)
        entry.mark(State.SENT)
        entry.keep(answer_in(entry.incoming(), body))
        entry.mark(State.KEPT)


def answer_in(folder: Path, body: bytes = b"ID3 music") -> Answer:
    (folder / "body").write_bytes(body)
    return Answer(body=folder / "body", content_type="audio/mpeg", request_id="r", song_id="s")


def away(served: LedgerServer, **more: float) -> Ledger:
    return Ledger(LedgerAddress(served.url), **more)  # type: ignore[arg-type]


def until(condition: Callable[[], bool], most_s: float = 30.0) -> None:
    end = time.monotonic() + most_s
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


@pytest.fixture
def served(disk: Path) -> Iterator[LedgerServer]:
    with LedgerServer(disk, lease_s=1.0) as running:
        yield running


@pytest.fixture
def ask(served: LedgerServer) -> Iterator[Asked]:
    """A request as anybody can send it."""

    with httpx.Client(base_url=served.url, verify=False, trust_env=False) as client:  # noqa: S501

        def send(method: str, path: str, **more: object) -> httpx.Response:
            asked = {"headers": HEADERS} | more
            return client.request(method, path, **asked)  # type: ignore[arg-type]

        yield send


# --- the wire ----------------------------------------------------------------------------------


def test_an_answer_of_some_megabytes_goes_up_and_down(
    served: LedgerServer, disk: Path, tmp_path: Path
) -> None:
    body = os.urandom(7_000_001)
    kept(away(served), body=body)
    assert (disk / KEY / "answer-1" / "body").read_bytes() == body
    assert sorted(path.name for path in (disk / KEY).rglob("*")) == [
        *("answer-1", "answer.json", "body", "receipt.json"),
    ]
    answer = Entry(away(served).store, KEY).answer(tmp_path / "near")
    assert answer is not None
    assert answer.body.read_bytes() == body
    assert not answers_waiting()
    # The folder is the ledger that it always was.
    assert Ledger(disk).receipts() == away(served).receipts()


CLIMBING = [
    *("../x", "..", "/etc/passwd", "a/b", "", ".", ".scorebed-ledger", "serving/x", KEY + "/.."),
    *(f"{KEY}/../{OTHER}/receipt.json", f"{KEY}/receipt.json/../../x", f"{KEY}//receipt.json"),
    *(f"{KEY}\\receipt.json", f"{KEY}/answer-1/..", f"{KEY}/answer-1/a/b", f"{KEY}/x", "C:/x"),
    *(f"{KEY}/receipt.json\0", f"purses/{ID}/x.json", "queue/../x", "queue/a/slot-1.lock/x"),
    *("locks/../../x.lock", "forgotten/../x", f"forgotten/{KEY}-../x", f"{KEY}/receipt.json\n"),
    *("queue/" + "a" * 121, "\u202e/x", f"{KEY}/answer-1.part/\u202ex", f"{KEY}/answer-x/body"),
]


def test_no_name_leads_out_of_the_ledger(ask: Asked, disk: Path) -> None:
    before = sorted(disk.parent.rglob("*"))
    ask("POST", "/v1/do/begin", json={"session": ID})
    for name in CLIMBING:
        place = f"/v1/file?{httpx.QueryParams({'name': name})}"
        replies = [ask(method, place) for method in ("GET", "PUT")]
        tries: list[tuple[str, Any]] = [
            *((what, {"name": name, "new": "eA=="}) for what in ("make", "write", "swap")),
            ("move", {"name": KEY, "other": name}),
            ("move", {"name": name, "other": f"forgotten/{KEY}-20260101T000000"}),
            ("begin", {"session": name}),
            ("hold", {"session": ID, "hold": OTHER, "names": [name]}),
            ("hold", {"session": ID, "hold": name, "names": [f"locks/{KEY}.lock"]}),
            ("each", {"name": name, "other": "x/y"}),
        ]
        replies += [ask("POST", f"/v1/do/{what}", json=asked) for what, asked in tries]
        assert {reply.status_code for reply in replies} == {400}, name
    ask("POST", "/v1/do/end", json={"session": ID})
    assert sorted(disk.parent.rglob("*")) == before


def test_a_link_does_not_lead_out_of_the_ledger(ask: Asked, disk: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "receipt.json").write_text("mine")
    (disk / KEY).symlink_to(tmp_path / "secret")
    assert ask("GET", f"/v1/file?name={KEY}/receipt.json").status_code == 400
    reply = ask("POST", "/v1/do/each", json={"name": "", "other": "receipt.json"})
    assert reply.status_code == 200
    assert KEY not in json.loads(reply.content)["contents"]
    (disk / OTHER).mkdir()
    (disk / OTHER / "receipt.json").symlink_to(tmp_path / "secret" / "receipt.json")
    reply = ask("POST", "/v1/do/each", json={"name": "", "other": "receipt.json"})
    assert {KEY, OTHER}.isdisjoint(json.loads(reply.content)["contents"])


def test_names_that_every_disk_takes() -> None:
    assert all(map(is_plain, ("body", "mü sik.mp3", "a" * 120)))
    for bad in ("", ".", "..", ".x", "x.", " x", "x ", "a/b", "a\\b", "a:b", "a\nb", "a" * 121):
        assert not is_plain(bad)


def test_nothing_is_ever_deleted_or_written_unheld(
    served: LedgerServer, ask: Asked, disk: Path
) -> None:
    kept(away(served))
    before = {path: path.read_bytes() for path in (disk / KEY).rglob("*") if path.is_file()}
    told = base64.b64encode(b"{}").decode()
    old = base64.b64encode((disk / KEY / "receipt.json").read_bytes()).decode()
    ask("POST", "/v1/do/begin", json={"session": ID})
    tries = [
        ("write", {"name": f"{KEY}/receipt.json", "new": told}, 400),
        ("swap", {"name": f"{KEY}/receipt.json", "old": old, "new": told}, 410),
        ("swap", {"name": f"{KEY}/receipt.json", "old": old, "new": told, "session": ID}, 410),
        ("move", {"name": KEY, "other": f"forgotten/{KEY}-20260101T000000", "session": ID}, 410),
        ("move", {"name": KEY, "other": OTHER}, 400),
        ("move", {"name": KEY, "other": f"forgotten/{OTHER}-20260101T000000"}, 400),
        ("make", {"name": OTHER}, 410),
        ("nothing", {}, 400),
    ]
    for what, asked, status in tries:
        assert ask("POST", f"/v1/do/{what}", json=asked).status_code == status, (what, asked)
    reply = ask("PUT", f"/v1/file?name={KEY}/answer-1/body", content=b"x")
    assert reply.status_code == 400
    part = f"/v1/file?name={KEY}/answer-2.part/body"
    assert ask("PUT", part, content=b"x" * 3_000_000).status_code == 410
    ask("POST", "/v1/do/end", json={"session": ID})
    assert {path: path.read_bytes() for path in (disk / KEY).rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"headers": {}}, 400),
        ({"headers": HEADERS | {"Host": "evil.example"}}, 400),
        ({"headers": HEADERS, "content": iter([b"{}"])}, 400),
        ({"headers": HEADERS, "content": b"\x80\x04."}, 400),
        ({"headers": HEADERS, "content": b'{"names": 3}'}, 400),
        ({"headers": HEADERS, "content": b'{"session": "x"}'}, 400),
        ({"headers": HEADERS, "json": {"session": ID}}, 410),
    ],
)
def test_what_is_asked_wrongly_is_refused(more: dict[str, object], status: int, ask: Asked) -> None:
    reply = ask("POST", "/v1/do/beat", **more)
    assert reply.status_code == status
    assert json.loads(reply.content)["message"].startswith("ledger: ")
    assert ask("GET", "/v1/about").status_code == 200


@pytest.mark.parametrize("length", ["-1", "x", "", "9" * 400, "10000000000", "1_0", "\xb2"])
def test_a_length_that_is_none_is_refused(length: str, served: LedgerServer, ask: Asked) -> None:
    address = ("127.0.0.1", int(served.url.rpartition(":")[2]))
    head = ("POST /v1/do/beat HTTP/1.1", "Host: localhost", "Scorebed-Ledger: 1")
    told = "\r\n".join((*head, f"Content-Length: {length}", "", ""))
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(told.encode("latin-1"))
        assert b" 400 " in connection.recv(1000)
    assert ask("GET", "/v1/about").status_code == 200


# --- who may -----------------------------------------------------------------------------------


def test_a_token_is_asked_for_and_never_said(
    disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "token"
    secret.write_text(f"{TOKEN}\n")
    secret.chmod(0o600)
    with Server(disk, "--token-file", str(secret), "--host", "0.0.0.0") as running:  # noqa: S104
        for wrong in (None, "another", TOKEN + "x", TOKEN[:-1]):
            monkeypatch.delenv("SCOREBED_LEDGER_TOKEN", raising=False)
            if wrong:
                monkeypatch.setenv("SCOREBED_LEDGER_TOKEN", wrong)
            with pytest.raises(WorkspaceError, match="refuses the token") as caught:
                Ledger(running.address).require()
            assert "SCOREBED_LEDGER_TOKEN" in caught.value.remedy
            assert TOKEN not in str(caught.value) + caught.value.remedy
        monkeypatch.setenv("SCOREBED_LEDGER_TOKEN", TOKEN)
        ledger = Ledger(running.address)
        kept(ledger)
        assert TOKEN not in repr(ledger.store._link)  # type: ignore[attr-defined]
        monkeypatch.delenv("SCOREBED_LEDGER_TOKEN")
        monkeypatch.setenv("SCOREBED_LEDGER_TOKEN_FILE", str(secret))
        assert Ledger(running.address).receipts()
        code, said = running.stop()
    assert (code, TOKEN in said) == (130, False)
    for path in disk.rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes()


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_a_token_that_others_may_read_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "token"
    secret.write_text(TOKEN)
    secret.chmod(0o644)
    monkeypatch.setenv("SCOREBED_LEDGER_TOKEN_FILE", str(secret))
    with pytest.raises(SettingsError, match="read by others") as caught:
        Ledger(LedgerAddress("http://127.0.0.1:1"))
    assert f"chmod 600 {secret}" in caught.value.remedy


def test_the_network_needs_a_token(disk: Path) -> None:
    for host in ("0.0.0.0", "::", "192.168.1.1", "farm.example"):  # noqa: S104
        with pytest.raises(SettingsError, match="no token"):
            LedgerServer(disk, host=host)
    assert not disk.exists()


def test_one_ledger_has_one_server(
    served: LedgerServer, disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_HANDOVER_S", 0.1)
    with pytest.raises(WorkspaceError, match="another server"), LedgerServer(disk):
        pass
    port = int(served.url.rpartition(":")[2])
    with pytest.raises(SettingsError, match="listened on"), LedgerServer(tmp_path / "b", port=port):
        pass
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday" / "1.jpg").touch()
    with pytest.raises(WorkspaceError, match="not a ledger"), LedgerServer(tmp_path / "holiday"):
        pass
    assert stat.S_IMODE((disk / "serving").stat().st_mode) == 0o700


# --- locks -------------------------------------------------------------------------------------


def test_a_run_here_and_a_run_there_exclude_each_other(served: LedgerServer, disk: Path) -> None:
    here, there = Ledger(disk), away(served)
    kept(here)
    for one, other in ((here, there), (there, here)):
        with one.open(KEY):
            with pytest.raises(WorkspaceError, match="just buying"):
                other.forget(KEY)
            assert other.receipt(KEY) is not None
    with here.queue("q").slot(threading.Event()), there.queue("q").slot(threading.Event()):
        slots = ("queue/q/slot-0.lock", "queue/q/slot-1.lock")
        assert here.store.hold(slots, wait_s=0) is None
        assert there.store.hold(slots, wait_s=0) is None


def test_who_was_not_heard_of_finds_out_before_it_pays(
    served: LedgerServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its machine slept, or the network was cut: another has the purchase, and has let it go."""
    monkeypatch.setattr(Lease, "_beat", lambda *_: None)
    mine, other = away(served), away(served)
    with mine.open(KEY) as entry:
        plan(entry)
        with other.open(KEY, threading.Event()) as theirs:
            assert theirs.attempt.state is State.PLANNED
        with pytest.raises(LockLost, match="lost its locks"):
            entry.mark(State.SENT)
        with pytest.raises(LockLost):
            mine.queue("q").slot(threading.Event()).__enter__()
    # All is let go: the next purchase is a new session's.
    kept(mine)


def test_a_live_run_is_not_taken_for_a_dead_one(served: LedgerServer) -> None:
    mine, other = away(served), away(served)
    with mine.open(KEY) as entry:
        plan(entry)
        entry.mark(State.SENT)
        time.sleep(2.5)  # more than two leases
        found = other.receipt(KEY)
        assert found is not None
        assert found.state is State.SENT
        entry.keep(answer_in(entry.incoming()))


class Network(socketserver.ThreadingTCPServer):
    """Passes all on to a server but the first beat, whose connection hangs."""

    daemon_threads = True

    def __init__(self, served: LedgerServer) -> None:
        super().__init__(("127.0.0.1", 0), Connection)
        self.port = int(served.url.rpartition(":")[2])
        self.beats = 0
        self.over = threading.Event()


class Connection(socketserver.BaseRequestHandler):
    server: Network

    def handle(self) -> None:
        said = self.request.recv(65_536)
        if b"/do/beat" in said:
            self.server.beats += 1
            if self.server.beats == 1:
                self.server.over.wait()
                return
        with socket.create_connection(("127.0.0.1", self.server.port)) as served:
            threading.Thread(target=self._back, args=(served,), daemon=True).start()
            while said:
                served.sendall(said)
                said = self.request.recv(65_536)

    def _back(self, served: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while said := served.recv(65_536):
                self.request.sendall(said)


def test_a_connection_that_hangs_costs_no_locks(disk: Path) -> None:
    with LedgerServer(disk, lease_s=4.0) as served, Network(served) as network:
        threading.Thread(target=network.serve_forever, daemon=True).start()
        ledger = Ledger(LedgerAddress(f"http://127.0.0.1:{network.server_address[1]}"))
        try:
            with ledger.open(KEY) as entry:
                plan(entry)
                entry.mark(State.SENT)
                # Longer than a lease, in which nothing but the beats is heard of.
                until(lambda: network.beats == 6 or not any((disk / "serving").iterdir()))
                entry.keep(answer_in(entry.incoming()))
        finally:
            network.over.set()
            network.shutdown()
        (found,) = Ledger(disk).receipts()
        assert found.state is State.ANSWERED


@pytest.mark.slow
def test_a_server_that_was_stopped_for_a_while_lets_nobody_s_locks_go(disk: Path) -> None:
    with Server(disk, "--lease", "1") as running:
        with Ledger(running.address).open(KEY) as entry:
            plan(entry)
            process = running._process
            assert process is not None
            process.send_signal(signal.SIGSTOP)
            time.sleep(3)
            process.send_signal(signal.SIGCONT)
            entry.mark(State.SENT)
            entry.keep(answer_in(entry.incoming()))
        assert Ledger(running.address).receipts()[0].state is State.ANSWERED


@pytest.mark.parametrize("how", [pytest.param("stop", marks=pytest.mark.slow), "kill"])
def test_a_server_that_comes_back_goes_on(how: str, disk: Path) -> None:
    told: list[str] = []
    with Server(disk, "--lease", "2") as running:
        ledger = Ledger(running.address, told.append, 60.0)
        with ledger.open(KEY) as entry:
            plan(entry)
            entry.mark(State.SENT)
            coming = entry.incoming()
            getattr(running, how)()
            back = threading.Timer(1.0, running.start)
            back.start()
            entry.keep(answer_in(coming))
            back.join()
            # Still its own: nobody else has it.
            with pytest.raises(WorkspaceError, match="just buying"):
                Ledger(disk).forget(KEY)
            entry.mark(State.KEPT)
        (found,) = ledger.receipts()
        assert (found.state, found.charges) == (State.KEPT, 1)
        assert "does not answer" in told[0]
        assert "asked again for up to 60 s" in told[0]
        # What was let go before the next start is not held again.
        running.kill()
        running.start()
        Ledger(disk).forget(KEY)


def test_what_was_free_while_no_server_was_there_is_found_out(disk: Path) -> None:
    """A run on the server's machine has settled the purchase meanwhile."""
    runs = ExitStack()
    server = LedgerServer(disk)
    with server:
        ledger = away(server)
        port = int(server.url.rpartition(":")[2])
        entry = runs.enter_context(ledger.open(KEY))
        plan(entry)
        other = runs.enter_context(ledger.open(OTHER))
        plan(other, OTHER)
    with Ledger(disk).open(KEY) as theirs:
        plan(theirs)
    with LedgerServer(disk, port=port), pytest.raises(LockLost, match="another run"):
        entry.mark(State.SENT)
    with (
        Ledger(disk).open(OTHER),
        LedgerServer(disk, port=port),
        pytest.raises(LockLost, match="lost its locks"),
    ):
        other.mark(State.SENT)
    runs.close()


def test_what_was_reserved_is_not_reserved_twice(disk: Path) -> None:
    """While no server was there, a run on its machine has put the reservation away."""
    runs = ExitStack()
    with LedgerServer(disk) as server:
        ledger = away(server)
        port = int(server.url.rpartition(":")[2])
        purse = Purse(ledger=ledger.place, name="ads", max_spend=1.0)
        mine = Reservation(ledger, purse, "USD")
        mine.cover({KEY: 1.0})
        with Ledger(disk).open(OTHER), pytest.raises(OverLimit):
            Reservation(Ledger(disk), purse, "USD").cover({OTHER: 1.0})
        entry = runs.enter_context(ledger.open(KEY))
        plan(entry)
    theirs = Reservation(Ledger(disk), purse, "USD")
    theirs.cover({OTHER: 1.0})
    with LedgerServer(disk, port=port), pytest.raises(LockLost):
        entry.mark(State.SENT)
    theirs.release()
    mine.release()
    runs.close()


def test_an_answer_whose_server_is_gone_waits_on_this_machine(disk: Path, tmp_path: Path) -> None:
    with ExitStack() as runs:
        with LedgerServer(disk) as server:
            port = int(server.url.rpartition(":")[2])
            entry = runs.enter_context(away(server, patience_s=0.5).open(KEY))
            plan(entry)
            entry.mark(State.SENT)
            coming = entry.incoming()
        answer = answer_in(coming)
        with pytest.raises(AnswerWaits, match="lies in") as caught:
            entry.keep(answer)
    assert f"on the machine {platform.node()}" in caught.value.message
    assert f"on the machine {platform.node()}" in caught.value.remedy
    assert caught.value.exit_code == 6
    assert coming in answers_waiting()
    # Another machine settles it: it cannot know.
    with pytest.MonkeyPatch.context() as patch, ExitStack() as runs:
        patch.setenv("SCOREBED_INCOMING", str(tmp_path / "another machine's"))
        theirs = runs.enter_context(Ledger(disk).open(KEY))
        assert theirs.attempt.state is State.UNKNOWN
    with LedgerServer(disk, port=port, lease_s=0.5) as server:
        again = away(server)
        # The run that had it is no longer heard of.
        until(lambda: not list((disk / "serving").iterdir()))
        for _ in range(2):
            # The second time there is nothing left to be brought.
            found = again.receipt(KEY)
            assert found is not None
            assert (found.state, found.charges) == (State.ANSWERED, 1)
            assert coming not in answers_waiting()
        kept_answer = Entry(again.store, KEY).answer(tmp_path / "near")
        assert kept_answer is not None
        assert kept_answer.request_id == "r"
        assert kept_answer.body.read_bytes() == b"ID3 music"


def test_where_answers_wait_is_named(
    served: LedgerServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCOREBED_INCOMING", str(tmp_path / "kept here"))
    with away(served).open(KEY) as entry:
        plan(entry)
        assert entry.incoming().parent == tmp_path / "kept here"


@pytest.fixture
def waits(disk: Path) -> tuple[int, Path]:
    """The answer to the first attempt waits on this machine: the server's port, and its folder."""
    with ExitStack() as runs:
        with LedgerServer(disk, lease_s=0.5) as server:
            entry = runs.enter_context(away(server, patience_s=0.3).open(KEY))
            plan(entry)
            entry.mark(State.SENT)
            coming = entry.incoming()
        with pytest.raises(AnswerWaits):
            entry.keep(answer_in(coming))
    return int(server.url.rpartition(":")[2]), coming


def found_again(ledger: Ledger, disk: Path, coming: Path) -> Receipt:
    """By a run on this machine, once nobody has the purchase any more."""
    until(lambda: not any((disk / "serving").iterdir()))
    found = ledger.receipt(KEY)
    assert found is not None
    assert (disk / KEY / "answer-1" / "body").read_bytes() == b"ID3 music"
    assert found.attempts[0].request_id == "r"
    assert coming not in answers_waiting()
    assert not list(coming.parent.glob(f"{coming.name}*"))
    return found


@pytest.mark.parametrize("later", [State.REFUSED, State.UNKNOWN, State.KEPT])
def test_an_answer_that_waits_is_found_behind_a_later_attempt(
    later: State, waits: tuple[int, Path], disk: Path
) -> None:
    """Another machine could not know of it, and has bought again, or tried to."""
    port, coming = waits
    with Ledger(disk).open(KEY) as theirs, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCOREBED_INCOMING", str(disk / "another machine's"))
        plan(theirs)
        theirs.mark(State.SENT)
        if later is State.KEPT:
            theirs.keep(answer_in(theirs.incoming(), b"ID3 theirs"))
        theirs.mark(later)
    with LedgerServer(disk, port=port, lease_s=0.5) as server:
        found = found_again(away(server), disk, coming)
    assert [one.state for one in found.attempts] == [State.ANSWERED, later]
    # What is used is theirs where it has come, and else what waited here.
    assert found.current.number == (2 if later is State.KEPT else 1)
    assert fate_of(found, again=True) is Fate.KEPT


@pytest.mark.parametrize("name", ["localhost", "folder"])
def test_an_answer_that_waits_is_found_under_another_name(
    name: str, waits: tuple[int, Path], disk: Path
) -> None:
    port, coming = waits
    with LedgerServer(disk, port=port, lease_s=0.5):
        place = disk if name == "folder" else LedgerAddress(f"http://localhost:{port}")
        found = found_again(Ledger(place), disk, coming)
    assert found.state is State.ANSWERED


def test_what_the_ledger_has_does_not_wait(served: LedgerServer, disk: Path) -> None:
    """It was brought there, and the run was killed before it had cleared it away."""
    with away(served).open(KEY) as entry:
        plan(entry)
        entry.mark(State.SENT)
        answer = answer_in(entry.incoming())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Entry, "_discard", lambda _: None)
            entry.keep(answer)
        entry.mark(State.KEPT)
    assert answer.body.parent in answers_waiting()
    assert found_again(away(served), disk, answer.body.parent).state is State.KEPT


def test_half_an_answer_goes_when_its_run_has_ended(served: LedgerServer) -> None:
    """And not before: one that was cut off may still fetch it."""
    with ExitStack() as runs:
        entry = runs.enter_context(away(served).open(KEY))
        plan(entry)
        entry.mark(State.SENT)
        coming = entry.incoming()
        (coming / "body").write_bytes(b"ID3 mu")
    for alive in (True, False):
        if not alive:
            entry._using.release()  # type: ignore[union-attr]
        with away(served).open(KEY) as later:
            assert later.attempt.state is State.UNKNOWN
        assert coming.exists() is alive
    assert not list(coming.parent.glob(f"{coming.name}*"))


def test_a_server_that_was_waited_for_in_vain_is_asked_once_until_it_answers(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fifty films of a batch wait once, not fifty times."""
    slept: list[float] = []
    clock = SimpleNamespace(monotonic=lambda: sum(slept), sleep=slept.append)
    monkeypatch.setattr(link, "time", clock)
    monkeypatch.setattr(link, "_IN_VAIN", set())
    with LedgerServer(disk) as server:
        address, port = LedgerAddress(server.url), int(server.url.rpartition(":")[2])

    def waited_s(patience_s: float) -> float:
        before_s = sum(slept)
        with pytest.raises(WorkspaceError, match="does not answer"):
            Ledger(address, patience_s=patience_s).require()
        return sum(slept) - before_s

    # Who has little patience says nothing about the others.
    assert waited_s(5.0) > 1.0
    assert waited_s(120.0) > 100.0
    assert [waited_s(120.0), waited_s(20.0), waited_s(5.0)] == [0.0] * 3
    with LedgerServer(disk, port=port):
        Ledger(address).require()
    assert waited_s(20.0) > 15.0
    assert waited_s(120.0) == 0.0


def test_a_server_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    told: list[str] = []
    ledger = Ledger(LedgerAddress(f"http://127.0.0.1:{port}"), told.append, patience_s=0.3)
    for try_it in (ledger.require, ledger.receipts, lambda: ledger.open(KEY).__enter__()):
        with pytest.raises(WorkspaceError, match="does not answer") as caught:
            try_it()
        assert caught.value.exit_code == 6
        assert "scorebed ledger serve" in caught.value.remedy
    assert len(told) == 3
    # What answers there is something else.
    with socket.create_server(("127.0.0.1", port)) as other:

        def answer() -> None:
            got, _ = other.accept()
            got.recv(10_000)
            got.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
            got.close()

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(WorkspaceError, match="no server of a ledger"):
            ledger.require()
        thread.join()


def test_a_full_disk_of_the_server_is_told_of(
    served: LedgerServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = away(served)
    with ledger.open(KEY) as entry, monkeypatch.context() as patch:
        plan(entry)
        patch.setattr(FolderStore, "rooms", lambda _: (("the disk", 5),))
        with pytest.raises(WorkspaceError, match=r"0\.0 MB are free; nothing was bought"):
            ledger.require_room(10)
        entry.mark(State.SENT)
        answer = answer_in(entry.incoming())
        with pytest.raises(AnswerWaits, match="no room") as caught:
            entry.keep(answer)
        assert str(answer.body.parent) in caught.value.message
    assert ledger.receipts()[0].state is State.SENT
    found = ledger.receipt(KEY)
    assert found is not None
    assert found.state is State.ANSWERED


# --- the command line --------------------------------------------------------------------------


def test_the_verbs_of_the_ledger_go_through_the_server(
    served: LedgerServer,
    disk: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(*words: str) -> tuple[int, str]:
        code = command_line._run(["ledger", *words])
        told = capsys.readouterr()
        return code, told.out + told.err

    here = ("--ledger", served.url)
    assert "empty" in run("list", *here)[1]
    kept(away(served))
    code, said = run("list", *here)
    assert (code, KEY[:12] in said, "kept" in said) == (0, True, True)
    monkeypatch.setenv("SCOREBED_LEDGER", served.url)
    assert served.url in run("show", KEY)[1]
    code, said = run("export", KEY, str(tmp_path / "out"))
    assert code == 0
    _, music = map(Path, said.split())
    assert (music.suffix, music.read_bytes()) == (".mp3", b"ID3 music")
    assert run("export", KEY, str(tmp_path / "out"))[0] == 2
    code, said = run("forget", KEY)
    assert (code, f"forgotten/{KEY}" in said) == (0, True)
    assert not (disk / KEY).exists()
    assert (next((disk / "forgotten").iterdir()) / "answer-1" / "body").exists()
    assert run("serve")[0] == 2


def test_the_server_ends_with_a_signal_and_says_where_it_was(disk: Path) -> None:
    with Server(disk) as running:
        code, said = running.stop(signal.SIGTERM)
    assert (code, "stopped" in said, "Traceback" in said) == (130, True, False)
    assert "next server" in said


def test_places_of_ledgers(tmp_path: Path) -> None:
    assert ledger_named("http://127.0.0.1:8742/") == LedgerAddress("http://127.0.0.1:8742")
    assert ledger_named("https://farm.example/ledger") == LedgerAddress(
        "https://farm.example/ledger"
    )
    assert ledger_named("http") == Path("http")
    assert ledger_named(tmp_path) == tmp_path
    bad = (
        "",
        "http://x:65536",
        "http://",
        "http:/x",
        "http://a b",
        "http://me:secret@x",
        "http://x:1?y",
        "https://x:y",
    )
    for words in bad:
        with pytest.raises(SettingsError) as caught:
            ledger_named(words)
        assert "secret" not in caught.value.message
    with pytest.raises(SettingsError, match="given as a path"):
        ledger_named(Path("http://127.0.0.1:8742"))


def test_a_ledger_s_place_in_files_of_options(tmp_path: Path) -> None:
    mine = tmp_path / "settings.toml"
    places = (
        ("books/led ger", tmp_path / "books/led ger"),
        ("http://[::1]:1", LedgerAddress("http://[::1]:1")),
    )
    for words, place in places:
        mine.write_text(f'ledger = "{words}"\n')
        assert load_options(mine, Options, Options()).ledger == place
        row = fill({"ledger": words}, Options(), what="row", folder=tmp_path, remedy="", loose=True)
        assert row.ledger == place
    # What the command line has said stays as it was said.
    said = Options(ledger=Path("x"))
    assert fill({"seed": 2}, said, what="row", folder=tmp_path, remedy="").ledger == Path("x")


def test_a_ledger_is_known_by_one_identity_here_and_through_its_server(tmp_path: Path) -> None:
    root = tmp_path / "ledger"
    book = Ledger(root)
    assert book.store.identity() is None
    assert not root.exists()
    # As an older release has made it; and several ask for it at once.
    book.prepare()
    (root / "locks").rmdir()
    found: list[str] = []
    askers = [
        threading.Thread(target=lambda: found.append(Ledger(root).identify())) for _ in range(8)
    ]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert len(found) == 8
    (identity,) = set(found)
    assert (root / ".scorebed-ledger").read_text() == "1\n"
    assert not list(root.glob("*.part"))
    with LedgerServer(root) as served:
        afar = Ledger(LedgerAddress(served.url))
        assert afar.identify() == identity
        afar.require_identity(identity)
        with pytest.raises(WorkspaceError, match="another ledger"):
            afar.require_identity(ID)
    (root / ".scorebed-ledger-id").write_text("half")
    with pytest.raises(WorkspaceError, match="which ledger"):
        book.identify()


def test_an_identity_is_written_once_on_a_disk_without_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> None:
        raise PermissionError(1, "no links")

    monkeypatch.setattr("os.link", none)
    book = Ledger(tmp_path / "ledger")
    assert book.identify() == book.identify()
