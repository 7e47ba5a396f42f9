"""The explorer: from a slider's move to its redrawn figure, kernel side, England with 4,000 draws.

`python -m benchmarks.explore`. The whole work of the kernel is timed: state, draws, headline, figure, table,
Python, and the copy of the state on disk.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

MEDIAN, P95 = 0.100, 0.200
"""Seconds within which a figure is to be redrawn."""
MOVES = 25


def timed(moves: list[Callable[[], object]]) -> tuple[np.ndarray, np.ndarray]:
    """Seconds and processor seconds of each move."""
    wall, cpu = [], []
    for move in moves:
        start, used = time.perf_counter(), time.process_time()
        move()
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - used)
    return np.array(wall), np.array(cpu)


def measured() -> pd.DataFrame:
    """Median and 95th percentile by control, ms."""
    from deficits.explorer import Explorer

    explorer = Explorer("England")

    def move(name: str, values: np.ndarray) -> list[Callable[[], object]]:
        control = explorer.controls[name].widget
        return [lambda value=value: setattr(control, "value", float(value)) for value in values]  # type: ignore[misc]

    rows = {}

    def add(what: str, name: str, low: float, high: float) -> None:
        # There and back, so that nothing is the value before.
        values = np.round(np.linspace(low, high, MOVES), 3)
        timed(move(name, values[:2]))
        wall, cpu = timed(move(name, values[::-1]))
        rows[what] = (np.median(wall), np.quantile(wall, 0.95), np.median(cpu))

    add("later growth of the block", "later_block_growth", 1, 6)
    explorer.controls["set_plan_growth"].widget.value = True
    add("growth of plans", "plan_growth", 2, 10)
    explorer.controls["funding-growth"].widget.value = True
    add("size of a lever", "funding-growth.size", 1, 8)
    explorer.controls["scheme"].widget.value = "high-needs-stability-grant"
    add("share of a scheme, with that lever", "share", 5, 95)
    add("growth of the block, with lever and scheme", "later_block_growth", 1, 6)
    add("persistence (the model is fitted again)", "growth_persistence", 50, 95)
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=["median", "p95", "median of processor time"])
    return (1000 * frame).round(0)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DEFICITS_EXPLORER_STATE"] = folder
        frame = measured()
    print("Explorer, England, 4,000 draws: ms from a slider's move to its redrawn figure")
    print(frame.to_string())
    print(f"target: median under {1000 * MEDIAN:.0f}, 95th percentile under {1000 * P95:.0f}")


if __name__ == "__main__":
    main()
