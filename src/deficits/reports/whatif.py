"""A panel in which a reader of a page moves the share and the limit of a write-off, worked out in the page itself.

The page carries some of the projection's simulations. What its script works out on them is moved by as much as
they miss the page's own numbers: without a write-off, and with the page's own terms, it shows the page's numbers.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from deficits.formatting import FAR, FAR_AHEAD, NEAR, england_range, estimate_range, year_end
from deficits.reports.display import Shown

if TYPE_CHECKING:
    import xarray as xr

    from deficits.writeoff import WriteOff

UNIT = 100_000
"""£ to which balances in the page are rounded: £0.1m."""
COUNCIL_DRAWS, ENGLAND_DRAWS = 400, 60
"""Simulations that a page carries: England's are of every council."""
USUAL_SHARE = 0.9
"""Where the panel starts when the scheme has no one share."""
LEVELS = (0.1, 0.5, 0.9)
MARK = 'class="what-if"'


def what_if(result: WriteOff, code: str | None = None) -> Shown:
    """The panel for England, or for a council by its DfE number, on the scheme of the page and its base date.

    Without scripts there is no panel, and the page is complete.
    """
    facts = what_if_facts(result, code)
    years, place = facts["years"], "England"
    if code is not None:
        place = str(result.projection.simulations["name"].sel(authority=result.projection.code(code)).item())
    kind = "Deficit" if code else "Gross deficit"
    labels = [f"Grant for the deficit at {year_end(years[0])}", *(f"{kind} at {year_end(year)}" for year in years)]
    rows = Markup("\n").join(
        Markup(
            '<tr><th scope="row">{}</th><td class="t" data-now></td><td class="t" data-without></td></tr>'
        ).format(label)
        for label in labels
    )
    html = Markup(
        '<section class="what-if" aria-labelledby="try" hidden data-facts="{facts}">\n'
        '<h2 class="title" id="try">Try other terms</h2>\n'
        "<p>Move the share that is paid of the deficits at {base}, and the most that a council is paid. Paid in "
        "the year to {paid}.</p>\n"
        '<div class="what-if-fields"><div><label for="try-share">Share that is paid</label> '
        '<output for="try-share"></output><input type="range" id="try-share" min="0" max="100" step="1"></div>\n'
        '<div><label for="try-cap">Most that a council is paid, £m (empty: no limit)</label>'
        '<input type="number" id="try-cap" min="0" max="10000" step="any" inputmode="decimal"></div>\n'
        '<button type="button" id="try-reset">The page\'s own terms</button></div>\n'
        '<p id="try-status" class="vh" role="status"></p>\n'
        "<table><caption><span>{place} with these terms and without a write-off</span></caption>\n"
        '<thead><tr><th scope="col" class="t">Amount</th><th scope="col" class="t">With these terms</th>'
        '<th scope="col" class="t">Without</th></tr></thead>\n<tbody>\n{rows}\n</tbody></table>\n'
        '<p class="source">80% ranges. '
        "With the page's own terms, and without a write-off, they are the page's; "
        "between, they are worked out here on {count} of its {of} simulations. Councils are assumed to spend the "
        "same with and without a write-off.</p>\n</section>"
    ).format(
        facts=json.dumps(facts, separators=(",", ":")),
        base=year_end(years[0]),
        paid=year_end(facts["paid"]),
        place=place,
        rows=rows,
        count=facts["draws"],
        of=f"{result.projection.balance.sizes['draw']:,}",
    )
    aheads = [0, *(year - result.projection.base_year for year in years)]
    own = [
        estimate_range(low, high) if code else england_range(low, high, ahead)
        for (low, _, high), ahead in zip(facts["own"], aheads, strict=True)
    ]
    text = "\n".join(["Try other terms", *(f"{name}: {words}" for name, words in zip(labels, own, strict=True))])
    return Shown(str(html), text)


def what_if_facts(result: WriteOff, code: str | None = None) -> dict[str, Any]:
    """What the script works on: years to the end of the override, to what £ England's numbers are rounded (of the
    grant and at each year end), terms, the page's own numbers (£: p10, p50, p90 of the grant and of the
    deficit at each year end, below zero a surplus) and balances without a write-off (`UNIT`, by council, year and
    simulation; negative = deficit).
    """
    scheme, projection = result.scheme, result.projection
    last = max(scheme.base_year, min(scheme.override_ends, projection.years[-1]))  # as the page's charts
    years = [year for year in projection.years if scheme.base_year <= year <= last]
    codes = list(projection.balance["authority"].values) if code is None else [projection.code(code)]
    without = projection.balance.sel(authority=codes, year=years)
    after, grant = result.standing.sel(authority=codes, year=years), result.grant.sel(authority=codes)
    share = scheme.share if isinstance(scheme.share, float) else USUAL_SHARE
    cap = scheme.cap.get("pounds") if len(scheme.cap) == 1 else None
    own, none = (_deficit(balance, code is None) for balance in (after, without))
    order = none.isel(year=-1).argsort().values
    count = min(len(order), ENGLAND_DRAWS if code is None else COUNCIL_DRAWS)
    kept = [int(order[int((place + 0.5) * len(order) / count)]) for place in range(count)]
    units = (without.isel(draw=kept) / UNIT).round().astype(int).transpose("authority", "year", "draw")
    return {
        "unit": UNIT,
        "years": years,
        "steps": [NEAR, *(FAR if year - projection.base_year >= FAR_AHEAD else NEAR for year in years)],
        "paid": scheme.paid_in,
        "england": code is None,
        "draws": count,
        "share": round(100 * share, 6),
        "cap": None if cap is None else round(cap / 1e6, 6),
        "own": [*_ranges(grant.sum("authority").expand_dims("year")), *_ranges(own)],
        "without": [[0, 0, 0], *_ranges(none)],
        "balances": units.values.tolist(),
    }


def _deficit(balance: xr.DataArray, england: bool) -> xr.DataArray:
    """England's gross deficit (>= 0), or a council's deficit (below zero a surplus), £, dims (draw, year)."""
    return (-balance).clip(min=0).sum("authority") if england else -balance.sum("authority")


def _ranges(values: xr.DataArray) -> list[list[int]]:
    """p10, p50 and p90 of each year in whole pounds: the same on every processor."""
    found: list[list[int]] = (
        values.quantile(LEVELS, "draw").transpose("year", "quantile").round().astype(int).values.tolist()
    )
    return found
