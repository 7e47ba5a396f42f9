"""Fetching into a copy of `data/raw`: what is good is added and can be taken out; else every byte is as before."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from deficits.errors import PanelError, ProjectionError, SourceError
from deficits.fetch import Fetched, FetchError, fetch, listing, news, undo
from deficits.fetch.folder import trial
from deficits.formatting import year_of
from deficits.panel import Panel, build, load_panel
from deficits.paths import lock_of, put_back, raw_dir, trial_folder
from deficits.publications import Publication, Table, find
from deficits.publications.editions import FixedUrl
from deficits.raw import RawData, read_source
from deficits.raw.authorities import load_authorities
from tests.fetch.local_site import Reply, Site, local_site

FOLDER = "section251-outturn"
KEY = ("financial_year", "dfe_number")
DAY = "2026-11-02"
Values = Callable[[pd.Series], pd.Series]
room = import_module("deficits.fetch.fetch")


def parse(path: Path) -> tuple[Table, ...]:
    """A file of the tests: the table as it is held, and another kind that nothing reads."""
    frame = pd.read_csv(path, dtype={"dfe_number": str})
    if list(frame.columns) != [*KEY, "la_name", "carried_forward_gbp"]:
        raise SourceError(f"{path.name}: no column 'carried_forward_gbp'\x1b[2J")
    other = frame[[*KEY]].head(3).assign(count=[1.0, 2.0, 3.0])
    return Table("carried_forward", frame, KEY, notes=("odd\x1b[2J",)), Table("new_kind", other, KEY)


SECTION251 = replace(find("section251"), parse=parse)


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(room, "processed_dir", lambda: tmp_path / "processed")
    return Path(shutil.copytree(raw_dir(), tmp_path / "raw", ignore=shutil.ignore_patterns(".*")))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, panel: Panel) -> None:
    """Without projections, and against the figures that come with the project, where a test is not about them."""
    monkeypatch.setattr(room, "project", lambda *_, **__: SimpleNamespace(years=[], panel=_[0]))
    monkeypatch.setattr(room, "_held", lambda _: panel)


def bytes_of(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def edition(to: Path, year: str = "2024-25", change: Values = lambda values: values * 1.5) -> Path:
    """A publisher's file: the balances held, changed, as those of a year."""
    data = RawData(raw_dir())
    held = data.table(FOLDER, "carried_forward_2023_24.csv", ["carried_forward_gbp"])
    existed = load_authorities(data).in_year(year_of(year))
    frame = held.set_index("dfe_number").assign(financial_year=year)
    # The two councils that had not returned in their first year now have.
    frame.loc[["942", "943"], "carried_forward_gbp"] = 30e6
    frame = frame[frame.index.isin(existed)]
    frame["carried_forward_gbp"] = change(frame["carried_forward_gbp"]).round()
    frame.reset_index()[[*KEY, "la_name", "carried_forward_gbp"]].to_csv(to, index=False)
    return to


def added(raw: Path, file: Path, version: str = DAY, **more: object) -> Fetched:
    return fetch(SECTION251, file=file, version=version, raw=raw, **more)  # type: ignore[arg-type]


def moved(done: Fetched) -> int:
    """Cells of the balances of years held that moved."""
    (line,) = [line for line in done.lines if line.startswith("carried_forward against")]
    return int(re.findall(r"([\d,]+) cells moved", line)[0].replace(",", ""))


def test_an_edition_is_added_read_compared_and_taken_out_again(raw: Path, tmp_path: Path) -> None:
    before = bytes_of(raw)
    file = edition(tmp_path / "a.csv")
    done = added(raw, file)
    declared = {each.name: each for each in read_source(raw / FOLDER).file}
    assert set(done.written) <= set(declared)
    assert {declared[name].original_sha256 for name in done.written} == {
        hashlib.sha256(file.read_bytes()).hexdigest()
    }
    data = RawData(raw)
    assert build(data).frame.at[("886", 2025), "balance_section251"] < 0
    the_day_before = build(data, "2026-11-01").frame["balance"]
    assert the_day_before.equals(load_panel("2026-11-01").frame["balance"])
    assert moved(done) == 0
    assert any("new years 2024-25" in line for line in done.lines)
    was, now = re.findall(r"£([\d.]+)bn", done.lines[-1])
    assert was != now
    assert any("new_kind" in line and "nothing reads" in line for line in done.lines)
    once = bytes_of(raw)
    assert added(raw, file).written == ()
    assert bytes_of(raw) == once
    assert set(undo(SECTION251, raw=raw).removed) == set(done.written)
    assert bytes_of(raw) == before


