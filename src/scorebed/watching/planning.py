"""What is checked before a watch begins, and what a film that is ripe becomes."""

from __future__ import annotations

import itertools
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from scorebed.batching.entries import settle
from scorebed.batching.fates import failure_from, item_of
from scorebed.batching.items import Entry, Failure, Fate, Item, LogWanted
from scorebed.batching.known import is_place, told_name, told_place
from scorebed.batching.naming import Naming
from scorebed.batching.planning import check_key, require_parent
from scorebed.batching.style import require_one_brief
from scorebed.delivery import log_beside, sidecar
from scorebed.errors import ScorebedError, SettingsError
from scorebed.job import Job

if TYPE_CHECKING:
    from scorebed.batching.known import Known
    from scorebed.batching.record import Record
    from scorebed.settings import Settings
    from scorebed.watching.items import Ask, Seen, WatchJob
    from scorebed.watching.memory import Memory


_ANOTHER_OUTPUT = (
    'Give the job another "output", or "overwrite": true; with scorebed hook: -o FILE, or '
    "--overwrite."
)


class Planner:
    """Makes a film of the folder, or of a job file, an item of the batch.

    Args:
        job: The watch.
        record: What earlier runs have done.
        memory: The same, by content.

    Raises:
        ScorebedError: If the options, the names or the folders will not do.
    """

    def __init__(self, job: WatchJob, record: Record, memory: Memory) -> None:
        self._job = job
        self._record = record
        self._memory = memory
        batch = job.batch
        self._naming = Naming(
            out=batch.out, template=batch.name_template, keep_structure=batch.keep_structure
        )
        self._naming.check()
        _check_figures(job)
        _check_places(job)
        self._plain = Entry(video=job.folder, base=job.folder, options=batch.options)
        self._want = self._settled(self._plain)
        if not job.own_queue:
            check_key(self._want)

    def item(self, number: int, film: Seen, ask: Ask | None) -> Item:
        """A film that is ripe, as far as it is known without a look at it.

        Args:
            number: Its place in this run, from 1.
            film: The file.
            ask: Whose job it is; None for a film that was found.

        Raises:
            ScorebedError: If its options or the name of its result will not do.
        """
        entry = self._entry(film) if ask is None else ask.entry
        want = self._want if ask is None else self._settled(entry)
        # Whatever in the job has led to it: a watch asks no service but its own.
        if want.service and want.provider != self._want.provider and not self._job.own_queue:
            raise SettingsError(
                f"watch: music of {film.path} would be by {want.provider}, which is for who runs "
                f"the watch to say: it runs with {self._want.provider}",
                remedy=f"Leave the provider out of the job file, or start the watch with "
                f"--provider {want.provider}.",
            )
        item = item_of(self._job.batch, self._naming, self._record, number, entry, want)
        if self._would_lose(item.name, item.job.output, film, entry):
            entry = replace(entry, output=self._numbered(film, entry, want))
            item = item_of(self._job.batch, self._naming, self._record, number, entry, want)
        self._refuse_names(item, ask)
        if not (self._job.batch.overwrite or entry.overwrite):
            self._refuse_results(item, ask)
        if ask is not None:
            log = LogWanted(path=log_beside(item.job.output), form="text", level="info")
            item = replace(item, log=log)
        if self._memory.is_twin(film):
            item = replace(item, anew=True)
        if item.fate is Fate.FAILED:
            # It has changed since, or somebody asks again.
            item = replace(item, fate=Fate.DO, failure=None)
        return item

    def failed(self, number: int, path: Path, failure: ScorebedError | Failure) -> Item:
        """A file that never got as far as an item.

        Args:
            number: Its place in this run.
            path: The film, the job file or the folder.
            failure: Why.
        """
        if isinstance(failure, ScorebedError):
            failure = failure_from(failure, "watch")
        place = Job(
            video=path,
            output=self._job.batch.out / path.name,
            settings=self._want,
            workspace=self._job.batch.workspace,
        )
        # By its whole path: no result is called that, and a batch knows it.
        return Item(
            number=number,
            name=told_place(path),
            job=place,
            key="",
            fate=Fate.FAILED,
            failure=failure,
        )

    def _would_lose(self, name: str, output: Path, film: Seen, entry: Entry) -> bool:
        """Whether a result would replace that of another film, which was moved away before.

        Where films stay, one that takes another's place is the new version of the same export.
        """
        replaces = self._job.batch.overwrite or entry.overwrite
        if self._job.move_done is None or replaces or entry.output is not None:
            return False
        made = self._memory.maker(name)
        if made is None or made.is_of(film.content, film.sha256):
            return False
        return is_place(made.video, film.path) and os.path.lexists(output)

    def _numbered(self, film: Seen, entry: Entry, want: Settings) -> Path:
        """A result's name with the number that the film gets where it is moved to."""
        for count in itertools.count(2):
            told = f" ({count})"
            video = film.path.with_stem(f"{film.path.stem}{told}")
            output = self._naming.output(replace(entry, video=video), want, 1)
            if told not in output.name:
                output = output.with_stem(f"{output.stem}{told}")
            name = told_name(self._job.batch.out, output)
            if not self._would_lose(name, output, film, entry):
                return Path(name)
        raise AssertionError

    def _entry(self, film: Seen) -> Entry:
        return replace(self._plain, video=film.path, base=film.base)

    def _settled(self, entry: Entry) -> Settings:
        batch = self._job.batch
        (want,) = settle(batch, [entry])
        if batch.one_style and entry is not self._plain:
            require_one_brief([(self._plain, self._want), (entry, want)])
        limited = self._job.pays or entry.options.max_spend is not None
        if want.service is not None and not limited:
            raise SettingsError(
                f"watch: music by {want.provider} would spend money, and there is nobody to ask",
                remedy="Start the watch with --max-spend AMOUNT, or with --yes for no limit; or "
                "with --provider embedded.",
            )
        return want

    def _refuse_names(self, item: Item, ask: Ask | None) -> None:
        video, output = item.job.video, item.job.output
        if os.path.realpath(output) == os.path.realpath(video):
            raise SettingsError(
                f"watch: the result of {video} would be {output}, which is the film itself",
                remedy="Give another --out, or a --name-template such as '{stem}.scored{ext}'.",
            )
        if ask is not None and sidecar(output).absolute() == ask.file.path.absolute():
            raise SettingsError(
                f"watch: {ask.file.path} is where the JSON of the result {output} goes",
                remedy="Give the job file another name.",
            )

    def _refuse_results(self, item: Item, ask: Ask | None) -> None:
        """Refuses to replace a result that was asked for and is of another film or job."""
        video, output = item.job.video, item.job.output
        maker = self._memory.maker(item.name)
        if maker is None:
            return
        named = ask is not None and ask.entry.output is not None
        if not is_place(maker.video, video) and not (named and not os.path.lexists(output)):
            raise SettingsError(
                f"watch: {maker.video} has become {output} before, and so would {video}",
                remedy=_ANOTHER_OUTPUT
                if named
                else "Start the watch with --keep-structure, or with --name-template "
                "'{parent}-{stem}.scored{ext}'; or rename the film.",
            )
        self._refuse_other_job(item, maker, ask)

    def _refuse_other_job(self, item: Item, maker: Known, ask: Ask | None) -> None:
        """Refuses a job that would replace what another one, still there, has made of the film."""
        if (
            ask is None
            or item.fate is Fate.SKIP
            or not maker.is_of(ask.film.content, ask.film.sha256)
        ):
            return
        output, other = item.job.output, self._memory.job_of(item.name)
        if other is None or other == str(ask.file.path) or not os.path.lexists(output):
            return
        if os.path.lexists(other):
            raise SettingsError(
                f"watch: {maker.video} has become {output} before, as {other} asks for, and so "
                f"would it for {ask.file.path}",
                remedy=_ANOTHER_OUTPUT,
            )


