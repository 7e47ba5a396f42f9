"""`make notebooks`: run each notebook, or those named, with its own parameters and store it with its outputs."""

import sys

import nbformat
from nbclient import NotebookClient

from deficits.paths import notebooks_dir
from deficits.reports.execute import clean


def executed(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook after a run, without what belongs to the run and not to the result."""
    return clean(NotebookClient(notebook, kernel_name="python3", record_timing=False).execute())


def main() -> None:
    for path in sorted(notebooks_dir().glob("*.ipynb")):
        if sys.argv[1:] and path.stem not in sys.argv[1:]:
            continue
        notebook = executed(nbformat.read(path, as_version=4))
        for cell in notebook.cells:
            if "nbval-ignore-output" in cell.metadata.get("tags", []):
                # A panel belongs to the process that made it: stored, it would be a broken picture of itself.
                cell.outputs, cell.execution_count = [], None
        nbformat.write(notebook, path)


if __name__ == "__main__":
    main()
