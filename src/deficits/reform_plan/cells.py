"""Terms and rows of a workbook: each formula is written with the value that the package works out for it."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import xlsxwriter
from xlsxwriter.utility import xl_rowcol_to_cell

from deficits.formatting import financial_year

FIRST = 2
"""Column of the first year: labels and units stand before it."""


@dataclass(frozen=True)
class Cell:
    """A term of the workbook: what Excel reads, and its value as the package works it out."""

    text: str
    value: float

    def _with(self, sign: str, other: Term, value: float) -> Cell:
        return Cell(f"({self.text}{sign}{cell(other).text})", value)

    def __add__(self, other: Term) -> Cell:
        return self._with("+", other, self.value + cell(other).value)

    def __sub__(self, other: Term) -> Cell:
        return self._with("-", other, self.value - cell(other).value)

    def __rsub__(self, other: float) -> Cell:
        return cell(other) - self

    def __mul__(self, other: Term) -> Cell:
        return self._with("*", other, self.value * cell(other).value)

    def __truediv__(self, other: Term) -> Cell:
        below = cell(other).value
        return self._with("/", other, self.value / below if below else math.nan)


Term = Cell | float
Row = list[Cell]


def cell(term: Term) -> Cell:
    """A number as a term."""
    return term if isinstance(term, Cell) else Cell(repr(float(term)).upper(), float(term))


def least(*terms: Term) -> Cell:
    """The lowest of some terms."""
    cells = [cell(term) for term in terms]
    return Cell(f"MIN({','.join(each.text for each in cells)})", min(each.value for each in cells))


def most(*terms: Term) -> Cell:
    """The highest of some terms."""
    cells = [cell(term) for term in terms]
    return Cell(f"MAX({','.join(each.text for each in cells)})", max(each.value for each in cells))


def total(terms: Iterable[Cell]) -> Cell:
    """The sum of some terms, one at least."""
    return reduce(operator.add, terms)


class Book:
    """The workbook as it is written; what is written on it can be named in later formulas."""

    def __init__(self, path: Path, years: list[int], title: str, comments: str) -> None:
        self.book = xlsxwriter.Workbook(str(path))
        self.book.set_properties({"title": title, "comments": comments})
        self.years = years
        add = self.book.add_format
        given = {"bg_color": "#FFF2CC", "border": 1, "locked": False}
        self.head = add({"bold": True, "bottom": 1})
        self.given_number, self.given_money = (
            add(given | {"num_format": written}) for written in ("#,##0.0000", "#,##0")
        )
        self.number, self.factor = (add({"num_format": written}) for written in ("#,##0;-#,##0", "0.0000"))
        self.wrap = add({"text_wrap": True, "valign": "top"})

    def sheet(self, name: str, heading: str) -> None:
        """Begin a sheet: rows are written on it from now on, with a year over each column."""
        self.name, self.next = name, 2
        self.on = self.book.add_worksheet(name)
        self.on.set_column(0, 0, 58)
        self.on.set_column(1, 1, 14)
        self.on.set_column(FIRST, FIRST + len(self.years), 16)
        self.on.write_string(0, 0, heading, self.head)
        self.on.freeze_panes(2, FIRST)
        for t, year in enumerate(self.years):
            self.on.write_string(1, FIRST + t, financial_year(year), self.head)

    def row(
        self,
        label: str,
        terms: Iterable[Term | None] | Callable[[int, Row], Term],
        unit: str = "£",
        given: bool = False,
    ) -> Row:
        """A row of numbers and formulas, to change where `given`; None leaves a year blank, which is read as 0.

        A function makes each year's term from its place and the row so far.
        """
        row, style = self.next, self._style(unit, given)
        self.next += 1
        # As text, whatever it begins with: a title that a person typed is never a formula.
        self.on.write_string(row, 0, label)
        self.on.write_string(row, 1, unit)
        cells: Row = []
        made = (terms(t, cells) for t in range(len(self.years))) if callable(terms) else terms
        for column, term in enumerate(made, FIRST):
            if isinstance(term, Cell):
                self.on.write_formula(row, column, f"={term.text}", style, term.value)
            elif term is not None:
                self.on.write_number(row, column, float(term), style)
            named = xl_rowcol_to_cell(row, column, row_abs=True, col_abs=True)
            cells.append(Cell(f"'{self.name}'!{named}", cell(term or 0.0).value))
        return cells

    def _style(self, unit: str, given: bool = False) -> Any:
        if given:
            return self.given_money if unit.startswith("£") else self.given_number
        return self.factor if unit == "factor" else self.number

    def given(self, label: str, value: float | None, unit: str = "£") -> Cell:
        """A cell to change."""
        (cell,) = self.row(label, [value], unit, given=True)
        if value is None:
            self.on.write_blank(self.next - 1, FIRST, None, self._style(unit, given=True))
        return cell
