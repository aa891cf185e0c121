"""Messages leave the outbox: once where all goes well, again where it does not, and never lost."""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from forecasting.jobs.alerting import record
from forecasting.jobs.deliver import LONGEST_PAUSE, Delivered, deliver, deliver_or_leave, pause, try_channels
from forecasting.service import Service
from forecasting.settings import AlertSettings, ChannelSettings, Settings
from forecasting.store import Store
from tests.alerts.builders import DAY, HOUR, START, finding, register
from tests.alerts.conftest import Mailbox

MINUTE = timedelta(minutes=1)
CHECKOUT = Path(__file__).resolve().parents[2]


@contextmanager
def served(settings: Settings, store: Store, *, tries: int = 4, **urls: str) -> Iterator[Service]:
    """A service with these channels and one page that waits."""
    register(store, ["vic"])
    channels = {name: ChannelSettings(url=SecretStr(url)) for name, url in urls.items()}
    alerts = AlertSettings(channels=channels, tries=tries)
    service = Service(settings.model_copy(update={"alerts": alerts}), store, START)
    record(service, [finding()], START)
    yield service


def rows(store: Store) -> list[tuple[object, ...]]:
    query = """SELECT channel, attempts, sent_at IS NOT NULL, given_up_at IS NOT NULL, last_error
               FROM fortnight.notification ORDER BY notification_id"""
    return store.connection.execute(query).fetchall()


