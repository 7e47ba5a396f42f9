"""Rules of the project itself: public names, dependencies, what is and is not under version control."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

import deficits as d
from deficits.paths import checkout

ROOT = checkout()
assert ROOT is not None
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

# conda-forge splits some packages; these are the parts we need.
CONDA_NAMES = {"matplotlib-base": "matplotlib", "jupyter_client": "jupyter-client"}
CONDA_NAMES |= {"jupyter_server": "jupyter-server"}
CONDA_TOOLS = {"python", "pip", "nbval", "pytest"}


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout.split("\0")
    return [ROOT / name for name in listed if name and (ROOT / name).is_file()]


def test_the_public_names_are_the_promised_ones() -> None:
    assert d.__all__ == [
        "Assumptions",
        "Lever",
        "Scenario",
        "Scheme",
        "Spread",
        "authorities",
        "compare",
        "levers",
        "load_panel",
        "plan",
        "project",
        "schemes",
        "trace",
        "write_off",
    ]
    assert set(d.__all__) <= set(dir(d))
    for name in d.__all__:
        assert getattr(d, name).__doc__, name
    with pytest.raises(AttributeError, match="has no attribute 'projct'"):
        d.projct  # noqa: B018


def split(requirement: str) -> tuple[str, str]:
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name is not None
    return name[0].lower(), requirement[name.end() :].strip()


def test_the_conda_environment_has_the_same_dependencies() -> None:
    wanted = dict(split(line) for line in PROJECT["project"]["dependencies"])
    wanted |= dict(split(line) for line in PROJECT["project"]["optional-dependencies"]["explore"])
    listed = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    pip = next(entry["pip"] for entry in listed if isinstance(entry, dict))
    found = dict(split(line) for line in [*(e for e in listed if isinstance(e, str)), *pip] if line != "-e .")
    assert found.pop("python") == PROJECT["project"]["requires-python"]
    found = {CONDA_NAMES.get(name, name): version for name, version in found.items()}
    assert {name: version for name, version in found.items() if name not in CONDA_TOOLS} == wanted


def test_every_package_that_is_imported_is_declared() -> None:
    declared = {
        split(line)[0].replace("_", "-")
        for lines in (PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"].values())
        for line in lines
    }
    distributions = packages_distributions()
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [str(node.module)] if isinstance(node, ast.ImportFrom) and not node.level else []
            for module in {name.partition(".")[0] for name in modules} - {"deficits"} - sys.stdlib_module_names:
                names = {name.lower().replace("_", "-") for name in distributions[module]}
                assert names & declared, f"{path.name} imports {module}"


def test_every_dependency_is_locked_with_hashes_and_no_address() -> None:
    for lock, extras in [
        ("requirements.lock", []),
        ("requirements-dev.lock", ["explore", "cluster", "docs", "dev"]),
    ]:
        text = (ROOT / lock).read_text(encoding="utf-8")
        pinned = set(re.findall(r"^([a-z0-9._-]+)==", text, re.MULTILINE))
        needed = [*PROJECT["project"]["dependencies"]]
        for extra in extras:
            needed += PROJECT["project"]["optional-dependencies"][extra]
        assert {split(line)[0] for line in needed} <= pinned
        assert text.count("--hash=sha256:") >= len(pinned)
        assert "://" not in text


def test_help_does_not_wait_for_the_heavy_libraries() -> None:
    code = (
        "import sys; sys.argv = ['deficits', '--help']\n"
        "from deficits.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([name for name in ('pandas', 'numpy', 'matplotlib', 'xarray', 'papermill') if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
    assert shown.splitlines()[-1] == "[]"


TEXTS = {".py", ".md", ".toml", ".yml", ".yaml", ".json", ".ipynb", ".lock", ".cff", ".css", ".js", ".j2"}


def test_nothing_under_version_control_names_this_machine_or_is_large() -> None:
    machine = re.compile(r"(?<![\w./])/(root|home|tmp|work|farm)/[a-z]")
    hosts = re.compile("|".join(["pypi" + r"\.org", "python" + r"hosted\.org", "registry" + r"\.npmjs"]))
    for path in tracked():
        assert path.stat().st_size < 1_500_000, path
        if path.suffix in TEXTS:
            text = path.read_text(encoding="utf-8")
            if path != Path(__file__) and "raw" not in path.parts:
                assert not machine.search(text), path
            assert not hosts.search(text), path


def test_rendered_reports_are_not_under_version_control() -> None:
    assert [path.name for path in tracked() if path.parent == ROOT / "reports"] in ([], ["README.md"])


def test_the_version_is_the_same_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert PROJECT["project"]["version"] == d.__version__ == citation["version"]
    assert f"## {d.__version__}" in changes
