"""The report on a write-off: who is paid what, what stays, how soon it is back, what it costs, if it goes
otherwise."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from deficits.assumptions import assumed
from deficits.errors import SchemeError
from deficits.formatting import between, day_in_words, financial_year, gbp, gbp_range, listed, percent, year_end
from deficits.panel import Panel
from deficits.projection.england import published_forecasts
from deficits.raw import read_table
from deficits.reports.stories.common import Points, money_range, pounds, sentence
from deficits.writeoff import Scheme, WriteOff, frontier
from deficits.writeoff.costs import interest_by_year

UNLIKELY = 0.5
"""Chance of a grant below which a council is likely to be paid nothing."""
NAMED = 3
"""Councils named in a sentence."""
MOST_HELPED = 12
AT_RISK = 20
COVERED = assumed("write_offs", "grant_share").number
"""Share of later growth that is tried as cover where a scheme has none: that of the adopted grant (an assumption;
none was published)."""
RESPONSES = (-0.01, 0.0, 0.01, 0.02)
"""Shares of the high needs block by which spend may respond to cover, in each covered year: assumptions."""

TYPES = {
    "county": "Counties",
    "unitary": "Unitary authorities",
    "metropolitan": "Metropolitan boroughs",
    "london": "London boroughs",
}


def asked(settings: Any) -> Scheme:
    """The scheme that a report's parameters ask for; its title says what was changed.

    With another base year everything that has a date moves with it.
    """
    scheme: Scheme = settings.scheme_called(settings.scheme)
    changed: dict[str, Any] = changes(
        share=settings.share, **{"ineligible.share": settings.ineligible, "safety_valve": settings.safety_valve}
    )
    if settings.base_year is not None and settings.base_year != scheme.base_year:
        later = settings.base_year - scheme.base_year
        changed |= {"base_year": settings.base_year, "paid_in": scheme.paid_in + later}
        if scheme.cover:
            changed["cover.shares"] = {year + later: share for year, share in scheme.cover.shares.items()}
        if scheme.clawback:
            changed["clawback.year"] = scheme.clawback.year + later
    return scheme.changed(**changed) if changed else scheme


def changes(**parameters: Any) -> dict[str, Any]:
    """The parameters of a scheme that a report was asked to change: those that are set."""
    return {name: value for name, value in parameters.items() if value is not None}


def override_end(result: WriteOff) -> int:
    """The year end at which the override ends, or the projection's last before it."""
    return min(result.scheme.override_ends, result.projection.years[-1])


def writeoff_points(result: WriteOff) -> Points:
    """Main points and headline figures of the report on one scheme."""
    scheme, summary = result.scheme, result.summary()
    base, last = scheme.base_year, override_end(result)
    points = [
        _pays(result, summary),
        *_nothing(result, summary),
        f"{money_range(summary.loc[f'left_of_{base}'])} of the {year_end(base)} deficit would stay with councils, "
        f"and what they overspend after it is added: at {year_end(last)} the deficit would be "
        f"{money_range(summary.loc[f'deficit_with_{last}'])} with the grant, and "
        f"{money_range(summary.loc[f'deficit_without_{last}'])} without it.",
        _back(summary, base),
        _above(result, last),
        _costs(result),
        *_uneven(result),
        f"{_measured(result)}These are estimates on the projection's simulated futures (ranges hold 8 in 10 of "
        "them), the same ones with and without the grant. Councils are taken to spend the same either way.",
        *result.warnings,
    ]
    headline: dict[str, float | int | str] = {"scheme": scheme.title, "terms": scheme.terms()}
    for measure in ("grant", f"left_of_{base}", f"deficit_with_{last}"):
        headline |= {f"{measure}_{name}": pounds(summary.at[measure, name]) for name in ("p10", "p50", "p90")}
    above = result.above_reserves().loc[last]
    headline |= {f"councils_above_reserves_{last}_{part}": int(above[f"with_{part}"]) for part in ("p10", "p90")}
    return points, headline


