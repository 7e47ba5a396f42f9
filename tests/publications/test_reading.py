"""Numbers in every style come back as they were; a file is read whatever its dress, or refused with what it is."""

import io
import math
import struct
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deficits.errors import SourceError
from deficits.publications import files
from deficits.publications.files import REASONS, Grid, heading, number, reason
from deficits.publications.reading import Sheet, open_sheet, open_sheets, table_of
from tests.publications.samples import csv_text, fault_of, write_csv, write_workbook

# --- cells

STYLES = {
    "plain": lambda x: f"{x}",
    "thousands": lambda x: f"{x:,}",
    "pounds": lambda x: f"£{x:,}" if x >= 0 else f"-£{-x:,}",
    "pounds, sign inside": lambda x: f"£{x:,}",
    "brackets": lambda x: f"({-x:,})" if x < 0 else f"{x:,}",
    "brackets and pounds": lambda x: f"(£{-x:,})" if x < 0 else f"£{x:,}",
    "minus sign": lambda x: f"{x:,}".replace("-", "\u2212"),
    "en dash": lambda x: f"{x:,}".replace("-", "\u2013"),
    "spaces around": lambda x: f"\u00a0 {x:,} ",
    "narrow spaces within": lambda x: f"{x:,}".replace(",", "\u202f"),
    "byte-order mark": lambda x: f"\ufeff{x}",
}
PENCE = st.integers(-(10**12), 10**12).map(lambda pence: pence / 100)


@pytest.mark.parametrize("style", STYLES)
@given(x=st.integers(-(10**13), 10**13) | PENCE)
def test_a_number_comes_back_from_every_style(style: str, x: float) -> None:
    assert number(STYLES[style](x) if x else "0") == pytest.approx(x, rel=1e-15, abs=1e-9)


@given(x=st.floats(allow_nan=False, allow_infinity=False))
def test_a_workbooks_number_and_its_shortest_text_come_back(x: float) -> None:
    assert number(x) == x
    assert number(repr(x)) == x


@pytest.mark.parametrize(("unit", "scale"), [("m", 1e6), ("bn", 1e9), ("k", 1e3)])
def test_a_unit_is_read_where_people_write_and_refused_in_a_column_of_numbers(unit: str, scale: float) -> None:
    assert number(f"£5.5{unit}", units=True) == 5.5 * scale
    assert number(f"£5.5{unit}") is None


@pytest.mark.parametrize(
    "nothing",
    [None, math.nan, math.inf, True, "", "-", "about 5", "1,23", "(5", "--5", "1e999", "12%", "1.05E+08", "1234p",
     "1.234,5", "1,234 [r]", "~5"],
)  # fmt: skip
def test_what_is_no_number_is_none(nothing: object) -> None:
    assert number(nothing) is None


@pytest.mark.parametrize("symbol", [*REASONS, "[x]", "[z]", "[c]", "[low]"])
def test_every_symbol_has_its_reason_and_is_no_number(symbol: str) -> None:
    assert number(symbol) is None
    assert reason(f" {symbol.upper()} ") == REASONS[symbol.strip("[]")]


def sheet(*headings: str, **printed: str) -> Sheet:
    """A table whose one row repeats its headings."""
    return Sheet(Grid("a.csv", "", ",", lambda: iter([(2, list(headings))])), [list(headings)], 1, printed=printed)


@given(st.text(max_size=12))
def test_a_cell_is_a_number_or_has_a_reason_or_is_refused(cell: str) -> None:
    rows = pd.DataFrame({"amount": [cell]}, index=[9], dtype="str")
    if number(cell) is None and reason(cell) is None:
        with pytest.raises(SourceError, match=r"(?s)a\.csv.*line 9, column 'Gross'.*'"):
            sheet(amount="Gross").numbers(rows, ["amount"])
    else:
        counted = sheet().numbers(rows, ["amount"])
        assert counted["amount"].isna().sum() == len(table_of("a", counted, [], ["amount"]).missing)


def test_zero_stays_zero_and_a_gap_keeps_its_line_symbol_and_reason() -> None:
    rows = pd.DataFrame(
        {"name": ["a", "b", "c"], "x": ["0", "x", "(1,234)"], "y": ["1", "2", "z"]}, [4, 7, 9], dtype="str"
    )
    table = table_of("a", sheet().numbers(rows, ["x", "y"], scale=1000), ["name"], ["name", "x", "y"])
    assert table.frame["x"].fillna(-1).tolist() == [0, -1, -1_234_000]
    assert table.missing.to_numpy().tolist() == [["b", "x", "not available"], ["c", "y", "not applicable"]]


