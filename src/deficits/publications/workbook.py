"""Workbooks (xlsx, ods) as rows of cells, by sheet."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from python_calamine import CalamineError, CalamineWorkbook

from deficits.errors import SourceError

Rows = list[list[object]]


class Workbook:
    """A workbook whose sheets are read when asked for.

    Raises SourceError when the file is missing, cut short or no workbook.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.name
        try:
            self._book = CalamineWorkbook.from_filelike(_whole(path))
        except (CalamineError, zipfile.BadZipFile, OSError) as error:
            raise SourceError(f"{path.name} cannot be read as a workbook: {error}. Download it again") from None

    @property
    def sheets(self) -> list[str]:
        """Names of the sheets."""
        return list(self._book.sheet_names)

    def rows(self, sheet: str) -> Rows:
        """Every row of a sheet, as long as the widest; an empty cell is an empty text."""
        if sheet not in self.sheets:
            raise SourceError(f"{self.name} has no sheet '{sheet}'; it has {', '.join(self.sheets)}")
        return [list(row) for row in self._book.get_sheet_by_name(sheet).to_python(skip_empty_area=False)]


def _whole(path: Path) -> io.BytesIO:
    """The file's bytes; an ods that was written without its `mimetype` entry is given one."""
    content = io.BytesIO(path.read_bytes())
    if path.suffix.lower() != ".ods":
        return content
    with zipfile.ZipFile(content) as archive:
        if "mimetype" in archive.namelist():
            content.seek(0)
            return content
        mended = io.BytesIO()
        with zipfile.ZipFile(mended, "w") as copy:
            copy.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
            for entry in archive.infolist():
                copy.writestr(entry, archive.read(entry.filename))
    mended.seek(0)
    return mended
