"""What the README says is what the package says."""

import doctest
import re

import deficits as d
from deficits.formatting import gbp, gbp_range, percent
from deficits.paths import checkout
from deficits.projection.backtest import as_known, backtest, scored_record

ROOT = checkout()
assert ROOT is not None
README = ROOT / "README.md"


def test_the_example_prints_what_it_says() -> None:
    assert doctest.testfile(str(README), module_relative=False, encoding="utf-8").failed == 0


def test_todays_answer_is_the_projections() -> None:
    text = " ".join(README.read_text(encoding="utf-8").split())
    projection = d.project(d.load_panel(), until=2029)
    gross = projection.england().loc[("gross", 2026)]
    grant = d.write_off(projection, d.Scheme.read("high-needs-stability-grant")).summary().loc["grant"]
    assert f"**{gbp_range(gross['p10'], gross['p90'])} at 31 March 2026**" in text
    assert f"would pay {gbp_range(grant['p10'], grant['p90'])}" in text
    # What is said of the newest published balances is true of the figures held.
    assert ("they are not held here yet" in text) == (projection.base_year < 2026)


def test_the_record_told_is_the_backtests() -> None:
    told = " ".join(README.read_text(encoding="utf-8").replace("> ", "").split())
    panel = d.load_panel()
    day, target = scored_record(panel)
    record = backtest(panel, as_known(panel, day), target)
    england, scores = record.england, record.scores.loc["This projection"]
    assert f"March 2024 at {gbp_range(england['p10'], england['p90'])}; it was {gbp(england['actual'])}." in told
    method = (ROOT / "docs" / "method.md").read_text(encoding="utf-8")
    row = [gbp(scores["error"]), gbp(scores["crps"]), percent(scores["within_50"]), percent(scores["within_80"])]
    assert f"| this projection | {' | '.join(row)} |" in method


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (ROOT / target).exists(), target
