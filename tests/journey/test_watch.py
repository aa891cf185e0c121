"""A drift of validation losses, from rows to an alert and back."""

import logging
from datetime import timedelta

import pytest

from forecasting.jobs.watch import watch
from forecasting.service import choose_series, demand_series, open_service
from forecasting.settings import Settings
from tests.store.builders import START, add_version, new_version, score_row

DAY = timedelta(days=1)
STEADY_DAYS, DRIFTING_DAYS = 80, 5


def test_a_drift_opens_one_alert_and_logs_it_and_its_end_resolves_it(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "forecasting")
    given = choose_series(settings, source="csv")[0]
    with open_service(settings, START) as service:
        service.store.readings.register(demand_series(given))
        key = service.store.readings.key(demand_series(given))

        def retrained(day: int, loss: float) -> None:
            scores = [score_row("candidate", loss, day + 1), score_row("weekly_naive", 5.0)]
            add_version(service.store, new_version(key, day + 1, START + day * DAY), scores)

        def alerts() -> list[tuple[object, ...]]:
            query = "SELECT rule, fired_as_of, resolved_as_of FROM fortnight.alert ORDER BY alert_id"
            return service.store.connection.execute(query).fetchall()

        for day in range(STEADY_DAYS):
            retrained(day, 3.0 + 0.02 * (day % 5))
            assert not watch(service, [(given, START + day * DAY)]).recorded.fired
        for day in range(STEADY_DAYS, STEADY_DAYS + DRIFTING_DAYS):
            retrained(day, 4.8)
            watch(service, [(given, START + day * DAY)])
        opened = START + (STEADY_DAYS + 2) * DAY
        assert alerts() == [("validation_loss_drift", opened, None)], "the third bad day of five opens it, once"
        warning = next(record for record in caplog.records if record.levelno == logging.WARNING)
        assert "PAGE vic: the validation loss has drifted" in warning.getMessage()
        assert "fortnight-vic-daily version 83" in warning.getMessage()

        for day in range(STEADY_DAYS + DRIFTING_DAYS, STEADY_DAYS + DRIFTING_DAYS + 4):
            retrained(day, 3.0)
            watch(service, [(given, START + day * DAY)])
        resolved = START + (STEADY_DAYS + DRIFTING_DAYS + 2) * DAY
        assert alerts() == [("validation_loss_drift", opened, resolved)]
        assert any("RESOLVED vic" in record.getMessage() for record in caplog.records)


def test_no_alert_before_there_is_enough_to_compare_with(settings: Settings) -> None:
    given = choose_series(settings, source="csv")[0]
    with open_service(settings, START) as service:
        service.store.readings.register(demand_series(given))
        key = service.store.readings.key(demand_series(given))
        for day in range(20):
            scores = [score_row("candidate", 3.0 if day < 10 else 9.0, day + 1), score_row("weekly_naive", 5.0)]
            add_version(service.store, new_version(key, day + 1, START + day * DAY), scores)
        report = watch(service, [(given, START + 20 * DAY)])
        assert next(finding for finding in report.findings if finding.rule == "validation_loss_drift").bad is None
        assert service.store.connection.execute("SELECT count(*) FROM fortnight.alert").fetchone() == (0,)
