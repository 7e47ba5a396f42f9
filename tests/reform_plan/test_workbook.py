"""The workbook: LibreOffice works out what the package does, to the pound, whatever is set."""

import dataclasses
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from python_calamine import CalamineWorkbook

import deficits as d
from deficits.projection import Projection
from deficits.reform_plan import Actions, ReformPlan
from deficits.reform_plan.actions import OwnGrowth
from deficits.reform_plan.spreadsheet import Settings, usual, workbook

COUNCILS = [
    "Kent",
    "Hampshire",
    "Camden",
    "Leeds",
    "Rutland",
    "Bristol",
    "Cumberland",
    "Dorset",
    "Birmingham",
    "Luton",
]
"""Ten, each in five settings: what was promised of the workbook."""
SOFFICE = shutil.which("soffice")


def settings_of(plan: ReformPlan) -> dict[str, Settings]:
    """Five settings, which between them change every kind of input cell."""
    base = usual(plan)
    ahead = base.growth.plan_growth
    return {
        "as it is": base,
        "own figures": dataclasses.replace(
            base, balance=base.balance * 1.1 - 1e6, ineligible=250_000.0, rate=0.0481, share=0.8
        ),
        "growth": dataclasses.replace(
            base,
            growth=OwnGrowth(
                plan_growth=dict.fromkeys(ahead, 0.12),
                unit_cost_growth=dict.fromkeys(ahead, 0.01),
                block_growth=dict.fromkeys(ahead, 0.07),
            ),
        ),
        "capped and covered": dataclasses.replace(base, cap=5e6, cover=dict.fromkeys(base.cover, 0.9)),
        "other sizes": dataclasses.replace(
            base, sizes=tuple(2.5 * size for size in base.sizes), cover={2027: 0.5}, share=1.0
        ),
    }


def read(file: Path) -> dict[str, list[list[object]]]:
    book = CalamineWorkbook.from_path(str(file))
    return {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names}


def row(sheet: list[list[object]], label: str, years: int) -> np.ndarray:
    (found,) = [line for line in sheet if str(line[0]).startswith(label)]
    return np.array([float(str(value)) for value in found[2 : 2 + years]])


@pytest.fixture(scope="module")
def made(
    projection: Projection, tmp_path_factory: pytest.TempPathFactory
) -> dict[Path, tuple[ReformPlan, Settings, pd.DataFrame]]:
    folder, made = tmp_path_factory.mktemp("workbooks"), {}
    for council in COUNCILS:
        plan = d.plan(projection, council, "example")
        for n, given in enumerate(settings_of(plan).values()):
            file = folder / f"{plan.code}-{n}.xlsx"
            made[file] = (plan, given, workbook(plan, file, given))
    return made


def agrees(file: Path, plan: ReformPlan, account: pd.DataFrame) -> None:
    """Each figure that the workbook is for, to the pound."""
    balances, years = read(file)["Balances"], len(plan.years)
    found = {
        "Balance, no grant": account["without"],
        "Grant and cover paid in the year": account["paid"],
        "Balance with the grant": account["closing"],
        "Interest on": account["interest"],
    }
    for label, values in found.items():
        assert np.abs(row(balances, label, years) - values).max() < 1, (plan.name, file.name, label)
    assert row(balances, "Grant: share of", 1)[0] == pytest.approx(account["granted"].iloc[0], abs=1)
    assert row(balances, "Check", 1)[0] == 0


def test_the_workbook_reads_right_before_it_is_recalculated(
    made: dict[Path, tuple[ReformPlan, Settings, pd.DataFrame]],
) -> None:
    for file, (plan, _, account) in made.items():
        agrees(file, plan, account)


@pytest.mark.skipif(
    SOFFICE is None,
    reason="no LibreOffice, which .ci/run installs: `make test` needs Python and Chromium only",
)
def test_libreoffice_recalculates_to_the_pound(
    made: dict[Path, tuple[ReformPlan, Settings, pd.DataFrame]], tmp_path: Path
) -> None:
    command = [
        str(SOFFICE),
        f"-env:UserInstallation=file://{tmp_path}/profile",
        "--headless",
        "--convert-to",
        "xlsx",
    ]
    stale = tmp_path / "stale"
    stale.mkdir()
    for file in made:
        # What the package wrote with each formula goes, so that LibreOffice must work every one out.
        with zipfile.ZipFile(file) as old, zipfile.ZipFile(stale / file.name, "w") as new:
            for part in old.namelist():
                text = old.read(part)
                if part.startswith("xl/worksheets/"):
                    text = re.sub(rb"</f><v>[^<]*</v>", b"</f>", text)
                new.writestr(part, text)
    done = subprocess.run(
        [*command, "--outdir", str(tmp_path / "out"), *map(str, sorted(stale.glob("*.xlsx")))],
        capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for file, (plan, _, account) in made.items():
        agrees(tmp_path / "out" / file.name, plan, account)


def test_the_usual_settings_give_the_medians_of_the_projection(
    made: dict[Path, tuple[ReformPlan, Settings, pd.DataFrame]], projection: Projection
) -> None:
    for plan, given, account in made.values():
        if given == usual(plan):
            median = projection.balance.sel(authority=plan.code, year=plan.years).median("draw").values
            assert np.allclose(account["base"], median, atol=1)


def test_an_action_may_be_called_as_an_input_is(projection: Projection, tmp_path: Path) -> None:
    example = Actions.read("example")
    named = example.actions[4].model_copy(update={"title": "share"})
    plan = d.plan(projection, "Kent", example.model_copy(update={"actions": (named,)}))
    agrees(tmp_path / "kent.xlsx", plan, workbook(plan, tmp_path / "kent.xlsx"))


def test_a_workbook_has_no_macro_and_no_link_and_says_its_licence(
    made: dict[Path, tuple[ReformPlan, Settings, pd.DataFrame]],
) -> None:
    file = next(iter(made))
    with zipfile.ZipFile(file) as book:
        names = book.namelist()
        assert not [
            name for name in names if re.search("vba|externalLink|connections|hyperlink", name, re.IGNORECASE)
        ]
        assert not [name for name in names if b'TargetMode="External"' in book.read(name) and "rels" in name]
        assert any(b"Open Government Licence" in book.read(name) for name in names)
    sheets = read(file)
    assert list(sheets) == ["Inputs", "Plan", "Balances", "Sources"]
