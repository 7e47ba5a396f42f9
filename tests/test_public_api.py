"""The public API as an analyst meets it: questions, tables, ranges of groups, wrong arguments, completions."""

import datetime
import re
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import deficits as d
from deficits.errors import DeficitsError
from deficits.formatting import england_range
from deficits.panel import Panel
from deficits.paths import checkout
from deficits.projection import Projection
from deficits.simulated import COLUMNS, Simulated
from deficits.writeoff import WriteOff

ROOT = checkout()
assert ROOT is not None
QUESTIONS = (ROOT / "docs" / "questions.md").read_text(encoding="utf-8").split("\n## ")[1:]


@pytest.fixture(scope="module")
def grant(projection: Projection) -> WriteOff:
    return d.write_off(projection, "high-needs-stability-grant")


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda text: text.partition("\n")[0])
def test_each_question_is_answered_in_six_lines(
    question: str, panel: Panel, projection: Projection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mpl.use("agg")
    (code,) = re.findall(r"```(?:python|sh)\n(.*?)```", question, re.DOTALL)
    assert len(code.splitlines()) <= 6
    if "```python" in question:
        names = {"d": d, "panel": panel, "projection": projection}
        exec(compile(code, "question", "exec"), names)  # what the page tells a reader to run
        for name, value in names.items():
            if isinstance(value, pd.DataFrame | pd.Series) and not name.startswith("_"):
                assert len(value), name


def test_the_long_table_adds_up_over_regions_and_councils(projection: Projection) -> None:
    frame = projection.to_frame()
    assert list(frame.columns) == COLUMNS
    assert frame.attrs["units"] == {"gross": "£", "net": "£", "in_year": "£"}
    means = frame.pivot_table(index=["measure", "year"], columns="area", values="mean")
    for areas in (projection.regions.unique(), projection.regions.index):
        assert means[list(areas)].sum(axis=1).to_numpy() == pytest.approx(means["England"].to_numpy(), abs=10)
    england = projection.england()
    told = frame[frame["area"] == "England"].set_index(["measure", "year"])
    assert told["p90"].to_numpy() == pytest.approx(england["p90"].to_numpy(), abs=10)


def test_a_groups_range_is_that_of_its_sum(projection: Projection) -> None:
    group = ["Kent", "Medway", "Surrey"]
    joint = projection.to_frame({"group": group}).query("measure == 'net' and year == 2028").iloc[0]
    summed = -projection.balance.sel(authority=projection.codes(group), year=2028).sum("authority")
    assert joint["p10"] == pytest.approx(float(summed.quantile(0.1)))
    assert projection.area(group).loc[("net", 2028), "p10"] == pytest.approx(joint["p10"])
    alone = projection.to_frame(group).query("measure == 'net' and year == 2028")
    assert alone["p90"].sum() - alone["p10"].sum() > joint["p90"] - joint["p10"]


def test_england_without_one_region_and_the_region_are_the_whole(projection: Projection) -> None:
    others = [region for region in projection.regions.unique() if region != "London"]
    assert sorted(projection.codes(others) + projection.codes("London")) == sorted(projection.codes("England"))


def test_a_difference_is_paired(projection: Projection) -> None:
    slower = projection.with_assumptions({"plan_growth": 0.03})
    change = slower.difference(projection)
    row = change.to_frame("England").query("measure == 'gross' and year == 2031").iloc[0]
    apart = [each.england().loc[("gross", 2031)] for each in (slower, projection)]
    assert row["p90"] < 0
    assert row["p90"] - row["p10"] < apart[1]["p90"] - apart[1]["p10"]
    nothing = projection.difference(projection).to_frame("England")
    assert (nothing[["mean", "p10", "p90"]] == 0).all(axis=None)
    with pytest.raises(DeficitsError, match=r"seed 1 with 1,000 draws and seed 2 with 1,000 draws"):
        projection.difference(d.project(projection.panel, until=2031, draws=1000, seed=2))


def test_a_write_offs_table_agrees_with_its_summary(grant: WriteOff) -> None:
    summary = grant.summary().set_index("year", append=True)
    for _, row in grant.to_frame("England").iterrows():
        if (row["measure"], row["year"]) in summary.index:
            assert row["p50"] == pytest.approx(summary.at[(row["measure"], row["year"]), "p50"])


def test_files_hold_what_the_result_holds(projection: Projection, grant: WriteOff, tmp_path: Path) -> None:
    table = pd.read_parquet(projection.to_parquet(tmp_path / "p.parquet", ["Kent", "London"]))
    pd.testing.assert_frame_equal(table, projection.to_frame(["Kent", "London"]), check_dtype=False)
    with xr.open_dataset(grant.to_netcdf(tmp_path / "w.nc")) as held:
        assert held["deficit_with"].attrs["units"] == "£"
        assert {"name", "region", "type"} <= set(held.coords)
        assert np.array_equal(held["grant"].to_numpy(), grant.simulations["grant"].to_numpy(), equal_nan=True)


def test_plots_are_matplotlibs_axes_with_a_unit(projection: Projection, grant: WriteOff) -> None:
    mpl.use("agg")
    import matplotlib.pyplot as plt

    _, mine = plt.subplots()
    assert projection.plot.fan("Medway", "net", ax=mine) is mine
    assert mine.get_ylabel() == "£m"
    assert grant.plot.largest(2026, "grant", n=5).get_xlabel() == "£m"
    assert len(grant.plot.largest(2026, "grant", n=5).patches) == 5
    assert d.compare(projection, ["flat-share", "no-help"]).plot("deficit").get_xlabel() == "£bn"
    plt.close("all")


def test_results_show_themselves_and_differ_where_they_do(projection: Projection, grant: WriteOff) -> None:
    other = projection.with_assumptions(d.Assumptions(plan_growth=0.02), levers="health-share")
    assert repr(other) != repr(projection)
    ends = projection.england().loc[("gross", projection.years[-1]), ["p10", "p90"]]
    assert england_range(*ends, projection.years[-1] - projection.base_year) in repr(projection)
    assert "plan_growth=0.02" in repr(other)
    assert "Health pays" in repr(other)
    earlier = d.project(d.load_panel("2025-09-17"), until=2027, draws=200)
    assert "as of 2025-09-17" in repr(earlier)
    for result in (projection, grant, d.compare(projection, "no-help"), d.plan(projection, "Kent", "example")):
        html = result._repr_html_()
        assert "<table" in html
        assert "£" in html
    assert len(repr(d.Scheme.read("high-needs-stability-grant"))) < 400


def test_only_documented_names_complete(projection: Projection, grant: WriteOff) -> None:
    things = [projection, grant, d.Scheme.read("flat-share"), d.Lever.read("health-share"), d.Assumptions()]
    for thing in [*things, d.Scenario(), d.Scheme, d.Assumptions, d]:
        names = [name for name in dir(thing) if not name.startswith("__")]
        assert not [name for name in names if name.startswith(("_", "model_", "parse_")) or name == "construct"]
    for thing in things[:2]:
        for name in (name for name in dir(thing) if not name.startswith("_")):
            member = getattr(type(thing), name, None)
            told = getattr(member, "__doc__", None) or f"`{name}`" in (type(thing).__doc__ or "") + (
                Simulated.__doc__ or ""
            )
            assert told or name in {"panel", "assumptions", "levers", "calibrated", "seed", "scheme"}, name


def test_lists_say_what_there_is(panel: Panel) -> None:
    assert d.schemes().loc["high-needs-stability-grant", "status"] == "adopted"
    assert set(d.levers()["kind"]) >= {"health_share", "funding_growth"}
    councils = d.authorities()
    assert len(councils) == 153
    assert set(councils["type"]) == {"county", "unitary", "metropolitan", "london"}
    assert d.authorities(2023).loc["909", "name"] == "Cumbria"


Probe = Callable[[Panel, Projection, WriteOff], object]
WRONG: dict[str, tuple[Probe, str]] = {
    "until as text": (lambda p, o, w: d.project(p, until="2028"), r"until: found '2028'"),
    "until too late": (lambda p, o, w: d.project(p, until=2090), r"until: found 2090, expected .* from \d{4} to"),
    "until a share": (lambda p, o, w: d.project(p, until=2028.5), r"until: found 2028.5"),
    "draws as text": (lambda p, o, w: d.project(p, draws="500"), r"draws: found '500'.*100 to 100000"),
    "draws true": (lambda p, o, w: d.project(p, draws=True), r"draws: found True"),
    "seed negative": (lambda p, o, w: d.project(p, seed=-1), r"seed: found -1"),
    "a frame for a panel": (lambda p, o, w: d.project(p.frame), r"panel: found a DataFrame, expected a Panel"),
    "a number for assumptions": (lambda p, o, w: d.project(p, 0.05), r"assumptions: found a float"),
    "an unknown assumption": (lambda p, o, w: d.project(p, {"plan_grwth": 1}), r"did you mean 'plan_growth'"),
    "growth as text": (lambda p, o, w: d.Assumptions(plan_growth="much"), r"plan_growth: found 'much', expected"),
    "growth in per cent": (lambda p, o, w: d.Assumptions(plan_growth=5), r"plan_growth: found 5, .*-0.2 to 0.5"),
    "rate above one": (lambda p, o, w: d.Assumptions(financing_rate=4), r"financing_rate: found 4"),
    "spread without sd": (lambda p, o, w: d.Spread(mean=0.1), r"sd: missing"),
    "lever of no name": (lambda p, o, w: d.project(p, levers=["healthshare"]), r"did you mean 'health-share'"),
    "lever a number": (lambda p, o, w: d.project(p, levers=3), r"levers: found 3 \(int\), expected a Lever"),
    "lever of no parameter": (
        lambda p, o, w: d.Lever.read("health-share", pay=1),
        r"pay: unknown name; known: ",
    ),
    "lever in per cent": (lambda p, o, w: d.Lever.read("health-share", paid=30), r"expected a share from 0 to 1"),
    "as_of no day": (lambda p, o, w: d.load_panel("2025-13-01"), r"as_of '2025-13-01' is not a day"),
    "as_of a year": (lambda p, o, w: d.load_panel(2025), r"as_of '2025' is not a day"),
    "rule unknown": (lambda p, o, w: d.load_panel(rule="best"), r"rule: found 'best'; did you mean"),
    "figure unknown": (lambda p, o, w: p.figure("balances"), r"did you mean 'balance"),
    "council misspelt": (lambda p, o, w: o.authority("Kentt"), r"did you mean 'Kent'"),
    "council dissolved": (lambda p, o, w: o.authority("Cumbria"), r"Cumbria.*(Cumberland|Westmorland)"),
    "district": (lambda p, o, w: o.authority("Canterbury"), r"district of Kent"),
    "group counts twice": (lambda p, o, w: o.area(["Kent", "South East"]), r"Kent would count twice"),
    "group with none": (lambda p, o, w: o.area([]), r"found no council"),
    "region misspelt": (lambda p, o, w: o.area("Londonn"), r"'Londonn': did you mean 'London'"),
    "per unknown": (lambda p, o, w: o.england(per="head"), r"no measure per 'head': known: "),
    "per a number": (lambda p, o, w: o.england(per=5), r"no measure per '5'"),
    "real as text": (lambda p, o, w: o.england(real="2026"), r"real: found '2026'"),
    "real too early": (lambda p, o, w: o.england(real=1200), r"real: found 1200, expected .* from"),
    "reaches in bn": (lambda p, o, w: o.reaches(5), r"amount 5 is not"),
    "reaches as text": (lambda p, o, w: o.reaches("5bn"), r"amount 5bn is not"),
    "reaches in a measure": (lambda p, o, w: o.reaches(5e9, "in_year"), r"measure: found 'in_year'; "),
    "decompose backwards": (lambda p, o, w: o.decompose(2028, 2026), r"end: found 2026, expected .* from 2029"),
    "decompose as text": (lambda p, o, w: o.decompose("2026", 2028), r"start: found '2026'"),
    "plot of no measure": (lambda p, o, w: o.plot.fan("Kent", "deficit"), r"measure: found 'deficit'.*gross"),
    "plot of no year": (lambda p, o, w: o.plot.largest(2050), r"year: found 2050, expected .* 2024 to 2031"),
    "scheme of no name": (lambda p, o, w: d.write_off(o, "flat-shar"), r"did you mean 'flat-share'"),
    "scheme a number": (lambda p, o, w: d.write_off(o, 0.9), r"scheme: found 0.9 \(float\), expected a Scheme"),
    "a panel for a projection": (lambda p, o, w: d.write_off(p, "no-help"), r"projection: found a Panel"),
    "share as text": (lambda p, o, w: d.Scheme.read("flat-share", share="most"), r"share: found 'most'"),
    "parameter unknown": (lambda p, o, w: d.Scheme.read("flat-share", shar=0.5), r"shar.*did you mean 'share'"),
    "scheme without terms": (lambda p, o, w: d.Scheme(title="Mine"), r"share: missing"),
    "scheme out of range": (lambda p, o, w: d.write_off(o, d.Scheme.read("flat-share", paid_in=2034)), r"2034"),
    "no schemes": (lambda p, o, w: d.compare(o, []), r"no scheme to compare"),
    "comparison of no name": (lambda p, o, w: d.compare(o, ["no-hlp"]), r"did you mean 'no-help'"),
    "against a number": (lambda p, o, w: w.against(3), r"other: found 3 \(int\)"),
    "rate of no name": (lambda p, o, w: d.compare(o, "no-help", rate="bank"), r"bank"),
    "scenario's lever": (lambda p, o, w: d.Scenario(levers=["healthshare"]), r"did you mean 'health-share'"),
    "scenario's key": (lambda p, o, w: d.Scenario(lever=()), r"lever: unknown name; did you mean 'levers'"),
    "plan of a number": (lambda p, o, w: d.plan(o, "Kent", 5), r"actions: found 5 \(int\), expected a"),
    "plan of no council": (lambda p, o, w: d.plan(o, "Kentt", "example"), r"did you mean 'Kent'"),
    "trace of no figure": (lambda p, o, w: d.trace(p, "Kent", 2024, "balanse"), r"did you mean 'balance'"),
    "trace of no year": (lambda p, o, w: d.trace(p, "Kent", 1990, "balance"), r"Kent has no year 1990"),
    "rate in per cent": (lambda p, o, w: w.exchequer(rate=3.5), r"rate: found 3.5, expected a number from -0.1"),
    "delay as text": (lambda p, o, w: w.cost_of_delay("a year"), r"years: found 'a year', expected a number"),
    "difference from a number": (lambda p, o, w: o.difference(5), r"other: found a int"),
    "an area of none": (lambda p, o, w: o.to_frame(5.5), r"area: found 5.5, expected a council, a region"),
    "a number for a lever": (lambda p, o, w: d.Lever.read(5), r"lever: found 5 \(int\), expected a name"),
    "a list for a scheme": (lambda p, o, w: d.Scheme.read(["a"]), r"scheme: found \['a'\] \(list\)"),
    "year as text": (lambda p, o, w: d.authorities("2024"), r"year: found '2024'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_argument_is_named_with_what_is_possible(
    name: str, panel: Panel, projection: Projection, grant: WriteOff
) -> None:
    probe, message = WRONG[name]
    with pytest.raises(DeficitsError, match=message):
        probe(panel, projection, grant)


def test_what_is_meant_without_doubt_is_taken(panel: Panel, projection: Projection) -> None:
    small = d.project(
        panel, {"plan_growth": 0.03}, levers="health-share", until=np.int64(2028), draws=np.int32(200)
    )
    listed = d.project(
        panel, d.Assumptions(plan_growth=0.03), levers=[d.Lever.read("health-share")], until=2028, draws=200
    )
    assert small.balance.equals(listed.balance)
    year = panel.frame.index.get_level_values("year").to_numpy()[0]
    assert d.trace(panel, panel.frame.index[0][0], year, "balance").steps
    day = pd.Timestamp("2025-09-17")
    assert d.load_panel(day).as_of == d.load_panel(datetime.date(2025, 9, 17)).as_of == "2025-09-17"
    assert len(d.compare(projection, "no-help").schemes) == 1
    assert d.Scenario(levers="health-share", schemes="no-help").levers == (d.Lever.read("health-share"),)
    assert projection.year(np.int64(2028)) == 2028
