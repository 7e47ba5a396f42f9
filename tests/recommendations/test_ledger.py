"""Rules of the ledger of recommendations: each is answered, and what it names is there."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from deficits.errors import PanelError
from deficits.paths import recommendations_file
from deficits.recommendations import read_ledger
from deficits.reports import REPORTS

LEDGER = read_ledger()
FIRST = {
    "name": "one",
    "theme": "Funding",
    "asked": "More money",
    "searched": "the reply",
    "reason": "r",
    "needs": "n",
}


def written(folder: Path, **changes: object) -> Path:
    """The ledger with one recommendation, changed; what is None is left out."""
    content = yaml.safe_load(recommendations_file().read_text(encoding="utf-8"))
    one = {key: value for key, value in (FIRST | changes).items() if value is not None}
    path = folder / "ledger.yaml"
    path.write_text(yaml.safe_dump(content | {"recommendations": [one]}, allow_unicode=True), encoding="utf-8")
    return path


def test_a_recommendation_without_an_answer_says_what_was_searched(tmp_path: Path) -> None:
    assert len(read_ledger(written(tmp_path)).recommendations) == 1
    with pytest.raises(PanelError, match=r"recommendations\.0: give government's 'answers'"):
        read_ledger(written(tmp_path, searched=None))


def test_a_recommendation_stands_once(tmp_path: Path) -> None:
    path = written(tmp_path)
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    (one,) = content["recommendations"]
    path.write_text(yaml.safe_dump(content | {"recommendations": [one, dict(one)]}))
    with pytest.raises(PanelError, match=r"recommendations: .*two have the name 'one': give each its own"):
        read_ledger(path)


@pytest.mark.parametrize("left_out", ["reason", "needs"])
def test_a_recommendation_without_a_figure_says_why_and_what_would_be_needed(
    tmp_path: Path, left_out: str
) -> None:
    with pytest.raises(PanelError, match="give a 'measure', or both the 'reason'"):
        read_ledger(written(tmp_path, **{left_out: None}))


def test_a_figure_is_named_and_never_written_down(tmp_path: Path) -> None:
    measure = {"kind": "lever", "name": "early-support", "page": "england", "note": "what it is", "value": 1e9}
    with pytest.raises(PanelError, match=r"measure\.value: unknown name"):
        read_ledger(written(tmp_path, measure=measure, reason=None, needs=None))


def test_working_is_on_a_page_that_is_made() -> None:
    pages = {report().page for name, report in REPORTS.items() if name != "authority"}
    assert {each.measure.page for each in LEDGER.recommendations if each.measure} <= pages


def test_an_earlier_day_knows_no_later_answer() -> None:
    then = LEDGER.known_on("2025-12-31")
    assert [each.name for each in then.recommendations] == [each.name for each in LEDGER.recommendations]
    assert all(str(answer.dated) <= "2025-12-31" for each in then.recommendations for answer in each.answers)
    late = next(each for each in then.recommendations if each.name == "partial-write-off")
    assert late.answer() == "No answer found (searched: what is held of 2025-12-31 and before)"
    assert LEDGER.known_on("2025-09-17").recommendations == ()
