"""Backtests: which origins and fits, what is scored, and that a stopped one goes on."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecasting import backtest
from forecasting.backtest import HORIZON_DAYS, Backtest, Plan, blocks, run
from forecasting.backtest_blocks import Block
from forecasting.backtest_files import frame, outlooks
from forecasting.backtest_scores import scores
from forecasting.cli.modelling import told_of_weather
from forecasting.domain import DAILY, INTERVAL, Information, Resolution
from forecasting.errors import HistoryError, SettingsError, TrainingError
from forecasting.history import History
from forecasting.jobs import silent
from forecasting.settings import ModelSettings, TrainingSettings
from tests.unit.builders import clock_history_of, make_series, noise_from, seasonal_slots

FIRST, LAST = date(2012, 5, 1), date(2012, 6, 15)
SETTINGS, TRAINING = ModelSettings(), TrainingSettings(epochs=1)


def history(days: int = 200, first: str = "2012-01-01", zone: str = "Australia/Melbourne") -> History:
    celsius = 15 + 8 * np.random.default_rng(5).standard_normal((days, 24))
    return clock_history_of(seasonal_slots(days, 24), first=first, series=make_series(zone=zone, minutes=60), temperature_c=celsius)


def plan(family: str = "two_stage_ridge", resolution: Resolution = DAILY, every_days: int = 1, **more: object) -> Plan:
    return replace(Plan(family, resolution, Information.P, FIRST, LAST, every_days), **more)  # type: ignore[arg-type]


def run_it(of: Plan, on: History, parts: Path, workers: int = 1) -> Backtest:
    return run(of, on, SETTINGS, TRAINING, parts, workers, silent)


def test_origins_and_fits_follow_the_plan() -> None:
    first = 121  # 1 May 2012
    expanding = blocks(plan(), history())
    assert [(block.begin, block.until) for block in expanding] == [(0, first), (0, first + 28)]
    assert expanding[0].origins == tuple(range(first, first + 28))
    assert expanding[1].origins[-1] == 166 - HORIZON_DAYS + 1, "the last horizon ends with 15 June"
    sliding = blocks(plan(window_days=90), history())
    assert [(block.begin, block.until) for block in sliding] == [(31, first), (59, first + 28)]
    assert blocks(plan(refit_days=0, every_days=7), history()) == [Block(tuple(range(first, 154, 7)), 0, first)]
    known = blocks(plan(train_until=date(2012, 4, 20)), history())
    assert [block.until for block in known] == [first - 10, first + 18]


def test_a_day_that_was_filled_is_never_scored() -> None:
    filled = np.zeros(200, dtype=bool)
    filled[140] = True
    origins = [origin for block in blocks(plan(), replace(history(), filled=filled)) for origin in block.origins]
    assert not set(origins) & set(range(140 - HORIZON_DAYS + 1, 141))


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"first": date(2011, 1, 1)}, "--from 2011-01-01 lies outside"),
        ({"last": date(2013, 1, 1)}, "--to 2013-01-01 lies outside"),
        ({"last": date(2012, 5, 10)}, "no origin between"),
        ({"first": date(2012, 1, 20)}, "only 19 days"),
    ],
)
def test_a_plan_that_does_not_fit_the_history_is_refused(more: dict[str, object], told: str) -> None:
    with pytest.raises(HistoryError, match=told):
        blocks(plan(**more), history())  # type: ignore[arg-type]


def test_training_days_end_before_the_first_forecast() -> None:
    with pytest.raises(SettingsError, match="--train-until 2012-05-01 is not before --from"):
        blocks(plan(train_until=FIRST), history())


def test_a_stopped_run_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on, parts = history(), tmp_path / "parts"
    whole = run_it(plan(), on, parts)
    left = sorted(parts.iterdir())
    assert len(left) == 4, "two fits each of the model and of weekly naive"
    left[0].unlink()
    kept = {path: path.stat().st_mtime_ns for path in left[1:]}
    again = run_it(plan(), on, parts)
    assert {path: path.stat().st_mtime_ns for path in left[1:]} == kept, "finished blocks are not run again"
    np.testing.assert_array_equal(again.model.quantiles, whole.model.quantiles)
    monkeypatch.setattr(backtest, "code_digest", lambda: "other code")
    run_it(plan(), on, parts)
    assert len(list(parts.iterdir())) == 8, "other code may forecast otherwise"


def test_processes_do_not_change_the_forecasts(tmp_path: Path) -> None:
    one, two = (run_it(plan("weather_paths"), history(), tmp_path / str(workers), workers) for workers in (1, 2))
    np.testing.assert_array_equal(one.model.quantiles, two.model.quantiles)
    np.testing.assert_array_equal(one.model.mean, two.model.mean)


@pytest.mark.parametrize("family", ["two_stage_ridge", "weather_paths"])
def test_forecasts_do_not_know_what_comes_after_their_origin(family: str, tmp_path: Path) -> None:
    on = history()
    single = plan(family, last=date(2012, 5, 14), train_until=None)
    told = run_it(single, on, tmp_path / "a").model
    noise = run_it(single, noise_from(on, 121), tmp_path / "b").model
    np.testing.assert_array_equal(told.quantiles, noise.quantiles)
    altered = run_it(single, noise_from(on, 120), tmp_path / "c").model
    assert not np.array_equal(told.quantiles, altered.quantiles)


def test_a_fit_that_came_to_nothing_is_told(tmp_path: Path) -> None:
    wild = TRAINING.model_copy(update={"learning_rate": 1e30, "clip_norm": 1e38, "epochs": 3})
    of = plan("seq2seq_attention", last=date(2012, 5, 14))
    with pytest.raises(
        TrainingError, match="seq2seq_attention, fitted on the days before 2012-05-01, forecasts numbers that are not"
    ):
        run(of, history(), ModelSettings(hidden=4), wild, tmp_path, 1, silent)


def test_a_network_is_calibrated_where_weather_forecasts_were_kept(tmp_path: Path) -> None:
    """Without any its bands stay as they are; a single one widens them."""
    on, of = history(), plan("seq2seq_attention", information=Information.F, last=date(2012, 5, 14))
    model, outlook = ModelSettings(hidden=4, temperature=True), np.full((14, 24), 15.0)
    bare = run(of, replace(on, outlooks_c={121: outlook}), model, TRAINING, tmp_path, 1, silent).model
    judged = run(of, replace(on, outlooks_c={121: outlook, 100: outlook}), model, TRAINING, tmp_path, 1, silent).model
    np.testing.assert_array_equal(bare.median, judged.median)
    widths = [each.level(0.9) - each.level(0.1) for each in (bare, judged)]
    assert (widths[1] >= widths[0]).all()
    assert (widths[1] > widths[0]).any()


def test_the_table_holds_every_pair_in_the_units_of_the_protocol(tmp_path: Path) -> None:
    found = run_it(plan("weekly_naive"), history(), tmp_path)
    table = frame(found)
    assert len(table) == 33 * HORIZON_DAYS
    assert not table.duplicated(["origin", "target"]).any()
    first = table.iloc[0]
    assert (first["origin"], first["target"]) == ("2012-04-30", "2012-05-01")
    assert first["q50"] == pytest.approx(found.history.energy_mwh[121 - 7] / 1000)
    assert (table["q01"] <= table["q99"]).all()


def test_half_hours_are_counted_in_utc_over_a_clock_change(tmp_path: Path) -> None:
    """Clocks went forward on 7 October 2012: two weeks of intervals end an hour into the fifteenth day."""
    on = history(330)
    spring = plan("weekly_naive", INTERVAL, every_days=7, first=date(2012, 10, 1), last=date(2012, 10, 21))
    found = run_it(spring, on, tmp_path)
    table = frame(found)
    first = table[table["origin"] == table["origin"].iloc[0]]
    targets = pd.DatetimeIndex(first["target"])
    assert len(targets) == 14 * 24
    assert (np.diff(targets.asi8) == np.diff(targets.asi8)[0]).all()
    assert str(targets[-1].tz_convert("Australia/Melbourne")) == "2012-10-15 00:00:00+11:00"
    assert first["origin"].iloc[0] == "2012-09-30T13:00:00Z"
    midday = np.flatnonzero(targets.tz_convert("Australia/Melbourne").hour == 12)
    np.testing.assert_allclose(found.actual[0, midday], on.demand_mwh[found.origins[0] + np.arange(14), 12])


@pytest.mark.parametrize(
    ("last", "days", "intervals"),
    [("2012-10-14", "10-01", "09-30"), ("2012-10-20", "10-07", "10-06"), ("2012-10-21", "10-08", "10-08")],
)
def test_a_horizon_that_reaches_into_a_fifteenth_day_needs_it(last: str, days: str, intervals: str, tmp_path: Path) -> None:
    """Two weeks of intervals that begin between 24 September and 7 October end in it, since clocks went forward on 7 October."""
    end = date.fromisoformat(last)
    on = history((end - date(2012, 1, 1)).days + 1)
    for resolution, newest in ((DAILY, days), (INTERVAL, intervals)):
        of = plan("weekly_naive", resolution, first=date(2012, 9, 24), last=end)
        found = run_it(of, on, tmp_path / resolution)
        assert f"{on.days[found.origins[-1]]:%m-%d}" == newest
        assert np.isfinite(found.actual).all()
    filled = np.zeros(len(on), dtype=bool)
    filled[-1] = True
    of = plan("weekly_naive", INTERVAL, first=date(2012, 9, 24), last=end)
    origins = [origin for block in blocks(of, replace(on, filled=filled)) for origin in block.origins]
    assert f"{on.days[origins[-1]]:%m-%d}" < intervals, "nor may it be filled"


def test_weather_forecasts_are_read_by_the_day_they_were_issued_at(tmp_path: Path) -> None:
    on = history()
    issued = on.start_of(121)
    rows = pd.DataFrame({"valid_time": pd.date_range(issued, periods=14 * 24, freq="h"), "temperature_c": 21.5})
    path = tmp_path / "weather.csv"
    rows.assign(issued_at=issued).to_csv(path, index=False)
    known = outlooks(path, on)
    assert list(known.outlooks_c) == [121]
    assert (known.outlooks_c[121] == 21.5).all(), "the fifteenth day repeats the last"
    with pytest.raises(SettingsError, match=r"no weather forecast issued at the beginning of 2012-05-02 \(32 origins have none\)"):
        run_it(plan(information=Information.F), known, tmp_path / "parts")
    path.write_text("a,b\n1,2\n")
    with pytest.raises(SettingsError, match="issued_at, valid_time"):
        outlooks(path, on)


def test_weekly_naive_has_no_skill_and_scores_match_by_hand(tmp_path: Path) -> None:
    found = run_it(plan("weekly_naive"), history(), tmp_path)
    told = scores(found)
    error = found.model.mean - found.actual
    spread = found.history.energy_mwh[:121].std(ddof=1)
    assert told.overall["mse"] == pytest.approx((error**2).mean() / spread**2)
    assert told.overall["skill"] == 0
    assert told.overall["pairs"] == found.actual.size == sum(row["pairs"] for row in told.groups["weekday"].values())
    assert list(told.groups["lead"]) == [f"day {lead}" for lead in range(1, 15)]
    assert set(told.groups["month"]) == {"05", "06"}
    assert told.groups["kind"]["holiday"]["pairs"] > 0, "the Queen's birthday, 11 June 2012"
    assert told.events == ()
    assert told.tail == {}, "less than a year before the first origin"


def test_events_and_tails_are_scored_against_the_year_before(tmp_path: Path) -> None:
    on = history(500)
    year = plan("weather_paths", first=date(2013, 2, 1), last=date(2013, 3, 15))
    told = scores(run_it(year, on, tmp_path))
    assert [event.level for event in told.events] == [0.9, 0.97]
    for event in told.events:
        assert 0 <= event.brier <= 1
        assert sum(row["pairs"] for row in event.reliability.values()) == told.overall["pairs"]
        assert event.brier_share == pytest.approx(event.happened * event.level**2 + (1 - event.happened) * (1 - event.level) ** 2)
    assert told.tail["0.95"]["model"] < told.tail["0.95"]["climatology"]


def test_intervals_are_scaled_in_utc_order(tmp_path: Path) -> None:
    """Over both clock changes: 52 weeks of 168 hours, whatever the clock shows."""
    on = history(330)
    found = run_it(plan("weekly_naive", INTERVAL, every_days=7, first=date(2012, 11, 1), last=date(2012, 11, 21)), on, tmp_path)
    starts = pd.date_range(on.start_of(0), on.start_of(int(found.origins[0])), freq="h", inclusive="left")
    local = starts.tz_convert(on.series.time_zone)
    energy = on.demand_mwh[(local.tz_localize(None).normalize() - on.days[0]).days, local.hour]
    error = np.abs(found.model.median - found.actual).mean()
    told = scores(found).overall
    assert told["mase"] == pytest.approx(error / np.abs(energy[168:] - energy[:-168]).mean(), rel=1e-12)
    assert told["mse"] == pytest.approx(((found.model.mean - found.actual) ** 2).mean() / energy.var(ddof=1), rel=1e-12)


@pytest.mark.parametrize("asked", Information)
def test_without_temperature_nothing_is_known_of_the_weather(asked: Information, capsys: pytest.CaptureFixture[str]) -> None:
    bare = replace(history(), temperature_c=None)
    assert told_of_weather(history(), asked) == asked
    if asked in (Information.F, Information.W):
        with pytest.raises(SettingsError, match=f"test has no temperature, which --information {asked} needs"):
            told_of_weather(bare, asked)
        return
    assert told_of_weather(bare, asked) == Information.U
    assert ("--information U instead of P" in capsys.readouterr().err) == (asked == Information.P)
