"""Schemes as declared: read, varied, composed, and refused with every fault at once."""

import json
from pathlib import Path

import pytest

import deficits as d
from deficits.errors import SchemeError
from deficits.paths import schemes_dir
from deficits.writeoff import scheme_names
from tests.writeoff.examples import scheme

FLAT = (schemes_dir() / "flat-share.yaml").read_text(encoding="utf-8")


def write(path: Path, text: str, **more: object) -> Path:
    path.write_text(text + "".join(f"{key}: {value}\n" for key, value in more.items()), encoding="utf-8")
    return path


def test_a_scheme_says_what_it_assumes_and_where_it_was_published() -> None:
    for name in scheme_names():
        declared = d.Scheme.read(name)
        assert declared.assumed
        assert str(declared.reference).startswith("https://")
        assert declared.terms()


def test_an_analysts_own_design_is_called_a_counterfactual() -> None:
    for name in scheme_names():
        declared = d.Scheme.read(name)
        assert ("this project" in declared.proposer) == (declared.status == "counterfactual")


def test_an_unknown_scheme_offers_the_closest() -> None:
    with pytest.raises(SchemeError, match="did you mean 'high-needs-stability-grant'"):
        d.Scheme.read("high-needs-stabilty-grant")


def test_every_fault_of_a_scheme_file_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    text = FLAT.replace("share: 0.5", "share: 90").replace("proposer:", "propser:")
    text = text.replace("2026-11-25", "soon").replace("base_year: 2026", "base_year: 2026-06-30")
    more = {
        "eligibility": "[{kind: region, names: [Londn]}, {kind: council, names: [Kant]}, {kind: deficit_abov}]",
        "cap": "{pounds: 6_000_000_000, dgs: 1}",
        "budget": "{pounds: 5_000_000_000, alocation: pupils}",
    }
    with pytest.raises(SchemeError) as caught:
        d.Scheme.read(write(tmp_path / "mine.yaml", text, **more))
    message = str(caught.value)
    lines = text.splitlines()
    at = {
        key: 1 + next(n for n, line in enumerate(lines) if line.startswith(f"{key}:"))
        for key in ("share", "propser")
    }
    assert "mine.yaml" in message
    assert f"line {at['share']}: share: found 90, expected a share from 0 to 1; 90% is 0.9" in message
    assert f"line {at['propser']}: propser: unknown name; did you mean 'proposer'?" in message
    assert "proposer: missing" in message
    assert "published: found 'soon'" in message
    assert "base_year: found 2026-06-30; no year end" in message
    assert "write 2027 for 31 March 2027" in message
    assert "no region 'Londn': did you mean 'London'?" in message
    assert "no authority 'Kant': did you mean 'Kent'?" in message
    assert "deficit_abov" in message
    assert "cap.dgs" in message
    assert "budget.alocation: unknown name; did you mean 'allocation'?" in message
    assert message.count("share: found 90") == 1


def test_contradictions_are_told_together_each_with_its_line(tmp_path: Path) -> None:
    more = {"cap": "{pounds: 6_000_000_000}", "budget": "{pounds: 5_000_000_000}", "instalments": "[0.5, 0.4]"}
    with pytest.raises(SchemeError) as caught:
        d.Scheme.read(write(tmp_path / "mine.yaml", FLAT, **more))
    message, line = str(caught.value), len(FLAT.splitlines())
    assert f"line {line + 1}: cap.pounds £6.0bn for one council is above budget.pounds £5.0bn for all" in message
    assert f"line {line + 3}: instalments add up to 0.9, expected 1" in message


def test_amounts_shares_and_years_are_read_as_people_write_them() -> None:
    found = scheme(
        share="90%", base_year="2025-26", budget="£5bn", ineligible={"councils": {"Kent": "150,000,000"}}
    )
    assert (found.share, found.base_year, found.budget.pounds) == (0.9, 2026, 5e9)
    assert found.ineligible.councils == {"Kent": 150e6}
    assert scheme(cap={"pounds": "£150m"}).cap == {"pounds": 150e6}
    assert scheme(eligibility=[{"kind": "region", "names": ["south east"]}]).eligibility[0].names == (
        "South East",
    )


def test_a_title_that_is_given_stands_as_it_is() -> None:
    assert d.Scheme.read("flat-share", share=0.6, title="Ours").title == "Ours"
    assert d.Scheme.read("flat-share").changed(share=0.6, title="Ours").title == "Ours"


