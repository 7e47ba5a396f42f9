"""What the README says is what the package says."""

import doctest
import re

import deficits as d
from deficits.places import checkout
from deficits.wording import gbp_range

ROOT = checkout()
assert ROOT is not None
README = ROOT / "README.md"


def test_the_example_prints_what_it_says() -> None:
    assert doctest.testfile(str(README), module_relative=False, encoding="utf-8").failed == 0


def test_todays_answer_is_the_outlooks() -> None:
    text = " ".join(README.read_text(encoding="utf-8").split())
    outlook = d.project(d.load_panel(), until=2029, draws=4000, seed=1)
    gross = outlook.england().loc[("gross", 2026)]
    grant = d.Scheme.read("high-needs-stability-grant").apply(outlook).summary().loc["grant"]
    assert f"**{gbp_range(gross['p10'], gross['p90'])} at 31 March 2026**" in text
    assert f"would pay {gbp_range(grant['p10'], grant['p90'])}" in text


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (ROOT / target).exists(), target
