"""The data dictionary, generated: `.venv/bin/python docs/data_dictionary.py` writes docs/data.md."""

from __future__ import annotations

from pathlib import Path

from deficits.panel.choice import RULES
from deficits.panel.schema import BASES, BESIDE, FIGURES
from deficits.raw import raw_data

PAGE = Path(__file__).with_name("data.md")


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
        f"The balance is chosen among sources by a rule: {', '.join(f'`{rule}`' for rule in RULES)}.",
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


if __name__ == "__main__":
    PAGE.write_text(dictionary(), encoding="utf-8", newline="\n")
