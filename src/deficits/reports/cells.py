"""A notebook's cells in this process, which does nothing else: ipykernel's own shell without its sockets."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import re
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from jupyter_client.jsonutil import json_default
from jupyter_client.session import Session
from nbclient import NotebookClient
from nbformat import NotebookNode
from traitlets.config import Config


def run_cells(cells: list[NotebookNode], told: Connection, environment: Mapping[str, str], memory: int) -> None:
    """Run cells up to the first that fails, and tell what each has shown, which is what a kernel would send."""
    import resource

    from ipykernel.zmqshell import ZMQInteractiveShell

    os.setsid()
    threading.Thread(target=end_with_parent, daemon=True).start()
    os.environ.clear()
    os.environ.update(environment)
    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + memory * 1024**2,) * 2)
    # What is wrong, without the path of the file that a warning comes from: a page shows them.
    warnings.formatwarning = lambda message, category, *_, **__: f"{category.__name__}: {message}\n"
    place = 0
    # Of the very same cells: a display that is shown again is looked for among them.
    whole = NotebookNode(cells=cells, metadata={})  # type: ignore[no-untyped-call]
    client = NotebookClient(whole, record_timing=False)
    session = _Session(lambda message: client.process_message(message, cells[place], place))
    # No file of past commands: it would be written by all notebooks at once, and nobody asks for it.
    shell = ZMQInteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    for part in (shell.displayhook, shell.display_pub):
        part.session = session  # type: ignore[union-attr]
    sys.stdin = io.StringIO()
    sys.stdout, sys.stderr = _Stream("stdout", 1, session), _Stream("stderr", 2, session)
    told.send("ready")
    for place, cell in enumerate(cells):  # noqa: B007  # `session` asks which one it is
        count, cell.outputs, client.clear_before_next_output = shell.execution_count, [], False
        done = shell.run_cell(cell.source, store_history=True)  # type: ignore[no-untyped-call]
        sys.stdout.flush()
        sys.stderr.flush()
        failed = not done.success or getattr(shell, "_last_traceback_during_displayhook", False)
        good = not failed or "raises-exception" in cell.metadata.get("tags", [])
        told.send((_merged(cell.outputs), count, good))
        if not good:
            return


def end_with_parent() -> None:
    """End this process and all that it has started when the one that asked for it is gone."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.killpg(0, signal.SIGKILL) if os.getpgrp() == os.getpid() else os._exit(1)


class _Session(Session):
    """Takes the shell's messages in place of a socket, as they would have arrived."""

    def __init__(self, take: Callable[[dict[str, Any]], object]) -> None:
        super().__init__()
        self._take = take

    def msg(self, msg_type: str, content: Any = None, *_: object, **__: object) -> dict[str, Any]:
        return {"msg_type": msg_type, "header": {"msg_type": msg_type}, "parent_header": {}, "content": content}

    def send(
        self, stream: object, msg_or_type: Any, content: Any = None, *_: object, **__: object
    ) -> dict[str, Any]:
        message = self.msg(msg_or_type, content) if isinstance(msg_or_type, str) else dict(msg_or_type)
        message["content"] = json.loads(json.dumps(message["content"], default=json_default))
        self._take(message)
        return message


class _Stream(io.TextIOBase):
    """Standard output or error of the cells: what Python prints, and what a program started by a cell does."""

    def __init__(self, name: str, descriptor: int, session: _Session) -> None:
        self.name, self._session, self._printed = name, session, ""
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  # as long as the process
        os.dup2(self._file.fileno(), descriptor)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._printed += text
        return len(text)

    def flush(self) -> None:
        text, self._printed = self._printed + self._file.read().decode(errors="replace"), ""
        if text:
            self._session.send(None, "stream", {"name": self.name, "text": text})


def _merged(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Outputs with what was printed in one piece a stream, as nbclient merges them."""
    kept: list[NotebookNode] = []
    streams: dict[str, NotebookNode] = {}
    for output in outputs:
        if output.output_type != "stream":
            kept.append(output)
        elif output.name in streams:
            streams[output.name].text += output.text
        else:
            kept.append(streams.setdefault(output.name, output))
    for stream in streams.values():
        stream.text = re.sub(r".*\r(?=[^\n])", "", stream.text)
    return kept