@pytest.mark.usefixtures("quick")
def test_a_file_put_back_by_its_publisher_is_offered_an_undo_of_the_faulty_one(raw: Path, tmp_path: Path) -> None:
    first, faulty = edition(tmp_path / "a.csv"), edition(tmp_path / "b.csv", change=lambda values: values * 1.6)
    added(raw, first, "2026-11-02")
    second = added(raw, faulty, "2026-11-03")
    assert moved(second) > 100
    assert any("replaced figures" in line for line in second.lines)  # in silence
    again = added(raw, first, "2026-11-04")
    assert again.written == ()
    assert any("--undo" in line for line in again.lines)
    assert undo(SECTION251, raw=raw).removed == second.written


@pytest.mark.parametrize("change", [lambda values: -values, lambda values: values.iloc[:77]])
@pytest.mark.usefixtures("quick")
def test_a_file_that_is_wrong_as_a_whole_changes_nothing(raw: Path, tmp_path: Path, change: Values) -> None:
    before = bytes_of(raw)
    file = edition(tmp_path / "a.csv", change=lambda values: change(values).reindex(values.index))
    pd.read_csv(file, dtype=str).dropna(subset=["carried_forward_gbp"]).to_csv(file, index=False)
    with pytest.raises(SourceError) as caught:
        added(raw, file, accept="it is right")
    assert caught.value.exit_code == 3
    assert bytes_of(raw) == before


@pytest.mark.usefixtures("quick")
def test_what_is_asked_about_is_written_with_the_reason_it_was_accepted_for(raw: Path, tmp_path: Path) -> None:
    before = bytes_of(raw)
    file = edition(tmp_path / "a.csv", change=lambda values: values.where(values.index != "886", -values))
    with pytest.raises(SourceError, match="Kent"):
        added(raw, file)
    assert bytes_of(raw) == before
    done = added(raw, file, accept="Kent's grant of £200m")
    entry = read_source(raw / FOLDER).find(done.written[0])
    assert "Kent's grant of £200m" in str(entry.note)


@pytest.mark.usefixtures("quick")
def test_guards_that_fail_are_all_named_and_decided_on_by_name(raw: Path, tmp_path: Path) -> None:
    before = bytes_of(raw)
    file = edition(tmp_path / "a.csv", "2023-24", lambda values: values * 0.5)
    with pytest.raises(SourceError) as caught:
        added(raw, file)
    assert bytes_of(raw) == before
    named = set(re.findall(r"--keep ([a-z0-9-]+)", str(caught.value)))
    assert {"first-year-zeros", "disputed-balances"} <= named
    given = {"retire": sorted(named - {"disputed-balances"}), "keep": ["disputed-balances"], "accept": "restated"}
    done = added(raw, file, **given)
    panel = build(RawData(raw))
    assert panel.frame.at[("942", 2024), "balance_section251"] == -15e6
    assert panel.frame.at[("886", 2024), "balance_section251_basis"] == "disputed"
    assert undo(SECTION251, raw=raw).removed == done.written
    assert bytes_of(raw) == before


