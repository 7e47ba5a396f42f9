"""The room's files import one way, those inside functions and under TYPE_CHECKING too."""

import ast
from pathlib import Path

import deficits.writeoff

LAYERS = (
    "conditions",
    "reading",
    "scheme",
    "inputs",
    "allocation",
    "ledger",
    "result",
    "costs",
    "distribution",
    "write_off",
    "comparison",
    "unfunded",
    "robustness",
)
UPWARD = {("scheme", "write_off")}
"""`Scheme.apply`, the one convenience."""


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("deficits.writeoff"):
            below = (node.module or "").removeprefix("deficits.writeoff").strip(".")
            found |= {below} if below else {alias.name for alias in node.names}
    return found


def test_imports_point_one_way() -> None:
    room = Path(deficits.writeoff.__file__).parent
    upward = {
        (file, other)
        for place, file in enumerate(LAYERS)
        for other in imported(room / f"{file}.py")
        if other not in LAYERS[:place]
    }
    assert upward == UPWARD