def _pays(result: WriteOff, summary: pd.DataFrame) -> str:
    scheme, councils = result.scheme, summary.loc["councils_paid"]
    return (
        f"{scheme.title} would pay {money_range(summary.loc['grant'])} to {_count_range(councils)} of "
        f"{len(result.projection.fit.councils)} councils: {scheme.terms()}."
    )


def _nothing(result: WriteOff, summary: pd.DataFrame) -> list[str]:
    if not (result.grant > 0).any():
        return []
    left_out = unpaid(result)
    surplus = summary.loc["councils_in_surplus"]
    base = year_end(result.scheme.base_year)
    told = f"A council in surplus gets nothing: {_count_range(surplus)} {_was(result)} at {base}."
    if left_out.empty:
        return [told]
    known = left_out[left_out["Chance of a grant (0 to 1)"] > 0]["Council"]
    which = f", among them {listed(list(known[:NAMED]))}" if len(known) > NAMED else ""
    return [f"{told} {len(left_out)} councils are more likely than not to be paid nothing{which}."]


def _count_range(row: pd.Series) -> str:
    return between(str(round(row["p10"])), str(round(row["p90"])))


def _was(result: WriteOff) -> str:
    """Whether what stands at the base date is published or projected."""
    return "were" if result.base_published else "would be"


def _measured(result: WriteOff) -> str:
    """Which deficits the scheme is measured on, in a sentence; empty where all of them are projected."""
    if not result.base_published:
        return ""
    missing = unpublished(result)
    but = f", but for {len(missing)} that are projected ({listed(missing)})" if missing else ""
    return f"Deficits at {year_end(result.scheme.base_year)} are those that councils returned or stated{but}. "


def unpublished(result: WriteOff) -> list[str]:
    """Names of the councils without a balance of their own at the base date."""
    known = result.projection.panel.figure("balance").reindex(result.inputs.codes)
    base = result.scheme.base_year
    missing = known[base].isna() if base in known else pd.Series(True, index=known.index)
    return list(result.inputs.councils["name"][missing])


def _back(summary: pd.DataFrame, base: int) -> str:
    years, never = summary.loc["years_bought"], float(summary.at["not_back", "p50"])
    if years["p50"] == 0:
        return "It buys no time: nothing is paid."
    if years["p50"] == float("inf"):
        return f"In {percent(never)} of simulated futures the deficit is not back at its {year_end(base)} level."
    fast, middle = f"{years['p10']:.1f}", f"{years['p50']:.1f}"
    if years["p90"] == float("inf"):
        return (
            f"The deficit would be back at its {year_end(base)} level after {fast} years or more, {middle} in the "
            f"middle; in {percent(never)} of simulated futures it is not back within the period."
        )
    span = between(fast, f"{years['p90']:.1f}")
    return f"The deficit would be back at its {year_end(base)} level after {span} years" + (
        "." if span == middle else f", {middle} in the middle."
    )


def _above(result: WriteOff, last: int) -> str:
    held = result.inputs.reserves_year
    if held is None:
        return "Councils' reserves are not among the figures known: how many deficits are above them is not known."
    row = result.above_reserves().loc[last]
    counts = {
        side: pd.Series({part: row[f"{side}_{part}"] for part in ("p10", "p90")}) for side in ("with", "without")
    }
    return (
        f"At {year_end(last)}, {_count_range(counts['with'])} councils would have a deficit above their usable "
        f"reserves with the grant, and {_count_range(counts['without'])} without it (of the "
        f"{row['councils']:.0f} whose reserves at {year_end(held)} are published)."
    )


