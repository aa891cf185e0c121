import csv
import io
import json
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from forecasting.domain import Series
from forecasting.errors import SettingsError, SourceError
from forecasting.frames import Batch
from forecasting.sources.aemo import AemoSource, Month, parse_month
from forecasting.sources.web import NotThere, Web
from tests.feeds.fuzzing import check_batch, fuzz
from tests.unit.builders import make_series, utc

HEADER = "REGION,SETTLEMENTDATE,TOTALDEMAND,RRP,PERIODTYPE"
SYDNEY, ADELAIDE = "Australia/Sydney", "Australia/Adelaide"
HALF_HOURS = make_series("nsw", zone=SYDNEY, region="AU-NSW")
FIVE_MINUTES = make_series("nsw", zone=SYDNEY, region="AU-NSW", minutes=5)
HOURS = make_series("nsw", zone=SYDNEY, region="AU-NSW", minutes=60)
SEPTEMBER, OCTOBER = date(2021, 9, 1), date(2021, 10, 1)


def ends_of(first: date) -> pd.DatetimeIndex:
    """Every SETTLEMENTDATE of a month's file."""
    minutes = 5 if first >= OCTOBER else 30
    begin = pd.Timestamp(first)
    return pd.date_range(begin, begin + pd.offsets.MonthBegin(), freq=f"{minutes}min", inclusive="right")


def power_mw(end: pd.Timestamp) -> float:
    """A demand that tells its period: 7000 MW and the minutes since the month's first midnight, in hundredths."""
    return 7000 + ((end.day - 1) * 1440 + end.hour * 60 + end.minute) / 100


def rows_of(first: date, region: str = "NSW1", form: str = "%Y/%m/%d %H:%M:%S", quote: str = "") -> list[str]:
    return [
        ",".join(f"{quote}{cell}{quote}" for cell in (region, end.strftime(form), f"{power_mw(end):.2f}", "45.5", "TRADE"))
        for end in ends_of(first)
    ]


def file_of(rows: list[str], header: str = HEADER, newline: str = "\r\n") -> bytes:
    return newline.join([header, *rows, ""]).encode()


def parse(body: bytes, first: date = SEPTEMBER) -> Month:
    return parse_month(body, "NSW1", first, "aemo.com.au/x.csv")


def starts(month: Month) -> list[str]:
    return [f"{start:%F %R}" for start in month.start]


class Market:
    """AEMO's server: a file a month, 403 for who does not say who it is, conditional answers."""

    def __init__(self, server: HTTPServer, months: dict[str, bytes]) -> None:
        self.months, self.asked, self.statuses = months, list[str](), list[int]()
        server.expect_request("/aemo").respond_with_handler(self)
        self.url = server.url_for("/aemo") + "?file=PRICE_AND_DEMAND_{month}_{region}.csv"

    def __call__(self, request: Request) -> Response:
        self.asked.append(request.args["file"].split("_")[3])
        body = self.months.get(self.asked[-1])
        if body is None:
            response = Response("<html>not found</html>", status=404, content_type="text/html")
        elif "fortnight/" not in request.headers["User-Agent"]:
            response = Response("Access Denied", status=403)
        else:
            response = Response(body, content_type="text/csv")
            response.add_etag()
            response.make_conditional(request)
        self.statuses.append(response.status_code)
        return response


def read(market: Market, web: Web, series: Series, since: datetime, until: datetime, region: str = "NSW1") -> list[Batch]:
    return list(AemoSource(web, region=region, url=market.url).read(series, since, until))


def readings(batches: list[Batch]) -> pd.Series:
    frames = [batch.readings for batch in batches]
    return pd.concat(frames).set_index("interval_start")["value"] if frames else pd.Series(dtype=float)


def reasons(batches: list[Batch]) -> list[str]:
    return [reason for batch in batches for reason in batch.rejected["reason"]]


# The file


@pytest.mark.parametrize("form", ["%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M"])
@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_ways_to_write_the_same_month(form: str, quote: str, newline: str) -> None:
    month = parse(file_of(rows_of(SEPTEMBER, form=form, quote=quote), newline=newline))
    assert month.rejected == []
    assert len(month.start) == 30 * 48
    assert starts(month)[0] == "2021-08-31 14:00"  # the half-hour that ended at 00:30 in UTC+10
    assert starts(month)[-1] == "2021-09-30 13:30"  # labelled 2021/10/01 00:00
    assert month.power_mw[0] == 7000.30
    assert month.power_mw[-1] == 7000.0


