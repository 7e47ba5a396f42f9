"""Folders of this machine, which no page names."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from deficits import paths

SHORTEST = 3
"""A folder of a letter or two is found in any picture, and tells nothing."""


def _machine_folders() -> set[str]:
    """Folders that tell of the machine or its user."""
    folders = [Path.home(), Path.cwd(), Path(tempfile.gettempdir()), Path(sys.prefix), paths.PACKAGE.parent]
    found = {str(path) for folder in folders for path in (folder, folder.resolve()) if path != path.parent}
    return {folder for folder in found if len(folder) > SHORTEST}


def folders_in(text: str) -> Iterator[str]:
    """Folders of this machine that a text names."""
    for folder in _machine_folders():
        # As a whole path: a folder's name at the end of a web address, or at the start of a longer word, is none.
        if folder in text and re.search(rf"(?<![\w.-]){re.escape(folder)}(?![\w-])", text):
            yield folder


def without_folders(message: str) -> str:
    """A message for the folder of the pages, which others read: whoever ran it has the whole one."""
    for folder in sorted(_machine_folders(), key=len, reverse=True):
        message = message.replace(folder, "(a folder)")
    return message