# --- headings and councils

HEADINGS = ("Time_Period", "old_la_code", "LA name", "1.2.1 Top\u2013up funding", "Net\nexpenditure")
WANTED = {
    "year": ("time_period", "year"),
    "code": ("old_la_code",),
    "name": ("local authority", "la_name"),
    "topup": ("1.2.1 top-up funding",),
    "net": ("net expenditure",),
}


@given(order=st.permutations(HEADINGS), added=st.lists(st.text(max_size=8).map("added {}".format), max_size=4))
def test_order_and_added_columns_change_nothing(order: list[str], added: list[str]) -> None:
    headings = [*added, *order]
    assert sheet(*headings).take(WANTED).iloc[0].tolist() == [text.strip() for text in HEADINGS]


@given(order=st.permutations(HEADINGS), lost=st.sampled_from(list(WANTED)))
def test_a_needed_column_that_is_gone_is_named(order: list[str], lost: str) -> None:
    spellings = {heading(text) for text in WANTED[lost]}
    rest = [text for text in order if heading(text) not in spellings]
    with pytest.raises(SourceError, match=rf"a\.csv: no column '{WANTED[lost][0]}'"):
        sheet(*rest).take(WANTED)


def test_the_closest_heading_is_offered_and_a_heading_twice_is_refused() -> None:
    with pytest.raises(SourceError, match=r"no column 'old_la_code'.*did you mean 'old la cod'"):
        sheet("old_la_cod").take({"code": ("old_la_code",)})
    with pytest.raises(SourceError, match="'year' stands 2 times"):
        sheet("year", "Year ").take({"year": ("year",)})


def test_a_council_is_known_by_any_of_its_codes_but_a_wrong_dfe_number_is_refused() -> None:
    rows = pd.DataFrame(
        [["886", "", "Kent"], ["", "E10000030", "Surrey"], ["390.0", "E08000037", "Gateshead"]],
        columns=["dfe", "ons", "la_name"],
    )
    assert sheet().councils(rows, "dfe", "ons") == ["886", "936", "390"]
    rows.loc[1] = ["999", "E10000030", "Surrey"]
    with pytest.raises(SourceError, match=r"a\.csv, line 1: .*'999'.*did you mean 'Surrey'"):
        sheet().councils(rows, "dfe", "ons")


# --- CSV

TABLE = [
    ["time_period", "la_name", "amount"],
    ["202324", "Kent \u2013 east", "1"],
    ["202324", "Hereford, County of", "2"],
]
MARKS = {name: (name,) for name in TABLE[0]}


def opened(path: Path) -> Sheet:
    return open_sheet(path, MARKS)


def cells(text: Sheet) -> list[list[str]]:
    return text.take(MARKS).to_numpy().tolist()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("ending", ["\r\n", "\n", "\r"])
