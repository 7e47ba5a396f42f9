"""Rules of `data/raw`: each file is declared, unchanged and readable; a fault is named exactly."""

import hashlib
import shutil
from pathlib import Path

import pandas as pd
import pytest

from deficits.errors import SourceError
from deficits.paths import checkout, raw_dir
from deficits.raw import RawData, raw_data, read_source, read_table

EVERY_FILE = sorted(raw_data().hashes())


@pytest.mark.parametrize("name", EVERY_FILE)
def test_every_raw_file_is_the_declared_one(name: str) -> None:
    folder, file = name.split("/")
    content = (raw_dir() / folder / file).read_bytes()
    assert hashlib.sha256(content).hexdigest() == raw_data().hashes()[name]
    assert len(read_table(folder, file)) == raw_data().source(folder).find(file).rows


def test_every_file_in_raw_is_declared() -> None:
    lying = {f"{path.parent.name}/{path.name}" for path in raw_dir().glob("*/*") if path.suffix != ".toml"}
    assert lying == set(EVERY_FILE)


def test_open_government_data_carries_the_exact_attribution() -> None:
    words = "Contains public sector information licensed under the Open Government Licence v3.0."
    sources = raw_data().sources.values()
    assert {source.attribution for source in sources if source.licence == "OGL-UK-3.0"} == {words}
    root = checkout()
    assert root is not None
    assert words in (root / "data" / "LICENCE.md").read_text(encoding="utf-8")


def test_the_licence_page_names_every_publication() -> None:
    root = checkout()
    assert root is not None
    page = (root / "data" / "LICENCE.md").read_text(encoding="utf-8")
    assert [folder for folder in raw_data().sources if f"(raw/{folder}/source.toml)" not in page] == []


def test_no_raw_file_holds_a_machine_path() -> None:
    for path in raw_dir().glob("*/*"):
        text = path.read_text(encoding="utf-8")
        assert not any(root in text for root in ("/root/", "/tmp/", "/home/", "C:\\")), path


DECLARATION = """
title = "A table"
publisher = "A publisher"
publication = "A publication"
url = "https://example.org/"
licence = "OGL-UK-3.0"
attribution = "Contains public sector information licensed under the Open Government Licence v3.0."
retrieved = 2026-11-25
note = "A note."

[[file]]
name = "table.csv"
title = "A table"
sha256 = "{sha256}"
rows = 2
[file.columns]
dfe_number = "key"
value_gbp = "£"
"""


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A folder like data/raw with one publication of one table."""
    folder = tmp_path / "raw" / "publication"
    folder.mkdir(parents=True)
    content = "dfe_number,value_gbp\n201,1.5\n202,\n"
    (folder / "table.csv").write_text(content)
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    (folder / "source.toml").write_text(DECLARATION.format(sha256=sha256), encoding="utf-8")
    return tmp_path / "raw"


def read(raw: Path, *asked: str, numeric: tuple[str, ...] = ()) -> pd.DataFrame:
    return RawData(raw).table(*asked, numeric)


def declare(raw: Path, content: str, rows: int = 2) -> None:
    folder = raw / "publication"
    (folder / "table.csv").write_text(content)
    text = DECLARATION.format(sha256=hashlib.sha256(content.encode()).hexdigest())
    (folder / "source.toml").write_text(text.replace("rows = 2", f"rows = {rows}"), encoding="utf-8")


def test_a_blank_is_missing_and_a_code_keeps_its_zeros(raw: Path) -> None:
    declare(raw, "dfe_number,value_gbp\n0201,0\n202,\n")
    table = read(raw, "publication", "table.csv", numeric=("value_gbp",))
    assert list(table["dfe_number"]) == ["0201", "202"]
    assert table["value_gbp"].iloc[0] == 0
    assert pd.isna(table["value_gbp"].iloc[1])


def test_a_changed_file_is_refused(raw: Path) -> None:
    (raw / "publication" / "table.csv").write_text("dfe_number,value_gbp\n201,9.5\n202,\n")
    with pytest.raises(SourceError, match=r"data/raw/publication/table\.csv is not the declared file"):
        read(raw, "publication", "table.csv")


def test_a_publication_is_read_in_the_folder_that_has_it_before_its_base(raw: Path, tmp_path: Path) -> None:
    (tmp_path / "trial" / "publication").mkdir(parents=True)
    declare(tmp_path / "trial", "dfe_number,value_gbp\n203,1.5\n204,\n")
    shutil.copytree(raw / "publication", raw / "other")
    both = RawData(tmp_path / "trial", RawData(raw))
    assert list(both.sources) == ["other", "publication"]
    assert list(both.table("publication", "table.csv")["dfe_number"]) == ["203", "204"]
    assert list(both.table("other", "table.csv")["dfe_number"]) == ["201", "202"]


def test_what_is_changed_in_a_table_changes_nothing_in_the_next(raw: Path) -> None:
    data = RawData(raw)
    table = data.table("publication", "table.csv", ["value_gbp"])
    table.loc[:, "value_gbp"] = 0.0
    del table["dfe_number"]
    assert data.table("publication", "table.csv", ["value_gbp"]).loc[0].tolist() == ["201", 1.5]


def test_what_is_not_a_number_is_named_with_its_line(raw: Path) -> None:
    declare(raw, "dfe_number,value_gbp\n201,1.5\n202,N/A\n")
    with pytest.raises(SourceError, match=r"table\.csv, column 'value_gbp'.*line 3: 'N/A'"):
        read(raw, "publication", "table.csv", numeric=("value_gbp",))


def test_a_missing_row_or_column_is_refused(raw: Path) -> None:
    declare(raw, "dfe_number,value_gbp\n201,1.5\n")
    with pytest.raises(SourceError, match=r"has rows 1, but source\.toml declares 2"):
        read(raw, "publication", "table.csv")
    declare(raw, "dfe_number,value\n201,1.5\n202,2\n")
    with pytest.raises(SourceError, match=r"has columns .*'value'.* but source\.toml declares .*'value_gbp'"):
        read(raw, "publication", "table.csv")


def test_an_unknown_publication_or_column_offers_the_closest(raw: Path) -> None:
    with pytest.raises(SourceError, match="did you mean 'publication'"):
        read(raw, "publicaton", "table.csv")
    with pytest.raises(SourceError, match="did you mean 'value_gbp'"):
        read(raw, "publication", "table.csv", numeric=("value_gdp",))
    with pytest.raises(SourceError, match=r"declares no file 'tabel\.csv'; it declares table\.csv"):
        read(raw, "publication", "tabel.csv")


def test_all_faults_of_a_declaration_are_told_at_once(raw: Path) -> None:
    path = raw / "publication" / "source.toml"
    text = path.read_text(encoding="utf-8").replace("OGL-UK-3.0", "free").replace("publisher =", "publsher =")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SourceError) as caught:
        read_source(raw / "publication")
    for word in ("data/raw/publication/source.toml", "licence", "publsher", "publisher"):
        assert word in str(caught.value)


def test_a_file_that_lies_outside_its_folder_cannot_be_declared(raw: Path) -> None:
    path = raw / "publication" / "source.toml"
    text = path.read_text(encoding="utf-8").replace('"table.csv"', '"../table.csv"')
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SourceError, match=r"name: found '\.\./table\.csv'; string should match"):
        read_source(raw / "publication")
