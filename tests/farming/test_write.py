"""Writing a farm's job: what is in it, what is refused, and that it is whole or not there."""

from __future__ import annotations

import dataclasses
import errno
import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from deadline.client.job_bundle import loader, parameters
from typer.testing import CliRunner

import scorebed
from scorebed.batching.items import BatchJob
from scorebed.cli import farm as farm_command
from scorebed.cli.given import option_of
from scorebed.cli.main import app
from scorebed.errors import BatchFailed, SettingsError, WorkspaceError
from scorebed.farming.mapping import mapped_by
from scorebed.ledger import Ledger
from scorebed.ledger.serving import LedgerServer
from scorebed.model import LedgerAddress
from scorebed.options import Options

Run = Callable[..., list[str]]
Kind = Literal["openjd", "deadline-cloud", "opencue"]
KINDS: tuple[Kind, ...] = ("openjd", "deadline-cloud", "opencue")


@pytest.fixture
def farm(films: Path, tmp_path: Path) -> Callable[..., Any]:
    def write(kind: Kind, *, options: Options | None = None, **more: Any) -> Any:
        return scorebed.farm(
            kind, tmp_path / "job", films, tmp_path / "out",
            workspace=tmp_path / "work", options=options, **more,
        )  # fmt: skip

    return write


Farm = Callable[..., Any]


def told(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text()))


def amounts(step: dict[str, Any]) -> set[str]:
    return {amount["name"] for amount in step["hostRequirements"]["amounts"]}


def test_a_limit_is_held_only_while_a_service_is_asked(farm: Farm, tmp_path: Path) -> None:
    template = tmp_path / "job" / "template.json"
    farm("openjd")
    assert not any("requests" in name for step in told(template)["steps"] for name in amounts(step))
    paid = Options(provider="elevenlabs", ledger=tmp_path / "ledger")
    farm("openjd", options=paid, overwrite=True)
    held = {step["name"]: amounts(step) for step in told(template)["steps"]}
    assert {name for name, some in held.items() if "amount.scorebed_requests" in some} == {
        "compose"
    }
    farm("openjd", options=paid, overwrite=True, limit="amount.licence.music", chains=True)
    steps = told(template)["steps"]
    assert [step["name"] for step in steps] == [
        f"{step} {film}" for film in (1, 2) for step in ("analyse", "compose", "finish")
    ]
    before = {step["name"]: step.get("dependencies") for step in steps}
    assert before["analyse 2"] is None
    assert before["finish 2"] == [{"dependsOn": "compose 2"}]
    holding = [step["name"] for step in steps if "amount.licence.music" in amounts(step)]
    assert holding == ["compose 1", "compose 2"]
    farm("opencue", options=paid, overwrite=True)
    layers = (tmp_path / "job" / "scorebed.outline").read_text().splitlines()
    assert [line.split()[0] for line in layers if "limits=['scorebed_requests']" in line] == [
        "compose"
    ]


def test_layers_wait_for_each_other_frame_by_frame(farm: Farm, tmp_path: Path) -> None:
    farm("opencue", command="/opt/sco'rebed")
    text = (tmp_path / "job" / "scorebed.outline").read_text()
    made: dict[str, dict[str, Any]] = {}
    waits: list[tuple[str, str]] = []

    class Shell:
        def __init__(self, name: str, **args: Any) -> None:
            self.name = name
            made[name] = args

        def depend_on(self, other: Shell) -> None:
            waits.append((self.name, other.name))

    code = text.replace("from outline.modules.shell import Shell\n", "")
    assert code != text
    exec(compile(code, "scorebed.outline", "exec"), {"Shell": Shell})  # noqa: S102 - as pycuerun does
    assert waits == [("compose", "analyse"), ("finish", "compose")]
    assert [one["range"] for one in made.values()] == ["1-2"] * 3
    assert made["compose"]["command"] == [
        *("/opt/sco'rebed", "farm", "task", str(tmp_path / "job" / "films.jsonl")),
        *("--film", "%{FRAME}", "--step", "compose"),
    ]


