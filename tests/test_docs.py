"""What the documentation says is so: promises have tests, links lead somewhere, recipes read what is written."""

import html
import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer
import yaml

import deficits as d
from deficits.cli import app
from deficits.panel import Panel, write
from deficits.paths import checkout

ROOT = checkout()
assert ROOT is not None
DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md"))
GROUP = typer.main.get_command(app)


def test_twelve_promises_each_have_a_test() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", (DOCS / "promises.md").read_text(encoding="utf-8"))
    assert len(named) == 12
    for path, test in named:
        assert f"def {test}(" in (ROOT / path).read_text(encoding="utf-8"), test


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
        assert target.startswith(("https://", "http://", "mailto:")) or (page.parent / target).exists(), target


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"], ids=lambda page: page.stem
)
def test_every_command_of_a_page_has_the_options_it_names(page: Path) -> None:
    for line in re.findall(r"(?:^ *|[`/])deficits ([^`#>\n]+)", page.read_text(encoding="utf-8"), re.MULTILINE):
        command: Any = GROUP
        for word in line.split():
            command = getattr(command, "commands", {}).get(word, command)
        if command is GROUP:
            continue
        options = {option for each in command.params for option in each.opts}
        assert set(re.findall(r"(?<!\S)--[a-z-]+", line)) <= options | {"--help"}, line


def test_the_map_of_the_code_names_what_is_there() -> None:
    rooms = (DOCS / "architecture.md").read_text(encoding="utf-8").split("```")[1].split("src/deficits/\n")[1]
    source = ROOT / "src" / "deficits"
    for room in re.split(r"\n  (?=\w)", rooms.strip().partition("\ntests/")[0]):
        named = re.match(r"[\w./]+(, [\w.]+)*", room)
        assert named
        names = named[0].removesuffix("<name>.py").split(", ")
        if names[0] in ("projection/", "writeoff/", "reports/"):
            # What stands in brackets is what a file is for.
            modules = re.findall(r"\w+(?=[,;.]|\s|$)(?!/)", re.sub(r"\([^)]*\)|\S+/\S*", "", room))
            names += [f"{names[0]}{module}.py" for module in modules]
        assert [name for name in names if not (source / name).exists()] == []


def test_every_page_of_the_site_is_in_its_contents() -> None:
    contents = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    listed = set(re.findall(r"[\w./-]+\.md", json.dumps(contents["nav"])))
    written = {page.relative_to(DOCS).as_posix() for page in PAGES}
    assert listed - {"tutorials/README.md"} <= written  # the list of tutorials is made by docs/site.py
    assert all(page.startswith("decisions/") for page in written - listed)


def test_decisions_are_all_listed() -> None:
    listed = (DOCS / "decisions" / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES if page.parent.name == "decisions" and f"({page.name})" not in listed] == [
        "README.md"
    ]


def test_every_public_name_is_in_the_reference() -> None:
    told = (DOCS / "reference.md").read_text(encoding="utf-8")
    assert [name for name in d.__all__ if f"`d.{name}`" not in told] == []


def test_recipes_of_other_programs_rely_on_what_is_written(panel: Panel, tmp_path: Path) -> None:
    write(panel, tmp_path)
    package = json.loads((tmp_path / "datapackage.json").read_text(encoding="utf-8"))
    (held,) = [each for each in package["resources"] if each["name"] == "panel"]
    types = {field["name"]: field["type"] for field in held["schema"]["fields"]}
    assert set(types.values()) <= {"integer", "number", "string"}
    assert (held["encoding"], held["schema"]["missingValues"]) == ("utf-8", [""])
    read = pd.read_csv(
        tmp_path / held["path"],
        dtype={name: "str" if kind == "string" else float for name, kind in types.items()},
        keep_default_na=False,
        na_values=[""],
        encoding="utf-8",
    )
    assert read["balance"].to_numpy() == pytest.approx(panel.frame["balance"].to_numpy(), nan_ok=True)
    assert read.loc[read["authority"].eq("886") & read["year"].eq(2024), "name"].tolist() == ["Kent"]
    recipe = (DOCS / "how-to" / "use-from-excel-power-bi-and-r.md").read_text(encoding="utf-8")
    for code in re.findall(r"```r?\n(.*?)```", recipe, re.DOTALL):
        assert len(code.splitlines()) <= 10
        for key in ("resources", "name", "path", "schema", "fields", "type"):
            assert re.search(rf"[\[$]{key}\b", code), key


def house_words() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Words that readers outside the project do not know, and phrases that may hold them: the first and
    last columns of the table in docs/words.md."""
    rows = re.findall(r"^\| (`.*?) \|.*\|(.*)\|$", (DOCS / "words.md").read_text(encoding="utf-8"), re.MULTILINE)
    columns = (
        [re.escape(word) for cell in column for word in re.findall("`(.+?)`", cell)]
        for column in zip(*rows, strict=True)
    )
    refused, allowed = (re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)", re.IGNORECASE) for words in columns)
    return refused, allowed


def shown(path: Path) -> list[str]:
    """What stands in a stored notebook: its Markdown, and what its cells have put out."""
    texts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        outputs = cell.get("outputs", [])
        texts += [cell["source"]] if cell["cell_type"] == "markdown" else []
        texts += [output["text"] for output in outputs if "text" in output]
        texts += [
            text for output in outputs for kind, text in output.get("data", {}).items() if kind[:5] == "text/"
        ]
    return [html.unescape(re.sub(r"<[^>]+>", " ", "".join(text))) for text in texts]


def test_no_house_word_is_left_in_what_people_read() -> None:
    refused, allowed = house_words()
    read = [path for path in PAGES if path.parent.name != "decisions"]
    read += [ROOT / "README.md", *ROOT.glob("data/assumptions/*.yaml")]
    read += [path for kind in ("j2", "toml", "yaml") for path in ROOT.glob(f"src/deficits/**/*.{kind}")]
    texts = {str(path): [path.read_text(encoding="utf-8")] for path in read}
    texts |= {str(path): shown(path) for path in ROOT.glob("notebooks/**/*.ipynb")}
    texts["API"] = [str(getattr(d, name).__doc__) for name in d.__all__]
    found = [
        (place, word.group())
        for place, each in texts.items()
        for text in each
        for word in refused.finditer(allowed.sub("", " ".join(re.sub(r"http\S+|`[^`]*`", "", text).split())))
    ]
    assert found == []
    # One kind of apostrophe: text alternatives, downloads and charts have the straight one too.
    curly = {
        place for place, each in texts.items() if any("\N{RIGHT SINGLE QUOTATION MARK}" in text for text in each)
    }
    assert {Path(place).name for place in curly} <= {"own_words.toml"}  # what is read, and not written