def test_periods_are_of_five_minutes_since_october_2021() -> None:
    month = parse(file_of(rows_of(OCTOBER)), OCTOBER)
    assert month.step == timedelta(minutes=5)
    assert len(month.start) == 31 * 288 == 8928
    assert [starts(month)[0], starts(month)[-1]] == ["2021-09-30 14:00", "2021-10-31 13:55"]


@pytest.mark.parametrize("day", [date(2021, 4, 4), date(2020, 10, 4)])
def test_clock_changes_do_not_touch_the_market(day: date) -> None:
    first = day.replace(day=1)
    month = parse(file_of(rows_of(first)), first)
    assert month.start.is_unique
    assert set(np.diff(month.start.to_numpy())) == {np.timedelta64(30, "m")}


def test_columns_may_come_in_another_order_and_with_others() -> None:
    rows = [",".join([*reversed(row.split(",")), "new"]) for row in rows_of(SEPTEMBER)]
    month = parse(file_of(rows, ",".join([*reversed(HEADER.split(",")), "NOTE"])))
    assert len(month.start) == 1440
    assert month.rejected == []


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("VIC1,2021/09/01 00:30:00,5000,1,TRADE", "REGION is not NSW1"),
        ("NSW1,2021/09/01 00:30:00,5000,1,PREDISPATCH", "PERIODTYPE is not TRADE"),
        ("NSW1,2021/09/01 00:30:00,,1,TRADE", "no value"),
        ("NSW1,2021/09/01 00:30:00,nan,1,TRADE", "TOTALDEMAND is not a number"),
        ("NSW1,2021/09/01 00:30:00,1e400,1,TRADE", "TOTALDEMAND is not a number"),
        (f"NSW1,2021/09/01 00:30:00,{'9' * 400},1,TRADE", "TOTALDEMAND is not a number"),
        ("NSW1,2021/09/01 00:30:00,7 000,1,TRADE", "TOTALDEMAND is not a number"),
        ("NSW1,2021/09/01 00:30:00,٧٠٠٠,1,TRADE", "TOTALDEMAND is not a number"),
        ('NSW1,2021/09/01 00:30:00,"7,000",1,TRADE', "TOTALDEMAND is not a number"),
        ("NSW1,2021-09-01T00:30:00,5000,1,TRADE", "SETTLEMENTDATE is not a time"),
        ("NSW1,2021/09/31 00:30:00,5000,1,TRADE", "SETTLEMENTDATE is not a time"),
        ("NSW1,01/09/2021 00:30,5000,1,TRADE", "SETTLEMENTDATE is not a time"),
        ("NSW1,,5000,1,TRADE", "SETTLEMENTDATE is not a time"),
        ("NSW1,2021/09/01 00:00:00,5000,1,TRADE", "SETTLEMENTDATE is not of 2021-09"),
        ("NSW1,2021/10/01 00:30:00,5000,1,TRADE", "SETTLEMENTDATE is not of 2021-09"),
        ("NSW1,9999/12/31 00:30:00,5000,1,TRADE", "SETTLEMENTDATE is not of 2021-09"),
        ("NSW1,2021/09/01 00:30:00,5000,1", "not 5 fields"),
        ("NSW1,2021/09/01 00:30:00,5000,1,TRADE,", "not 5 fields"),
        ('NSW1,"2021/09/01 00:30:00,5000,1,TRADE', "not 5 fields"),
        ('NSW1,"2021/09/01" 00:30:00,5000,1,TRADE', "not 5 fields"),
        ("NSW1,2021/09/30 23:30:00,70", "not 5 fields"),
    ],
)
def test_a_bad_row_is_set_aside_and_the_others_go_on(row: str, reason: str) -> None:
    month = parse(file_of([*rows_of(SEPTEMBER)[1:], row]))
    assert len(month.start) == 1439
    [(told, raw)] = month.rejected
    assert told == reason
    assert row[:4] in "".join(raw.values())
    is_of_month = "2021/09/01 00:30:00" in row and "fields" not in reason
    assert [start.isoformat() if start is not pd.NaT else None for start in month.rejected_start] == [
        "2021-08-31T14:00:00+00:00" if is_of_month else None
    ]