def _costs(result: WriteOff) -> str:
    cost, interest = result.exchequer(), result.interest()
    gross, stopped = cost.loc[("cash", "gross")], -float(cost.at[("cash", "instalments_stopped"), "mean"])
    if gross["mean"] < 1:
        return "It costs the Exchequer nothing" + (
            f", and {gbp(stopped)} of agreed instalments stop." if stopped else "."
        )
    year = min(result.scheme.paid_in + 1, result.projection.years[-1])
    saved = gbp_range(interest.at[year, "saved_p10"], interest.at[year, "saved_p90"])
    net = ""
    if stopped:
        left = money_range(cost.loc[("cash", "net")])
        net = f" ({left} net of {gbp(stopped)} of safety valve instalments that stop)"
    told = (
        f"It costs the Exchequer {money_range(gross)}{net}, and saves councils {saved} of interest in "
        f"{financial_year(year)}."
    )
    delay = _delayed(result, 0.25)
    if delay is not None:
        told += f" A quarter's delay costs them {money_range(delay.loc['total'])}."
    return told


def _delayed(result: WriteOff, years: float) -> pd.DataFrame | None:
    """Cost of a delay; None where the later date lies beyond the projection."""
    try:
        return result.cost_of_delay(years)
    except SchemeError:
        return None


def _uneven(result: WriteOff) -> list[str]:
    if not (result.grant > 0).any():
        return []
    regions = result.by_region(per="pupil").drop(index="England").sort_values("grant_p50")
    most, least = regions.iloc[-1], regions.iloc[0]
    top = result.concentration().loc["top_10_share"]
    return [
        f"It is uneven, as deficits are: {_a_pupil(most)} a person aged 2 to 18 in "
        f"{_the(str(regions.index[-1]))}, {_a_pupil(least)} in {_the(str(regions.index[0]))}. The ten largest "
        f"grants are {between(percent(top['p10']), percent(top['p90']))} of the money."
    ]


def _a_pupil(row: pd.Series) -> str:
    return gbp_range(row["grant_p10"], row["grant_p90"])


def _the(region: str) -> str:
    return region if region in ("London", "Yorkshire and The Humber", "East of England") else f"the {region}"


def unpaid(result: WriteOff) -> pd.DataFrame:
    """Councils more likely than not to be paid nothing, and why: columns Council, Region, Chance of a grant, its
    balance at the base date (low, high, £) and Why."""
    base = result.scheme.base_year
    frame = result.by_authority()
    balances = result.projection.balance.sel(year=base)
    low, high = np.quantile(balances.values, [0.1, 0.9], axis=0)
    surplus = (balances.values >= 0).mean(axis=0)
    no_block = result.projection.fit.councils["block"].reindex(frame.index).eq(0)
    known = ~frame["name"].isin(unpublished(result))
    found = frame.assign(low=low, high=high, surplus=surplus, no_block=no_block, known=known)
    found = found[found["paid"] < UNLIKELY].sort_values(["paid", "name"])
    return pd.DataFrame(
        {
            "Council": found["name"],
            "Region": found["region"],
            "Chance of a grant (0 to 1)": found["paid"],
            f"Balance at {year_end(base)}, low (£)": found["low"],
            "High (£)": found["high"],
            "Why": [_why(row) for _, row in found.iterrows()],
        }
    ).reset_index(drop=True)


UNPAID_FORMATS = {"Chance of a grant (0 to 1)": "percent"}


def _why(row: pd.Series) -> str:
    if row["surplus"] >= UNLIKELY:
        if row["no_block"]:
            return "no deficit, few schools"
        return "in surplus" if row["known"] else "likely in surplus"
    return "not paid by the terms"


