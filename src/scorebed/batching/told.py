"""A plan as it is told: lines for a person, one object for a program."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from scorebed.batching.items import Fate
from scorebed.batching.jsonl import SCHEMA_VERSION
from scorebed.batching.known import told_place
from scorebed.batching.outcome import clock
from scorebed.batching.record import cost_figures
from scorebed.ledger import money
from scorebed.logs import on_one_line

if TYPE_CHECKING:
    from scorebed.batching.items import Item
    from scorebed.batching.planning import BatchPlan

_MOST_ROWS = 50


def plan_lines(plan: BatchPlan) -> list[str]:
    """A plan for a person.

    Args:
        plan: The batch.
    """
    todo, skipped = plan.with_fate(Fate.DO), plan.with_fate(Fate.SKIP)
    failed = plan.with_fate(Fate.FAILED)
    lines = [
        on_one_line(f"{item.job.video} -> {item.name}")
        + (f", {clock(item.duration_s)}" * bool(item.duration_s))
        for item in todo[:_MOST_ROWS]
    ]
    if len(todo) > _MOST_ROWS:
        lines.append(f"... and {len(todo) - _MOST_ROWS} more")
    lines += [
        on_one_line(f"cannot be done: {item.failure.message}") for item in failed if item.failure
    ]
    requests = sum(price.requests for price in plan.prices)
    price = ", ".join(f"at most about {money(one.amount)} {one.currency}" for one in plan.prices)
    return [
        *lines,
        f"files      {len(todo)} to score, {len(skipped)} skipped, {len(failed)} cannot be done",
        f"picture    {clock(plan.duration_s)}",
        f"music      {', '.join(_providers(todo)) or 'none'}",
        f"requests   {requests}",
        f"price      {price or 'nothing'}{_limit(plan)}",
        (
            f"disk       {plan.output_bytes / 1e6:.0f} MB in {plan.job.out}, "
            f"{plan.workspace_bytes / 1e6:.0f} MB in {plan.job.workspace}"
        ),
        f"jobs       {plan.jobs} at once" + (f" on {plan.cluster.address}" if plan.cluster else ""),
    ]


def plan_json(plan: BatchPlan) -> str:
    """A plan as one line of JSON (ASCII).

    Args:
        plan: The batch.
    """
    return json.dumps(
        {
            "schema": SCHEMA_VERSION,
            "dry_run": True,
            "out": str(plan.job.out),
            "files": [_file(item) for item in plan.items],
            "to_score": len(plan.with_fate(Fate.DO)),
            "skipped": len(plan.with_fate(Fate.SKIP)),
            "failed": len(plan.with_fate(Fate.FAILED)),
            "duration_s": round(plan.duration_s, 3),
            "cost": [cost_figures(one) for one in plan.prices],
            "output_bytes": plan.output_bytes,
            "workspace_bytes": plan.workspace_bytes,
            "jobs": plan.jobs,
        }
    )


def _file(item: Item) -> dict[str, Any]:
    failure = item.failure
    return {
        "number": item.number,
        "name": item.name,
        "input": told_place(item.job.video),
        "output": told_place(item.job.output),
        "key": item.key,
        "fate": item.fate.value,
        "why": item.why or None,
        "error": None
        if failure is None
        else {name: getattr(failure, name) for name in type(failure).__dataclass_fields__},
        "duration_s": round(item.duration_s, 3),
        "provider": item.job.settings.provider,
        "cost": cost_figures(item.price),
    }


def _providers(todo: tuple[Item, ...]) -> list[str]:
    counts: dict[str, int] = {}
    for item in todo:
        name = item.job.settings.provider
        counts[name] = counts.get(name, 0) + 1
    return [f"{name} ({count})" for name, count in counts.items()]


def _limit(plan: BatchPlan) -> str:
    """What ``--max-spend`` says of it: files that it does not reach fail, unsent."""
    limit = plan.job.options.max_spend
    if limit is None or not plan.prices:
        return ""
    wanted = sum(one.amount for one in plan.prices)
    over = "; it may not reach for all of them" if wanted > limit else ""
    return f", --max-spend {money(limit)} for the whole batch{over}"
