"""A notebook's cells in this process: ipykernel's own shell without its sockets.

What a cell shows goes through the shell and the client that a kernel would use, so that the outputs are the same.
Only a process that does nothing else should run cells so: they change it. See `deficits.reports.forkserver`.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from ipykernel.zmqshell import ZMQInteractiveShell
from jupyter_client.jsonutil import json_default
from jupyter_client.session import Session
from nbclient import NotebookClient
from nbformat import NotebookNode
from traitlets.config import Config

from deficits.reports.kernel import plain_warnings

Message = dict[str, Any]

ALLOWED_TO_FAIL = "raises-exception"
NOT_RUN = "skip-execution"
"""Tags of cells that Jupyter's own client knows."""


class _Session(Session):
    """Takes the shell's messages in place of a socket, as they would have arrived."""

    def __init__(self, take: Callable[[Message], None]) -> None:
        super().__init__()
        self._take = take

    def msg(self, msg_type: str, content: Any = None, *_: object, **__: object) -> Message:
        return {"msg_type": msg_type, "header": {"msg_type": msg_type}, "parent_header": {}, "content": content}

    def send(self, stream: object, msg_or_type: Any, content: Any = None, *_: object, **__: object) -> Message:
        message = self.msg(msg_or_type, content) if isinstance(msg_or_type, str) else dict(msg_or_type)
        message["content"] = json.loads(json.dumps(message["content"], default=json_default))
        self._take(message)
        return message


class _Stream(io.TextIOBase):
    """Standard output or error of the cells: what Python prints, and what a program started by a cell does."""

    def __init__(self, name: str, descriptor: int, session: _Session) -> None:
        self.name = name
        self._descriptor = descriptor
        self._session = session
        self._printed: list[str] = []
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  # as long as the process
        self._read = 0
        os.dup2(self._file.fileno(), descriptor)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def write(self, text: str) -> int:
        self._programs()
        self._printed.append(text)
        return len(text)

    def flush(self) -> None:
        self._programs()
        text = "".join(self._printed)
        self._printed.clear()
        if text:
            self._session.send(None, "stream", {"name": self.name, "text": text})

    def _programs(self) -> None:
        size = os.fstat(self._file.fileno()).st_size
        if size > self._read:
            written = os.pread(self._file.fileno(), size - self._read, self._read)
            self._read = size
            self._printed.append(written.decode(errors="replace"))


class Cells:
    """Runs the cells of a notebook in this process, from the first on."""

    def __init__(self, notebook: NotebookNode) -> None:
        self.notebook = notebook
        self._client = NotebookClient(notebook)
        self._place = 0
        session = _Session(self._take)
        config = Config()
        # No file of past commands: it would be written by all reports at once, and nobody asks for it.
        config.HistoryManager.enabled = False
        self._shell = ZMQInteractiveShell.instance(config=config, ipython_dir=os.environ["IPYTHONDIR"])
        for part in (self._shell.displayhook, self._shell.display_pub):
            part.session = session  # type: ignore[union-attr]
        sys.stdin = io.StringIO()
        sys.stdout, sys.stderr = _Stream("stdout", 1, session), _Stream("stderr", 2, session)
        plain_warnings()

    def run(self, place: int) -> bool:
        """Run the cell at a place from 0; False when it failed and may not."""
        cell = self.notebook.cells[place]
        self._place = place
        cell.outputs = []
        cell.execution_count = self._shell.execution_count
        self._client.clear_before_next_output = False
        done = self._shell.run_cell(cell.source, store_history=True)  # type: ignore[no-untyped-call]
        sys.stdout.flush()
        sys.stderr.flush()
        cell.outputs = merged(cell.outputs)
        failed = not done.success or getattr(self._shell, "_last_traceback_during_displayhook", False)
        return not failed or ALLOWED_TO_FAIL in cell.metadata.get("tags", [])

    def _take(self, message: Message) -> None:
        self._client.process_message(message, self.notebook.cells[self._place], self._place)


def is_run(cell: NotebookNode) -> bool:
    """Whether a cell is one that a kernel would run."""
    code = cell.cell_type == "code" and bool(cell.source.strip())
    return code and NOT_RUN not in cell.metadata.get("tags", [])


def merged(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Outputs with what was printed in one piece a stream, standard output first, as nbclient merges them."""
    kept: list[NotebookNode] = []
    streams: dict[str, NotebookNode] = {}
    for output in outputs:
        if output.output_type == "stream" and output.name in streams:
            streams[output.name].text += output.text
            continue
        kept.append(output)
        if output.output_type == "stream":
            streams[output.name] = output
    for stream in streams.values():
        stream.text = re.sub(r".*\r(?=[^\n])", "", stream.text)
    for place, (one, two) in enumerate(pairwise(kept)):
        if (one.get("name"), two.get("name")) == ("stderr", "stdout"):
            kept[place : place + 2] = [two, one]
    return kept