def _check_figures(job: WatchJob) -> None:
    if job.batch.jobs is not None and job.batch.jobs < 1:
        raise SettingsError(f"--jobs {job.batch.jobs} is out of range", remedy="Give 1 or more.")
    for flag, value, least in (
        ("--settle", job.settle_s, 0.0),
        ("--interval", job.interval_s, 0.05),
    ):
        if not least <= value <= 86_400:  # noqa: PLR2004 - a day
            raise SettingsError(
                f"{flag} {value:g} is out of range",
                remedy=f"Give a value from {least:g} to 86400 s.",
            )
    if "{index" in job.batch.name_template:
        raise SettingsError(
            "--name-template {index} counts the files of a batch, and a watch has no first one",
            remedy="Use: {stem}, {ext}, {name}, {parent}, {seed}, {style}, {preset}, {provider}",
        )


def _check_places(job: WatchJob) -> None:
    folder, out = job.folder, job.batch.out
    if not folder.is_dir():
        raise SettingsError(
            f"watch: {folder} is no folder", remedy="Name the folder that films come into."
        )
    try:
        with os.scandir(folder):
            pass
    except OSError as error:
        raise SettingsError(
            f"watch: the folder {folder} cannot be searched ({error.strerror})",
            remedy="Check that you may read it.",
        ) from error
    require_parent(out, stage="watch")
    if job.move_done is None:
        return
    require_parent(job.move_done, flag="--move-done", stage="watch")
    if job.move_done.resolve() in {folder.resolve(), out.resolve()}:
        raise SettingsError(
            f"watch: --move-done {job.move_done} is the watched folder or --out",
            remedy="Give it a folder of its own.",
        )
