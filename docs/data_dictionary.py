"""The data dictionary and the glossary, generated: `.venv/bin/python docs/data_dictionary.py` writes docs/data.md
and docs/glossary.md."""

from __future__ import annotations

from pathlib import Path

from deficits.panel.choice import RULES
from deficits.panel.schema import BASES, BESIDE, FIGURES
from deficits.raw import raw_data
from deficits.reports.page import terms


def glossary() -> str:
    """docs/glossary.md as it should be: the words that pages explain at their foot."""
    lines = ["# Glossary", "", "<!-- Generated: .venv/bin/python docs/data_dictionary.py -->", ""]
    lines += ["Words of the field as pages explain them; each page has those that it uses at its foot.", ""]
    lines += [f"- **{term['name']}**: {term['means']}" for term in terms()]
    return "\n".join(lines) + "\n"


def dictionary() -> str:
    """docs/data.md as it should be."""
    lines = [
        "# Data dictionary",
        "",
        "<!-- Generated: .venv/bin/python docs/data_dictionary.py -->",
        "",
        "`deficits build` writes `data/processed/panel.parquet` and `panel.csv`: a row for an authority and year,",
        "described by `datapackage.json`. `authority` is the DfE number, `year` the calendar year that a",
        "financial year ends in (2025 is 2024-25), `gss` the current ONS code. A balance is negative for a",
        "deficit.",
        "",
        "| figure | unit | what it is |",
        "| --- | --- | --- |",
        *(f"| `{figure.name}` | {figure.unit} | {figure.meaning} |" for figure in FIGURES.values()),
        "",
        "With each figure stand:",
        "",
        *(f"- `<figure>{part}`: {meaning}" for part, meaning in BESIDE.items()),
        "",
        "| basis | meaning |",
        "| --- | --- |",
        *(f"| `{basis}` | {meaning} |" for basis, meaning in BASES.items()),
        "",
        f"Where sources give several balances, a rule chooses one: {', '.join(f'`{rule}`' for rule in RULES)}.",
        "",
        "## Publications",
        "",
        "| folder of data/raw | publication | publisher | tables |",
        "| --- | --- | --- | --- |",
    ]
    for folder, source in raw_data().sources.items():
        tables = ", ".join(f"`{file.name}`" for file in source.file)
        lines.append(f"| `{folder}` | [{source.title}]({source.url}) | {source.publisher} | {tables} |")
    lines += [
        "",
        "## Corrections in force",
        "",
        "| table | column | action | reason |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| `{folder}`, {entry.table} | `{entry.column}` | {entry.action} | {entry.reason} |"
        for folder in raw_data().sources
        for entry in raw_data().corrections(folder).correction
    ]
    return "\n".join(lines) + "\n"


PAGES = {Path(__file__).with_name("data.md"): dictionary, Path(__file__).with_name("glossary.md"): glossary}

if __name__ == "__main__":
    for path, made in PAGES.items():
        path.write_text(made(), encoding="utf-8")