def test_a_number_that_cannot_be_read_is_told_in_an_analysts_words(tmp_path: Path) -> None:
    with pytest.raises(SchemeError, match="part_of_year: found 'autumn', expected a number"):
        d.Scheme.read("flat-share", part_of_year="autumn")
    with pytest.raises(SchemeError) as caught:
        d.Scheme.read("flat-share", share=90)
    assert "line" not in str(caught.value)  # it is on no line of the file


def test_one_council_under_two_names_is_refused() -> None:
    with pytest.raises(ValueError, match="'Kent' and 'kent' are the same council"):
        scheme(ineligible={"councils": {"Kent": 5e6, "kent": 6e6}})


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"paid_in": 2026}, "paid_in 2026 is not after base_year 2026"),
        ({"cover": {"shares": {2026: 0.5}}}, "cover of 2026: growth is covered after the base date"),
        ({"approval": {"late": 0.5}}, "approval.late without approval.delay"),
        ({"clawback": {"share": 1, "year": 2026, "growth": 0}}, "clawback.year 2026 is before the last payment"),
        ({"share": {"at": [0, 0.1], "pays": [0.5]}}, "give one for each"),
        ({"share": {"at": [0.1, 0.0], "pays": [0.5, 0.6]}}, "'at' must rise"),
        (
            {
                "eligibility": [
                    {"kind": "council", "names": ["Kent"]},
                    {"kind": "council", "names": ["Kent", "Devon"], "holds": False},
                ]
            },
            "eligibility asks for Kent and leaves the same out",
        ),
    ],
)
def test_parameters_that_make_no_sense_together_are_refused(body: dict, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        scheme(**body)


def test_a_year_end_may_be_written_as_its_day(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.yaml", FLAT.replace("base_year: 2026", "base_year: 2026-03-31"))
    assert d.Scheme.read(path).base_year == 2026


@pytest.mark.parametrize("content", ["- a\n- b\n", "", "share: [0.9\n", "just words"])
def test_a_file_that_is_no_scheme_is_refused_by_name(tmp_path: Path, content: str) -> None:
    with pytest.raises(SchemeError, match=r"broken\.yaml"):
        d.Scheme.read(write(tmp_path / "broken.yaml", content))


def test_a_scheme_paid_on_top_of_itself_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "one.yaml", FLAT, plus="[two.yaml]")
    write(tmp_path / "two.yaml", FLAT, plus="[one.yaml]")
    with pytest.raises(SchemeError, match="paid on top of itself: one -> two -> one"):
        d.Scheme.read(tmp_path / "one.yaml")


def test_a_file_may_name_schemes_that_are_paid_on_top(tmp_path: Path) -> None:
    both = d.Scheme.read(write(tmp_path / "both.yaml", FLAT, plus="[high-needs-stability-grant]"))
    assert [part.share for part in both.parts] == [0.5, 0.9]
    assert "on top" in both.terms()


def test_schemes_name_themselves() -> None:
    flat = d.Scheme.read("flat-share")
    assert [one.title.removeprefix(flat.title) for one in flat.vary(share=[0.5, 0.9], part_of_year=[0.25])] == [
        " (part_of_year 25%)",
        " (share 90%, part_of_year 25%)",
    ]
    assert flat.changed(budget={"pounds": 4e9}).title.endswith("(budget pounds £4.0bn)")
    assert d.Scheme.read("equal-per-pupil", **{"budget.pounds": 4e9}).title.endswith("(budget.pounds £4.0bn)")
    assert (flat + flat).title == f"{flat.title} + {flat.title}"


def test_a_change_that_is_no_parameter_is_refused() -> None:
    with pytest.raises(SchemeError, match="shares: unknown name; did you mean 'share'"):
        d.Scheme.read("flat-share").changed(shares=0.5)


def test_two_answers_on_the_safety_valve_do_not_compose() -> None:
    with pytest.raises(SchemeError, match="safety_valve is 'stop' in one scheme and 'continue' in another"):
        scheme(safety_valve="stop") + scheme(safety_valve="continue")


def test_the_json_schema_is_for_editors() -> None:
    schema = json.loads(d.Scheme.json_schema())
    assert set(schema["required"]) >= {"title", "share", "base_year", "paid_in", "assumed"}
    assert schema["properties"]["plus"]["items"] == {"type": "string"}
    assert schema["additionalProperties"] is False