@pytest.mark.usefixtures("quick")
def test_a_decision_that_is_not_needed_is_refused(raw: Path, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="disputed-balances"):
        added(raw, edition(tmp_path / "a.csv"), keep=["disputed-balances"])


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("fault", [ProjectionError("only 0 councils"), KeyboardInterrupt()])
def test_what_cannot_be_projected_changes_nothing(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise fault

    before = bytes_of(raw)
    monkeypatch.setattr(room, "project", fails)
    with pytest.raises((SourceError, KeyboardInterrupt)):
        added(raw, edition(tmp_path / "a.csv"))
    assert bytes_of(raw) == before


@pytest.mark.parametrize("content", ["<html>", "", "financial_year,dfe_number\n2024-25,886\n"])
def test_a_file_of_another_shape_changes_nothing_and_reaches_no_terminal(
    raw: Path, tmp_path: Path, content: str
) -> None:
    before = bytes_of(raw)
    (tmp_path / "a.csv").write_text(content)
    real = find("section251") if not content.startswith("f") else SECTION251
    with pytest.raises(SourceError) as caught:
        fetch(real, file=tmp_path / "a.csv", version=DAY, raw=raw)
    assert "\x1b" not in str(caught.value)
    assert bytes_of(raw) == before


KILLED = """
import os, shutil, signal, sys
from pathlib import Path
from deficits import paths
from deficits.fetch import folder

held = Path(sys.argv[1])
CHANGES = {"os.rename", "os.mkdir", "os.rmdir", "os.remove", "shutil.copytree", "shutil.rmtree"}
armed = counted = last = 0

def kill(event, arguments):
    global counted
    writes = event == "open" and isinstance(arguments[1], str) and set("wax+") & set(arguments[1])
    if armed and (writes or event in CHANGES or event.startswith("ctypes.")):
        counted += 1
        if counted == last:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(kill)
for way in ("once", "twice"):
    if way == "twice":
        paths._in_one_step = lambda *_: False
    for last in range(1, 1000):
        copy = Path(f"{held}-{way}-{last:03}")
        shutil.copytree(held, copy)
        child = os.fork()
        if child == 0:
            armed = True
            with folder.trial(copy, "one") as (root, staged):
                (staged / "one" / "new.csv").write_text("new")
                (staged / "one" / "old.csv").unlink()
                paths.exchange(staged / "one", root / "one")
            os._exit(0)
        if os.waitpid(child, 0)[1] != signal.SIGKILL:
            break
    assert last > 15, last
"""


def test_a_change_killed_at_any_step_leaves_every_byte_as_before_or_all_of_it(tmp_path: Path) -> None:
    """Where a system has no exchange of folders, the next reader puts back the one that was aside."""
    held = tmp_path / "raw"
    for name in ("one", "two"):
        (held / name).mkdir(parents=True)
        (held / name / "source.toml").write_text("as it was")
        (held / name / "old.csv").write_text("old")
    before = bytes_of(held)
    (held / "one" / "new.csv").write_text("new")
    after = {name: sha256 for name, sha256 in bytes_of(held).items() if name != "one/old.csv"}
    (held / "one" / "new.csv").unlink()
    subprocess.run([sys.executable, "-c", KILLED, str(held)], check=True)
    for way, between in {"once": 0, "twice": 1}.items():
        copies = sorted(tmp_path.glob(f"raw-{way}-*"))
        assert sum(bytes_of(copy) not in (before, after) for copy in copies) == between
        for copy in copies:
            put_back(copy)
        found = [bytes_of(copy) for copy in copies]
        assert found[0] == before
        assert found[-1] == after
        assert found == sorted(found, key=lambda each: each == after)
        left = copies[len(copies) // 2]
        with trial(left, "one"):  # what was left goes with the next
            pass
        assert not list(trial_folder(left).glob("*/"))


@pytest.mark.usefixtures("quick")
def test_a_disk_that_fills_while_writing_changes_nothing(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = bytes_of(raw)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for place, name in ((room.folder, "_write"), (shutil, "copytree")):
        with monkeypatch.context() as patch:
            patch.setattr(place, name, full)
            with pytest.raises(FetchError, match="No space left"):
                added(raw, edition(tmp_path / "a.csv"))
        assert bytes_of(raw) == before


def test_a_second_fetch_into_the_same_folder_is_refused(raw: Path, tmp_path: Path) -> None:
    trial_folder(raw).mkdir()
    with lock_of(raw, seconds=0), pytest.raises(FetchError, match="another fetch"):
        added(raw, edition(tmp_path / "a.csv"))


@pytest.mark.parametrize(
    "version",
    [None, "2026", "2026-02-30", "1066-01-01", "2015-01-22", str(date.today() + timedelta(days=400))],
)
def test_a_day_of_publication_is_a_real_day_that_the_figures_allow(
    raw: Path, tmp_path: Path, version: str | None
) -> None:
    before = bytes_of(raw)
    with pytest.raises(FetchError, match="--version"):
        added(raw, edition(tmp_path / "a.csv"), version)  # type: ignore[arg-type]
    assert bytes_of(raw) == before


@pytest.mark.usefixtures("quick")
def test_an_edition_older_than_the_one_held_says_what_it_is_used_for(raw: Path, tmp_path: Path) -> None:
    done = added(raw, edition(tmp_path / "a.csv", "2022-23", lambda values: values * 0.75), "2024-02-01")
    assert any("older than the edition of" in line for line in done.lines)


@pytest.mark.usefixtures("quick")
def test_what_came_with_the_project_is_not_taken_out(raw: Path) -> None:
    before = bytes_of(raw)
    with pytest.raises(FetchError, match="came with the project"):
        undo("dsg", raw=raw)
    assert bytes_of(raw) == before


@pytest.mark.usefixtures("quick")
def test_a_new_folder_gets_a_whole_copy_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new, copy = tmp_path / "new", shutil.copytree

    def half(source: Path, to: Path, **more: object) -> None:
        copy(Path(source) / "authorities", Path(to) / "authorities")
        raise shutil.Error([("a", "b", "No space left on device")])

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copytree", half)
        with pytest.raises(FetchError, match="No space left"):
            added(new, edition(tmp_path / "a.csv"))
    assert not new.exists()
    assert not list(trial_folder(new).glob("*/"))
    with pytest.raises(SourceError):
        fetch(SECTION251, file=tmp_path / "a.csv", version=DAY, raw=new, keep=["first-year-zeros"])
    assert bytes_of(new) == bytes_of(raw_dir())


@pytest.fixture
def site() -> Iterator[Site]:
    with local_site() as site:
        yield site


def at(site: Site, name: str = "a.csv") -> Publication:
    return replace(SECTION251, address=FixedUrl(f"{site.base}/{name}", "../a b.csv", newest=lambda: ""))


@pytest.mark.usefixtures("quick")
def test_a_download_is_dated_and_traced_and_kept_when_it_is_not_taken(
    raw: Path, tmp_path: Path, site: Site
) -> None:
    wrong = edition(tmp_path / "wrong.csv", change=lambda values: -values).read_bytes()
    headers = {"Last-Modified": "Mon, 02 Nov 2026 09:30:00 GMT"}
    url = site.serve("/a.csv", Reply(wrong, headers=headers))
    with pytest.raises(SourceError, match=r"--file .*a_b\.csv --version 2026-11-02"):
        fetch(at(site), raw=raw)
    (kept,) = (tmp_path / "processed").rglob("*.csv")
    assert kept.read_bytes() == wrong
    site.serve("/a.csv", Reply(edition(tmp_path / "a.csv").read_bytes(), headers=headers))
    done = fetch(at(site), raw=raw)
    entry = read_source(raw / FOLDER).find(done.written[0])
    assert (str(entry.original_url), entry.published) == (url, "2026-11-02")
    assert not list((tmp_path / "processed").rglob("*.csv"))


def test_a_server_that_dies_changes_nothing_and_the_way_by_hand_is_told(
    raw: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenacity.nap.time", type("Time", (), {"sleep": staticmethod(lambda _: None)}))
    before = bytes_of(raw)
    site.serve("/a.csv", Reply(b"financial_year" * 1000, sends=20))
    with pytest.raises(FetchError, match="--file PATH"):
        fetch(at(site), raw=raw)
    assert bytes_of(raw) == before


def test_a_newer_edition_is_told_from_one_replaced_without_a_new_date(raw: Path, site: Site) -> None:
    site.serve("/a.csv", Reply(b"anything"))
    assert news(at(site), RawData(raw))[0] is False  # no date, and no publisher's file held to compare
    source = raw / FOLDER / "source.toml"
    traced = f'table = "net_spend"\noriginal_sha256 = "{hashlib.sha256(b"held").hexdigest()}"'
    source.write_text(source.read_text(encoding="utf-8").replace('table = "net_spend"', traced), encoding="utf-8")
    assert news(at(site), RawData(raw))[0] is True
    site.serve("/a.csv", Reply(b"held"))
    assert news(at(site), RawData(raw))[0] is False
    assert news(at(site, "gone.csv"), RawData(raw))[0] is False  # not known is not newer


def test_an_unknown_publication_is_answered_with_all_of_them(raw: Path) -> None:
    with pytest.raises(PanelError) as caught:
        fetch("lait", raw=raw)
    assert all(folder in str(caught.value) for folder, _, _ in listing(raw))
