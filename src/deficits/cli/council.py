"""Commands on one council: its case on its own figures, its reform plan, and its workbook."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from deficits.cli.common import (
    AMOUNT,
    UNTIL,
    YEAR,
    AsOf,
    Csv,
    Draws,
    OwnFigures,
    Rate,
    Seed,
    Several,
    Until,
    app,
    by_year,
    err,
    out,
    pairs,
    rates,
    read_by,
    within,
    write_csv,
    written,
)
from deficits.errors import ProjectionError
from deficits.formatting import (
    between,
    estimate,
    estimate_range,
    financial_year,
    gbp,
    millions,
    percent,
    two_figures,
    year_end,
)

if TYPE_CHECKING:
    import pandas as pd

    from deficits.reform_plan import ReformPlan

IN_THE_ROW = dict.fromkeys(("mean", "p10", "p50", "p90"), "in the unit of the row")
"""Heading of figures of which each row names the unit."""

XLSX = written(".xlsx")


@app.command()
def plan(
    council: Annotated[str, Argument(help="A council, by name, DfE number or ONS code; or all.")] = "",
    actions: Annotated[Path | None, Argument(help="A YAML file of the actions, for example actions.yaml.")] = None,
    example: Annotated[bool, Option("--example", help="Print a file of actions to change.")] = False,
    until: Until = UNTIL,
    draws: Draws = 1000,
    seed: Seed = 1,
    as_of: AsOf = None,
    own_figures: OwnFigures = None,
    csv: Csv = None,
) -> None:
    """A local SEND reform plan: what its actions do to plans, places, spend and balance, and each one's part."""
    if example:
        print(
            Path(__file__).parents[1].joinpath("reform_plan", "example.yaml").read_text(encoding="utf-8"), end=""
        )
        return
    if not council or actions is None:
        raise ProjectionError("give a council (or all) and a file of actions: deficits plan Kent actions.yaml")
    import pandas as pd

    import deficits as d
    from deficits.reform_plan import Actions, ReformPlan, plans_of_all

    declared = Actions.read(actions)
    panel = d.load_panel(as_of, own=own_figures)
    projection = d.project(panel, until=until, draws=draws, seed=seed)
    if council.casefold() == "all":
        found = list(plans_of_all(projection, declared))
        worked = [each for each in found if isinstance(each, ReformPlan)]
        for each in worked:
            out.print(each)
        for fault in (each for each in found if not isinstance(each, ReformPlan)):
            err.print(f"Note: {fault}")
    else:
        worked = [d.plan(projection, council, declared)]
        _say(worked[0])
    if csv:
        rows = pd.concat([each.to_frame() for each in worked], ignore_index=True)
        write_csv(rows, csv, IN_THE_ROW)


@app.command()
def places(
    council: Annotated[str, Argument(help="A council, by name, DfE number or ONS code; or all.")],
    capacity: Annotated[Path | None, Argument(help="A YAML file of capacity and building costs.")] = None,
    until: Until = UNTIL,
    draws: Draws = 1000,
    seed: Seed = 1,
    as_of: AsOf = None,
    own_figures: OwnFigures = None,
    csv: Csv = None,
) -> None:
    """Specialist places: need against capacity, the cost of building what is short, and of not building it."""
    import pandas as pd

    import deficits as d
    from deficits.places import Capacity, Places, places_of_all, together
    from deficits.places import places as places_of

    declared = Capacity() if capacity is None else Capacity.read(capacity)
    projection = d.project(d.load_panel(as_of, own=own_figures), until=until, draws=draws, seed=seed)
    if council.casefold() == "all":
        found = dict(places_of_all(projection, declared))
        worked = {code: each for code, each in found.items() if isinstance(each, Places)}
        for fault in (each for each in found.values() if not isinstance(each, Places)):
            err.print(f"Note: {fault}")
        shown = together("England", list(worked.values()))
    else:
        shown = places_of(projection, council, declared)
        worked = {projection.code(council): shown}
    table, last = shown.by_year(), shown.years[-1]
    out.print(f"{shown.name}; capacity: {shown.basis}. £ in cash, 80% ranges")
    for year in shown.years:
        short, lost = table.loc[("short", year)], table.loc[("cost of not building", year)]
        places_short = between(*(f"{two_figures(short[end]):,.0f}" for end in ("p10", "p90")))
        out.print(
            f"  {financial_year(year)}  short of {places_short} places; not building costs "
            f"{estimate_range(lost['p10'], lost['p90'])} in the year"
        )
    for provision, way in shown.options().iterrows():
        paid = "" if pd.isna(way["payback"]) else f", paid back in {way['payback']:.1f} years"
        saved = f"saves {estimate(way['saved'])} in that year{paid}"
        out.print(
            f"  Built as {str(provision).replace('_', ' ')}: {two_figures(way['places']):,.0f} places for "
            f"{estimate(way['capital'])} by {financial_year(last)}, {saved}"
        )
    if csv:
        frames = {(code, each.name): each.by_year() for code, each in worked.items()}
        rows = pd.concat(frames, names=["authority", "name"]).reset_index()
        write_csv(rows, csv, IN_THE_ROW)