def grants_by_place(result: WriteOff) -> pd.DataFrame:
    """Each region, each type of council and England: the grant and what is left (£), and the grant a pupil, a plan
    and as a share of the DSG. Means add up; ranges do not."""
    parts = []
    for column, named in (("region", None), ("type", TYPES)):
        plain = result.by_region() if column == "region" else result.by_type()
        per = {
            name: (result.by_region(per=name) if column == "region" else result.by_type(per=name))["grant_mean"]
            for name in ("pupil", "plan", "dsg")
        }
        frame = plain.assign(**per).reset_index(names="place")
        if named:
            frame = frame[frame["place"] != "England"]
            frame["place"] = frame["place"].map(named)
        parts.append(frame)
    regions, types = parts
    whole = pd.concat([regions.iloc[:-1], types, regions.iloc[-1:]], ignore_index=True)
    return pd.DataFrame(
        {
            "Region or type": whole["place"],
            "Grant, low (£)": whole["grant_p10"],
            "Grant, middle (£)": whole["grant_p50"],
            "Grant, high (£)": whole["grant_p90"],
            "Grant, mean (£)": whole["grant_mean"],
            "Left, mean (£)": whole["left_mean"],
            "Mean grant a pupil (£)": whole["pupil"],
            "Mean grant a plan (£)": whole["plan"],
            "Mean grant, share of DSG (0 to 1)": whole["dsg"],
        }
    )


PLACE_FORMATS = dict.fromkeys(
    ("Grant, low (£)", "Grant, middle (£)", "Grant, high (£)", "Grant, mean (£)", "Left, mean (£)"), "gbp_m"
)


def years_until_back(result: WriteOff) -> pd.Series:
    """Years until each council's deficit is back, middle of its range, of councils likely to be paid."""
    likely = result.by_authority().query("paid >= @UNLIKELY").index
    found = result.back_by_authority()["p50"]
    return found[found.index.isin(likely)]


def reserves_passed(result: WriteOff) -> pd.DataFrame:
    """`above_reserves` from the base date to the end of the override."""
    return result.above_reserves().loc[result.scheme.base_year : override_end(result)]


def at_risk(result: WriteOff, top: int = AT_RISK) -> pd.DataFrame:
    """Councils likeliest to have a deficit above their usable reserves when the override ends."""
    frame = result.cannot_balance().head(top)
    with_grant = -result.standing.sel(year=result.scheme.override_ends)
    middle = with_grant.median("draw").to_series().reindex(frame.index)
    return pd.DataFrame(
        {
            "Council": frame["name"],
            "Region": frame["region"],
            f"Usable reserves, {_reserves_day(result)} (£)": frame["reserves"],
            "Deficit left, middle (£)": middle.clip(lower=0),
            "Chance without (0 to 1)": frame["chance_without"],
            "Chance with the scheme (0 to 1)": frame["chance_with"],
        }
    ).reset_index(drop=True)


def _reserves_day(result: WriteOff) -> str:
    year = result.inputs.reserves_year
    return "not published" if year is None else year_end(year)


def reserves_words(result: WriteOff) -> str:
    """Which reserves deficits are compared with, and whose are not published, in sentences."""
    year = result.inputs.reserves_year
    if year is None:
        return "Usable reserves are not among the figures known: how many deficits are above them is not known."
    told = (
        f"Usable reserves are unallocated and other earmarked ones of {year_end(year)}, carried on unchanged: an "
        "assumption. A deficit above them is more than the council could charge to them."
    )
    unknown = list(result.inputs.councils["name"][result.inputs.reserves.isna().any(axis=1)])
    if unknown:
        told += (
            f" Those of {listed(unknown)} at that date are not published: whether their deficit is above them is "
            "not known, and they are not counted."
        )
    return told


def carrying(result: WriteOff) -> pd.DataFrame:
    """Interest by year without the scheme and saved by it, and what a quarter's and a year's delay cost (£, means
    for the delays)."""
    interest = result.interest()
    interest = interest[interest.index > result.scheme.base_year]
    shown = {"Year": interest.index}
    for side, words in (("without", "Interest without"), ("saved", "Saved")):
        shown |= {f"{words}, low (£)": interest[f"{side}_p10"], f"{words}, high (£)": interest[f"{side}_p90"]}
    for years, words in ((0.25, "A quarter's delay costs (£)"), (1.0, "A year's delay costs (£)")):
        delayed = _delayed(result, years)
        if delayed is not None:
            shown[words] = delayed["mean"].reindex([str(year) for year in interest.index]).to_numpy()
    return pd.DataFrame(shown).reset_index(drop=True)


