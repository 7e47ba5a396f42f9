"""Commands on one council's own plans: its reform plan, and its workbook."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deficits.cli.common import UNTIL, AsOf, Draws, OwnFigures, Seed, Until, app, err, out
from deficits.errors import ProjectionError
from deficits.formatting import gbp, gbp_range, year_end
from deficits.paths import write_whole

if TYPE_CHECKING:
    import pandas as pd

    from deficits.reform_plan import ReformPlan


@app.command()
def plan(
    council: Annotated[str, typer.Argument(help="A council, by name, DfE number or ONS code; or all.")] = "",
    actions: Annotated[
        Path | None, typer.Argument(help="A YAML file of the actions, for example actions.yaml.")
    ] = None,
    example: Annotated[bool, typer.Option("--example", help="Print a file of actions to change.")] = False,
    until: Until = UNTIL,
    draws: Draws = 1000,
    seed: Seed = 1,
    as_of: AsOf = None,
    own_figures: OwnFigures = None,
    csv: Annotated[
        Path | None, typer.Option(help="Write one row a year, sector and action to this file; £ and plans.")
    ] = None,
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
        rows = pd.concat([each.tidy() for each in worked], ignore_index=True)
        write_whole(csv, rows.round(2).to_csv(index=False).encode("utf-8-sig"))


def _say(worked: ReformPlan) -> None:
    out.print(worked)
    for row in worked.declared().itertuples():
        out.print(f"  {row.title}: {row.terms}, {row.timing}. Risk owner: {row.risk_owner}", markup=False)
    years = worked.by_year("plans", "spend", "balance")
    out.print("\nWithout the plan and with it (medians; 80% range of the balance with it)")

    def moves(measure: str, at: pd.Series) -> str:
        return f"{gbp(at[measure, 'unmitigated'])} to {gbp(at[measure, 'mitigated'])}"

    for year in worked.years:
        at = years.xs(year, level="year")["p50"]
        low, high = years.loc[("balance", "mitigated", year), ["p10", "p90"]]
        out.print(
            f"  {year_end(year)}  plans {at['plans', 'unmitigated']:,.0f} to {at['plans', 'mitigated']:,.0f}, "
            f"spend {moves('spend', at)}, balance {moves('balance', at)} ({gbp_range(low, high)})"
        )
    out.print(f"\nTaken off the deficit by {year_end(worked.years[-1])}: alone, and after earlier actions (means)")
    for title, row in worked.effects().iterrows():
        after = "" if title == "interaction" else f"{gbp(row['after_earlier_mean']):>10}"
        span = gbp_range(row["own_p10"], row["own_p90"])
        out.print(f"  {title!s:52}{gbp(row['own_mean']):>10}{after}  80% range {span}", markup=False)
    out.print(f"\nBalance at {year_end(worked.years[-1])} on harder terms")
    for case, row in worked.stress().iterrows():
        out.print(
            f"  {case!s:52}{gbp(row['p50']):>10}  80% range {gbp_range(row['p10'], row['p90'])}", markup=False
        )
    out.print("\nWhat a plan is said to be asked, and what this one answers")
    for point in worked.answers().itertuples():
        out.print(f"  {point.asked} ({point.said_by})\n    {point.answer}", markup=False)


@app.command()
def workbook(
    council: Annotated[str, typer.Argument(help="A council, by name, DfE number or ONS code.")],
    actions: Annotated[
        Path | None, typer.Argument(help="A YAML file of its actions; an example unless given.")
    ] = None,
    file: Annotated[Path | None, typer.Option("--to", help="The .xlsx to write; named after the council.")] = None,
    until: Until = UNTIL,
    draws: Draws = 1000,
    seed: Seed = 1,
    as_of: AsOf = None,
    own_figures: OwnFigures = None,
) -> None:
    """One xlsx with live formulas: its balances, plan, grant and interest, on cells that it may change."""
    import deficits as d
    from deficits.formatting import slug
    from deficits.reform_plan import workbook as write

    projection = d.project(d.load_panel(as_of, own=own_figures), until=until, draws=draws, seed=seed)
    worked = d.plan(projection, council, actions or "example")
    target = file or Path(f"{slug(worked.name)}.xlsx")
    write(worked, target)
    out.print(f"Written: {target}. Yellow cells may be changed; the check cell on Balances is then no longer 0.")