def test_encoding_delimiter_and_line_ends_change_nothing(
    tmp_path: Path, encoding: str, delimiter: str, ending: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(csv_text(TABLE, delimiter=delimiter).replace("\r\n", ending).encode(encoding))
    assert cells(opened(path)) == TABLE[1:]


def test_words_above_and_below_blank_lines_and_blank_columns_are_left_out(tmp_path: Path) -> None:
    rows = [
        ["Outturn, 2023-24"],
        [],
        *[[*row, ""] for row in TABLE],
        [],
        ["", "", "", ""],
        ["Source: DfE, table 1"],
    ]
    rows[2] = rows[2][:3]
    text = opened(write_csv(tmp_path / "a.csv", rows))
    assert cells(text) == TABLE[1:]
    assert text.title == "Outturn, 2023-24"


def test_lines_are_counted_as_an_editor_counts_them(tmp_path: Path) -> None:
    rows = [TABLE[0], [], TABLE[1], ["202324", "two\nlines", "x"], [], ["202324", "Kent", "oops"]]
    path = write_csv(tmp_path / "a.csv", rows)
    assert opened(path).cells({"amount": 2}).index.tolist() == [3, 5, 7]


def test_a_cut_file_is_refused_with_its_line(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", TABLE)
    path.write_bytes(path.read_bytes()[:-9])
    assert "line 3 has 2 cells, expected 3" in fault_of(lambda path: cells(opened(path)), path)
    path = write_csv(tmp_path / "a.csv", [TABLE[0]])
    assert "headings and no rows" in fault_of(lambda path: cells(opened(path)), path)


def zipped(members: dict[str, bytes], flags: int = 0, method: int | None = None) -> bytes:
    """An archive; `flags` and `method` are set in its headers, as of one that is sealed or packed in a new way."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    changed = bytearray(content.getvalue())
    for start, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = changed.find(start) + at
        changed[place] |= flags
        if method is not None:
            changed[place + 2 : place + 4] = struct.pack("<H", method)
    return bytes(changed)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "empty"),
        (b" \r\n", "empty"),
        (b"\xef\xbb\xbf<!DOCTYPE html><html>404</html>", "web page"),
        (b'{"error": 404}', "JSON"),
        (b"\x1f\x8b\x08rest", "gzip"),
        (b"%PDF-1.4", "PDF"),
        (b"PAR1", "Parquet"),
        (b"\0" * 1000, "no text"),
        (b"\xd0\xcf\x11\xe0" + "EncryptedPackage".encode("utf-16-le"), "password"),
        (b"a,b\n1,2\n", "no line has the headings"),
        (b"PK\x03\x04 cut", "broken or cut short"),
        (zipped({"a.csv": b"x" * 99}, flags=1), "password"),
        (zipped({"a.csv": b"x" * 99}, method=99), "broken or cut short"),
        (zipped({"a.txt": b"x"}), "no CSV"),
        (zipped({"META-INF/manifest.xml": b"<encryption-data/>", "content.xml": b""}), "password"),
        (zipped({"xl/workbook.xml": b""}), "broken or cut short"),
    ],
)
def test_another_kind_of_file_is_refused_by_what_it_is(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    assert what in fault_of(opened, path)


def test_a_folder_and_a_file_that_is_not_there_are_refused(tmp_path: Path) -> None:
    assert "not a file" in fault_of(opened, tmp_path)
    assert "cannot be read" in fault_of(texts, tmp_path / "none.xlsx")


def test_of_a_zip_the_csv_that_is_meant_is_read(tmp_path: Path) -> None:
    path = tmp_path / "release.zip"
    path.write_bytes(zipped({"data/any.csv": csv_text(TABLE).encode()}))
    assert cells(opened(path)) == TABLE[1:]
    path.write_bytes(zipped({"data/a.csv": csv_text(TABLE).encode(), "data/b.csv": b"1"}))
    (found,) = open_sheets(path, MARKS, wanted=lambda name: name.endswith("a.csv"))
    assert found.name == "release.zip/data/a.csv"
    path.write_bytes(zipped(dict.fromkeys(("a.csv", "b.csv"), csv_text(TABLE).encode())))
    assert "2 tables" in fault_of(opened, path)


def test_what_would_fill_the_memory_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zipped({"a.csv": b"0" * (64 << 20)}))
    assert "would unpack" in fault_of(opened, path)
    small = csv_text(TABLE).encode()
    path.write_bytes(zipped({"other.csv": b"0" * (64 << 20), "a.csv": small, "b.csv": small}))
    assert open_sheets(path, MARKS, wanted=lambda name: name == "a.csv")[0].name == "a.zip/a.csv"


# --- workbooks


def texts(path: Path) -> dict[str, list[list[str]]]:
    return {grid.sheet: [row for _, row in grid.rows()] for grid in files.opened(path)}


@pytest.mark.parametrize("suffix", [".ods", ".xlsx"])
def test_a_workbook_is_its_sheets_and_cells(tmp_path: Path, suffix: str) -> None:
    path = write_workbook(tmp_path / f"a{suffix}", {"One": [["", 1.5], ["x", ""]], "Two": [[2]]})
    assert texts(path) == {"One": [["", "1.5"], ["x", ""]], "Two": [["2"]]}
    path.write_bytes(path.read_bytes()[:300])
    assert "broken or cut short" in fault_of(texts, path)


def changed(path: Path, part: str, old: str, new: str) -> Path:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members[part] = members[part].decode().replace(old, new).encode()
    path.write_bytes(zipped(members))
    return path


def test_a_sheet_with_a_cell_in_its_far_corner_is_refused(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "a.xlsx", {"One": [["x"]]})
    far = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    changed(path, "xl/worksheets/sheet1.xml", "</sheetData>", far)
    assert "1,048,576 rows and 16,384 columns" in fault_of(texts, path)


def test_an_entity_that_is_not_declared_is_refused(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "a.xlsx", {"One": [["cell"]]})
    changed(path, "xl/worksheets/sheet1.xml", "cell", "&lol;")
    assert "broken" in fault_of(texts, path)


def test_an_ods_without_its_mimetype_is_read(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "a.ods", {"One": [["x"]]})
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist() if name != "mimetype"}
    path.write_bytes(zipped(members))
    assert texts(path) == {"One": [["x"]]}
