"""Thirty takes against a service that makes two at a time: time over the ideal, most in flight.

    python tests/benchmarks/account_queue.py [SECONDS]

SECONDS (2 by default) is how long the service works on each. The ideal is rounds of two.
"""

from __future__ import annotations

import math
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from scorebed.model import Purse
from scorebed.providers.elevenlabs.video import ElevenLabsProvider
from scorebed.stages.compose import compose
from scorebed.testing import MusicService
from scorebed.testing.contract import sample_order

RUNS = 30
AT_ONCE = 2


def main(work_s: float) -> None:
    """Prints one line."""
    provider = ElevenLabsProvider()
    with (
        tempfile.TemporaryDirectory() as folder,
        MusicService(at_once=AT_ONCE, work_s=work_s) as service,
    ):
        place = Path(folder)
        os.environ["ELEVENLABS_API_KEY"] = service.key
        settings = replace(provider.settings(), base_url=service.url)
        order = sample_order(provider, place, settings)
        purse = Purse(ledger=place / "ledger")

        def run(seed: int) -> None:
            wanted = replace(order, brief=replace(order.brief, seed=seed))
            (place / str(seed)).mkdir()
            compose(provider.name, wanted, folder=place / str(seed), purse=purse)

        begun = time.perf_counter()
        run(RUNS)
        one_s = time.perf_counter() - begun
        begun = time.perf_counter()
        with ThreadPoolExecutor(RUNS) as pool:
            list(pool.map(run, range(RUNS)))
        taken_s = time.perf_counter() - begun
        ideal_s = math.ceil(RUNS / AT_ONCE) * work_s
        print(
            f"{RUNS} runs, {AT_ONCE} at a time, {work_s:g} s each: {taken_s:.1f} s, "
            f"{taken_s / ideal_s:.3f} of the ideal {ideal_s:.0f} s; alone {one_s:.1f} s; "
            f"most in flight {service.most_in_flight}, refused "
            f"{sum(request.status == 429 for request in service.requests)}"
        )


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 2.0)
