"""Commands on the projection and on write-offs: projection, levers, writeoff, schemes, scheme new, compare."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, cast

import typer
from typer import Argument, Option

from deficits.cli.common import (
    AMOUNT,
    SHARE,
    UNTIL,
    YEAR,
    AsOf,
    AuthorityOption,
    Csv,
    Draws,
    OwnFigures,
    Rate,
    ScenarioFile,
    Seed,
    Several,
    Until,
    app,
    assigned,
    err,
    out,
    rates,
    within,
    write_csv,
)
from deficits.errors import SchemeError
from deficits.formatting import (
    between,
    chance,
    england_range,
    estimate,
    estimate_range,
    financial_year,
    gbp,
    percent,
    year_end,
)
from deficits.validation import read_toml

MEASURES, COMPARED = read_toml(Path(__file__).with_name("words.toml"), "words.toml", SchemeError).values()
"""What the measures of a write-off, and of a comparison, are called."""


def billions(text: Any) -> float:
    """£ as typed; a number below 1,000 is £bn."""
    amount: float = AMOUNT(text)
    return amount * 1e9 if amount < 1000 else amount


@app.command()
@app.command("outlook", hidden=True, deprecated=True)  # its name until 0.3
def project(
    place: Annotated[str, Argument(help="England, a region, or a council by name or code.")] = "England",
    until: Until = UNTIL,
    draws: Draws = 4000,
    seed: Seed = 1,
    authority: Annotated[str | None, Option(hidden=True)] = None,  # a place's options until 0.3
    region: Annotated[str | None, Option(hidden=True)] = None,
    as_of: AsOf = None,
    own_figures: OwnFigures = None,
    scenario: ScenarioFile = None,
    levers: Annotated[Several, Option("--lever", help="A lever's name or YAML file. Repeatable.")] = None,
    assignments: Annotated[Several, Option("--set", help="An assumption: plan_growth=0.05. Repeatable.")] = None,
    per: Annotated[str | None, Option(help="pupil, person_2_18, plan (£ per each) or dsg (share of it).")] = None,
    real: Annotated[int | None, Option(parser=YEAR, help="In prices of a financial year, like 2025-26.")] = None,
    reaches: Annotated[
        float,
        Option(
            parser=within(billions, "£1m or more, such as £5bn", 1e6),
            help="When does England's deficit reach this? £5bn, or 5.",
        ),
    ] = 5e9,
    csv: Csv = None,
) -> None:
    """Project the gross deficit of England or a region, or one council's balance (negative = deficit)."""
    import deficits as d
    from deficits.projection import profile

    chosen = d.Scenario.read(scenario) if scenario else d.Scenario()
    given = assigned(assignments, "plan_growth=0.05")
    assumptions = d.Assumptions(**(chosen.assumptions.model_dump() | given))
    used = (*chosen.levers, *(d.Lever.read(name) for name in levers or []))
    asked = d.Scenario(assumptions=assumptions, levers=used)
    panel = d.load_panel(as_of, own=own_figures)
    projected = asked.project(panel, until=until, draws=draws, seed=seed)
    found = projected.place(authority or region or place)
    if found.kind == "council":
        frame = projected.authority(found.codes[0], cast(Any, per), real)
        out.print(f"DSG balance of {found.name}, negative = deficit")
    else:
        frame = projected.area(found.name, cast(Any, per), real).loc["gross"]
        where = "England's councils" if found.kind == "England" else f"councils in {found.name}"
        out.print(f"Gross deficit of {where} (80% range)")
    if terms := asked.lines():
        out.print(f"On these terms: {'; '.join(terms)}")
    unit = frame.attrs["units"]
    for year, row in frame.iterrows():
        ahead = int(year) - projected.base_year if found.kind == "England" else 0
        shares = f"{between(percent(row['p10']), percent(row['p90']))} of the DSG"
        told = shares if per == "dsg" else _ranged(row, found.kind == "council", ahead) + unit.removeprefix("£")
        out.print(f"  {year_end(int(year))}  {told}")
    if found.kind == "council" and per is None and real is None:
        for row in profile.own_path(projected, found.codes[0]).itertuples():
            where = "inside" if row.p10 <= row.value <= row.p90 else "outside"
            told = f"{row.scenario} {gbp(cast(float, row.value))}, {where} the 80% range"
            out.print(f"  {year_end(cast(int, row.year))}  {panel.own}: {told}")
    if found.kind == "England":
        reach = projected.reaches(reaches)
        likely = (f"{chance(share)} at {year_end(int(year))}" for year, share in reach.probability.items())
        out.print(f"At or above {gbp(reaches)}: {', '.join(likely)}")
    for warning in projected.warnings_on(found.name):
        err.print(f"Note: {warning}")
    if csv:
        write_csv(frame.reset_index(), csv, dict.fromkeys(frame.columns, unit) if unit != "£" else None)


