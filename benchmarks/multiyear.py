"""MHCLG's multi-year revenue outturn: our reading of the columns we need, beside pandas reading the whole file.

The file is made here in the shape of the published one (3,931 rows, 2,587 columns, 24 MB), and every figure in it
is invented.
"""

from __future__ import annotations

import csv
import tempfile
import timeit
from collections.abc import Callable
from pathlib import Path

import numpy as np

HEAD = ["year_ending", "ONS_code", "LA_LGF_code", "LA_name", "status", "LA_class", "LA_subclass"]
ITEMS = ["ressch", "resdsgadj", "resdsg", "resph", "resoth", "resoth_adj", "resunall"]
LEVELS = [f"RS_{item}_{end}_cy" for end in ("start", "end") for item in ITEMS]
YEARS = range(2018, 2027)


def write_multiyear(path: Path, rows: int = 3931, columns: int = 2587, authorities: int = 153) -> None:
    """A made-up file: authorities, districts, a class row and England in each year, our columns among others."""
    from deficits.raw import read_table

    draw = np.random.default_rng(1)
    codes = read_table("authorities", "authority_codes.csv")
    codes = codes[codes["end_date"].isna()].head(authorities)
    fillers = columns - len(HEAD) - len(LEVELS)
    before = fillers // 2
    headings = [f"RO{1 + place % 6}_item{place}_net_cur_exp" for place in range(fillers)]
    districts = rows // len(YEARS) - len(codes) - 2
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*HEAD, *headings[:before], *LEVELS, *headings[before:]])

        def write(head: list[object], levels: list[object]) -> None:
            # Most items are nought for most authorities; some thousands elsewhere, a few of them to the pound (as
            # in the yearly workbooks), make the published file's size.
            kind = draw.random(fillers)
            thousands = draw.integers(100, 9999, fillers)
            cells: list[object] = np.where(kind < 0.9, 0, thousands).tolist()
            for place in np.flatnonzero(kind > 0.99):
                cells[place] = f"{thousands[place]}.{draw.integers(1, 999):03d}"
            if "not submitted" in head:
                cells = [""] * fillers
            writer.writerow([*head, *cells[:before], *levels, *cells[before:]])

        for year in YEARS:
            ending = f"{year}03"
            sums = np.zeros(len(LEVELS), dtype=int)
            for row in codes.itertuples():
                levels = draw.integers(-9999, 9999, len(LEVELS))
                sums += levels
                write(
                    [ending, row.gss_current, row.mhclg_ecode, row.la_name, "submitted", "UA", "UA"],
                    levels.tolist(),
                )
            for place in range(districts):
                status = "not submitted" if place < 3 else "submitted"
                head = [
                    ending,
                    f"E07{place:06d}",
                    f"E99{place % 100:02d}",
                    f"District {place}",
                    status,
                    "SD",
                    "SD",
                ]
                write(head, [""] * len(LEVELS) if place < 3 else [0] * len(LEVELS))
            write([ending, "E09", "", "London Boroughs", "total", "LB", "London"], [0] * len(LEVELS))
            write([ending, "E92000001", "", "England", "total", "", ""], sums.tolist())


def best(work: Callable[[Path], object]) -> float:
    """Best seconds of three on one file, for either side: each takes a fraction of a second."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "Revenue_Outturn_time_series_data.csv"
        write_multiyear(path)
        return min(timeit.repeat(lambda: work(path), number=1, repeat=3))


def read_needed_columns() -> float:
    from deficits.publications.mhclg_revenue_outturn import read_cells

    return best(read_cells)


def read_whole_file() -> float:
    """The whole file in pandas, then the same columns."""
    import pandas as pd

    return best(lambda path: pd.read_csv(path, low_memory=False)[[*HEAD, *LEVELS]])


def parse_needed_columns() -> float:
    from deficits.publications.mhclg_revenue_outturn import parse

    return best(parse)


def tabulate_whole_file() -> float:
    """The whole file in pandas, then the DSG lines by authority and year, without our checks."""
    import pandas as pd

    from deficits.raw import read_table

    def tabulate(path: Path) -> None:
        whole = pd.read_csv(path, low_memory=False)
        councils = whole[whole["ONS_code"].str.fullmatch(r"E(?:06|08|09|10)\d{6}") & (whole["status"] != "total")]
        codes = read_table("authorities", "authority_codes.csv")[["dfe_number", "mhclg_ecode"]]
        levels = councils[[*HEAD, *LEVELS]].merge(codes, left_on="LA_LGF_code", right_on="mhclg_ecode")
        levels[LEVELS] = levels[LEVELS].astype(float) * 1000
        levels[levels["year_ending"] >= 202303].pivot_table(
            index=["year_ending", "dfe_number"], values=["RS_resdsgadj_end_cy", "RS_resdsg_end_cy"]
        )

    return best(tabulate)
