"""The time of the people who make EHC plans, and published prices of asks that fall on other budgets.

Hours and prices are in `data/raw/send-workforce`, each row with its source; blank is not known. Neither is a cost
to the dedicated schools grant: councils pay their officers and psychologists from their general funds.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from deficits.assumptions import assumed
from deficits.errors import PanelError, ProjectionError, closest
from deficits.formatting import last_day
from deficits.panel import Panel
from deficits.projection import Projection
from deficits.projection.history import NEARLY_ALL
from deficits.projection.lever import EarlySupport
from deficits.projection.streams import Array
from deficits.raw import read_table
from deficits.simulated import in_units

HOURS_OF_A_POST = assumed("people", "hours_of_a_post").number
"""Hours of casework that a full-time post has in a year: an assumption."""
COMPARABLE = int(assumed("plans", "comparable_from").number)
"""First year whose new plans are not also former statements of SEN."""


def _known(frame: pd.DataFrame, as_of: str | None, *columns: str) -> pd.DataFrame:
    """Rows whose days are on or before a day; a row without a day is not known then."""
    if as_of is None:
        return frame
    days = frame[list(columns)].map(last_day)
    return frame[(days <= as_of).all(axis=1)]


def hours(as_of: str | None = None) -> pd.DataFrame:
    """Hours that one plan, review or appeal takes, by activity and profession: hours_low, hours_high, and sources.

    Blank where no public figure was found; `note` then says what was searched.

    >>> float(hours().at[("new plan", "educational psychologist"), "hours_low"])
    17.4
    """
    frame = read_table("send-workforce", "hours.csv", numeric=["hours_low", "hours_high"])
    return in_units(_known(frame, as_of, "published").set_index(["activity", "profession"]), "hours")


def prices(as_of: str | None = None) -> pd.DataFrame:
    """Published unit costs times published numbers, by name: total_low, total_high (£), and sources of both."""
    numeric = ["unit_low", "unit_high", "quantity_low", "quantity_high"]
    frame = read_table("send-workforce", "prices.csv", numeric=numeric)
    frame = _known(frame, as_of, "cost_published", "quantity_published").set_index("name")
    for end in ("low", "high"):
        frame[f"total_{end}"] = frame[f"unit_{end}"] * frame[f"quantity_{end}"]
    return in_units(frame, dict.fromkeys(("unit_low", "unit_high", "total_low", "total_high"), "£"))


def new_plans(projection: Projection) -> pd.DataFrame:
    """New EHC plans of England by year, p10, p50 and p90: published, then projected.

    A year is that in whose January the plans are counted: its new plans are those of the calendar year before.
    Projected: plans of the projection, times the newest published share of plans that were new (an assumption).
    `published` says which is which. From the year in which statements of SEN had all become plans. PanelError
    when nearly all councils have the figure in no year.
    """
    made, panel, paths = _nearly_complete(projection.panel, "new_plans"), projection.panel, projection.paths
    year, known = int(made.columns[-1]), made.sum()
    share = float(known[year] / panel.figure("plans")[year].sum())
    rows = {int(at): (total, total, total, True) for at, total in known.loc[COMPARABLE:].items()}
    for place, later in enumerate(paths.years):
        if later > year:
            rows[later] = (*np.quantile(share * paths.plans[place], [0.1, 0.5, 0.9]), False)
    columns = ["p10", "p50", "p90", "published"]
    return in_units(pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("year"), "plans")


def newest(panel: Panel, figure: str) -> pd.Series:
    """A figure by council in the newest year in which nearly all councils that have plans have it.

    PanelError where there is no such year.
    """
    complete = _nearly_complete(panel, figure)
    return complete[complete.columns[-1]].dropna()


def _nearly_complete(panel: Panel, figure: str) -> pd.DataFrame:
    values = panel.figure(figure)
    enough = values.count() >= NEARLY_ALL * panel.figure("plans").count().reindex(values.columns)
    years = values.columns[enough & values.notna().any()]
    if years.empty:
        raise PanelError(
            f"figure '{figure}': found no year in which nearly all councils have it; load a later panel"
        )
    return values[years]


def posts(projection: Projection, year: int, per_post: float = HOURS_OF_A_POST) -> pd.DataFrame:
    """Full-time posts that a year's new plans take, by profession: hours a plan, then posts_low and posts_high.

    The low end is low hours times the 10th percentile of new plans, the high one the other way; a published number
    of plans has no range. Posts of professions are not added up: roles overlap. `per_post`: hours a year.
    """
    plans = new_plans(projection)
    if year not in plans.index:
        raise ProjectionError(f"year {year}: found no new plans, {closest(str(year), map(str, plans.index))}")
    frame = hours(projection.panel.as_of)
    frame = frame[frame.index.get_level_values("activity") == "new plan"].droplevel("activity")
    found = frame[["hours_low", "hours_high"]].assign(
        posts_low=frame["hours_low"] * plans.at[year, "p10"] / per_post,
        posts_high=frame["hours_high"] * plans.at[year, "p90"] / per_post,
    )
    return in_units(found, {column: column.partition("_")[0] for column in found})


def plans_not_issued(projection: Projection, lever: EarlySupport) -> pd.DataFrame:
    """New plans that are not issued in a year because of a lever, by projected year: p10, p50, p90.

    By how much less the number of plans grows, if as many plans end as without the lever (an assumption) and all
    councils have it.
    """
    plans, left = projection.paths.plans, lever.plans_left(projection.paths)
    gone: Array = np.concatenate([np.zeros_like(plans[:1]), plans[1:] * (1 - left)])
    fewer = np.quantile(np.diff(gone, axis=0), [0.1, 0.5, 0.9], axis=1).T
    years = pd.Index(projection.paths.years[1:], name="year")
    return in_units(pd.DataFrame(fewer, index=years, columns=["p10", "p50", "p90"]), "plans")