def test_a_message_goes_to_every_channel_once(
    settings: Settings, store: Store, mailbox: Mailbox, webhook: str, httpserver: HTTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    httpserver.expect_request("/hooks/sesame-token").respond_with_data("thanks")
    with served(settings, store, mail=mailbox.url, hook=webhook) as service:
        assert deliver(service, START) == Delivered(sent=3)
        assert deliver(service, START + DAY) == Delivered()
    assert [mail["Subject"] for mail in mailbox.mails] == ["[fortnight] PAGE vic: readings are stale"]
    assert len(httpserver.log) == 1
    assert "PAGE vic: readings are stale\nvic: readings are stale." in caplog.text


def test_what_is_not_taken_is_tried_again_later(settings: Settings, store: Store, webhook: str, httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request("/hooks/sesame-token").respond_with_data("no", status=500)
    httpserver.expect_ordered_request("/hooks/sesame-token").respond_with_data("thanks")
    with served(settings, store, hook=webhook) as service:
        assert deliver(service, START) == Delivered(sent=1, failed=1)
        assert deliver(service, START + MINUTE / 2) == Delivered(), "it waits a minute"
        assert deliver(service, START + MINUTE) == Delivered(sent=1)
    channel, attempts, sent, given_up, error = rows(store)[1]
    assert (channel, attempts, sent, given_up) == ("hook", 2, True, False)
    assert "error=500" in str(error)
    assert "sesame" not in str(error)


def test_after_several_tries_a_message_is_given_up_and_kept(
    settings: Settings, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with served(settings, store, tries=3, hook="json://127.0.0.1:9/sesame") as service:
        told = [deliver(service, START + day * DAY) for day in range(5)]
    assert told == [Delivered(1, 1), Delivered(failed=1), Delivered(given_up=1), Delivered(), Delivered()]
    (left,) = store.outbox.unsent(START)
    assert (left.channel, left.attempts, left.given_up_at) == ("hook", 3, START + 2 * DAY)
    (error,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert "to channel hook is given up after 3 of 3 tries" in error.getMessage()
    assert "sesame" not in caplog.text
    assert store.outbox.unsent(START + 3 * DAY) == []


def test_the_pause_doubles_up_to_six_hours() -> None:
    settings = AlertSettings(backoff_minutes=1)
    assert [pause(settings, attempts) for attempts in range(3)] == [MINUTE, 2 * MINUTE, 4 * MINUTE]
    assert pause(settings, 9) == pause(settings, 10_000) == LONGEST_PAUSE


def test_a_channel_that_is_down_is_asked_once_a_delivery_and_holds_up_no_other(
    settings: Settings, store: Store, webhook: str, httpserver: HTTPServer, mailbox: Mailbox
) -> None:
    httpserver.expect_request("/hooks/sesame-token").respond_with_data("no", status=500)
    with served(settings, store, hook=webhook, mail=mailbox.url) as service:
        record(service, [finding("forecast_missing"), finding("feed_scale")], START + HOUR)
        assert deliver(service, START) == Delivered(sent=6, failed=1)
        assert deliver(service, START) == Delivered(), "nor once for each series of a run"
        assert (len(mailbox.mails), len(httpserver.log)) == (3, 1)
        assert [row[1] for row in rows(store) if row[0] == "hook"] == [1, 0, 0]
        assert deliver(service, START + MINUTE) == Delivered(failed=1)
        store.connection.execute("UPDATE fortnight.notification SET attempts = 2 WHERE channel = 'hook'")
        assert deliver(service, START + 10 * MINUTE) == Delivered(failed=1), "nor once for each message that has failed before"
        httpserver.clear()
        httpserver.expect_request("/hooks/sesame-token").respond_with_data("thanks")
        assert deliver(service, START + HOUR) == Delivered(sent=3)


def test_a_channel_that_is_no_more_or_has_no_address_is_a_failure_with_a_remedy(settings: Settings, store: Store) -> None:
    with served(settings, store, old="json://127.0.0.1:9") as service:
        nameless = AlertSettings(channels={"old": ChannelSettings(url_env="NOBODY_SETS_THIS")})
        deliver(replace(service, settings=settings.model_copy(update={"alerts": nameless})), START)
        assert "NOBODY_SETS_THIS is not set; let it hold" in str(rows(store)[1][4])
        deliver(replace(service, settings=settings), START + DAY)
        assert "there is no alert channel 'old'; describe it again" in str(rows(store)[1][4])


def test_two_deliverers_at_once_send_each_message_once(settings: Settings, store: Store, dsn: str) -> None:
    arrived: list[str] = []
    both = threading.Barrier(2, timeout=20)

    def answer(request: Request) -> Response:
        arrived.append(request.get_json()["title"])
        if len(arrived) <= 2:
            both.wait()  # each deliverer holds a message at the same time
        return Response(status=200)

    def one(_: int) -> int:
        with Store(dsn) as own:
            return deliver(replace(service, store=own), START).sent

    with HTTPServer(host="127.0.0.1", port=0, threaded=True) as server, ThreadPoolExecutor(2) as pool:
        server.expect_request("/hook").respond_with_handler(answer)
        with served(settings, store, hook=f"json://127.0.0.1:{server.port}/hook?rto=30") as service:
            record(service, [finding("forecast_missing"), finding("feed_scale"), finding("time_shift")], START + HOUR)
            assert sum(pool.map(one, range(2))) == 8
    assert len(arrived) == len(set(arrived)) == 4


def test_a_lost_database_fails_no_run(settings: Settings, store: Store, dsn: str, caplog: pytest.LogCaptureFixture) -> None:
    with served(settings, store) as service, Store(dsn) as other:
        (pid,) = other.connection.execute("SELECT pg_backend_pid()").fetchone() or (None,)
        store.connection.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
        deliver_or_leave(replace(service, store=other), START)
        assert "messages could not be delivered" in caplog.text
        assert deliver(service, START).sent == 1


def test_every_channel_is_tried_and_told_of(settings: Settings, store: Store, mailbox: Mailbox) -> None:
    with served(settings, store, mail=mailbox.url, hook="json://127.0.0.1:9/sesame") as service:
        told = try_channels(service.settings.alerts, START)
    assert (told["log"], told["mail"]) == (None, None)
    assert "not taken" in str(told["hook"])
    assert "sesame" not in str(told)
    assert mailbox.mails[0]["Subject"] == "[fortnight] TEST"


DELIVER = """
from datetime import UTC, datetime
from forecasting.jobs.deliver import deliver
from forecasting.service import open_service
from forecasting.settings import load_settings
now = datetime(2014, 1, 2, tzinfo=UTC)
with open_service(load_settings(), now) as service:
    print(deliver(service, now))
"""


def test_killed_while_the_receiver_hangs_the_next_run_sends_it(
    settings: Settings, store: Store, dsn: str, webhook: str, httpserver: HTTPServer
) -> None:
    hanging, let_go = threading.Event(), threading.Event()

    def hang(request: Request) -> Response:
        hanging.set()
        let_go.wait(60)
        return Response(status=200)

    httpserver.expect_oneshot_request("/hooks/sesame-token").respond_with_handler(hang)
    url = webhook.replace("rto=5", "rto=60")
    ours = {"HOME": str(settings.home), "DATABASE_URL": dsn, "ALERTS__CHANNELS__HOOK__URL": url}
    environment = {**os.environ, **{f"FORTNIGHT_{name}": value for name, value in ours.items()}}
    command = [sys.executable, "-c", DELIVER]
    with served(settings, store, hook=url):
        process = subprocess.Popen(command, env=environment, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert hanging.wait(60)
        assert rows(store)[1][2] is False, "it has not arrived"
        process.send_signal(signal.SIGKILL)
        process.communicate()
    let_go.set()
    assert rows(store)[1][1:4] == (0, False, False), "as if it had never been tried"
    httpserver.expect_oneshot_request("/hooks/sesame-token").respond_with_data("thanks")
    done = subprocess.run(command, env=environment, cwd=CHECKOUT, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "1 messages sent", done.stderr
    assert rows(store)[1][1:4] == (1, True, False)
