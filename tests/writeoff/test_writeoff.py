"""Rules of a write-off, worked by hand and for any scheme."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import deficits as d
from deficits.errors import SchemeError
from deficits.outlook import Outlook, national
from deficits.places import schemes_dir
from deficits.writeoff import WriteOff, scheme_names
from tests.writeoff.expected import result_of


@pytest.fixture(scope="module")
def grant(outlook: Outlook) -> WriteOff:
    return d.Scheme.read("high-needs-stability-grant").apply(outlook)


def with_balances(outlook: Outlook, pounds: dict[int, list[float]]) -> Outlook:
    """The outlook of as many councils as there are figures a year, one draw."""
    import dataclasses

    count = len(next(iter(pounds.values())))
    some = outlook.dataset.isel(draw=[0], authority=slice(0, count)).sel(year=sorted(pounds))
    values = np.array([[pounds[year] for year in sorted(pounds)]]).transpose(0, 2, 1)
    dataset = some.assign(balance=(("draw", "authority", "year"), values))
    return dataclasses.replace(outlook, dataset=dataset)


def test_the_grant_is_90_percent_of_each_deficit_and_nothing_for_a_surplus(outlook: Outlook) -> None:
    given_balances = with_balances(
        outlook,
        {2026: [-1.0, 1.0, 0.0, -100e6], 2027: [-2.0, 1.0, 0.0, -150e6]},
    )
    result = d.Scheme.read("high-needs-stability-grant").apply(given_balances)
    assert result.grant.values.ravel() == pytest.approx([0.9, 0.0, 0.0, 90e6])
    assert result.balance.sel(year=2026).values.ravel() == pytest.approx([-1.0, 1.0, 0.0, -100e6])
    assert result.balance.sel(year=2027).values.ravel() == pytest.approx([-1.1, 1.0, 0.0, -60e6])


def test_the_deficit_at_the_base_date_is_unchanged_by_a_grant_paid_later(grant: WriteOff) -> None:
    before = slice(2024, 2026)
    assert np.array_equal(grant.balance.sel(year=before).values, grant.outlook.balance.sel(year=before).values)


def test_what_is_paid_and_what_is_left_make_up_the_deficit(grant: WriteOff) -> None:
    summary = grant.summary()["p50"]
    assert summary["grant"] + summary["left_of_2026"] == pytest.approx(summary["deficit_2026"], abs=1)


def test_a_write_off_never_creates_a_surplus_at_the_base_date(grant: WriteOff) -> None:
    base = grant.outlook.balance.sel(year=2026)
    assert bool((grant.grant >= 0).all())
    assert bool((grant.grant <= (-base).clip(min=0)).all())


@settings(max_examples=40, deadline=None)
@given(share=st.floats(0, 1), more=st.floats(0, 1))
def test_a_larger_share_never_leaves_a_larger_deficit(outlook: Outlook, share: float, more: float) -> None:
    some = with_balances(outlook, {2026: [-5e6, 3e6, -2e8], 2027: [-9e6, 1e6, -3e8]})
    low, high = sorted([share, more])
    small = d.Scheme.read("flat-share", share=low).apply(some)
    large = d.Scheme.read("flat-share", share=high).apply(some)
    assert bool((large.balance >= small.balance).all())
    assert bool(((-large.balance).clip(min=0) <= (-small.balance).clip(min=0)).all())


def test_a_scheme_that_gives_nothing_equals_the_outlook_draw_by_draw(outlook: Outlook) -> None:
    nothing = d.Scheme.read("flat-share", share=0.0).apply(outlook)
    assert np.array_equal(nothing.balance.values, outlook.balance.values)
    assert nothing.summary().at["years_bought", "p50"] == 0


def test_a_full_write_off_leaves_none_of_the_base_deficit(outlook: Outlook) -> None:
    everything = d.Scheme.read("flat-share", share=1.0).apply(outlook)
    left = (-outlook.balance.sel(year=2026)).clip(min=0) - everything.grant
    assert float(abs(left).max()) == 0


def test_regions_sum_to_england(grant: WriteOff) -> None:
    regions = grant.by_region()
    means = regions[["grant_mean", "left_mean"]]
    assert len(regions) == 10
    assert means.drop("England").sum().to_numpy() == pytest.approx(means.loc["England"].to_numpy())


def test_councils_sum_to_england_in_every_draw(grant: WriteOff) -> None:
    gross = national(grant.balance, "gross")
    by_council = (-grant.balance).clip(min=0)
    assert np.allclose(by_council.sum("authority").values, gross.values)
    assert len(grant.by_authority()) == 153


def test_the_published_arithmetic_of_the_grant_comes_out(outlook: Outlook) -> None:
    # OBR-based figures in the press: £5.4bn at March 2026 and £8.6bn accruing over two years to £14bn; 90% is
    # about £4.9bn, about £0.5bn stays, about £9.1bn stands at March 2028, and the deficit is back after 1.1 years.
    published = with_balances(outlook, {2026: [-5.4e9], 2027: [-9.7e9], 2028: [-14e9]})
    summary = d.Scheme.read("high-needs-stability-grant").apply(published).summary()["p50"]
    assert summary["grant"] == pytest.approx(4.86e9)
    assert summary["left_of_2026"] == pytest.approx(0.54e9)
    assert summary["deficit_with_2028"] == pytest.approx(9.14e9)
    assert summary["years_bought"] == pytest.approx(1.13, abs=0.01)


def test_a_deficit_that_is_never_back_is_said_so(outlook: Outlook) -> None:
    improving = with_balances(outlook, {2026: [-5e9], 2027: [-4e9], 2028: [-3e9]})
    summary = d.Scheme.read("high-needs-stability-grant").apply(improving).summary()
    assert summary.at["not_back", "p50"] == 1
    assert np.isinf(summary.at["years_bought", "p50"])


@pytest.mark.parametrize("name", scheme_names())
def test_each_shipped_scheme_has_its_expected_result_beside_it(name: str) -> None:
    expected = pd.read_csv(schemes_dir() / f"{name}.expected.csv", index_col="measure")
    pd.testing.assert_frame_equal(result_of(name), expected, rtol=1e-6, atol=1e-3)


def test_a_scheme_says_what_it_assumes_and_where_it_was_published() -> None:
    for name in scheme_names():
        scheme = d.Scheme.read(name)
        assert scheme.assumed
        assert str(scheme.reference).startswith("https://")


def test_an_unknown_scheme_offers_the_closest() -> None:
    with pytest.raises(SchemeError, match="did you mean 'high-needs-stability-grant'"):
        d.Scheme.read("high-needs-stabilty-grant")


def write_scheme(path: Path, **changes: object) -> Path:
    text = (schemes_dir() / "flat-share.yaml").read_text(encoding="utf-8")
    for key, value in changes.items():
        text += f"{key}: {value}\n"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_fault_of_a_scheme_file_is_told_at_once(tmp_path: Path) -> None:
    text = (schemes_dir() / "flat-share.yaml").read_text(encoding="utf-8")
    text = text.replace("share: 0.5", "share: 90").replace("proposer:", "propser:").replace("2026-11-25", "soon")
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SchemeError) as caught:
        d.Scheme.read(path)
    message = str(caught.value)
    assert "mine.yaml" in message
    assert "share: found 90, expected a share from 0 to 1; 90% is 0.9" in message
    assert "propser: unknown parameter; did you mean 'proposer'?" in message
    assert "proposer: missing" in message
    assert "published: found 'soon'" in message


def test_a_scheme_of_ones_own_is_read_from_a_file(tmp_path: Path, outlook: Outlook) -> None:
    own = d.Scheme.read(write_scheme(tmp_path / "mine.yaml"), share=0.75)
    assert own.share == 0.75
    assert "share 75%" in own.title
    assert isinstance(own.apply(outlook).grant, xr.DataArray)


@pytest.mark.parametrize("content", ["- a\n- b\n", "", "share: [0.9\n", "just words"])
def test_a_file_that_is_no_scheme_is_refused_by_name(tmp_path: Path, content: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SchemeError, match=r"broken\.yaml"):
        d.Scheme.read(path)


def test_a_payment_before_the_base_date_is_refused() -> None:
    with pytest.raises(SchemeError, match="paid_in 2026 is not after base_year 2026"):
        d.Scheme.read("flat-share", paid_in=2026)


def test_a_scheme_outside_the_outlook_is_refused(outlook: Outlook) -> None:
    with pytest.raises(SchemeError, match=r"paid_in 2034 .* runs from 2024 to 2031: project further"):
        d.Scheme.read("flat-share", paid_in=2034).apply(outlook)
