"""Names, notes and values that mean harm: to the database, to terminals, to logs, to those who read a message."""

import io
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from pytest_httpserver import HTTPServer
from rich.logging import RichHandler
from rich.table import Table

from forecasting.alerts.channels import send
from forecasting.cli.running import PlainConsole
from forecasting.domain import Quantity, Series
from forecasting.errors import SettingsError, SourceError, StoreError, printable
from forecasting.jobs.alerting import record
from forecasting.jobs.ingest import ingest
from forecasting.plain import LONGEST_REMARK, readable, require_plain
from forecasting.service import Service
from forecasting.settings import AlertSettings, ChannelSettings, SeriesSettings, Settings, load_settings
from forecasting.sources.csv import CsvSource
from forecasting.sources.web import Web
from forecasting.store import Store
from tests.alerts.builders import START, finding, register
from tests.alerts.conftest import Mailbox, mailbox
from tests.unit.builders import make_series, utc

__all__ = ["mailbox"]

ANSI = "\x1b[2J\x1b]0;owned\x07\x1b[31m"
MARKUP = "[bold red]x[/] [link=https://evil.example]y[/link] [/nothing]"
QUOTES = """'; DROP TABLE fortnight.reading; -- " $$ %s %(a)s \\ {0}"""
BIDI = "abc\u202edcba\u2066"


def shown(*told: object, markup: bool = True) -> str:
    """What reaches a terminal that can do everything."""
    screen = io.StringIO()
    console = PlainConsole(file=screen, force_terminal=True, color_system=None, width=200, legacy_windows=False)
    for each in told:
        console.print(each, markup=markup)
    return screen.getvalue()


def harmless(text: str) -> bool:
    return printable(text.replace("\n", "")) == text.replace("\n", "")


@pytest.fixture
def settings(dsn: str, folder: Path) -> Settings:
    """Without MLflow, of which nothing here has need."""
    return load_settings(home=folder, database_url=dsn)


# Terminals and logs


def test_control_characters_are_shown_and_not_obeyed() -> None:
    table = Table("heading", title=f"title {ANSI}", caption=BIDI)
    table.add_row(f"cell {ANSI}\r\b\x9b")
    for told in (f"text {ANSI}", table):
        text = shown(told)
        assert "\\x1b" in text
        assert harmless(text), repr(text)


def test_a_line_of_the_log_obeys_nothing_either() -> None:
    screen = io.StringIO()
    console = PlainConsole(file=screen, force_terminal=True, color_system=None, width=200)
    record = logging.LogRecord("x", logging.WARNING, "x.py", 1, "feed said %s %s", (ANSI, MARKUP), None)
    RichHandler(console=console, show_path=False).emit(record)
    assert harmless(screen.getvalue())
    assert "[bold red]x[/]" in screen.getvalue()


def test_styles_of_our_own_still_work() -> None:
    screen = io.StringIO()
    PlainConsole(file=screen, force_terminal=True, color_system="standard").print("[red]ALARM[/]", highlight=False)
    assert screen.getvalue() == "\x1b[31mALARM\x1b[0m\n"


@pytest.mark.parametrize("text", [ANSI, BIDI, "two\nlines", "\x00", "\x85", "\u2028", "\ud800", "\r"])
def test_an_error_is_one_harmless_line(text: str) -> None:
    error = SourceError(f"the feed said {text}", f"look at {text}")
    for told in (str(error), error.problem, error.remedy):
        assert harmless(told)
        assert "\n" not in told
        assert told.encode()


def test_what_is_plain_stays_as_it_is() -> None:
    for text in ("Île-de-France 5 °C – 電力", "a\tb\nc"):
        assert readable(text) == text
    assert printable("Île-de-France 5 °C – 電力") == "Île-de-France 5 °C – 電力"


# Remarks, names, and what else is typed in


@pytest.mark.parametrize("text", ["", "  ", ANSI, "two\nlines", "\x00", "x" * (LONGEST_REMARK + 1), "\ud800", BIDI])
def test_a_remark_is_one_plain_line(text: str) -> None:
    with pytest.raises(SettingsError, match="the reason"):
        require_plain(text, "the reason")


@pytest.mark.parametrize("key", ["name", "region"])
@pytest.mark.parametrize("text", [ANSI, "a\nb", "\x00", "x" * 300])
def test_a_series_has_a_plain_name_and_region(key: str, text: str) -> None:
    told = {"id": "a", "name": "A", "region": "AU-VIC", "time_zone": "UTC", "source": "csv", key: text}
    with pytest.raises(SettingsError, match=f"the {key}"):
        load_settings(series=(told,))


@pytest.mark.parametrize(
    "series_id", ["../../etc", "a/b", "A", "a'b", "a b", "", "a\n", "a" * 64, "é", "-a", "$(id)", "a;b", "a%b", ".", "a\x00"]
)
def test_a_series_id_can_be_part_of_a_path_or_a_query(series_id: str) -> None:
    told = {"id": series_id, "name": "A", "region": "AU-VIC", "time_zone": "UTC", "source": "csv"}
    with pytest.raises(SettingsError, match="id"):
        load_settings(series=(told,))


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "https://a b", "//evil", "http://a\n"]
)
def test_what_people_are_to_open_is_a_web_address(url: str) -> None:
    with pytest.raises(SettingsError, match="mlflow_ui_url"):
        load_settings(mlflow_ui_url=url)


