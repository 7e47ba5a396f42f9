"""Rules of the glossary and of the corrections notice."""

from __future__ import annotations

import pytest

from deficits.errors import DeficitsError
from deficits.reports.page import Corrections, corrections, terms, terms_in


def names(html: str) -> list[str]:
    return [term["name"] for term in terms_in(html)]


def test_each_term_is_defined_once_in_a_sentence():
    listed = [term["name"].casefold() for term in terms()]
    assert listed == sorted(set(listed))
    found = [words.casefold() for term in terms() for words in term["found_by"]]
    assert len(found) == len(set(found))
    for term in terms():
        assert term["means"].endswith("."), term["name"]


def test_the_fields_own_words_are_explained():
    wanted = "DSG, high needs block, EHC plan, gross deficit, net deficit, balance, in-year position, CRPS, "
    wanted += "statutory override, safety valve, scheme, projection, 80% range"
    for words in wanted.split(", "):
        assert names(f"<p>A text with {words} in it.</p>"), words


def test_only_words_that_a_reader_sees_count():
    assert names('<p title="projection"><a href="#scheme">x</a></p>') == []
    assert names("<p>The <b>DSG</b></p>") == ["Dedicated schools grant (DSG)"]
    assert names("<td>gross</td>\n<td>deficit</td>") == ["Gross deficit"]


def test_a_word_is_a_whole_word_and_no_file_name():
    assert names("<p>rebalanced, balances.csv, sender, to send</p>") == []
    assert names("<p>Balances. SEND</p>") == ["Balance", "SEND"]


def entry(**more):
    return {"on": "2027-01-15", "reports": ["england"], "was": "£5bn.", "now": "£6bn."} | more


def test_a_correction_is_told_on_the_pages_that_had_the_error_the_newest_first():
    older = entry(on="2026-12-01", reports=[])
    found = Corrections(report_to="", correction=[older, entry(), entry(reports=["quality"])])
    assert [each.on.isoformat() for each in found.of("england")] == ["2027-01-15", "2026-12-01"]
    assert [each.on.isoformat() for each in found.of("writeoff")] == ["2026-12-01"]


@pytest.mark.parametrize("wrong", [{"reports": ["englnd"]}, {"on": "soon"}, {"page": "x"}])
def test_a_correction_that_is_not_declared_right_is_refused(wrong):
    with pytest.raises(DeficitsError):
        Corrections(report_to="", correction=[entry(**wrong)])


def test_errors_are_reported_to_an_address_of_either_kind():
    assert Corrections(report_to="a@b.example").address == "mailto:a@b.example"
    assert Corrections(report_to="https://b.example/").address == "https://b.example/"


def test_the_shipped_list_can_be_read():
    assert corrections().report_to == ""


def test_whoever_runs_the_reports_gives_the_contact(monkeypatch):
    monkeypatch.setenv("DEFICITS_CONTACT", "send@council.example")
    given = corrections.__wrapped__()
    assert given.address == "mailto:send@council.example"
    assert given.correction == corrections().correction