def _ranged(row: Any, of_a_council: bool = False, years_ahead: int = 0) -> str:
    """A range and its central estimate; one value where it is published."""
    low, middle, high = row["p10"], row["p50"], row["p90"]
    if gbp(low) == gbp(high):
        return gbp(middle)
    if of_a_council:
        return f"{estimate_range(low, high)}, central estimate {estimate(middle)}"
    central = england_range(middle, middle, years_ahead)
    return f"{england_range(low, high, years_ahead)}, central estimate {central}"


@app.command()
def levers() -> None:
    """List the levers that come with the package."""
    import deficits as d

    for name, lever in d.levers().iterrows():
        out.print(f"{name:22}{lever['title']}. {lever['terms']}, {lever['timing']}")


@app.command()
def writeoff(
    scheme: Annotated[str, Argument(help="A scheme's name or a YAML file; `deficits schemes` lists them.")],
    share: Annotated[float | None, Option(parser=SHARE, help="Instead of the scheme's: 90% or 0.9.")] = None,
    assignments: Annotated[Several, Option("--set", help="A parameter: share=0.8. Repeatable.")] = None,
    as_of: AsOf = None,
    own_figures: OwnFigures = None,
    scenario: ScenarioFile = None,
    until: Until = UNTIL,
    draws: Draws = 4000,
    seed: Seed = 1,
    authority: AuthorityOption = None,
    rate: Rate = None,
    allocations: Annotated[Path | None, Option(help="Published grants: a CSV of council and grant_gbp.")] = None,
    unpromised: Annotated[bool, Option("--unfunded", help="Print what the grant does not cover.")] = False,
    csv: Csv = None,
) -> None:
    """Apply a write-off scheme: who is paid what, what is left, how soon it is back."""
    import deficits as d
    from deficits.writeoff import read_allocations, write_off
    from deficits.writeoff.inputs import inputs_of

    changes = assigned([*(assignments or []), *([] if share is None else [f"share={share}"])])
    chosen = d.Scenario.read(scenario) if scenario else d.Scenario()
    design = chosen.scheme(scheme).changed(**changes)
    panel = d.load_panel(as_of, own=own_figures)
    code = None if authority is None else panel.authorities.resolve(authority)
    inputs = inputs_of(chosen.project(panel, until=until, draws=draws, seed=seed), rates(rate))
    if allocations:
        if not isinstance(design.share, float) or not design.share:
            raise SchemeError("--allocations: the scheme has no single share by which they could be divided")
        inputs = inputs.with_allocations(read_allocations(allocations), design.share, design.base_year)
    result = write_off(inputs, design)
    councils = result.by_authority().drop(columns="type")
    out.print(f"{design.title}: {design.terms()}")
    if code is not None:
        councils = councils.loc[[result.projection.code(code)]]
        row, last = councils.iloc[0], result.projection.years[-1]
        out.print(f"{row['name']}; a balance below zero is a deficit")
        for name, year in (("grant", design.base_year), ("left", design.base_year), ("balance", last)):
            parts = {part: row[f"{name}_{part}"] for part in ("p10", "p50", "p90")}
            out.print(f"  {MEASURES[name].format(at=year_end(year)):46}{_ranged(parts, of_a_council=True)}")
    else:
        for name, row in result.summary().iterrows():
            words = MEASURES[str(name)].format(at=year_end(int(row["year"])))
            out.print(f"  {words:46}{_told(row, int(row['year']) - result.projection.base_year)}")
        if design.source == "lowest":
            _lowest_source(result)
    if unpromised:
        _unfunded(result, code)
    for warning in result.warnings:
        err.print(f"Note: {warning}")
    if csv:
        import pandas as pd

        england = [] if code else [pd.DataFrame([result.england_row()])]
        write_csv(pd.concat([councils.reset_index(), *england]), csv)


def _unfunded(result: Any, code: str | None) -> None:
    """Print what the grant does not cover by year, and what it would cost to cover a share of the growth."""
    from deficits.writeoff import AT_A_YEAR_END, UNFUNDED, price_of_cover, unfunded

    out.print("Nobody has promised to pay:")
    for (item, year), row in unfunded(result, code).iterrows():
        when = year_end(year) if item in AT_A_YEAR_END else financial_year(year)
        known = f"{_ranged(row, of_a_council=code is not None)} ({row['basis']})"
        amount = row["basis"] if row["p50"] != row["p50"] else known
        out.print(f"  {UNFUNDED[item]}, {when}: {amount}")
    if any(part.cover for part in result.scheme.parts):
        return
    out.print(f"Covering growth to {year_end(result.scheme.override_ends)} would cost:")
    for share, row in price_of_cover(result, authority=code).iterrows():
        total = {part: row[f"total_{part}"] for part in ("p10", "p50", "p90")}
        out.print(f"  {percent(share)} of it: {_ranged(total, of_a_council=code is not None)}")


