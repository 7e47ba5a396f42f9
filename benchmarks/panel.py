"""The panel in the static pages: from a slider's move to the new figures, in headless Chromium.

`python -m benchmarks.panel`. The pages are those of `deficits report`, as a reader gets them: the sum over 153
councils (write-off and compare) and the balance of one.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd

FASTEST = 50
"""ms within which the figures are to be there."""
PAGES = {"writeoff": {}, "compare": {}, "authority": {"authority": "Kent"}}
MOVES = """async () => {
    const painted = () => new Promise((done) => requestAnimationFrame(() => {
        const { port1, port2 } = new MessageChannel()
        port1.onmessage = done
        port2.postMessage(null)
    }))
    const taken = {}
    for (const slider of document.querySelectorAll('.what-if input[type=range]')) {
        const figures = [], paints = []
        const least = Number(slider.min), most = Number(slider.max)
        for (let move = 0; move <= 50; move++) {
            slider.value = most - (most - least) * move / 50
            await painted() // so that the browser is at rest
            const start = performance.now()
            slider.dispatchEvent(new Event('input'))
            document.querySelector('.what-if').getBoundingClientRect() // with the layout
            figures.push(performance.now() - start)
            await painted()
            paints.push(performance.now() - start)
        }
        taken[slider.labels[0].textContent.trim()] = { figures, paints }
    }
    return taken
}"""


def measured(folder: Path) -> pd.DataFrame:
    """Median and 95th percentile by page and slider, ms."""
    from playwright.sync_api import sync_playwright

    from deficits import reports
    from tests.browser import launched

    rows = {}
    with sync_playwright() as assumption, launched(assumption) as chromium:
        for name, values in PAGES.items():
            page = chromium.new_page()
            page.goto(reports.render(name, values, folder).as_uri())
            for slider, taken in page.evaluate(MOVES).items():
                figures, paints = pd.Series(taken["figures"]), pd.Series(taken["paints"])
                ends = [figures.median(), figures.quantile(0.95), paints.median(), paints.quantile(0.95)]
                rows[name, slider] = ends
            page.close()
    return pd.DataFrame.from_dict(rows, orient="index", columns=["median", "p95", "painted", "painted, p95"])


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        frame = measured(Path(folder))
    print("Panel in a page, in Chromium: ms from a slider's move to the new figures, and to their being painted")
    print(frame.round(1).to_string())
    print(f"target: under {FASTEST}")


if __name__ == "__main__":
    main()