def test_negative_demand_is_a_value_like_any_other() -> None:
    rows = rows_of(SEPTEMBER)
    rows[0] = "NSW1,2021/09/01 00:30:00,-12.5,1,TRADE"
    assert parse(file_of(rows)).power_mw[0] == -12.5


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\r\n\r\n",
        b"REGION,SETTLEMENTDATE,DEMAND,RRP,PERIODTYPE\r\n",
        b"REGION,SETTLEMENTDATE,TOTALDEMAND,RRP,PERIODTYPE,TOTALDEMAND\r\n",
        b'"REGION,SETTLEMENTDATE\r\n',
        b'{"error": true}',
        b"\0" * 100,
    ],
)
def test_other_columns_are_refused(body: bytes) -> None:
    with pytest.raises(SourceError, match="not with the columns REGION, SETTLEMENTDATE, TOTALDEMAND, PERIODTYPE"):
        parse(body)


def test_periods_of_another_length_than_expected_are_refused() -> None:
    rows = [row for row in rows_of(OCTOBER) if row.split(",")[1][14:16] in ("00", "30")]
    with pytest.raises(SourceError, match="apart, where 0:05:00 is expected in 2021-10"):
        parse(file_of(rows), OCTOBER)


# The source


def test_half_hours_keep_their_power_as_energy(httpserver: HTTPServer, web: Web) -> None:
    market = Market(httpserver, {"202109": file_of(rows_of(SEPTEMBER))})
    found = readings(read(market, web, HALF_HOURS, utc("2021-09-05 14:00"), utc("2021-09-06 14:00")))
    assert list(found.index) == list(pd.date_range("2021-09-05 14:00", periods=48, freq="30min", tz="UTC"))
    assert found.iloc[0] == pytest.approx((7000 + (5 * 1440 + 30) / 100) / 2, rel=1e-12)
    assert market.asked == ["202109"]


def test_the_change_from_half_hours_to_five_minutes_leaves_no_seam(httpserver: HTTPServer, web: Web) -> None:
    market = Market(httpserver, {"202109": file_of(rows_of(SEPTEMBER)), "202110": file_of(rows_of(OCTOBER))})
    since, until = utc("2021-09-30 13:00"), utc("2021-09-30 15:00")
    found = readings(read(market, web, HALF_HOURS, since, until))
    assert list(found.index) == list(pd.date_range(since, until, freq="30min", inclusive="left"))
    september = [(7000 + (29 * 1440 + 1410) / 100) / 2, 7000 / 2]
    october = [np.mean([7000 + minute / 100 for minute in range(first + 5, first + 35, 5)]) / 2 for first in (0, 30)]
    assert found.to_numpy() == pytest.approx([*september, *october], rel=1e-12)
    hours = readings(read(market, web, HOURS, since, until))
    assert hours.to_numpy() == pytest.approx(found.to_numpy().reshape(2, 2).sum(axis=1), rel=1e-12)


def test_an_hour_that_begins_in_one_file_and_ends_in_the_next_is_whole(httpserver: HTTPServer, web: Web) -> None:
    files = {"202109": file_of(rows_of(SEPTEMBER, "SA1")), "202110": file_of(rows_of(OCTOBER, "SA1"))}
    market = Market(httpserver, files)
    series = make_series("sa", zone=ADELAIDE, region="AU-SA", minutes=60)
    found = readings(read(market, web, series, utc("2021-09-30 12:30"), utc("2021-09-30 15:30"), "SA1"))
    assert [f"{start:%R}" for start in found.index] == ["12:30", "13:30", "14:30"]
    october = np.mean([7000 + minute / 100 for minute in range(5, 35, 5)])
    assert found.iloc[1] == pytest.approx(7000 / 2 + october / 2, rel=1e-12)


