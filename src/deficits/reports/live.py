"""A panel in which a reader of a page moves the terms of a write-off, worked out again in the page itself.

The page carries some of the projection's futures, chosen so that their quantiles are those of all, and a script of
its own (`page/live.js`). `live_numbers` is the same in Python: the package's `Scheme.apply` on the same futures.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from deficits.errors import ReportError
from deficits.formatting import financial_year, gbp, gbp_range, percent, year_end
from deficits.reports.display import Shown
from deficits.reports.tables import Column, text_table

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from deficits.projection import Projection
    from deficits.writeoff import Scheme, WriteOff

UNIT = 100_000
"""£ to which balances in the page are rounded: £0.1m."""
COUNCIL_DRAWS, ENGLAND_DRAWS = 400, 120
"""Futures that a page carries. England's are of 153 councils each, about 1 KB a future."""
COVERED_YEARS = 2
"""Years after the base date whose growth can be covered, as far as the projection reaches: those that the
write-off report tries."""
PLAIN = "flat-share"
"""The scheme that the panel moves."""
THREE, SHARES = ("p10", "p50", "p90"), (0.1, 0.5, 0.9)
TRIED = ((1.0, 0.0), (0.5, 0.0), (0.9, 0.9))
"""Share and cover of the schemes with which the futures in a page are to have the ranges of all futures too."""
FIRST = 4
"""How much more a miss in the first column, the base date, counts than one in a later year: it is known best."""
SWEEPS = 2
"""Times that every stratum's future is chosen again, so that the quantiles fit: a third changes little."""
DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
"""Of base64 for addresses: none of them means anything in HTML, and no run of them looks like a folder."""
WIDTH_BITS, LEAST_BITS = 5, 24
MARK = 'class="live"'


@dataclass(frozen=True)
class Futures:
    """What a panel works on: the thinned projection, balances rounded to `UNIT`, and the plain scheme on the
    dates of the page's own. `code`: of a council, or None for England. `of`: how many futures it was thinned from.
    """

    projection: Projection
    scheme: Scheme
    code: str | None
    of: int

    @property
    def years(self) -> list[int]:
        """Year ends that the panel tells of, that of the base date first."""
        return [year for year in self.projection.years if year >= self.scheme.base_year]

    @property
    def covered(self) -> list[int]:
        """Years whose growth can be covered: it is paid a year later, inside the projection."""
        return self.years[1:-1][:COVERED_YEARS]


def futures(result: WriteOff, code: str | None = None) -> Futures:
    """The futures that the panel of a page carries, for England or one council (its DfE number).

    Raises ReportError when there is no year end after the base date.
    """
    from deficits.writeoff import Scheme

    scheme, projection = result.scheme, result.projection
    base = scheme.base_year
    if base not in projection.years[:-1]:
        raise ReportError(
            f"live panel: no year end after {base} is in the projection, which ends in {projection.years[-1]}; "
            "project further"
        )
    dates = {"base_year": base, "paid_in": scheme.paid_in, "part_of_year": scheme.part_of_year}
    # The title says nothing of the dates: they are the page's own.
    plain = Scheme.read(PLAIN).model_copy(update=dates)
    whole = projection.dataset if code is None else projection.dataset.sel(authority=[projection.code(code)])
    found = Futures(replace(projection, dataset=whole), plain, code, whole.sizes["draw"])
    thinned = whole.isel(draw=_chosen(found))
    # Adding 0 makes a rounded −0 a 0.
    rounded = (thinned["balance"] / UNIT).round() * UNIT + 0.0
    return replace(found, projection=replace(projection, dataset=thinned.assign(balance=rounded)))


def live_numbers(
    futures: Futures, *, share: float, cap: float | None = None, cover: float = 0.0, rate: float | None = None
) -> pd.DataFrame:
    """What the panel shows for some terms, by the package: £, columns p10, p50, p90.

    Rows: grant, left (of the deficit at the base date), covered (paid for later growth), and for each later year
    balance (of a council, negative = deficit; for England the gross deficit, >= 0) and interest, each with its
    year: `balance_2028`. `share` and `cover` are 0 to 1, `cap` is £ a council, `rate` 0 to 1 a year (the
    projection's own where none is given).
    """
    import pandas as pd

    from deficits.projection import quantiles

    projection = futures.projection
    if rate is not None:
        projection = replace(
            projection, assumptions=projection.assumptions.model_copy(update={"financing_rate": rate})
        )
    result = futures.scheme.changed(**_changes(futures, share, cap, cover)).apply(projection)
    money = {"grant": result.grant, "left": result.left, "covered": result.total("cover")}
    rows = {
        name: dict(zip(THREE, map(float, array.sum("authority").quantile(SHARES).values), strict=True))
        for name, array in money.items()
    }
    paths = quantiles(_paths(futures, result.balance))
    interest = result.interest(futures.code)
    for year in futures.years[1:]:
        rows[f"balance_{year}"] = {name: float(paths.at[year, name]) for name in THREE}
        rows[f"interest_{year}"] = {name: float(interest.at[year, f"with_{name}"]) for name in THREE}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("measure")


