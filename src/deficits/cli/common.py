"""What the commands share: the application, where they print, and options that several have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from typer import Option

from deficits.assumptions import assumed
from deficits.errors import SchemeError
from deficits.formatting import financial_year, gbp
from deficits.paths import write_whole
from deficits.validation import read_yaml

if TYPE_CHECKING:
    import pandas as pd

Several = list[str] | None
"""Of an option that may be given more than once."""
app = typer.Typer(
    help="SEND deficits in England's councils: published figures, a projection, partial write-offs, reports. "
    "Exit codes: 0 done, 2 bad input, 3 data fails a check, 4 a report failed, 5 out of time.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out = Console(highlight=False, soft_wrap=True, markup=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)


def read_by(read: str) -> Callable[[Any], Any]:
    """A reader of `deficits.panel.given`, imported when it is used, as the command line's own: its fault in its
    words."""

    def parse(text: Any) -> Any:
        if not isinstance(text, str):
            return text  # a default: nothing is read, and nothing loaded to read it
        from deficits.panel import given

        try:
            return getattr(given, read)(text)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    return parse


YEAR, SHARE, AMOUNT, WHOLE = map(read_by, ("ending_year", "share_given", "amount_given", "whole_given"))


def within(read: Callable[[Any], Any], expected: str, low: float, high: float = inf) -> Callable[[Any], Any]:
    """A reader of numbers from `low` to `high`; `expected` says in words what they are."""

    def parse(text: Any) -> Any:
        with suppress(ValueError):
            if low <= (found := read(text)) <= high:
                return found
        raise typer.BadParameter(f"found {text}, expected {expected}")

    return parse


def at_least(low: int) -> Callable[[Any], Any]:
    """A reader of whole numbers from `low` on."""
    return within(WHOLE, f"a whole number from {low}", low)


def written(ending: str) -> Callable[[Any], Path]:
    """A reader of where a file is to be written: in a folder that is there, with a name that ends so."""

    def parse(text: Any) -> Path:
        path = Path(text)
        if path.suffix.casefold() != ending:
            raise typer.BadParameter(f"found {text}, expected a name that ends in {ending}")
        if not path.parent.is_dir():
            raise typer.BadParameter(f"found {text}, but there is no folder {path.parent}: make it first")
        return path

    return parse


def folder_held(text: str) -> Path:
    """A reader of a folder that is there."""
    if not Path(text).is_dir():
        raise typer.BadParameter(f"found {text}, expected a folder that is there")
    return Path(text)


LAST_HORIZON = int(assumed("projection", "last_year").number)
UNTIL = int(assumed("projection", "usual_last_year").number)
Until = Annotated[int, Option(parser=YEAR, help="Last year end: 2031 (31 March 2031) or 2030-31.")]
Draws = Annotated[int, Option(parser=WHOLE, help="Number of simulations.")]
Seed = Annotated[int, Option(parser=WHOLE, help="Same seed, same result.")]
AuthorityOption = Annotated[str | None, Option(help="One council, by name, DfE number or ONS code.")]
AsOf = Annotated[
    str | None,
    Option(
        parser=lambda text: read_by("day_given")(text).isoformat(),
        help="Leave out what was published after this day, like 2025-09-17.",
    ),
]
OwnFigures = Annotated[str | None, Option("--own", help="Your own balances: a CSV, or one `deficits own` kept.")]
Rate = Annotated[
    Several,
    Option(
        help="Financing rate a year: 4.81%, or pwlb, bcp or cheshire-east (data/assumptions); by year, "
        "2026-27=4.5%. Repeatable."
    ),
]
Csv = Annotated[
    Path | None, Option(parser=written(".csv"), help="Write the table to this CSV; headings say the units.")
]
ScenarioFile = Annotated[str | None, Option("--scenario", help="A scenario's file.")]


def pairs(
    option: str,
    given: Several,
    read: Callable[[Any], Any],
    name: Callable[[str], Any] = str,
    wanted: str = "name=value or year=value",
) -> dict[Any, Any]:
    """`name=value` texts by name; SchemeError where one is given twice, so that neither is lost."""
    found: dict[Any, Any] = {}
    for text in given or []:
        label, mark, value = (part.strip() for part in text.partition("="))
        if not mark or not label:
            raise SchemeError(f"{option} {text}: expected {wanted}")
        try:
            key, content = name(label), read(value)
        except ValueError as error:
            raise SchemeError(f"{option} {text}: {error}") from None
        if str(key).casefold() in {str(known).casefold() for known in found}:
            raise SchemeError(f"{option}: '{label}' is given twice; give one value, the sum, or another name")
        found[key] = content
    return found


def by_year(option: str, given: Several, read: Callable[[Any], Any]) -> dict[int, Any]:
    """`year=value` texts by year, as `pairs`."""
    from deficits.panel.given import ending_year

    return pairs(option, given, read, ending_year)


def assigned(given: Several, example: str = "share=0.8") -> dict[str, Any]:
    """`--set name=value` texts by name, values as YAML reads them (0.8 is a number, none is nothing)."""

    def read(text: str) -> Any:
        return read_yaml(text, f"--set {text}", SchemeError) if text else ""

    return pairs("--set", given, read, wanted=f"name=value, for example --set {example}")


def rates(given: Several) -> float | dict[int, float] | None:
    """A financing rate, or one by financial year, from what `--rate` was given; None where it was not."""
    from deficits.panel.given import share_given
    from deficits.writeoff import financing_rate

    whole = [text for text in given or [] if "=" not in text]
    dated = by_year("--rate", [text for text in given or [] if "=" in text], share_given)
    if whole and (dated or len(whole) > 1):
        raise SchemeError("--rate: give one for all years, or one by year (2026-27=4.5%), each once")
    return financing_rate(whole[0] if whole else dated) if given else None


def write_csv(frame: pd.DataFrame, path: Path, units: Mapping[str, str] | None = None) -> None:
    """Write a table of results that Excel opens as it is: a byte-order mark, the unit of each column in its
    heading, money in whole pounds. `units`: of columns by the first word of their names, where it is not £."""
    known = {"share": "0 to 1", "chance": "0 to 1", "gini": "0 to 1", "top": "0 to 1", "paid": "share of draws"}
    known |= {"in": "share of draws", "years": "years", "above": "councils", "reserves": "councils", "year": ""}
    known |= units or {}
    headed = {}
    for name in frame.select_dtypes("number"):
        first = str(name).partition("_")[0]
        headed[name] = f"{name} ({unit})" if (unit := known.get(first, "£")) else str(name)
        if first not in known:
            frame = frame.assign(**{name: frame[name].round(0).astype("Int64")})
    text = frame.rename(columns=headed).to_csv(index=False, float_format="%.12g", lineterminator="\n")
    write_whole(path, text.encode("utf-8-sig"))


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