def test_an_interval_with_a_hole_is_left_out(httpserver: HTTPServer, web: Web) -> None:
    rows = rows_of(OCTOBER)
    del rows[8]
    market = Market(httpserver, {"202110": file_of(rows)})
    batches = read(market, web, HALF_HOURS, utc("2021-09-30 14:00"), utc("2021-09-30 16:00"))
    assert [f"{start:%R}" for start in readings(batches).index] == ["14:00", "15:00", "15:30"]
    assert reasons(batches) == []


def test_a_row_given_twice_counts_once_and_a_contradiction_not_at_all(httpserver: HTTPServer, web: Web) -> None:
    rows = rows_of(OCTOBER)
    rows += [rows[0], rows[6].replace(".35", ".99")]
    assert rows[-1] != rows[6]
    market = Market(httpserver, {"202110": file_of(rows[::-1])})
    batches = read(market, web, HALF_HOURS, utc("2021-09-30 14:00"), utc("2021-09-30 15:30"))
    assert [f"{start:%R}" for start in readings(batches).index] == ["14:00", "15:00"]
    assert reasons(batches) == ["doubled with different values"] * 2
    assert set(batches[0].rejected["interval_start"]) == {pd.Timestamp("2021-09-30 14:30", tz="UTC")}


def test_rejected_rows_name_the_interval_that_they_were_about(httpserver: HTTPServer, web: Web) -> None:
    rows = rows_of(OCTOBER)
    rows[7] = rows[7].replace("TRADE", "OTHER")
    rows[-1] = rows[-1].replace("TRADE", "OTHER")  # outside of what is asked for
    market = Market(httpserver, {"202110": file_of(rows)})
    [batch] = read(market, web, HALF_HOURS, utc("2021-09-30 14:00"), utc("2021-10-01 14:00"))
    assert batch.rejected["interval_start"].tolist() == [pd.Timestamp("2021-09-30 14:30", tz="UTC")]
    assert json.loads(batch.rejected["raw"][0])["SETTLEMENTDATE"] == "2021/10/01 00:40:00"


def test_five_minutes_are_not_made_of_half_hours(httpserver: HTTPServer, web: Web) -> None:
    market = Market(httpserver, {"202109": file_of(rows_of(SEPTEMBER)), "202110": file_of(rows_of(OCTOBER))})
    found = readings(read(market, web, FIVE_MINUTES, utc("2021-10-05 00:00"), utc("2021-10-05 00:30")))
    assert found.to_numpy() == pytest.approx(
        [(7000 + (4 * 1440 + 600 + minute) / 100) / 12 for minute in range(5, 35, 5)], rel=1e-12
    )
    with pytest.raises(SourceError, match="periods of 30 minutes in 2021-09 make no intervals of the 5 minutes of series nsw"):
        read(market, web, FIVE_MINUTES, utc("2021-09-05 00:00"), utc("2021-09-05 00:30"))


@pytest.mark.parametrize(("minutes", "zone"), [(1, SYDNEY), (48, SYDNEY), (60, "Asia/Kathmandu")])
def test_intervals_that_periods_do_not_fit_are_refused(httpserver: HTTPServer, web: Web, minutes: int, zone: str) -> None:
    market = Market(httpserver, {})
    series = make_series("odd", zone=zone, minutes=minutes)
    with pytest.raises(SettingsError, match="series odd"):
        read(market, web, series, utc("2021-09-05 00:00"), utc("2021-09-05 00:30"))
    assert market.asked == []


def test_only_the_months_that_are_asked_for_are_fetched(httpserver: HTTPServer, web: Web) -> None:
    months = {f"2020{month:02d}": file_of(rows_of(date(2020, month, 1))) for month in range(1, 13)}
    market = Market(httpserver, months)
    found = readings(read(market, web, HALF_HOURS, utc("2020-02-29 13:30"), utc("2020-04-30 14:00")))
    assert market.asked == ["202002", "202003", "202004"]
    assert len(found) == 1 + (31 + 30) * 48
    assert read(market, web, HALF_HOURS, utc("2020-04-01 00:00"), utc("2020-04-01 00:00")) == []