def test_a_bundle_names_what_goes_with_it_and_nothing_secret(
    farm: Farm, films: Path, tmp_path: Path
) -> None:
    (tmp_path / "speech.srt").write_text("1\n00:00:00,100 --> 00:00:00,900\nwords\n")
    (tmp_path / "key.txt").write_text("sk_4711")
    options = Options(
        provider="elevenlabs",
        ledger=tmp_path / "ledger",
        speech=tmp_path / "speech.srt",
        key_file=tmp_path / "key.txt",
    )
    farm("deadline-cloud", options=options)
    job = tmp_path / "job"
    values = {
        one["name"]: one["value"] for one in told(job / "parameter_values.json")["parameterValues"]
    }
    assert values["Out"] == str(tmp_path / "out")
    assert values["deadline:maxFailedTasksCount"] >= 2 * 3
    assets = told(job / "asset_references.json")["assetReferences"]
    named = {films / "a.mp4", films / "b.mp4", tmp_path / "speech.srt"}
    assert set(map(Path, assets["inputs"]["filenames"])) == named
    assert assets["outputs"]["directories"] == [str(tmp_path / "out")]
    # A copy of the ledger would be another ledger: tasks run twice would pay twice.
    assert assets["referencedPaths"] == [str(tmp_path / "ledger")]
    assert not any("sk_4711" in path.read_text() for path in job.iterdir())
    parameters = {one["name"]: one for one in told(job / "template.json")["parameterDefinitions"]}
    assert values.keys() - {name for name in values if name.startswith("deadline:")} == {
        name for name, one in parameters.items() if "default" not in one
    }


