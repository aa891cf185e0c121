"""What the Transparency Platform gives, as readings."""

from datetime import timedelta

import pandas as pd
import pytest
from pytest_httpserver import HTTPServer

from forecasting.domain import Quantity
from forecasting.errors import SourceError
from tests.feeds.entsoe_platform import (
    KEY,
    MINUTES,
    NOTHING,
    SINCE,
    UNTIL,
    Platform,
    berlin,
    document,
    period,
    play,
    rejected,
    values,
    whole_day,
)
from tests.unit.builders import utc


@pytest.fixture
def platform(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> Platform:
    return play(httpserver, monkeypatch)


def test_the_question_is_the_documented_one(platform: Platform, httpserver: HTTPServer) -> None:
    platform(document(whole_day()))
    questions = [request.args.to_dict() for request, _ in httpserver.log]
    common = {"documentType": "A65", "outBiddingZone_Domain": "10Y1001A1001A82H", "securityToken": KEY}
    assert (
        questions[0].items() >= {**common, "processType": "A16", "periodStart": "202403302300", "periodEnd": "202403312200"}.items()
    )
    assert (
        questions[1].items() >= {**common, "processType": "A01", "periodStart": "202403302300", "periodEnd": "202404012200"}.items()
    )
    assert len(questions) == 2
    assert "entsoe-py" not in httpserver.log[0][0].headers["User-Agent"]


def test_hourly_load_is_energy_by_interval_start(platform: Platform) -> None:
    (batch,) = platform(document(whole_day()))
    assert batch.quantity is Quantity.DEMAND
    assert batch.readings["value"].tolist() == [1000.0 + n for n in range(23)]
    assert batch.readings["interval_start"].tolist() == pd.date_range(SINCE, UNTIL, freq="h", inclusive="left").tolist()
    assert batch.readings.dtypes.astype(str).to_dict() == {"interval_start": "datetime64[us, UTC]", "value": "float64"}
    assert len(batch.rejected) == 0


@pytest.mark.parametrize(
    ("since", "until", "hours"),
    [
        ("2024-03-30 23:00", "2024-03-31 22:00", 23),
        ("2024-10-26 22:00", "2024-10-27 23:00", 25),
        ("2024-07-01 22:00", "2024-07-02 22:00", 24),
    ],
)
@pytest.mark.parametrize(("resolution", "minutes"), [("PT15M", 15), ("PT15M", 30), ("PT15M", 60), ("PT30M", 60), ("PT60M", 60)])
def test_days_of_every_length_keep_their_energy(
    platform: Platform, since: str, until: str, hours: int, resolution: str, minutes: int
) -> None:
    start, end = utc(since), utc(until)
    (batch,) = platform(document(whole_day(resolution, start, end)), series=berlin(minutes), since=start, until=end)
    assert len(batch.readings) == hours * 60 // minutes
    steps = hours * 60 // MINUTES[resolution]
    assert batch.readings["value"].sum() == pytest.approx(sum(1000 + n for n in range(steps)) * MINUTES[resolution] / 60)
    assert batch.readings["interval_start"].is_monotonic_increasing


def test_only_what_lies_in_the_stretch_is_given(platform: Platform) -> None:
    found = platform(document(whole_day()), since=utc("2024-03-31 03:10"), until=utc("2024-03-31 06:50"))
    assert [time for time, _ in values(found)] == ["31 04:00", "31 05:00"]


def test_an_hour_of_which_a_quarter_is_missing_is_left_out(platform: Platform) -> None:
    quarters = {n: 1000 for n in range(1, 93) if n not in (6, 92)}
    found = platform(document(period(SINCE, UNTIL, quarters, "PT15M")))
    assert [time for time, _ in values(found)] == [f"{(SINCE + timedelta(hours=n)):%d %R}" for n in range(23) if n not in (1, 22)]
    assert rejected(found) == []


def test_gaps_between_periods_stay_gaps(platform: Platform) -> None:
    early, late = utc("2024-03-31 02:00"), utc("2024-03-31 20:00")
    found = platform(document(whole_day("PT60M", SINCE, early), whole_day("PT60M", late, UNTIL)))
    assert [time for time, _ in values(found)] == ["30 23:00", "31 00:00", "31 01:00", "31 20:00", "31 21:00"]


def test_the_resolution_may_change_on_the_way(platform: Platform) -> None:
    noon = utc("2024-03-31 12:00")
    found = platform(
        document(
            period(SINCE, noon, dict.fromkeys(range(1, 14), 500)), period(noon, UNTIL, dict.fromkeys(range(1, 41), 700), "PT15M")
        )
    )
    assert [value for _, value in values(found)] == [500] * 13 + [700] * 10


def test_blocks_are_written_out(platform: Platform) -> None:
    found = platform(document(period(SINCE, UNTIL, {1: 100, 5: 200, 23: 300}), curve="A03"))
    assert [value for _, value in values(found)] == [100] * 4 + [200] * 18 + [300]


def test_a_block_that_cannot_be_read_is_not_filled_with_the_one_before(platform: Platform) -> None:
    found = platform(document(period(SINCE, UNTIL, {1: 100, 5: "n/a", 7: 300}), curve="A03"))
    assert [value for _, value in values(found)] == [100] * 4 + [300] * 17
    assert [(reason, start.strftime("%R")) for reason, _, start in rejected(found)] == [("quantity is not a number", "03:00")]
    with pytest.raises(SourceError, match="a point at none of the 23 positions of its period"):
        platform(document(period(SINCE, UNTIL, {1: 100, 24: 200}), curve="A03"))


@pytest.mark.parametrize("bad", ["", "n/a", "1,5", "1_000", "1e5", "NaN", "inf", "0x10", "١٢", "1 000", "9" * 400])
def test_a_point_that_is_no_plain_number_is_rejected_and_the_rest_goes_on(platform: Platform, bad: str) -> None:
    found = platform(document(period(SINCE, UNTIL, {1: 100, 2: bad, 3: 300})))
    assert values(found) == [("30 23:00", 100), ("31 01:00", 300)]
    ((reason, raw, start),) = rejected(found)
    assert reason == ("quantity is not a number" if bad else "no value")
    assert '"period": "2024-03-30T23:00Z", "position": "2"' in raw
    assert start == pd.Timestamp("2024-03-31 00:00", tz="UTC")


@pytest.mark.parametrize("position", ["0", "24", "-1", "1.0", "", "one", "99999999999999999999"])
def test_a_point_at_no_position_of_its_period_is_rejected(platform: Platform, position: str) -> None:
    found = platform(
        document(
            period(SINCE, UNTIL, {1: 100}).replace(
                "</Period>", f"<Point><position>{position}</position><quantity>7</quantity></Point></Period>"
            )
        )
    )
    assert values(found) == [("30 23:00", 100)]
    ((reason, _, start),) = rejected(found)
    assert reason == "position is not one of 23"
    assert pd.isna(start)


def test_a_point_without_a_quantity_is_rejected(platform: Platform) -> None:
    found = platform(document(whole_day().replace("<quantity>1001</quantity>", "")))
    assert len(values(found)) == 22
    assert [reason for reason, _, _ in rejected(found)] == ["no value"]


def test_the_same_point_twice_counts_once_and_two_that_differ_are_both_handed_on(platform: Platform) -> None:
    one, two = utc("2024-03-31 00:00"), utc("2024-03-31 01:00")
    again, other = period(SINCE, one, {1: 1000}), period(one, two, {1: 5})
    found = platform(document(whole_day(), again, other))
    assert values(found)[:4] == [("30 23:00", 1000), ("31 00:00", 5), ("31 00:00", 1001), ("31 01:00", 1002)]
    assert len(values(found)) == 24


def test_an_hour_with_a_quarter_that_is_given_twice_has_two_means(platform: Platform) -> None:
    one, quarter = utc("2024-03-31 00:00"), utc("2024-03-30 23:15")
    found = platform(
        document(period(SINCE, one, {1: 100, 2: 100, 3: 100, 4: 100}, "PT15M"), period(SINCE, quarter, {1: 500}, "PT15M"))
    )
    assert values(found) == [("30 23:00", 100), ("30 23:00", 200)]


def test_points_off_the_grid_are_handed_on_to_be_refused(platform: Platform) -> None:
    start = SINCE + timedelta(minutes=20)
    found = platform(document(period(start, start + timedelta(hours=2), {1: 100, 2: 200})))
    assert [time for time, _ in values(found)] == ["30 23:20", "31 00:20"]


@pytest.mark.parametrize(("resolution", "minutes"), [("PT60M", 30), ("PT60M", 15), ("PT30M", 15)])
def test_a_feed_coarser_than_the_series_is_refused(platform: Platform, resolution: str, minutes: int) -> None:
    words = rf"has demand of DE_LU by {MINUTES[resolution]} minutes, which make no intervals of {minutes}; give series"
    with pytest.raises(SourceError, match=words):
        platform(document(whole_day(resolution)), series=berlin(minutes))


def test_a_forecast_coarser_than_the_series_is_left_out(platform: Platform, caplog: pytest.LogCaptureFixture) -> None:
    found = platform(document(whole_day("PT15M")), document(whole_day("PT60M"), kind="A01"), series=berlin(15))
    assert [batch.quantity for batch in found] == [Quantity.DEMAND]
    assert "has demand_forecast of DE_LU by 60 minutes, which make no intervals of 15; it was left out" in caplog.text


def test_the_operators_forecast_is_a_rival_and_reaches_ahead(platform: Platform) -> None:
    end = UNTIL + timedelta(days=1)
    found = platform(document(whole_day()), document(whole_day("PT15M", SINCE, end), kind="A01"))
    assert [batch.quantity for batch in found] == [Quantity.DEMAND, Quantity.DEMAND_FORECAST]
    assert len(values(found, Quantity.DEMAND_FORECAST)) == 47
    assert values(found, Quantity.DEMAND_FORECAST)[0] == ("30 23:00", 1001.5)


@pytest.mark.parametrize(("until", "end"), [("2024-07-10 07:59", "202407102200"), ("2024-07-10 08:00", "202407112200")])
def test_tomorrows_forecast_is_asked_for_from_ten_in_the_morning_on(
    platform: Platform, httpserver: HTTPServer, until: str, end: str
) -> None:
    platform(NOTHING, since=utc("2024-07-09 22:00"), until=utc(until))
    assert httpserver.log[1][0].args["periodEnd"] == end


def test_long_stretches_are_asked_for_in_parts_without_loss(platform: Platform, httpserver: HTTPServer) -> None:
    since, until = utc("2024-01-01 00:30"), utc("2024-03-31 00:00")
    found = platform(document(whole_day("PT60M", utc("2024-01-01 00:00"), utc("2024-04-01 00:00"))), since=since, until=until)
    asked = [
        (request.args["periodStart"], request.args["periodEnd"])
        for request, _ in httpserver.log
        if request.args["processType"] == "A16"
    ]
    assert asked == [
        ("202401010100", "202401290100"),
        ("202401290100", "202402260100"),
        ("202402260100", "202403250100"),
        ("202403250100", "202403310000"),
    ]
    times = pd.concat([batch.readings for batch in found])["interval_start"]
    assert times.tolist() == pd.date_range("2024-01-01 01:00", "2024-03-30 23:00", freq="h", tz="UTC").tolist()
