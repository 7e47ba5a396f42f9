"""What the commands share: the application, where they print, and options that several have."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from deficits.assumptions import assumed
from deficits.errors import DeficitsError, ProjectionError
from deficits.formatting import financial_year, gbp
from deficits.validation import read_yaml

if TYPE_CHECKING:
    import pandas as pd

app = typer.Typer(
    help="SEND deficits in England's councils: published figures, a projection, partial write-offs, reports. "
    "Exit codes: 0 done, 2 bad input, 3 data fails a check, 4 a report failed, 5 out of time.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out = Console(highlight=False, soft_wrap=True, markup=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)

UNTIL = int(assumed("projection", "usual_last_year").number)
Until = Annotated[int, typer.Option(help="Last year end: 2031 is 31 March 2031.")]
Draws = Annotated[int, typer.Option(help="Number of draws.")]
Seed = Annotated[int, typer.Option(help="Same seed, same result.")]
AuthorityOption = Annotated[str | None, typer.Option(help="One council, by name, DfE number or ONS code.")]
AsOf = Annotated[str | None, typer.Option(help="Leave out what was published after this day, like 2025-09-17.")]
OwnFigures = Annotated[
    str | None, typer.Option("--own", help="Your own balances: a CSV, or one `deficits own` kept.")
]
Rate = Annotated[
    str | None,
    typer.Option(help="Financing rate a year: 0.0481, 4.81%, or pwlb, bcp or cheshire-east (data/assumptions)."),
]
ScenarioFile = Annotated[
    str | None, typer.Option("--scenario", help="Assumptions, levers and schemes: a scenario's file.")
]


def assigned(
    assignments: Iterable[str], error: type[DeficitsError] = ProjectionError, example: str = "share=0.8"
) -> dict[str, Any]:
    """`name=value` texts as a dictionary, values as YAML reads them (0.8 is a number, none is nothing)."""
    values: dict[str, Any] = {}
    for assignment in assignments:
        key, mark, value = assignment.partition("=")
        if not mark:
            raise error(f"--set {assignment}: expected name=value, for example --set {example}")
        if key.strip() in values:
            raise error(f"--set {assignment}: {key.strip()} is set twice; give one value")
        values[key.strip()] = read_yaml(value, f"--set {assignment}", error) if value.strip() else ""
    return values


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write a table of results that Excel opens as it is: a byte-order mark, the unit of each column in its
    heading, money in whole pounds."""
    units = {
        "share": "0 to 1",
        "chance": "0 to 1",
        "gini": "0 to 1",
        "paid": "share of draws",
        "in": "share of draws",
    }
    units |= {"top": "0 to 1", "years": "years", "above": "councils", "reserves": "councils"}
    headed = {}
    for name in frame.select_dtypes("number"):
        first = str(name).partition("_")[0]
        headed[name] = f"{name} ({units.get(first, '£')})"
        if first not in units:
            frame = frame.assign(**{name: frame[name].round(0)})
    frame.rename(columns=headed).to_csv(path, index=False, encoding="utf-8-sig", float_format="%.10g")


def say_sums(rows: list[dict[str, Any]], newest: int | None = None) -> None:
    """Print sums of councils with the figure published for England."""
    out.print("\nSums of councils compared with the published figure for England")
    for name in dict.fromkeys(row["figure"] for row in rows):
        show = "{:,.0f}".format if name == "plans" else gbp
        for row in sorted((row for row in rows if row["figure"] == name), key=lambda row: -row["year"])[:newest]:
            out.print(
                f"  {name:31}{financial_year(row['year'])}  "
                f"{show(row['sum'])}, published {show(row['published'])}: "
                f"{row['state']} ({100 * row['difference']:+.2f}%, {row['councils']} councils; {row['reason']})"
            )