ITEMS = {
    "gross": "Grants",
    "instalments_stopped": "Safety valve instalments no longer paid",
    "clawed_back": "Taken back",
    "repaid": "Repaid by councils",
    "levied": "Taken from the schools budget",
    "net": "Net cost",
}


def exchequer(result: WriteOff) -> pd.DataFrame:
    """What the Exchequer pays (£; below 0 where it gets back or no longer pays), item by item, in cash, in real
    terms and discounted."""
    cost, base = result.exchequer(), result.scheme.base_year
    cash = cost.loc["cash"]
    kept = [item for item in ITEMS if item in ("gross", "net") or cash.at[item, "mean"]]
    return pd.DataFrame(
        {
            "Item": [ITEMS[item] for item in kept],
            "Cash, low (£)": cash.loc[kept, "p10"].to_numpy(),
            "Cash, mean (£)": cash.loc[kept, "mean"].to_numpy(),
            "Cash, high (£)": cash.loc[kept, "p90"].to_numpy(),
            f"In prices of {financial_year(base)}, mean (£)": cost.loc["real"].loc[kept, "mean"].to_numpy(),
            f"Discounted to {financial_year(base)}, mean (£)": cost.loc["present"].loc[kept, "mean"].to_numpy(),
        }
    )


def variants(scheme: Scheme) -> dict[str, Scheme]:
    """The scheme as it is, and otherwise: shares, less eligible, refused or late, instalments, later growth."""
    paid_in, base = scheme.paid_in, scheme.base_year
    tried: list[tuple[str, Mapping[str, Any]]] = []
    if isinstance(scheme.share, float | int) and scheme.share > 0:
        tried += [(f"Share {percent(share)}", {"share": share}) for share in (0.8, 0.9, 0.95, 1.0)]
    tried += [
        (f"{percent(share)} of each deficit not eligible", {"ineligible.share": share})
        for share in (0.0, 0.02, 0.05)
    ]
    tried += [
        ("1 plan in 10 refused", {"approval.probability": 0.9}),
        ("1 plan in 4 approved a year late", {"approval.late": 0.25, "approval.delay": 1}),
        ("All paid a year late", {"paid_in": paid_in + 1}),
        ("Agreed safety valve instalments stop", {"safety_valve": "stop"}),
        ("Agreed safety valve instalments go on", {"safety_valve": "continue"}),
        ("The highest of the sources counts", {"source": "projection"}),
        ("The lowest of the sources counts", {"source": "lowest"}),
    ]
    if scheme.cover is None:
        tried += [
            (
                f"And {percent(share)} of the growth of {financial_year(base + 1)} and {financial_year(base + 2)}",
                {"cover": {"shares": {base + 1: share, base + 2: share}}},
            )
            for share in (0.5, COVERED)
        ]
    found = {"As in this report": scheme}
    for words, change in tried:
        try:
            other = scheme.changed(**change)
        except SchemeError:
            continue  # it makes no sense of this scheme: a loan with cover, a clawback before the payment
        if other.title != scheme.title:
            found[words] = other
    return found