def live(result: WriteOff, code: str | None = None) -> Shown:
    """A panel in which the reader of the page moves share, cap, cover of later growth and financing rate.

    For England, or a council by its DfE number. It starts from the result's own share and cap where those are
    plain, and says on how many futures it rests. Without scripts there is no panel, and the page is complete.

    Raises ReportError when there is no year end after the base date.
    """
    found = futures(result, code)
    start = Terms.of(result, found)
    facts = {
        "unit": UNIT,
        "years": found.years,
        "councils": found.projection.dataset.sizes["authority"],
        "draws": found.projection.dataset.sizes["draw"],
        "england": code is None,
        "paid": found.scheme.paid_in,
        "at": found.scheme.part_of_year,
        "covered": found.covered,
        "start": start.in_page(),
    }
    html = _panel(found, facts, packed(found))
    return Shown(str(html), _text(found, start))


@dataclass(frozen=True)
class Terms:
    """What a reader moves: share and cover 0 to 1, cap £ a council (None: none), rate 0 to 1 a year."""

    share: float
    cap: float | None
    cover: float
    rate: float

    @classmethod
    def of(cls, result: WriteOff, found: Futures) -> Terms:
        """Where the panel starts: the result's own share, cap and cover where the panel can have the same."""
        scheme, plain = result.scheme, found.scheme
        share = scheme.share if isinstance(scheme.share, float) else plain.share
        cap = scheme.cap.get("pounds") if len(scheme.cap) == 1 else None
        shares = scheme.cover.shares if scheme.cover else {}
        same = [*shares] == found.covered and len(set(shares.values())) == 1
        cover = shares[found.covered[0]] if same else 0.0
        assert isinstance(share, float)
        return cls(share, cap, cover, result.projection.assumptions.financing_rate)

    def in_page(self) -> dict[str, float | None]:
        """As the controls have them: share, cover and rate in per cent, cap in £m."""
        cap = None if self.cap is None else _tidy(self.cap / 1e6)
        return {
            "share": _tidy(100 * self.share),
            "cap": cap,
            "cover": _tidy(100 * self.cover),
            "rate": _tidy(100 * self.rate),
        }

    def __str__(self) -> str:
        limit = "no limit" if self.cap is None else f"a limit of {gbp(self.cap)}"
        return (
            f"a share of {percent(self.share)}, {limit}, cover of {percent(self.cover)} and interest of "
            f"{percent(self.rate, 2)}"
        )


def _tidy(value: float) -> float:
    """Per cent and £m without what a float adds at its end; whole numbers as such."""
    rounded = round(value, 6)
    return int(rounded) if rounded == int(rounded) else rounded


def _chosen(found: Futures) -> list[int]:
    """Places of the draws to keep, rising: those whose ranges fit all draws', without a scheme and with three."""
    import numpy as np

    tried = [_changes(found, share, None, cover) for share, cover in TRIED]
    balances = [
        found.projection.balance,
        *(found.scheme.changed(**each).apply(found.projection).balance for each in tried),
    ]
    paths = [np.asarray(_paths(found, balance).sel(year=found.years).values) for balance in balances]
    # At the base date nothing is paid yet: it is the same in all of them.
    targets = np.concatenate([paths[0], *(path[:, 1:] for path in paths[1:])], axis=1)
    return thin(targets, ENGLAND_DRAWS if found.code is None else COUNCIL_DRAWS)


def _paths(found: Futures, balance: Any) -> Any:
    """What the panel tells of balances, dims (draw, year): England's gross deficit or the council's balance."""
    from deficits.projection import national

    whole = national(balance, "gross") if found.code is None else balance.isel(authority=0)
    return whole.transpose("draw", "year")


def _changes(found: Futures, share: float, cap: float | None, cover: float) -> dict[str, Any]:
    """What makes the plain scheme one of these terms."""
    changes: dict[str, Any] = {"share": share}
    if cap is not None:
        changes["cap"] = {"pounds": cap}
    if cover and found.covered:
        changes["cover"] = {"shares": dict.fromkeys(found.covered, cover)}
    return changes