def _say(worked: ReformPlan) -> None:
    from deficits.reform_plan import evidence

    out.print(worked)
    for row in worked.declared().itertuples():
        out.print(f"  {row.title}: {row.terms}, {row.timing}. Risk owner: {row.risk_owner}")
    years = worked.by_year("plans", "spend", "balance")
    out.print("\nWithout the plan and with it (medians; 80% range of the balance with it)")
    for year in worked.years:
        at = years.xs(year, level="year")["p50"]
        low, high = years.loc[("balance", "mitigated", year), ["p10", "p90"]]
        moves = [
            f"{measure} {show(at[measure, 'unmitigated'])}, with it {show(at[measure, 'mitigated'])}"
            for measure, show in {"plans": "{:,.0f}".format, "spend": gbp, "balance": gbp}.items()
        ]
        out.print(f"  {year_end(year)}  {'; '.join(moves)} ({estimate_range(low, high)})")
    table = worked.management_plan() / 1000
    for variant, lines in table.groupby(level="variant", sort=False):
        _table(f"DSG management plan, {variant}, means, £000", lines.droplevel("variant"))
    out.print(f"\nTaken off the deficit by {year_end(worked.years[-1])}: alone, and after earlier actions (means)")
    effects = worked.effects()
    show = gbp if effects["own_mean"].abs().max() < 1e6 else millions  # one unit in the table
    for title, row in effects.iterrows():
        after = "" if title == "interaction" else f"{show(row['after_earlier_mean']):>10}"
        span = estimate_range(row["own_p10"], row["own_p90"], unit="" if show is gbp else "£m")
        out.print(f"  {title!s:52}{show(row['own_mean']):>10}{after}  80% range {span}")
    out.print(f"\nBalance at {year_end(worked.years[-1])} on harder terms")
    for case, row in worked.stress().iterrows():
        out.print(f"  {case!s:52}{gbp(row['p50']):>10}  80% range {estimate_range(row['p10'], row['p90'])}")
    out.print("\nPublished figures to compare the assumptions with: council, statistical neighbours, England")
    for measure, row in evidence(worked.source.panel, worked.code).iterrows():
        values = row[["own", "neighbours", "england"]]
        shown = [gbp(value) if row["unit"].startswith("£") else percent(value, 1) for value in values]
        out.print(f"  {measure!s:52}{''.join(f'{text:>16}' for text in shown)}  {financial_year(row['year'])}")
    out.print("\nWhat a plan is said to be asked, and what this one answers")
    for point in worked.answers().itertuples():
        out.print(f"  {point.asked} ({point.said_by})\n    {point.answer}")


@app.command()
def workbook(
    council: Annotated[str, Argument(help="A council, by name, DfE number or ONS code.")],
    actions: Annotated[Path | None, Argument(help="A YAML file of its actions; an example unless given.")] = None,
    file: Annotated[Path | None, Option("--to", parser=XLSX, help="The .xlsx to write.")] = None,
    until: Until = UNTIL,
    draws: Draws = 1000,
    seed: Seed = 1,
    as_of: AsOf = None,
    own_figures: OwnFigures = None,
) -> None:
    """A council's balances, plan, grant and interest in one xlsx, with formulas on cells that may be changed."""
    import deficits as d
    from deficits.formatting import slug
    from deficits.reform_plan import workbook as write

    projection = d.project(d.load_panel(as_of, own=own_figures), until=until, draws=draws, seed=seed)
    worked = d.plan(projection, council, actions or "example")
    target = file or Path(f"{slug(worked.name)}.xlsx")
    write(worked, target)
    out.print(f"Written: {target}. Yellow cells may be changed; the check cell on Balances is then no longer 0.")


