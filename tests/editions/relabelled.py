"""Next editions of each publication, made in a copy of `data/raw`: the newest year held, carried on by years.

The figures are invented: they are for seeing that a newer edition goes through the panel, the projection and the
write-off. Each function adds one edition to a `Folder` and gives its `Claim`: what the panel must then hold.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

import deficits as d
from deficits.formatting import financial_year, last_day, year_of
from deficits.panel import Panel
from deficits.paths import raw_dir
from deficits.publications import ons_population, safety_valve
from deficits.raw import SourceFile, read_source

DAY = "2026-12-10"
"""The day on which the editions here are published, after all that is held."""
COUNCILS = [str(code) for code in d.load_panel().authorities.in_year(9999)]
"""DfE numbers of the councils that exist today."""


@dataclass(frozen=True)
class Claim:
    """What an edition says: `found` takes it out of a panel, `expected` is what was written."""

    found: Callable[[Panel], pd.Series]
    expected: pd.Series


@dataclass(frozen=True)
class Folder:
    """A folder like `data/raw` that editions are added to: with a copy of each publication that is asked for."""

    folder: Path

    @classmethod
    def copied(cls, folder: Path) -> Folder:
        """A fresh copy of the figures that come with the project."""
        shutil.copytree(raw_dir(), folder)
        return cls(folder)

    def newest(self, publication: str, kind: str) -> pd.DataFrame:
        """The newest edition of a kind of table, as text."""
        return self.table(publication, self._newest(publication, kind).name)

    def at(self, publication: str) -> Path:
        """The folder of a publication, copied from the project's figures when it is first asked for."""
        place = self.folder / publication
        return place if place.is_dir() else Path(shutil.copytree(raw_dir() / publication, place))

    def table(self, publication: str, name: str) -> pd.DataFrame:
        """A table as text."""
        return pd.read_csv(self.at(publication) / name, dtype=str, keep_default_na=False, na_values=[""])

    def add(self, publication: str, kind: str, frame: pd.DataFrame, published: str) -> None:
        """Write a table and declare it, as `deficits fetch` does."""
        content = frame.to_csv(index=False).encode()
        editions = sum(file.table == kind for file in read_source(self.at(publication)).file)
        name = f"{kind}_{published}_{editions + 1}.csv"
        (self.at(publication) / name).write_bytes(content)
        lines = [
            "\n[[file]]",
            f'name = "{name}"',
            f'table = "{kind}"',
            f'title = "{kind}, edition of {published}"',
            f'published = "{published}"',
            f'sha256 = "{hashlib.sha256(content).hexdigest()}"',
            f"rows = {len(frame)}",
            "[file.columns]",
            *(f'{json.dumps(str(column))} = "as in the edition before"' for column in frame),
        ]
        with (self.at(publication) / "source.toml").open("a", encoding="utf-8") as declared:
            declared.write("\n".join(lines) + "\n")

    def add_rows(self, publication: str, name: str, rows: pd.DataFrame) -> None:
        """More rows in a table that has no editions."""
        path = self.at(publication) / name
        table = pd.concat([self.table(publication, name), rows])
        before = read_source(path.parent).find(name)
        path.write_text(table.to_csv(index=False), encoding="utf-8")
        declared = (path.parent / "source.toml").read_text(encoding="utf-8")
        head, found, tail = declared.partition(before.sha256)
        tail = tail.replace(f"rows = {before.rows}", f"rows = {len(table)}", 1)
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        (path.parent / "source.toml").write_text(head + found + tail, encoding="utf-8")

    def _newest(self, publication: str, kind: str) -> SourceFile:
        files = [file for file in read_source(self.at(publication)).file if file.table == kind]
        return max(files, key=lambda file: last_day(file.published) if file.published else "")


# --- balances


@cache
def balance_at(year: int) -> pd.Series:
    """Invented balances of today's councils at 31 March of a year after those published, £ thousands whole.

    Each year a council's balance falls by about a tenth of its block and a third of its last published deficit,
    and by a third more the year after: £1.7bn for England, then £2.2bn.
    """
    panel = d.load_panel()
    balances = panel.figure("balance").reindex(COUNCILS)
    newest = int(balances.columns[balances.notna().mean() > 0.9].max())
    last = balances[newest].fillna(0.0)
    block = panel.figure("high_needs_block")[newest].reindex(COUNCILS).fillna(0.0)
    first = 0.1 * block + (-last).clip(lower=0.0) / 3
    uneven = np.random.default_rng(1).uniform(0.6, 1.4, (year - newest, len(COUNCILS)))
    faster = 1 + np.arange(year - newest)[:, None] / 3
    return (last - first * (uneven * faster).sum(axis=0)).round(-3)