def what_if(result: WriteOff) -> pd.DataFrame:
    """What other terms would do, on the same draws: cost of the grant (£), deficit and councils above their
    reserves when the override ends, years until the deficit is back, and councils more or fewer above their
    reserves than in this report; and what councils pay until then (interest, contributions, repayments; £,
    discounted)."""
    year = override_end(result)
    kept = {}
    for words, scheme in variants(result.scheme).items():
        try:
            scheme.apply(result.projection)
        except SchemeError:
            continue  # paid after the last year of the projection
        kept[words] = scheme
    measured = frontier(result.projection, list(kept.values()), year=year)
    middle = {name: values[1] for name, values in measured.quantiles.items()}
    low, _, high = measured.quantiles["cost"]
    above = measured.draws["above_reserves"]
    fewer = np.mean(above - above[0], axis=1)
    return pd.DataFrame(
        {
            "Terms": list(kept),
            "Paid, low (£)": low,
            "Paid, middle (£)": middle["cost"],
            "Paid, high (£)": high,
            f"Deficit at {year_end(year)}, middle (£)": middle["deficit"],
            "Councils above reserves, middle": middle["above_reserves"],
            "More or fewer than here, mean": fewer,
            "Councils pay, present value (£)": middle["councils_pay"],
            "Years until back, middle": np.where(
                np.isfinite(middle["years_bought"]), middle["years_bought"], np.nan
            ),
        }
    )


WHAT_IF_FORMATS: dict[str, Any] = {
    "Paid, low (£)": "gbp_bn",
    "Paid, middle (£)": "gbp_bn",
    "Paid, high (£)": "gbp_bn",
    "Councils above reserves, middle": "count",
    "Councils pay, present value (£)": "gbp_m",
    "More or fewer than here, mean": lambda value: f"{value:+.1f}".replace("-", "−"),
    "Years until back, middle": lambda value: f"{value:.1f}",
}


def helped(result: WriteOff, top: int = MOST_HELPED) -> pd.DataFrame:
    """Help so far and of this scheme, £ a pupil: councils that had a safety valve agreement, the others, then the
    most helped: columns who, group, received_per_person, new_per_person."""
    frame = result.help_so_far()
    size = pd.Series(result.inputs.size("pupils", result.scheme.base_year)[:, 0], index=result.inputs.codes)
    rows = []
    for had, words in ((True, "with a safety valve agreement that is held"), (False, "without one")):
        some = frame[frame["safety_valve"] == had]
        people = float(size.reindex(some.index).sum())
        rows.append(
            {
                "who": f"{len(some)} councils {words}",
                "group": True,
                "received_per_person": some["received"].sum() / people,
                "new_per_person": some["new"].sum() / people,
            }
        )
    names = {"name": "who", "received_per_pupil": "received_per_person", "new_per_pupil": "new_per_person"}
    most = frame.head(top).rename(columns=names).assign(group=False)
    return pd.concat([pd.DataFrame(rows), most[["who", "group", "received_per_person", "new_per_person"]]])


def responses(result: WriteOff) -> pd.DataFrame:
    """What it does when councils spend more, or less, where later growth is covered: the scheme's own cover, or
    cover of COVERED of the growth of the two years after the base date (an assumption). Empty where it cannot be
    paid within the projection."""
    scheme, last = result.scheme, result.projection.years[-1]
    if not any(part.cover for part in scheme.parts):
        years = [year for year in (scheme.base_year + 1, scheme.base_year + 2) if year + 1 <= last]
        if not years:
            return pd.DataFrame()
        scheme = scheme.changed(cover={"shares": dict.fromkeys(years, COVERED)})
    told = scheme.apply(result.projection).moral_hazard(RESPONSES)
    return pd.DataFrame(
        {
            "Spend in each covered year": [_response(extra) for extra in told.index],
            "Cover paid, mean (£)": told["cover"].to_numpy(),
            f"Deficit at {year_end(last)} without, mean (£)": told[f"deficit_without_{last}"].to_numpy(),
            "With the scheme and cover, mean (£)": told[f"deficit_with_{last}"].to_numpy(),
        }
    )


def _response(extra: float) -> str:
    if extra == 0:
        return "as without cover"
    return f"{percent(abs(extra))} of the high needs block {'more' if extra > 0 else 'less'}"