def test_a_month_that_has_not_changed_is_not_sent_again(httpserver: HTTPServer, tmp_path: object) -> None:
    from pathlib import Path

    from tests.feeds.conftest import QUICK

    assert isinstance(tmp_path, Path)
    market = Market(httpserver, {"202109": file_of(rows_of(SEPTEMBER))})
    asked = HALF_HOURS, utc("2021-09-05 14:00"), utc("2021-09-06 14:00")
    first, second = (readings(read(market, Web(QUICK, tmp_path), *asked)) for _ in range(2))
    assert first.equals(second)
    assert market.statuses == [200, 304]


def test_the_newest_month_may_not_be_there_yet(httpserver: HTTPServer, web: Web) -> None:
    market = Market(httpserver, {"202109": file_of(rows_of(SEPTEMBER))})
    found = readings(read(market, web, HALF_HOURS, utc("2021-09-29 14:00"), utc("2021-10-01 03:00")))
    assert len(found) == 48
    assert market.asked == ["202109", "202110"]
    market.months["202110"] = file_of([])
    assert len(readings(read(market, web, HALF_HOURS, utc("2021-09-29 14:00"), utc("2021-10-01 03:00")))) == 48


@pytest.mark.parametrize("body", [None, file_of([])])
def test_a_month_that_should_be_there_is_missed(httpserver: HTTPServer, web: Web, body: bytes | None) -> None:
    market = Market(httpserver, {} if body is None else {"202110": body})
    with pytest.raises(SourceError, match=r"is not there|has no rows") as caught:
        read(market, web, HALF_HOURS, utc("2021-10-01 00:00"), utc("2021-10-05 00:00"))
    assert isinstance(caught.value, NotThere) == (body is None)


def test_the_address_has_month_and_region(httpserver: HTTPServer, web: Web) -> None:
    source = AemoSource(web, region="TAS1")
    assert source.options.url.replace("{month}", "202109").replace("{region}", source.options.region) == (
        "https://aemo.com.au/aemo/data/nem/priceanddemand/PRICE_AND_DEMAND_202109_TAS1.csv"
    )
    for wrong in ({"region": "WA1"}, {"region": "NSW1", "url": "https://host/all.csv"}, {"region": "NSW1", "path": "x"}):
        with pytest.raises(ValueError, match="validation error"):
            AemoSource(web, **wrong)


# Anything at all


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["NSW1", "VIC1"]), st.datetimes(), st.text(max_size=9), st.sampled_from(["TRADE", ""])),
        max_size=20,
    )
)
def test_every_row_is_read_or_set_aside(rows: list[tuple[str, datetime, str, str]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEADER.split(","))
    for region, end, value, kind in rows:
        writer.writerow([region, end.strftime("%Y/%m/%d %H:%M:%S"), value.replace("\n", " "), "1", kind])
    month = parse(text.getvalue().encode("utf-8", "replace"))
    assert len(month.start) + len(month.rejected) == len(rows)


def test_no_malformed_file_does_harm() -> None:
    good = [file_of(rows_of(first)[:20]) for first in (SEPTEMBER, OCTOBER)] + [file_of(rows_of(SEPTEMBER, quote='"')[:5])]

    def look(body: bytes) -> None:
        first = (SEPTEMBER, OCTOBER)[len(body) % 2]
        month = parse(body, first)
        assert np.isfinite(month.power_mw).all()
        begin, end = (pd.Timestamp(day, tz="Etc/GMT-10") for day in (first, first + timedelta(days=31)))
        assert ((month.start >= begin) & (month.start < end.replace(day=1))).all()

    fuzz(
        good, look, b',"/: \r\n\0.-', [b"nan", b"1e400", b'""', b"9" * 5000, b"inf", "٣".encode(), b"\xff\xfe", b"0000/00/00 00:00"]
    )


def test_what_comes_of_malformed_files_can_be_stored(httpserver: HTTPServer, web: Web) -> None:
    rows = rows_of(OCTOBER)[:12]
    rows[3:6] = ["NSW1,\0,\ud800,,".encode("utf-8", "replace").decode(), '"', "x" * 10_000]
    market = Market(httpserver, {"202110": file_of(rows)})
    for batch in read(market, web, HALF_HOURS, utc("2021-09-30 14:00"), datetime(2021, 10, 2, tzinfo=UTC)):
        check_batch(batch)
        assert len(batch.readings) == 1
        assert batch.rejected["raw"].str.len().max() < 1100