def newest_balances() -> int:
    """The newest year end that nearly all councils have a balance of, among the figures held."""
    share = d.load_panel().figure("balance").notna().sum() / len(COUNCILS)
    return int(share.index[share > 0.9].max())


def balances(
    raw: Folder,
    last: int | None = None,
    missing: Sequence[str] = (),
    repeating: Sequence[str] = (),
    certified: str = "Y",
    published: str = DAY,
) -> Claim:
    """MHCLG's multi-year outturn: DSG lines of every year end after those held, and the usable reserves.

    The years held are repeated. `missing` are councils that have not returned the last year; those `repeating`
    give the two DSG lines of the newest year held again.
    """
    newest = newest_balances()
    last = newest + 1 if last is None else last
    held = raw.newest("mhclg-revenue-outturn", "dsg_lines")
    held = held[held["financial_year"] <= financial_year(newest)]
    before = held[held["financial_year"] == held["financial_year"].max()].set_index("dfe_number").loc[COUNCILS]
    reserves = raw.newest("mhclg-revenue-outturn", "usable_reserves")
    reserves = reserves[reserves["financial_year"] == financial_year(newest)]
    levels = [column for column in reserves if column.endswith("_gbp")]
    lines, usable = [held], [reserves]
    for year in range(newest + 1, last + 1):
        out = pd.Series(COUNCILS, index=COUNCILS).isin(missing) & (year == last)
        balance = balance_at(year).mask(out)
        label = financial_year(year)
        returned = before.assign(
            financial_year=label,
            dsg_adjustment_account_gbp=balance.clip(upper=0.0),
            dsg_reserve_gbp=balance.clip(lower=0.0),
            certified=out.map({True: "[x]", False: certified}),
        )
        dsg = returned.columns[returned.columns.str.startswith("dsg_")]
        returned.loc[list(repeating), dsg] = before.loc[list(repeating), dsg].astype(float)
        lines.append(returned.reset_index())
        amounts = reserves[levels].astype(float).mul(0.95 ** (year - newest)).round(-3)
        usable.append(reserves.assign(financial_year=label, **amounts))
    raw.add("mhclg-revenue-outturn", "dsg_lines", pd.concat(lines)[[*held]], published)
    raw.add("mhclg-revenue-outturn", "usable_reserves", pd.concat(usable)[[*reserves]], published)
    expected = balance_at(last).drop([*missing, *repeating])
    return Claim(lambda panel: panel.figure("balance_mhclg")[last], expected)


def carried_forward(raw: Folder, last: int | None = None, published: str = DAY) -> Claim:
    """Section 251's line 1.9.3 of one year end, positive for a deficit."""
    last = newest_balances() + 1 if last is None else last
    balance = balance_at(last)
    names = d.load_panel().authorities.frame["name"].loc[COUNCILS]
    frame = pd.DataFrame(
        {
            "financial_year": financial_year(last),
            "dfe_number": COUNCILS,
            "la_name": names.to_numpy(),
            "carried_forward_gbp": (-balance).to_numpy(),
        }
    )
    raw.add("section251-outturn", "carried_forward", frame, published)
    return Claim(lambda panel: panel.figure("balance_section251")[last], balance)


# --- money and plans of a year


def spend(raw: Folder, published: str = DAY) -> Claim:
    """Section 251 net spending: the years held, the newest revised a little, and one year on, a tenth higher."""
    column = "high_needs_net_spend_gbp"
    frame, newest, year = _one_year_on(
        raw, "section251-outturn", "net_spend", "financial_year", 1.10, r"_gbp$", 0.999
    )
    raw.add("section251-outturn", "net_spend", frame, published)
    return _claim("high_needs_net_spend", year, newest, column)