def beside_published(result: WriteOff) -> list[str]:
    """What the scheme's share of the published forecasts of the deficit would be, beside what it pays here."""
    scheme, panel = result.scheme, result.projection.panel
    if not isinstance(scheme.share, float | int) or not scheme.share:
        return []
    known = published_forecasts(panel, scheme.base_year - 1).query("year == @scheme.base_year")
    amounts = known[["low", "central", "high"]].to_numpy()
    if known.empty or np.isnan(amounts).all():
        return []
    low, high = float(np.nanmin(amounts)), float(np.nanmax(amounts))
    summary = result.summary()
    held = "The balances held add up to" if result.base_published else "This projection has"
    return [
        f"Forecasts that others published for {year_end(scheme.base_year)} run from {gbp(low)} to {gbp(high)}; "
        f"{percent(scheme.share)} of those is {gbp_range(scheme.share * low, scheme.share * high)}. {held} "
        f"{money_range(summary.loc[f'deficit_{scheme.base_year}'])}, of which the scheme pays "
        f"{money_range(summary.loc['grant'])}. A figure in the press may be of the deficit or of the grant."
    ]


def contributions(panel: Panel) -> pd.DataFrame:
    """What councils with safety valve agreements said that they pay in themselves, where published: columns
    Council, Safety valve grant agreed (£), Council's own contribution (as published). Empty in a run as of a past
    day, for which it is not known what was public."""
    if panel.as_of is not None:
        return pd.DataFrame()
    agreed = read_table("safety-valve", "agreements.csv", numeric=["total_payment_gbp"])
    known = agreed[agreed["council_contribution_gbp"].notna()]
    return pd.DataFrame(
        {
            "Council": known["la_name"],
            "Safety valve grant agreed (£)": known["total_payment_gbp"],
            "Council's own contribution, as published": [
                _contribution(str(text)) for text in known["council_contribution_gbp"]
            ],
        }
    ).reset_index(drop=True)


def _contribution(text: str) -> str:
    words = re.sub(r"\s*\(https?://[^\s)]+\)|,?\s*https?://[^\s)]+", "", text).strip()
    return re.sub(r"^\d+", lambda amount: gbp(float(amount[0])), words)


def successors(result: WriteOff) -> pd.DataFrame:
    """Grant, what is left and the balance before the change (£), by successor of councils to be divided."""
    frame = result.by_successor()
    if frame.empty:
        return frame
    base = result.scheme.base_year
    names = [result.projection.panel.authorities.name(code) for code in frame.index.get_level_values("authority")]
    return pd.DataFrame(
        {
            "Successor": frame.index.get_level_values("successor"),
            "Of": names,
            "Share (0 to 1)": frame["share"].to_numpy(),
            "Grant, low (£)": frame["grant_p10"].to_numpy(),
            "Grant, high (£)": frame["grant_p90"].to_numpy(),
            f"Left of {year_end(base)}, low (£)": frame[f"left_of_{base}_p10"].to_numpy(),
            "Left, high (£)": frame[f"left_of_{base}_p90"].to_numpy(),
            "Balance it begins with, low (£)": frame["balance_p10"].to_numpy(),
            "Begins with, high (£)": frame["balance_p90"].to_numpy(),
        }
    )