def test_deadline_clouds_own_reader_takes_the_bundle(farm: Farm, tmp_path: Path) -> None:
    farm("deadline-cloud")
    loader.validate_directory_symlink_containment(str(tmp_path / "job"))
    found = {
        one["name"]: one for one in parameters.read_job_bundle_parameters(str(tmp_path / "job"))
    }
    assert found["Workspace"]["value"] == str(tmp_path / "work")
    assert found["Films"]["value"] == str(tmp_path / "job" / "films.jsonl")


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_replaced_unasked_and_nothing_is_half_written(
    farm: Farm, tmp_path: Path, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [path.name for path in farm(kind).files]
    job = tmp_path / "job"

    def there() -> list[str]:
        return sorted(path.name for path in job.iterdir())

    assert there() == sorted(names)
    before = {name: (job / name).read_bytes() for name in names}
    with pytest.raises(SettingsError, match="exists already"):
        farm(kind)
    for name in names[1:]:
        (job / name).unlink()
    with pytest.raises(SettingsError, match=names[0]):
        farm(kind)
    assert there() == [names[0]]
    farm(kind, overwrite=True)
    assert {name: (job / name).read_bytes() for name in names} != before  # its name is new
    for name in names:
        (job / name).unlink()
    real, left = Path.write_text, len(names) - 1

    def filling(path: Path, *args: Any, **more: Any) -> int:
        nonlocal left
        if left == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        left -= 1
        return real(path, *args, **more)

    monkeypatch.setattr(Path, "write_text", filling)
    with pytest.raises(WorkspaceError, match="full"):
        farm(kind)
    assert there() == []


def test_what_would_do_harm_on_a_farm_is_refused(farm: Farm, tmp_path: Path) -> None:
    paid = {"provider": "elevenlabs", "ledger": tmp_path / "ledger"}
    cases: list[tuple[str, Options, dict[str, Any]]] = [
        ("one ledger", Options(provider="elevenlabs"), {}),
        ("--buy-again", Options(**paid, buy_again=True), {}),  # type: ignore[arg-type]
        ("--fallback", Options(**paid, fallback="embedded"), {}),  # type: ignore[arg-type]
        ("--one-style", Options(**paid), {"one_style": True}),  # type: ignore[arg-type]
        ("name of a limit", Options(), {"limit": "worker.vcpu"}),
        ("name of a limit", Options(), {"limit": "two words"}),
    ]
    for words, options, more in cases:
        with pytest.raises(SettingsError, match=words):
            farm("openjd", options=options, **more)
    with pytest.raises(SettingsError, match="--chains"):
        farm("opencue", chains=True)
    assert not (tmp_path / "job").exists()


def test_folders_that_no_farm_can_name_are_refused(films: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no text"):
        scorebed.farm("openjd", tmp_path / "job", films, tmp_path / "\udcff", workspace=tmp_path)
    with pytest.raises(SettingsError, match="line break"):
        scorebed.farm("opencue", tmp_path / "a\nb", films, tmp_path / "out", workspace=tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"films"}


def test_options_of_each_film_come_through(
    films: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "settings.toml").write_text('cut_lock = "hits"\nquality = "draft"\n')
    (films / "bad.mp4").write_text("no film")
    manifest = tmp_path / "films.toml"
    manifest.write_text(
        '[[file]]\nvideo = "films/a.mp4"\nstyle = "lofi"\noutput = "sub/A.mkv"\nplot = "a.png"\n'
        '[[file]]\nvideo = "films/b.mp4"\nseed = 7\ntags = ["folk"]\n'
        '[[file]]\nvideo = "films/bad.mp4"\n'
    )
    asked = (
        *("farm", "openjd", tmp_path / "job", manifest, "--out", tmp_path / "out"),
        *("--workspace", "work", "--settings", tmp_path / "settings.toml", "--prompt", "slow"),
    )
    monkeypatch.chdir(tmp_path)
    planned = CliRunner().invoke(app, [*map(str, asked), "--dry-run", "--json"])
    assert isinstance(planned.exception, BatchFailed)
    assert not (tmp_path / "job").exists()
    assert json.loads(planned.stdout)["to_score"] == 2
    done = CliRunner().invoke(app, [*map(str, asked), "--json"])
    assert isinstance(done.exception, BatchFailed)
    assert "1 of 3 films cannot be done and are left out" in done.exception.message
    told = json.loads(done.stdout)
    assert (told["films"], told["failed"]) == (2, 1)
    rows = [
        json.loads(line) for line in (tmp_path / "job" / "films.jsonl").read_text().splitlines()
    ]
    common = {"prompt": "slow", "provider": "embedded", "quality": "draft", "cut_lock": "hits"}
    assert rows[0]["options"] == common | {"style": "lofi"}
    assert rows[1]["options"] == common | {"seed": 7, "tags": ["folk"]}
    assert rows[0]["defaults"] == {"quality": "draft", "cut_lock": "hits"}
    assert rows[0]["name"] == "sub/A.mkv"
    assert rows[0]["plot"] == str(tmp_path / "a.png")
    assert rows[1]["workspace"] == str(tmp_path / "work")
    # An idle option of the settings file does no harm on the machine that does the work.
    run(tmp_path / "job", 1, None)
    assert (tmp_path / "out" / "sub" / "A.mkv").is_file()
    assert (tmp_path / "a.png").is_file()


def test_paths_of_windows_are_mapped(tmp_path: Path) -> None:
    rules = tmp_path / "rules.json"
    rules.write_text(
        '{"version": "pathmapping-1.0", "path_mapping_rules": [{"source_path_format": "WINDOWS", '
        '"source_path": "Z:\\\\Films", "destination_path": "/mnt/films"}]}'
    )
    moved = mapped_by(rules)
    assert moved("z:\\films\\Day 1\\a.mp4") == Path("/mnt/films/Day 1/a.mp4")
    assert moved("Z:\\Filmstock\\a.mp4") == Path("Z:\\Filmstock\\a.mp4")
    for wrong in ("[]", '{"path_mapping_rules": [{}]}', "no json"):
        rules.write_text(wrong)
        with pytest.raises(SettingsError, match="path mapping"):
            mapped_by(rules)
    with pytest.raises(SettingsError, match="cannot be read"):
        mapped_by(tmp_path / "nowhere")


def test_a_farm_hears_every_option_that_it_takes() -> None:
    options = {field.name for field in dataclasses.fields(Options)}
    of_a_batch = {field.name for field in dataclasses.fields(BatchJob)}
    of_a_job = {"folder", "limit", "chains", "command"}
    of_the_command = {"context", "settings", "dry_run", "quiet", "json_", "traceback"}
    found = {command.name: command.callback for command in farm_command.app.registered_commands}
    for kind in KINDS:
        write = found[kind]
        assert write is not None
        names = set(inspect.signature(write).parameters)
        assert names - {name for name in names if option_of(name) in options} <= (
            of_a_batch | of_a_job | of_the_command
        )
        assert {"style", "ledger", "only", "stems"} <= names
        assert not {"buy_again", "fallback", "jobs", "cluster", "yes"} & names


def test_an_address_of_this_machine_alone_is_told_of(farm: Farm, tmp_path: Path) -> None:
    said: list[str] = []
    with LedgerServer(tmp_path / "ledger") as served:
        options = Options(provider="elevenlabs", ledger=LedgerAddress(served.url))
        farm("openjd", options=options, tell=said.append)
        (row, _) = map(json.loads, (tmp_path / "job" / "films.jsonl").read_text().splitlines())
        assert row["ledger"] == Ledger(tmp_path / "ledger").identify()
    assert any("other machines will not find it" in text for text in said)


@pytest.mark.parametrize(
    ("url", "near"),
    [
        ("http://127.0.0.1:8742", True),
        ("http://localhost", True),
        ("https://[::1]:1/x", True),
        ("http://10.0.0.1:8742", False),
        ("http://localhost.example.org", False),
    ],
)
def test_which_addresses_are_of_one_machine(url: str, *, near: bool) -> None:
    assert LedgerAddress(url).is_near is near