def allocations(raw: Folder, year: int | None = None, published: str = DAY) -> Claim:
    """DSG allocations of one year: 5% a year on those of the newest year held."""
    held = raw.newest("dsg-allocations", "allocations")
    rows = held[held["financial_year"] == held["financial_year"].max()]
    base = year_of(rows["financial_year"].iloc[0])
    year = base + 1 if year is None else year
    money = ["schools_block", "central_school_services_block", "high_needs_block", "early_years_block"]
    amounts = rows[money].astype(float).mul(1.05 ** (year - base)).round()
    newest = rows.assign(financial_year=financial_year(year), **amounts, total_dsg=amounts.sum(axis=1))
    raw.add("dsg-allocations", "allocations", newest, published)
    return _claim("high_needs_block", year, newest, "high_needs_block")


def plans_by_placement(raw: Folder, published: str = DAY) -> Claim:
    """Plans by placement of every January held and the next; where its total is held, with that total."""
    frame, newest, year = _one_year_on(raw, "ehc-plans", "plans_by_placement", "january", 1.08, _PLACEMENTS)
    total = d.load_panel().figure("plans").get(year)
    if total is not None:
        counts = newest.filter(regex=_PLACEMENTS).columns
        factor = total.reindex(newest["dfe_number"]).to_numpy() / newest["plans"]
        newest[counts] = newest[counts].mul(factor, axis=0).round()
        frame = pd.concat([frame[frame["january"] != str(year)], newest])
    raw.add("ehc-plans", "plans_by_placement", frame, published)
    return _claim("plans_independent", year, newest, _INDEPENDENT)


def plans_total(raw: Folder, published: str = DAY) -> Claim:
    """Plans in all of the January after the newest held."""
    _, newest, year = _one_year_on(raw, "ehc-plans", "plans_total", "january", 1.08, "^plans$")
    raw.add("ehc-plans", "plans_total", newest, published)
    return _claim("plans", year, newest, "plans")


def plans_by_single_age(raw: Folder, published: str = DAY) -> Claim:
    """Plans by single year of age of the Januaries held and the next."""
    frame, newest, _ = _one_year_on(raw, "ehc-plans", "plans_by_single_age", "january", 1.08, "^plans$")
    raw.add("ehc-plans", "plans_by_single_age", frame, published)
    ten = newest[newest["age"] == "10"].set_index("dfe_number")["plans"]
    return Claim(lambda panel: panel.ages.plans[10].dropna(), ten.sort_index().rename_axis("authority"))


def plans_by_age(raw: Folder, published: str = DAY) -> Claim:
    """Plans by band of age of the Januaries held, as a release repeats them."""
    held = raw.newest("ehc-plans", "plans_by_age")
    raw.add("ehc-plans", "plans_by_age", held, published)
    first = held["january"].min()
    rows = held[held["january"] == first].astype({"plans": float})
    counts = rows.groupby("dfe_number", as_index=False)["plans"].sum()
    return _claim("plans", int(first), counts, "plans")


def flows(raw: Folder, published: str = DAY) -> Claim:
    """Requests, assessments and new plans of the calendar years held and the next, as a release has them.

    So without the columns in which this project keeps what it corrected: its new plans of 2022 in Yorkshire and
    The Humber are the region's total again, as in DfE's release of 2025.
    """
    known = ["calendar_year", "la_code", "dfe_number", "la_name", "region"]
    counts = "requests|assess|new_ehc_plans$|ceased|issued"
    frame, _, year = _one_year_on(raw, "ehc-plans", "flows", "calendar_year", 1.08, counts)
    frame["new_ehc_plans"] = (
        frame["new_ehc_plans"].astype(float).fillna(frame["new_ehc_plans_as_published"].astype(float))
    )
    frame = frame[[*known, *(column for column in frame if column.split("_")[0] in _FLOWS)]]
    frame = frame.drop(columns=["new_ehc_plans_as_published", "new_ehc_plans_2023_release"])
    # Buckinghamshire stands twice in 2022, under two ONS codes; the parser makes one row of them.
    frame = frame.groupby(["calendar_year", "dfe_number"], as_index=False).first()[[*frame]]
    raw.add("ehc-plans", "flows", frame, published)
    newest = frame[frame["calendar_year"] == str(year)]
    # A calendar year is counted in the January that follows it.
    return _claim("new_plans", year + 1, newest, "new_ehc_plans")


