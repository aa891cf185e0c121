import pickle
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting.domain import Quantity, as_of_moment, parse_moment, require_utc
from forecasting.errors import AlreadyRunning, FortnightError, SettingsError, WeightsError
from tests.unit.builders import make_series, utc

MELBOURNE, HAVANA = ZoneInfo("Australia/Melbourne"), ZoneInfo("America/Havana")


@pytest.mark.parametrize(
    ("text", "zone", "moment"),
    [
        ("2014-01-31", MELBOURNE, "2014-01-30 13:00"),
        ("2014-07-31", MELBOURNE, "2014-07-30 14:00"),
        ("2014-04-06", MELBOURNE, "2014-04-05 13:00"),  # the clock goes back later that day
        ("2014-04-07", MELBOURNE, "2014-04-06 14:00"),
        ("2014-10-05", MELBOURNE, "2014-10-04 14:00"),
        ("2014-10-06", MELBOURNE, "2014-10-05 13:00"),
        ("2014-03-09", HAVANA, "2014-03-09 05:00"),  # has no midnight
        ("2014-11-02", HAVANA, "2014-11-02 04:00"),  # has two
        ("2014-01-31", ZoneInfo("UTC"), "2014-01-31 00:00"),
    ],
)
def test_a_date_is_its_local_midnight(text: str, zone: ZoneInfo, moment: str) -> None:
    found = parse_moment(text, zone)
    assert found == utc(moment)
    assert found.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "text", ["2014-01-31T06:00+11:00", "2014-01-30T19:00Z", "2014-01-30 19:00:00+00:00", "2014-01-30T14:00:00.000-05:00"]
)
def test_a_time_with_an_offset_is_that_moment_in_any_zone(text: str) -> None:
    for zone in (MELBOURNE, HAVANA):
        assert parse_moment(text, zone) == utc("2014-01-30 19:00")
        assert parse_moment(text, zone).utcoffset() == timedelta(0)


@pytest.mark.parametrize("text", ["2014-01-31T06:00", "2014-01-31 06:00:00", "2014-01-31T06"])
def test_a_time_without_an_offset_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="has no offset from UTC; give a date such as 2014-01-31") as caught:
        parse_moment(text, MELBOURNE)
    assert repr(text) in caught.value.problem


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "31.01.2014",
        "2014-02-30",
        "2014-13-01",
        "2014-01-31T25:00Z",
        "0001-01-01",
        "0001-01-01T00:00+11:00",
        "２０１４-01-31",
    ],
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="is not a time; give a date such as 2014-01-31"):
        parse_moment(text, MELBOURNE)


def test_an_as_of_moment_is_what_was_asked_for_or_now() -> None:
    now = utc("2014-01-30 19:00")
    assert as_of_moment(None, MELBOURNE, now) == now
    assert as_of_moment("2014-01-31", MELBOURNE, now) == utc("2014-01-30 13:00")
    assert as_of_moment("2014-01-30T19:00Z", MELBOURNE, now) == now


@pytest.mark.parametrize("text", ["2014-02-01", "2014-01-30T19:01Z"])
def test_an_as_of_moment_in_the_future_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=f"as-of {text} lies in the future; leave --as-of out"):
        as_of_moment(text, MELBOURNE, utc("2014-01-30 19:00"))


@given(st.one_of(st.text(), st.text("0123456789-+:TZ. ", max_size=30)))
def test_any_text_is_a_moment_in_utc_or_refused(text: str) -> None:
    try:
        moment = parse_moment(text, MELBOURNE)
    except SettingsError:
        return
    assert moment.utcoffset() == timedelta(0)


def test_require_utc() -> None:
    found = require_utc(datetime(2014, 1, 31, 6, tzinfo=MELBOURNE))
    assert found == utc("2014-01-30 19:00")
    assert found.utcoffset() == timedelta(0)
    with pytest.raises(ValueError, match="naive"):
        require_utc(datetime(2014, 1, 31, 6))  # noqa: DTZ001


def test_companions_share_grid_and_zone_with_their_demand() -> None:
    demand = make_series("vic")
    assert demand.companion(Quantity.DEMAND) is demand
    temperature = demand.companion(Quantity.TEMPERATURE)
    assert (temperature.series_id, temperature.companion_of, temperature.demand_id) == ("vic.temperature", "vic", "vic")
    assert (temperature.interval, temperature.zone, temperature.unit) == (demand.interval, demand.zone, "C")
    assert (demand.demand_id, demand.unit) == ("vic", "MWh")


@pytest.mark.parametrize("kind", [SettingsError, WeightsError, AlreadyRunning])
def test_errors_survive_a_process_boundary(kind: type[FortnightError]) -> None:
    error = pickle.loads(pickle.dumps(kind("it is broken", "mend it")))  # noqa: S301
    assert type(error) is kind
    assert (str(error), error.problem, error.remedy) == ("it is broken; mend it", "it is broken", "mend it")