def thin(targets: npt.NDArray[np.float64], count: int) -> list[int]:
    """Places of `count` draws, rising, whose 10th, 50th and 90th percentiles fit those of all in every column.

    One draw comes from each of as many strata, by the first column and within that by the last; which one of its
    stratum is chosen so that the percentiles fit. The same draws for the same targets (shape draws, columns).

    >>> import numpy as np
    >>> everything = np.random.default_rng(1).normal(size=(1000, 3))
    >>> some = thin(everything, 100)
    >>> miss = np.quantile(everything[some], SHARES, axis=0) - np.quantile(everything, SHARES, axis=0)
    >>> bool(np.abs(miss).max() < 0.05)
    True
    """
    import numpy as np

    if count >= len(targets):
        return list(range(len(targets)))
    strata = _strata(targets, count)
    wanted = np.quantile(targets, SHARES, axis=0)[:, None]
    spread = targets.std(axis=0)
    spread[spread == 0] = 1.0
    spread[0] /= FIRST
    kept = np.array([stratum[len(stratum) // 2] for stratum in strata])
    for _ in range(SWEEPS):
        for place, stratum in enumerate(strata):
            tried = np.repeat(targets[kept][None], len(stratum), axis=0)
            tried[:, place] = targets[stratum]
            misses = (np.quantile(tried, SHARES, axis=1) - wanted) / spread
            kept[place] = stratum[int((misses**2).sum(axis=(0, 2)).argmin())]
    return sorted(int(place) for place in kept)


def _strata(targets: npt.NDArray[np.float64], count: int) -> list[npt.NDArray[np.intp]]:
    import numpy as np

    outer = next(number for number in range(int(count**0.5), 0, -1) if count % number == 0)
    strata: list[npt.NDArray[np.intp]] = []
    for block in np.array_split(targets[:, 0].argsort(kind="stable"), outer):
        strata += np.array_split(block[targets[block, -1].argsort(kind="stable")], count // outer)
    return strata


def packed(futures: Futures) -> str:
    """The balances as text, 6 bits a letter: see `unpack` in the script.

    For each council and year a row: 5 bits for the width of its numbers, 24 for the least of them (two's
    complement), then each draw's number above the least. Numbers are balances in `UNIT`, after a council's first
    year what they moved by. Written here and not by zlib, whose versions differ: the same draws are the same text.
    """
    import numpy as np

    balance = futures.projection.balance.sel(year=futures.years).transpose("authority", "year", "draw").values
    units = np.rint(balance / UNIT).astype(np.int64)
    moves = np.concatenate([units[:, :1], np.diff(units, axis=1)], axis=1)
    bits: list[npt.NDArray[np.uint8]] = []
    for row in moves.reshape(-1, moves.shape[-1]):
        least = int(row.min())
        width = int(row.max() - least).bit_length()
        if width > LEAST_BITS or not -(1 << LEAST_BITS - 1) <= least < 1 << LEAST_BITS - 1:
            raise ReportError(f"live panel: a balance of £{abs(least) * UNIT:,} does not fit in {LEAST_BITS} bits")
        bits += [_bits([width], WIDTH_BITS), _bits([least % (1 << LEAST_BITS)], LEAST_BITS)]
        bits.append(_bits(row - least, width))
    stream = np.concatenate(bits)
    padded = np.concatenate([stream, np.zeros(-len(stream) % 6, dtype=np.uint8)]).reshape(-1, 6)
    places = padded @ (1 << np.arange(5, -1, -1))
    return "".join(DIGITS[place] for place in places)


def _bits(numbers: Sequence[int] | npt.NDArray[np.int64], width: int) -> npt.NDArray[np.uint8]:
    """Numbers (>= 0) as bits, the highest first."""
    import numpy as np

    shifts = np.arange(width - 1, -1, -1)
    bits: npt.NDArray[np.uint8] = (np.asarray(numbers)[:, None] >> shifts & 1).astype(np.uint8).ravel()
    return bits


def _text(found: Futures, start: Terms) -> str:
    """The panel as it starts, in plain text."""
    numbers = live_numbers(found, **asdict(start))
    many = found.projection.dataset.sizes["draw"]
    told = f"Panel to move the terms, on {many:,} of {found.of:,} simulated futures; it starts at {start}"
    names = tuple(str(name) for name in numbers.index)
    ranges = tuple(gbp_range(row["p10"], row["p90"]) for _, row in numbers.iterrows())
    columns = [Column("Measure", names, False), Column("8 in 10 futures", ranges, True)]
    return f"{told}\n{text_table(columns)}"


def _panel(found: Futures, facts: dict[str, Any], draws: str) -> Markup:
    base, start = found.years[0], facts["start"]
    council = found.projection.dataset["name"].values[0] if found.code else None
    whose = council or "each council"
    fields = [
        _slider("share", f"Share of the deficit at {year_end(base)} that is paid", 100, "1", start["share"]),
        Markup(
            '<div class="live-field"><label for="live-cap">Most that {whose} is paid for it, £m '
            '<span class="live-hint">(empty: no limit)</span></label>\n'
            '<input type="number" id="live-cap" min="0" max="10000" step="any" inputmode="decimal" '
            'autocomplete="off" value="{value}" aria-describedby="live-cap-fault">\n'
            '<p id="live-cap-fault" class="live-fault" role="alert" hidden></p></div>'
        ).format(whose=whose, value="" if start["cap"] is None else start["cap"]),
    ]
    if found.covered:
        years = " and ".join(financial_year(year) for year in found.covered)
        fields.append(
            _slider("cover", f"Share of the growth in {years} that is paid too", 100, "1", start["cover"])
        )
    fields.append(_slider("rate", "Interest on deficits, a year", 10, "0.05", start["rate"]))
    rows = [
        _row("grant", f"Grant for the deficit at {year_end(base)}"),
        _row("left", "Left of that deficit"),
    ]
    rows += [_row("covered", "Paid for growth after it")] if found.covered else []
    kind = "Deficit" if council else "Gross deficit"
    rows += [_row(f"balance-{year}", f"{kind} at {year_end(year)}", bar=True) for year in found.years[1:]]
    rows += [_row(f"interest-{year}", f"Interest in {financial_year(year)}") for year in found.years[1:]]
    place = council or "England"
    return Markup(
        # The heading's id does not come first, so that the list of contents, which is made of ids that do, leaves
        # it out: the script adds it, where there is one.
        '<section class="live" aria-labelledby="try" hidden data-facts="{facts}"\ndata-draws="{draws}">\n'
        '<h2 tabindex="-1" id="try">Try other terms</h2>\n'
        '<p class="live-words">Move the terms of a plain write-off for {place}, paid in {paid}: a share of the '
        "deficit, no more than a limit, and a share of later growth, paid a year after it. The page’s own scheme "
        "may have conditions that this one leaves out.</p>\n"
        '<p id="live-told" class="live-fault" hidden></p>\n'
        # Near the controls for the eye; whoever listens has the status and the table.
        '<div class="live-now" aria-hidden="true"><p>Grant <b id="live-now-grant-with"></b></p>'
        '<p>{kind} at {end} <b id="live-now-balance-{last}-with"></b></p></div>\n'
        '<div class="live-fields" role="group" aria-label="Terms">\n{fields}\n'
        '<button type="button" id="live-reset">Start again</button></div>\n'
        '<p id="live-status" class="vh" role="status"></p>\n'
        "<table>\n<caption><span>{place} with these terms and without a write-off</span></caption>\n"
        '<thead><tr><th scope="col" class="t">Amount</th><th scope="col" class="t">With these terms</th>'
        '<th scope="col" class="t">Without</th></tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>\n'
        '<p class="source">Worked out in this page on {count} of its {of} simulated futures, chosen so that their '
        "ranges fit: they can differ slightly from those in the rest of the page. Ranges hold 8 in 10 futures; a "
        "bar is the range, its mark the middle, the scale the same in every row. Councils are taken to spend the "
        "same either way. The page’s address holds the terms: copy it to share them.</p>\n</section>\n"
        # Where the page's own style is missing, as in JupyterLab, there is no script either.
        '<p class="live-elsewhere">In the page made of this notebook, a panel to move the terms stands here. In '
        "JupyterLab, explore.ipynb does more.</p>"
    ).format(
        facts=json.dumps(facts, separators=(",", ":")),
        draws=draws,
        place=place,
        kind=kind,
        end=year_end(found.years[-1]),
        last=found.years[-1],
        paid=financial_year(found.scheme.paid_in),
        fields=Markup("\n").join(fields),
        rows=Markup("\n").join(rows),
        count=f"{facts['draws']:,}",
        of=f"{found.of:,}",
    )


def _slider(name: str, label: str, most: int, step: str, value: float) -> Markup:
    # The words of the value are hidden from a screen reader, which has them from the slider itself.
    return Markup(
        '<div class="live-field"><label for="live-{name}">{label}</label> '
        '<span id="live-{name}-value" class="live-value" aria-hidden="true"></span>\n'
        '<input type="range" id="live-{name}" min="0" max="{most}" step="{step}" value="{value}" '
        'autocomplete="off"></div>'
    ).format(name=name, label=label, most=most, step=step, value=value)


def _row(name: str, label: str, bar: bool = False) -> Markup:
    shape = Markup('<i class="live-bar" aria-hidden="true"></i>' if bar else "")
    cells = Markup("").join(
        Markup('<td class="t" id="live-{}-{}"><span></span>{}</td>').format(name, side, shape)
        for side in ("with", "without")
    )
    return Markup('<tr><th scope="row">{}</th>{}</tr>').format(label, cells)