def specialist_spend(raw: Folder, published: str = DAY) -> Claim:
    """Spend on specialist placements, one year on."""
    frame, newest, year = _one_year_on(
        raw, "specialist-placement-spend", "specialist_spend", "year", 1.10, "^total_spend$"
    )
    # A council by its name, which is the only key; one that has ended has no row in a new edition.
    authorities = d.load_panel().authorities
    newest["dfe_number"] = [authorities.resolve(name, year) for name in newest["la_name"]]
    alive = newest[newest["dfe_number"].isin(COUNCILS)].drop_duplicates(["dfe_number", "category"])
    raw.add("specialist-placement-spend", "specialist_spend", alive[[*frame]], published)
    independent = alive[alive["category"] == "Independent or non-maintained"]
    return _claim("independent_spend", year, independent, "total_spend")


def pupils(raw: Folder, published: str = DAY) -> Claim:
    """Pupils of the academic year after the newest held."""
    held = raw.newest("school-pupils", "pupils")
    rows = held[held["academic_year"] == held["academic_year"].max()]
    start = int(rows["academic_year"].iloc[0][:4]) + 1
    counts = rows.filter(regex="_pupils$").astype(float).mul(0.99).round()
    newest = rows.assign(academic_year=f"{start}/{(start + 1) % 100:02d}", **counts)
    raw.add("school-pupils", "pupils", newest, published)
    # Counted in May, so in the financial year after the one that the academic year's number ends in.
    return _claim("pupils", start + 2, newest, "total_pupils")


# --- people, prices, agreements, England


def population_by_authority(raw: Folder, published: str = DAY) -> Claim:
    """People by age one mid-year on: everybody a year older, as many newborn as before."""
    held = raw.newest("ons-population", "population_by_authority")
    ages = [f"age_{age}" for age in range(ons_population.OLDEST + 1)]
    people = held[ages].astype(int)
    older = people.shift(1, axis=1)
    older["age_0"] = people["age_0"]
    year = int(held["mid_year"].iloc[0]) + 1
    newest = held.assign(mid_year=year, **older.astype(int), pop_2_18=older[ages[2:19]].sum(axis=1).astype(int))
    raw.add("ons-population", "population_by_authority", newest, published)
    return _claim("population_2_18", year + 1, newest, "pop_2_18")


def population_series(raw: Folder, first: int = 2011, published: str = DAY) -> Claim:
    """The series of every mid-year since `first`, of today's councils, to the year after the count held."""
    held = raw.newest("ons-population", "population_by_authority").set_index("dfe_number")
    people = held[[f"age_{age}" for age in range(ons_population.OLDEST + 1)]].astype(int)
    counted = int(held["mid_year"].iloc[0])
    counts = {year: (people * 1.005 ** (year - counted)).round().astype(int) for year in range(first, counted + 2)}
    wide = pd.concat(counts, names=["mid_year"])
    wide.insert(0, "pop_2_18", wide[[f"age_{age}" for age in range(2, 19)]].sum(axis=1))
    raw.add("ons-population", "population_by_authority", wide.reset_index(), published)
    year, newest = counted + 2, wide.loc[counted + 1].astype(float)
    parts = {"2 to 18": newest["pop_2_18"], "10": newest["age_10"]}

    def found(panel: Panel) -> pd.Series:
        return pd.concat({"2 to 18": panel.figure("population_2_18")[year], "10": panel.ages.people[(year, 10)]})

    return Claim(found, pd.concat(parts))


def deflator(raw: Folder, published: str = DAY) -> Claim:
    """The deflator one year on, the first forecast year revised."""
    held = raw.newest("gdp-deflator", "deflator")
    growth = held["gdp_deflator_growth_pct"].astype(float)
    forecast = held.index[held["status"] == "forecast"][0]
    growth[forecast] = 3.75
    last = held.iloc[[-1]].assign(financial_year=financial_year(year_of(held["financial_year"].iloc[-1]) + 1))
    frame = pd.concat([held.assign(gdp_deflator_growth_pct=growth), last.assign(gdp_deflator_growth_pct=1.9)])
    frame = frame.drop(columns="derived_index_2025_26_100")
    raw.add("gdp-deflator", "deflator", frame, published)
    years = frame["financial_year"].map(year_of)
    expected = pd.Series([0.0375, 0.019], index=[int(years.iloc[forecast]), int(years.iloc[-1])])
    return Claim(lambda panel: panel.prices[expected.index], expected)