@pytest.mark.parametrize(
    "options",
    [
        {"url_env": "A; rm -rf /"},
        {"url_env": "A\nB"},
        {"url_env": "$(id)"},
    ],
)
def test_the_variable_of_an_address_has_a_plain_name(options: Mapping[str, str]) -> None:
    with pytest.raises(SettingsError, match="url_env"):
        load_settings(alerts={"channels": {"ops": options}})


# The database


def test_remarks_are_data_to_the_database(store: Store, settings: Settings) -> None:
    register(store, ["vic"])
    service = Service(settings, store, START)
    record(service, [finding()], START)
    (alert,) = store.alerts.listed(START)
    assert alert.alert_id is not None
    before = store.connection.execute("SELECT count(*) FROM pg_class").fetchone()
    for text in (QUOTES, MARKUP, "x" * 100_000, "\N{PILE OF POO}" * 100):
        store.alerts.acknowledge(alert.alert_id, text, text)
        found = store.alerts.get(alert.alert_id)
        assert (found.acknowledged_by, found.note) == (text, text)
        number = store.alerts.silence(None, "vic", START, START + timedelta(days=1), text, text)
        assert next(each for each in store.alerts.silences(START) if each.silence_id == number).reason == text
    with pytest.raises(StoreError, match="DROP TABLE"):
        store.alerts.silence(None, QUOTES, START, START + timedelta(days=1), "x", "x")
    assert store.connection.execute("SELECT count(*) FROM pg_class").fetchone() == before


LOGINS = ("ann; DROP ROLE x", 'a"b', "a'b", "Ann", "pg_monitor", "fortnight_owner", "", "a" * 64, "a\x00", "a b", "\ud800")


def test_a_login_has_a_plain_name(store: Store) -> None:
    for name in LOGINS:
        with pytest.raises(StoreError, match="cannot be named"):
            store.access.grant(name, "reader", "a long password")
        with pytest.raises(StoreError, match=r"no login|not fortnight's"):
            store.access.revoke(name)


def test_a_series_of_hostile_name_and_cells_is_stored_as_it_is(store: Store, settings: Settings, tmp_path: Path) -> None:
    name = f"{QUOTES} {MARKUP}"[:200]
    path = tmp_path / "data.csv"
    cells = [QUOTES, ANSI, "=cmd|' /C calc'!A0", "\x00", "NaN", "1e400", "\udcff", '"" OR 1=1', "9" * 5000]
    good = "".join(f"2024-01-01T{hour:02}:{minute}Z,{hour + int(minute) / 60}\n" for hour in range(24) for minute in ("00", "30"))
    bad = "".join(f'2024-01-02T{number:02}:00Z,"{cell.replace(chr(34), chr(34) * 2)}"\n' for number, cell in enumerate(cells))
    path.write_bytes(f"interval_start,demand_mwh\n{good}{bad}".encode(errors="surrogateescape"))
    given = SeriesSettings(
        id="hostile", name=name, region="AU-VIC", time_zone="Australia/Melbourne", source="csv", options={"path": str(path)}
    )
    service = Service(settings, store, utc("2024-02-01 00:00"))
    report = ingest(service, given, utc("2024-01-03 00:00"))
    assert report.added[Quantity.DEMAND].new == 48
    assert report.added[Quantity.DEMAND].quarantined == len(cells)
    series = store.readings.series("hostile")
    assert isinstance(series, Series)
    assert series.name == name


def test_a_column_of_any_name_is_only_looked_for(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("interval_start,demand_mwh\n2024-01-01T00:00Z,5\n")
    for name in ("value; DROP TABLE x", 'a"b', "'", "\x00", "x" * 5000, ANSI):
        with pytest.raises(SourceError, match="has no column called") as caught:
            list(CsvSource(Web(), path=str(path), demand=name).read(make_series(), START, START))
        assert harmless(str(caught.value))


# Messages


def test_a_mail_in_html_shows_markup_as_text(mailbox: Mailbox) -> None:
    told = "<script>alert(1)</script> <img src=x onerror=y> & <a href='https://evil.example'>click</a>"
    send(f"{mailbox.url}&format=html", "firing", f"[fortnight] PAGE {told}", f"What: {told}", None)
    (mail,) = mailbox.mails
    body = mail.get_body(("html",))
    assert body is not None
    page = body.get_content()
    assert "<script" not in page
    assert "<img" not in page
    assert "<a " not in page
    assert "&lt;script&gt;" in page


def test_a_subject_cannot_bring_headers_of_its_own(mailbox: Mailbox) -> None:
    send(mailbox.url, "firing", "subject\r\nBcc: evil@example.org\r\n\r\nbody", "text", None)
    (mail,) = mailbox.mails
    assert mail["Bcc"] is None
    assert "evil@example.org" in str(mail["Subject"])


def test_a_message_of_hostile_findings_is_sent_whole(store: Store, settings: Settings, httpserver: HTTPServer) -> None:
    from forecasting.jobs.deliver import deliver

    httpserver.expect_request("/hook").respond_with_data("")
    register(store, ["vic"])
    url = SecretStr(f"json://127.0.0.1:{httpserver.port}/hook")
    alerts = AlertSettings(channels={"hook": ChannelSettings(url=url)})
    service = Service(settings.model_copy(update={"alerts": alerts}), store, START)
    told = f"{QUOTES} {MARKUP} <script> {{{{ 7*7 }}}} ${{jndi:ldap://x}}"
    bad = replace(finding(), message=told, cause=told, picture="/etc/passwd")
    record(service, [bad], START)
    assert deliver(service, START).sent == 2
    ((request, _),) = httpserver.log
    sent = request.get_json()
    assert told in sent["message"]
    assert sent["attachments"] == []