def _lowest_source(result: Any) -> None:
    """Print what the rule that the lowest of the sources counts takes off, and at which councils."""
    differ = result.inputs.source_differences(result.scheme.base_year).join(result.inputs.councils["name"])
    for row in differ[differ["gap"] >= NAMED_FROM].sort_values("gap", ascending=False).itertuples():
        before, after = (
            ("Less", "and the lowest counts") if row.counts else ("Nothing off", "one of them a surplus")
        )
        when = year_end(int(row.year))
        out.print(f"  {before} at {row.name}: the sources differ by {gbp(row.gap)} at {when}, {after}")


@app.command()
def schemes(
    schema: Annotated[bool, Option("--schema", help="Print the JSON schema, for an editor.")] = False,
) -> None:
    """List the write-off schemes that come with the package."""
    import deficits as d

    if schema:
        print(d.Scheme.json_schema())
        return
    listed = d.schemes()
    for name, scheme in listed.iterrows():
        status = scheme["status"].replace("counterfactual", "hypothetical")
        out.print(f"{name:{listed.index.str.len().max()}}  {status:13}{scheme['title']}. {scheme['terms']}")


scheme_app = typer.Typer(help="Write a scheme of your own.", no_args_is_help=True)
app.add_typer(scheme_app, name="scheme")


@scheme_app.command("new")
def new_scheme(
    file: Annotated[Path, Argument(help="The YAML file to write, for example mine.yaml.")],
    like: Annotated[str, Option(help="The shipped scheme to start from.")] = "flat-share",
) -> None:
    """Write a scheme to change in an editor, and its JSON schema next to it. An existing file is left alone."""
    from deficits.writeoff import write_new

    scheme, schema = write_new(file, like)
    out.print(f"Written: {scheme} (rules for your editor in {schema.name}). Try: deficits writeoff {scheme}")


NAMED_FROM = 1e6
"""£ by which sources differ from which the council is named."""


def _compared(row: Any, measure: str, years_ahead: int) -> str:
    low, high = row[f"{measure}_p10"], row[f"{measure}_p90"]
    if low != low:
        return "none is paid"
    if measure in ("cost", "present_cost", "councils_pay", "to_repay", "deficit"):
        return england_range(low, high, years_ahead if measure == "deficit" else 0)
    places = {"years_bought": 1, "gini": 2}.get(measure, 0)
    span = between(*(f"{value:.{places}f}" if value != float("inf") else "not back" for value in (low, high)))
    return f"{span} of {row['reserves_known']:.0f}" if measure == "above_reserves" else span


@app.command()
def compare(
    names: Annotated[list[str], Argument(help="Schemes, by name or YAML file.")],
    year: Annotated[int | None, Option(parser=YEAR, help="Year end; that of the override unless given.")] = None,
    until: Until = UNTIL,
    draws: Draws = 4000,
    seed: Seed = 1,
    as_of: AsOf = None,
    own_figures: OwnFigures = None,
    scenario: ScenarioFile = None,
    rate: Rate = None,
    cluster: Annotated[str | None, Option(help="A dask scheduler, like tcp://host:8786.")] = None,
    csv: Csv = None,
) -> None:
    """Compare write-off schemes on the same simulations: cost, deficit left, reserves, which are dominated."""
    import deficits as d
    from deficits.writeoff import STPR, grants_inside

    chosen = d.Scenario.read(scenario) if scenario else d.Scenario()
    projection = chosen.project(d.load_panel(as_of, own=own_figures), until=until, draws=draws, seed=seed)
    designs = [chosen.scheme(name) for name in names]
    measured = d.compare(projection, designs, year=year, rate=rates(rate), cluster=cluster)
    table, prices = measured.table(), f"{financial_year(measured.dates.base)} prices"
    out.print(
        f"At {year_end(measured.year)}, cheapest to the Exchequer first (80% ranges; {prices} are discounted to "
        f"{financial_year(measured.dates.base)} at {percent(STPR, 1)} a year in real terms):"
    )
    ahead = measured.year - projection.base_year
    for title, row in table.iterrows():
        out.print(str(title))
        for measure, words in COMPARED.items():
            if measure != "to_repay" or row["to_repay_p90"] > 0:
                out.print(f"  {words.format(prices=prices):52}{_compared(row, measure, ahead)}")
        if row["dominated"]:
            in_draws = f"no worse on every measure in {chance(row['in_draws'])} of simulations"
            out.print(f"  Dominated by {row['dominated_by']}: {in_draws}")
    for warning in grants_inside(projection):
        err.print(f"Note: {warning}")
    if csv:
        write_csv(table.reset_index(), csv)


def _told(row: Any, years_ahead: int) -> str:
    if row["unit"] == "£":
        return _ranged(row, years_ahead=years_ahead)
    if row["unit"] == "share of draws":
        return chance(row["mean"])
    places = 1 if row["unit"] == "years" else 0
    low, middle, high = (f"{row[part]:.{places}f}" for part in ("p10", "p50", "p90"))
    span = between(low, high)
    return f"{span} {row['unit']}" if span == middle else f"{span} {row['unit']}, central estimate {middle}"
