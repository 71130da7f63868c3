"""Who may know whom, read from the imports."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "scorebed"
EXACT = {"errors", "timecode", "style", "model"}
KNOWS: dict[str, set[str]] = {
    "errors": set(),
    "timecode": set(),
    "style": set(),
    "model": EXACT,
    "wav": EXACT,
    "dsp": EXACT | {"silero"},
    "journal": EXACT,
    "logs": EXACT | {"journal", "delivery"},
    "ffmpeg": EXACT | {"memory", "journal"},
    "media": EXACT | {"ffmpeg", "memory"},
    "described": EXACT | {"ffmpeg"},
    "clock": set(),
    "boxes": set(),
    "packets": EXACT | {"media", "described", "clock", "boxes"},
    "soundfont": EXACT,
    "composer": EXACT | {"dsp", "soundfont"},
    "providers": EXACT | {"wav", "dsp", "composer", "soundfont"},
    "answers": EXACT | {"wav", "ffmpeg", "media", "packets"},
    "cutlists": EXACT,
    "library": EXACT | {"wav", "dsp", "ffmpeg", "media"},
    "ledger": EXACT | {"journal"},
    "stages": EXACT
    | {
        "wav",
        "dsp",
        "ffmpeg",
        "media",
        "boxes",
        "clock",
        "packets",
        "answers",
        "providers",
        "ledger",
        "cutlists",
    },
    "presets": EXACT,
    "options": EXACT,
    "settings": EXACT
    | {"options", "presets", "providers", "ledger", "settings_library", "soundfont"},
    "settings_library": EXACT | {"options"},
    "delivery": EXACT,
    "result": EXACT
    | {"settings", "result_warnings", "result_streams", "result_choices", "result_fit"},
    "result_choices": EXACT | {"result_streams"},
    "result_streams": EXACT,
    "result_fit": EXACT | {"result_streams"},
    "result_warnings": EXACT | {"options", "result", "result_fit", "dsp", "ffmpeg"},
    "exporters": EXACT | {"wav", "dsp", "delivery", "result"},
    "memory": set(),
    "one_thread": set(),
    "silero": set(),
    "workspace": EXACT | {"memory", "journal"},
}
"""What the rooms below the pipeline may see; those above see all but the command line."""


def _imports(path: Path) -> set[str]:
    """Dotted names of all that a module imports, also inside functions and for the type checker."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


IMPORTS = {path: _imports(path) for path in sorted(PACKAGE.rglob("*.py"))}


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _rooms_seen(path: Path) -> set[str]:
    inside = {name.split(".")[1] for name in IMPORTS[path] if name.startswith("scorebed.")}
    return {
        name for name in inside if (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").exists()
    }


def _who_imports(*packages: str) -> set[str]:
    return {
        str(path.relative_to(PACKAGE))
        for path, names in IMPORTS.items()
        if any(
            name == package or name.startswith(package + ".")
            for name in names
            for package in packages
        )
    }


@pytest.mark.parametrize("path", IMPORTS, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_knows_only_those_below_it(path: Path) -> None:
    room = _room(path)
    allowed = KNOWS.get(room)
    seen = _rooms_seen(path) - {room}
    if allowed is not None:
        assert seen <= allowed
    assert room in {"cli", "__main__"} or "cli" not in seen


def test_only_ffmpeg_starts_processes() -> None:
    starters = (
        "subprocess",
        "multiprocessing",
        "pty",
        "os.system",
        "os.popen",
        "asyncio.subprocess",
    )
    # The second may not import what the first does: an editor waits for it.
    assert _who_imports(*starters) <= {"ffmpeg.py", "detached.py"}
    assert _rooms_seen(PACKAGE / "detached.py") <= {"errors"}
    assert "ffmpeg.py" in _who_imports("subprocess"), "the test sees nothing"


def test_few_rooms_open_media_in_process() -> None:
    opening = {name for name in _who_imports("av") if not name.startswith("testing/")}
    rooms = ("spot_fast", "spot_frames", "spot_small", "thumbnails")
    looking = {f"stages/{room}.py" for room in rooms}
    # These name PyAV's types and open nothing.
    naming = {"described.py", "stages/spot_index.py"}
    # Clips come from MoviePy as arrays.
    writing = {"integrations/moviepy/working.py"}
    assert opening <= {"media.py", "packets.py", *naming, *looking, *writing}


def test_http_lives_with_the_providers_and_the_ledger_s_two_ends() -> None:
    clients = _who_imports("httpx", "requests", "urllib", "urllib3", "http", "aiohttp", "socket")
    rooms = ("providers/", "testing/", "ledger/remote/", "ledger/serving/")
    assert all(name.startswith(rooms) for name in clients), clients


def test_the_ends_of_the_ledger_know_each_other_by_their_words_alone() -> None:
    """A folder needs neither; who serves is known to the command line, who asks to ``store_of``."""
    asking, serving = (
        {name for name in _who_imports(f"scorebed.ledger.{end}") if not name.startswith(own)}
        for end, own in (("remote", "ledger/remote/"), ("serving", "ledger/serving/"))
    )
    assert asking == {"ledger/store.py"}
    assert serving == {"cli/ledger.py"}


def test_moviepy_lives_with_its_effects() -> None:
    knowing = _who_imports("moviepy", "proglog", "scorebed.integrations")
    assert knowing, "the test sees nothing"
    assert all(name.startswith("integrations/moviepy/") for name in knowing), knowing


def test_dask_lives_with_the_cluster() -> None:
    knowing = _who_imports("distributed", "dask")
    assert knowing, "the test sees nothing"
    assert all(name.startswith(("batching/cluster", "batching/errand")) for name in knowing)


def test_dsp_is_arrays_only() -> None:
    files = _who_imports("pathlib", "io", "os", "soundfile", "ffmpeg", "wave", "shutil", "tempfile")
    assert not {name for name in files if name.startswith("dsp/")}


def test_the_composer_is_known_to_the_embedded_provider_alone() -> None:
    knowing = {
        name for name in _who_imports("scorebed.composer") if not name.startswith("composer/")
    }
    assert knowing == {"providers/embedded.py"}


def test_the_pipeline_is_the_story_and_nothing_else() -> None:
    for package in ("ffmpeg", "av", "scorebed.ffmpeg", "soundfile", "numpy", "httpx"):
        assert "pipeline.py" not in _who_imports(package)


def test_the_top_level_stays_as_listed() -> None:
    needed = {"pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", ".ci", "src", "presets"}
    needed |= {"tests", "sample_media"}
    made = {".git", ".gitignore", "venv", "dist", "build", "__pycache__", ".hypothesis"}
    found = {
        path.name
        for path in ROOT.iterdir()
        if not path.name.endswith("_cache") and not path.name.startswith(".venv")
    }
    assert needed <= found
    assert found <= needed | made