def safety_valve_payments(raw: Folder, published: str = DAY) -> Claim:
    """Agreements with a payment of each council in one year, as the parser of such a table writes them."""
    held = raw.newest("safety-valve", "agreements").dropna(subset=["total_payment_gbp"])
    total = held["total_payment_gbp"].astype(float)
    label = "2025-26"
    paid = (total * 0.05).round().astype(int).astype(str)
    given = held[["la_name", "agreement_year", "first_year", "last_year"]].assign(
        total_payment_gbp=total, payments_by_year_gbp=f"{label}:" + paid
    )
    path = raw.folder.parent / "agreements_as_published.csv"
    given.to_csv(path, index=False)
    (agreements,) = safety_valve.parse(path)
    raw.add("safety-valve", "agreements", agreements.frame, published)
    expected = (total * 0.05).round().set_axis(agreements.frame["dfe_number"]).rename_axis("authority")
    return Claim(lambda panel: _paid(panel, year_of(label)).reindex(expected.index), expected)


def _paid(panel: Panel, year: int) -> pd.Series:
    reported = panel.agreements[panel.agreements["basis"].eq("reported") & panel.agreements["year"].eq(year)]
    return reported.set_index("authority")["value"]


def national(raw: Folder, value: float = 5.6e9, published: str = DAY) -> Claim:
    """England's gross deficit, one year on from the newest figure held."""
    held = raw.table("national-figures", "published.csv")
    rows = held[held["measure"].eq("gross_deficit") & held["price_basis"].eq("nominal")]
    newest = rows[rows["financial_year"] == rows["financial_year"].max()].iloc[[0]]
    year = year_of(newest["financial_year"].iloc[0]) + 1
    given = {"kind": "outturn", "basis": "gross", "repeats": None, "note": "Invented for a test."}
    row = newest.assign(financial_year=financial_year(year), value=value, published=published, **given)
    raw.add_rows("national-figures", "published.csv", row)

    def found(panel: Panel) -> pd.Series:
        rows = panel.national[panel.national["measure"].eq("gross_deficit") & panel.national["year"].eq(year)]
        return rows["value"].reset_index(drop=True)

    return Claim(found, pd.Series([value]))


EDITIONS: dict[str, Callable[[Folder], Claim]] = {
    "balances (MHCLG)": balances,
    "balances (section 251)": carried_forward,
    "spend": spend,
    "allocations": allocations,
    "plans by placement": plans_by_placement,
    "plans by single age": plans_by_single_age,
    "plans by age": plans_by_age,
    "plans in all": plans_total,
    "flows": flows,
    "population by authority": population_by_authority,
    "population series": population_series,
    "pupils": pupils,
    "specialist spend": specialist_spend,
    "deflator": deflator,
    "safety valve": safety_valve_payments,
    "national figures": national,
}
"""Every publication that the panel reads, one edition on."""

_PLACEMENTS = "^plans$|total$|^special|^ed_|^nm_|^placement|^mainstream_|^elective"
_INDEPENDENT = ["special_independent", "special_non_maintained", "mainstream_independent"]
_FLOWS = {"requests", "mediation", "tribunal", "assess", "new", "total", "plans"}


def _one_year_on(
    raw: Folder, publication: str, kind: str, column: str, factor: float, counts: str, revised: float = 1.0
) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """The newest edition with one more year: its newest rows times `factor`, and `revised` themselves.

    Gives the whole, the rows of the new year alone, and that year.
    """
    held = raw.newest(publication, kind)
    whole = "-" not in str(held[column].max())
    year = int(held[column].max()) + 1 if whole else year_of(held[column].max()) + 1
    rows = held[held[column] == held[column].max()]
    amounts = rows.filter(regex=counts).astype(float)
    newest = rows.assign(**{column: str(year) if whole else financial_year(year)}, **(amounts * factor).round())
    before = held.assign(**held.filter(regex=counts).astype(float))
    if revised != 1.0:
        before.loc[rows.index, amounts.columns] = (amounts * revised).round()
    return pd.concat([before, newest]), newest, year


def _claim(figure: str, year: int, rows: pd.DataFrame, columns: str | list[str]) -> Claim:
    """The rows' column (or sum of columns) is a figure of the panel in a year."""
    values = rows.set_index("dfe_number")[columns].astype(float)
    if isinstance(columns, list):
        values = values.sum(axis=1, min_count=len(columns))
    expected = values.dropna().sort_index().rename_axis("authority")
    return Claim(lambda panel: panel.figure(figure)[year].dropna(), expected)
