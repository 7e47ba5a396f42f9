"""A scheme of one's own: a file to change, with the rules of its keys beside it for an editor."""

from __future__ import annotations

from pathlib import Path

from deficits.errors import SchemeError
from deficits.paths import schemes_dir, write_whole
from deficits.writeoff.scheme import Scheme

SCHEMA = "scheme.schema.json"


def write_new(path: Path, like: str = "flat-share") -> tuple[Path, Path]:
    """Write a copy of a shipped scheme to change, and the JSON schema beside it: the paths of both.

    Editors that know the yaml-language-server's first line then complete and check keys. SchemeError when the name
    is not that of a YAML file, the file is there already, or no such scheme is shipped.
    """
    if path.suffix not in {".yaml", ".yml"}:
        raise SchemeError(f"{path}: expected a name that ends in .yaml")
    if path.exists():
        raise SchemeError(f"{path} is there already: give another name, or move it away")
    Scheme.read(like)
    declared = (schemes_dir() / f"{like}.yaml").read_text(encoding="utf-8")
    path.parent.mkdir(parents=True, exist_ok=True)
    schema = path.parent / SCHEMA
    head = f"# yaml-language-server: $schema={SCHEMA}\n# A copy of '{like}': change title, proposer and terms.\n"
    write_whole(schema, Scheme.json_schema() + "\n")
    write_whole(path, head + declared)
    return path, schema