def grants(result: WriteOff) -> pd.DataFrame:
    """Each council, largest grant first, in readable columns: its grant (£, a pupil, a plan, share of DSG), what
    it is left with, how soon it is back, interest saved by the end of the override, chance above its reserves."""
    base, end = result.scheme.base_year, override_end(result)
    frame = result.by_authority().sort_values(["grant_p50", "name"], ascending=[False, True])
    per = {name: result.by_authority(per=name)["grant_p50"] for name in ("pupil", "plan", "dsg")}
    back = result.back_by_authority()
    risk = result.cannot_balance() if result.scheme.override_ends in result.projection.years else None
    without, now = interest_by_year(result, paid=False), interest_by_year(result)
    saved = sum((without[year] - now[year]).mean(axis=1) for year in without if base < year <= end)
    saving = pd.Series(saved, index=result.inputs.codes, dtype=float)
    shown = {
        "Council": frame["name"],
        "Region": frame["region"],
        "Grant, low (£)": frame["grant_p10"],
        "Grant, middle (£)": frame["grant_p50"],
        "Grant, high (£)": frame["grant_p90"],
        "Chance of a grant (0 to 1)": frame["paid"],
        "A pupil (£)": per["pupil"].reindex(frame.index),
        "A plan (£)": per["plan"].reindex(frame.index),
        "Share of DSG (0 to 1)": per["dsg"].reindex(frame.index),
        f"Left of {year_end(base)}, middle (£)": frame[f"left_of_{base}_p50"],
        "Years until back, middle": back["p50"].reindex(frame.index).replace(np.inf, np.nan),
        "Never back (0 to 1)": back["never"].reindex(frame.index),
        f"Interest saved to {year_end(end)}, mean (£)": saving.reindex(frame.index),
    }
    if risk is not None:
        shown["Above reserves at the end of the override (0 to 1)"] = risk["chance_with"].reindex(frame.index)
    table = pd.DataFrame(shown).reset_index(drop=True)
    # The download stays unrounded where it is money that adds up, and free of digits that mean nothing elsewhere.
    return table.round({name: 0 if "(£)" in name else 4 for name in table.columns[2:]})


GRANT_FORMATS: dict[str, Any] = {
    "Grant, low (£)": "gbp_m",
    "Grant, middle (£)": "gbp_m",
    "Grant, high (£)": "gbp_m",
    "Chance of a grant (0 to 1)": "percent",
    "Years until back, middle": lambda value: f"{value:.1f}",
}
"""How the money and chances of `grants` are shown; what is left goes by its size."""


def concentration(result: WriteOff) -> list[str]:
    """How unevenly the grant falls, in sentences; empty where nothing is paid."""
    frame = result.concentration()
    if frame.empty:
        return []
    gini = frame.loc["gini"]
    return [
        f"The Gini coefficient of £ a pupil between councils is {gini['p10']:.2f} to {gini['p90']:.2f}: 0 where "
        "every council gets the same, near 1 where one gets all."
    ]


def pays(result: WriteOff) -> bool:
    """Whether the scheme pays anybody anything in any draw."""
    return bool((result.grant > 0).any())


def scheme_notes(scheme: Scheme, as_of: str | None = None) -> list[str]:
    """What is published of a scheme and what is assumed beyond that, its source first; and that it was not public
    yet on the day that a page looks back to."""
    published = day_in_words(scheme.published)
    notes = [f"{sentence(scheme.status)}, {scheme.proposer}, {published}. {scheme.summary}", *scheme.assumed]
    if as_of is not None and as_of < scheme.published.isoformat():
        notes.append(
            f"The scheme was not public yet on {day_in_words(as_of)}, the day whose figures are used here."
        )
    return notes


def cover_words(result: WriteOff) -> str:
    """What cover of later growth is tried, in sentences."""
    told = "Help that is expected may change what is spent. "
    if not any(part.cover for part in result.scheme.parts):
        told += (
            "The scheme covers no later deficits; here "
            f"{percent(COVERED)} of the growth of the two years after the base date is tried. "
        )
    return told + "How councils would respond is not known: these are trials, not findings."


def sureness(result: WriteOff) -> str:
    """What the figures of a page on a write-off rest on, in sentences."""
    base, newest = year_end(result.scheme.base_year), year_end(result.projection.base_year)
    if result.base_published:
        rests = (
            f"{_measured(result)}What comes after {newest} is projected. The amounts that the government pays may "
            "differ."
        )
    else:
        rests = (
            f"Every figure rests on the projection: councils' balances are published to {newest}, and those of "
            f"{base} are projected, so who is paid what is an estimate, and the amounts that the government pays "
            "will differ."
        )
    return (
        f"{rests} What the grant counts as eligible is not published by council. Councils may spend otherwise "
        "with a grant than without it; here they do not."
    )
