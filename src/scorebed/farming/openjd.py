"""The job as an Open Job Description template (2023-09): a step each to analyse, compose, finish.

A step waits for the whole of the one before it: with three steps for all films none is composed
before all are analysed, and one that fails holds up the others. In chains each film has three steps
of its own. What a service of music bears is asked for by the steps that compose, and only by them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from scorebed.batching.machine import JOB_BYTES
from scorebed.farming.rows import FILMS
from scorebed.farming.task import STEPS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scorebed.farming.rows import Row
    from scorebed.farming.task import Step

TEMPLATE = "template.json"
_MEBIBYTE = 1 << 20
_STOP_S = 30
"""How long a task that is cancelled may take to clean up: ffmpeg ends at once, a request does not
have to."""
_LONGEST_DESCRIPTION = 200


def template(
    rows: Sequence[Row], *, command: str, limit: str | None, chains: bool
) -> dict[str, Any]:
    """The template of a job; where its folders lie is given when it is submitted.

    Args:
        rows: The films.
        command: How a worker calls scorebed.
        limit: Name of what the steps that compose hold one of, without ``amount.``; None for
            nothing.
        chains: Whether each film has steps of its own.
    """
    if chains:
        steps = [_step(step, limit, row=row) for row in rows for step in STEPS]
    else:
        steps = [_step(step, limit, films=ranges([row.number for row in rows])) for step in STEPS]
    return {
        "specificationVersion": "jobtemplate-2023-09",
        "name": f"scorebed, {len(rows)} film{'s' if len(rows) > 1 else ''}",
        "description": "Scores films: the same pictures come back with music. Every task may be "
        "run twice, or on two machines at once.",
        "parameterDefinitions": [
            _path("Films", "FILE", "IN", "The films and their options.", default=FILMS),
            _path("Out", "DIRECTORY", "OUT", "Folder of the results."),
            _path("Workspace", "DIRECTORY", "OUT", "What a step leaves for the next one."),
            {
                "name": "Scorebed",
                "type": "STRING",
                "default": command,
                "description": "The program scorebed on the workers.",
            },
        ],
        "steps": steps,
    }


def _path(
    name: str, kind: str, flow: str, description: str, *, default: str | None = None
) -> dict[str, str]:
    told = {"name": name, "type": "PATH", "objectType": kind, "dataFlow": flow}
    return told | ({} if default is None else {"default": default}) | {"description": description}


def _step(
    step: Step, limit: str | None, *, row: Row | None = None, films: str = ""
) -> dict[str, Any]:
    before = STEPS[: STEPS.index(step)]
    found: dict[str, Any] = {"name": _name(step, row)}
    if row is not None:
        found["description"] = _printable(row.name)
    if before:
        found["dependencies"] = [{"dependsOn": _name(before[-1], row)}]
    amounts = [
        {"name": "amount.worker.vcpu", "min": 1},
        {"name": "amount.worker.memory", "min": math.ceil(JOB_BYTES / _MEBIBYTE)},
    ]
    if limit is not None and step == "compose":
        amounts.append({"name": f"amount.{limit}", "min": 1})
    found["hostRequirements"] = {"amounts": amounts}
    if row is None:
        one = {"name": "Film", "type": "INT", "range": films}
        found["parameterSpace"] = {"taskParameterDefinitions": [one]}
    found["script"] = {"actions": {"onRun": _action(step, row)}}
    return found


def _name(step: Step, row: Row | None) -> str:
    return step if row is None else f"{step} {row.number}"


def _action(step: Step, row: Row | None) -> dict[str, Any]:
    """The command of a task; what is in braces is filled in on the worker, and never by a shell."""
    film = "{{Task.Param.Film}}" if row is None else str(row.number)
    return {
        "command": "{{Param.Scorebed}}",
        "args": [
            *("farm", "task", "{{Param.Films}}", "--film", film, "--step", step),
            *("--out", "{{Param.Out}}", "--workspace", "{{Param.Workspace}}"),
            *("--path-mapping", "{{Session.PathMappingRulesFile}}", "--progress", "openjd"),
        ],
        "cancelation": {"mode": "NOTIFY_THEN_TERMINATE", "notifyPeriodInSeconds": _STOP_S},
    }


def ranges(numbers: Sequence[int]) -> str:
    """Numbers as a range expression: ``1-3,5``."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][-1] + 1:
            found[-1] = [found[-1][0], number]
        else:
            found.append([number])
    return ",".join("-".join(map(str, one)) for one in found)


def _printable(text: str) -> str:
    """A name for people: without what a description may not hold."""
    plain = "".join(sign if sign.isprintable() else "?" for sign in text)
    return plain[:_LONGEST_DESCRIPTION]
