"""Rules of the assumptions: each says what it is, who announced it and since when it may be used."""

from datetime import date
from pathlib import Path

import pytest
import yaml

from deficits.assumptions import Assumption, assumed, assumptions
from deficits.errors import PanelError
from deficits.paths import assumptions_dir
from deficits.projection import Assumptions
from deficits.raw import read_table

THEMES = sorted(path.stem for path in assumptions_dir().glob("*.yaml"))
PUBLISHERS = ("gov.uk", "parallelparliament.co.uk", "theyworkforyou.com")
"""Publishers' pages, and copies of Parliament's record under its own numbers."""


def references(assumption: Assumption) -> list[str]:
    return [each for each in (assumption.reference, *(v.reference for v in assumption.values.values())) if each]


@pytest.mark.parametrize("theme", THEMES)
def test_every_assumption_is_well_formed(theme: str) -> None:
    assert assumptions(theme)


def test_what_was_announced_has_its_day_and_a_publishers_page_or_says_that_it_is_second_hand() -> None:
    for theme in THEMES:
        for name, assumption in assumptions(theme).items():
            if assumption.kind != "announced":
                continue
            days = [assumption.announced, *(each.announced for each in assumption.values.values())]
            assert any(days), (theme, name)
            for reference in references(assumption):
                pages = [word for word in reference.split() if word.startswith("http")]
                if not any(page.split("/")[2].endswith(PUBLISHERS) for page in pages):
                    assert "second-hand" in reference, (theme, name)


def test_a_value_of_a_year_is_known_from_the_day_of_its_announcement() -> None:
    growth = assumed("funding", "block_growth")
    days = {year: value.announced for year, value in growth.values.items()}
    for year, day in days.items():
        assert day is not None
        assert year in growth.by_year(day.isoformat())
        assert year not in growth.by_year(date.fromordinal(day.toordinal() - 1).isoformat())
    assert set(growth.by_year()) == set(days)


def test_a_projection_of_an_earlier_day_uses_no_later_announcement_but_an_analysts_own_growth() -> None:
    day = "2025-09-17"
    known = assumed("funding", "block_growth").by_year(day)
    assert Assumptions().known_on(day).block_growth == known
    assert max(known) < max(Assumptions().block_growth)
    own = Assumptions(block_growth={2027: 0.05, 2029: 0.29})
    assert own.known_on(day).block_growth == {2027: 0.05}


def test_instalments_end_with_the_programme_only_once_that_was_announced() -> None:
    ended = assumed("safety_valve", "programme_ended").announced
    assert ended is not None
    assert Assumptions().known_on(ended.isoformat()).safety_valve_payments == "until_2026"
    assert Assumptions().known_on("2026-03-31").safety_valve_payments == "as_agreed"
    assert Assumptions(safety_valve_payments="none").known_on("2026-03-31").safety_valve_payments == "none"


def test_the_agreements_that_are_not_held_are_counted() -> None:
    made = assumed("safety_valve", "agreements_made").by_year()
    held = read_table("safety-valve", "agreements.csv")["agreement_year"].value_counts()
    missing = {year: number - held[f"{year - 1}-{year % 100}"] for year, number in made.items()}
    assert missing == {2021: 0, 2022: 0, 2023: 2, 2024: 0}


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"kind": "assumed"}, "give 'value' or 'values'"),
        ({"kind": "assumed", "value": 1, "values": {2026: {"value": 1}}}, "not both"),
        ({"kind": "announced", "value": 1}, "needs a 'reference'"),
        ({"kind": "guessed", "value": 1}, "kind"),
        ({"kind": "assumed", "value": 1, "vlaue": 2}, "vlaue"),
    ],
)
def test_an_assumption_without_a_value_or_a_source_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: dict[str, object], words: str
) -> None:
    monkeypatch.setattr("deficits.assumptions.assumptions_dir", lambda: tmp_path)
    content = {"rate": {"description": "a rate of the test", "unit": "share", **entry}}
    (tmp_path / "broken.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(PanelError, match=words) as caught:
        assumptions("broken")
    assert "data/assumptions/broken.yaml, rate" in str(caught.value)


def test_an_unknown_name_or_theme_offers_the_closest() -> None:
    with pytest.raises(PanelError, match="'block_growth'"):
        assumed("funding", "block_grwoth")
    with pytest.raises(PanelError, match="'funding'"):
        assumed("fundng", "block_growth")


def test_words_are_not_taken_for_a_number() -> None:
    with pytest.raises(PanelError, match="not one number"):
        _ = assumed("override", "after_it").number
    with pytest.raises(PanelError, match="not one number"):
        _ = assumed("funding", "block_growth").number