@app.command(context_settings={"ignore_unknown_options": True})  # a deficit may be typed as -150m
def case(
    council: Annotated[str, Argument(help="Your council, by name, DfE number or ONS code.")],
    deficit: Annotated[float, Argument(parser=AMOUNT, help="Deficit at the scheme's base date, £: 144.4m.")],
    scheme: Annotated[str, Option(help="A scheme's name or YAML file.")] = "high-needs-stability-grant",
    sources: Annotated[
        Several, Option("--source", help='In another source: "accounts=143.9m". Repeatable.')
    ] = None,
    ineligible: Annotated[Several, Option(help='An item and £: "equal pay=£250k". Repeatable.')] = None,
    forecast: Annotated[Several, Option(help="Balance at a later year end: 2026-27=-190m. Repeatable.")] = None,
    contribution: Annotated[Several, Option(help="Paid into the DSG by the council: 2027=2m. Repeatable.")] = None,
    rate: Rate = None,
    until: Annotated[int | None, Option(parser=YEAR, help="Last year: 2029-30 unless given.")] = None,
    paid_on: Annotated[
        Any, Option(parser=read_by("day_given"), help="Day the grant is paid, like 2026-11-30.")
    ] = None,
    late: Annotated[
        float, Option(parser=within(float, "0 to 3 years", 0, 3), help="Years by which the grant is late.")
    ] = 0.0,
    refused: Annotated[bool, Option("--refused", help="Your reform plan is refused: no grant.")] = False,
    reserves: Annotated[float | None, Option(parser=AMOUNT, help="Usable reserves at the base date, £.")] = None,
    minimum: Annotated[float, Option(parser=AMOUNT, help="What reserves shall not fall below, £.")] = 0.0,
    surplus: Annotated[float, Option(parser=AMOUNT, help="Your surplus, £, with a deficit of 0.")] = 0.0,
    accept: Annotated[bool, Option("--accept", help="Take figures that look like a slip.")] = False,
    actions: Annotated[Path | None, Option(help="A reform plan's actions: later years follow it.")] = None,
    csv: Csv = None,
    xlsx: Annotated[Path | None, Option(parser=XLSX, help="Write the case to this workbook.")] = None,
) -> None:
    """A council's own figures: its grant, what is left and what its general fund bears, line by line."""
    from deficits.panel.given import amount_given
    from deficits.writeoff.council_case import UNTIL as LAST
    from deficits.writeoff.council_case import council_case

    given = pairs("--source", sources, amount_given)
    last, projection = until or LAST, None
    if actions:
        import deficits as d

        whole_term = d.project(d.load_panel(), until=max(last, UNTIL), draws=1000)
        projection = d.plan(whole_term, council, actions).projection
    worked = council_case(
        council=council,
        projection=projection,
        deficit={"the council's figures": deficit, **given},
        ineligible=pairs("--ineligible", ineligible, amount_given),
        forecast=by_year("--forecast", forecast, amount_given),
        scheme=scheme,
        until=last,
        accept=accept,
        surplus=surplus,
        contributions=by_year("--contribution", contribution, amount_given),
        rate=rates(rate),
        paid_on=paid_on,
        late=late,
        refused=refused,
        reserves=reserves,
        minimum=minimum,
    )
    for line in worked.lines():
        out.print(line)
    _table("By year, £000", worked.side_by_side() / 1000)
    step = ""
    for row in worked.working().itertuples():
        if row.step != step:
            step = str(row.step)
            out.print(f"\n{step}")
        out.print(f"  {row.line!s:58}{gbp(row.amount):>10}  {row.rule}")
    out.print("\nHow what is left could be met")
    for way, row in worked.ways_to_meet_left().iterrows():
        out.print(f"  {way!s:58}{gbp(row['yearly']):>10} a year, {gbp(row['total'])} in all")
    for heir, row in worked.successors().iterrows():
        out.print(f"  {heir}, from {row['on']}: {gbp(row['left'])} of what is left, by people aged 2 to 18")
    if csv:
        write_csv(worked.working().round(2), csv, {"amount": "£"})
    if xlsx:
        worked.to_excel(xlsx)


def _table(heading: str, lines: pd.DataFrame) -> None:
    """Lines by year in columns, whole numbers."""
    out.print("\n" + f"{heading:76}" + "".join(f"{year:>12}" for year in lines))
    for name, values in lines.iterrows():
        shown = "".join(f"{value:>12,.0f}" if value == value else f"{'not known':>12}" for value in values)
        out.print(f"{name!s:76}{shown}")
