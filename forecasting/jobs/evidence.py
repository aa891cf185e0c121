"""What a watch knows of one series at a moment: how its forecasts did, what its readings are like, and who is in charge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np

from forecasting import drift
from forecasting.domain import DAILY, QUANTILES, Information, Quantity, Series
from forecasting.errors import HistoryError
from forecasting.history import History
from forecasting.jobs.history import known_history
from forecasting.metrics import mean_pinball
from forecasting.service import Service, demand_series, temperature_series
from forecasting.settings import SeriesSettings
from forecasting.store.versions import ValidationLoss
from forecasting.store.watched import WatchedForecast, WatchedIssue
from forecasting.watching.band import Band, judge_bands
from forecasting.watching.cause import Evidence, InCharge
from forecasting.watching.feed import Trouble, troubles
from forecasting.watching.inputs import Moved, judge_inputs, missing_temperature
from forecasting.watching.realised import NAIVE, PREDECESSOR, Realised, RealisedLoss, judge_realised
from forecasting.watching.time_shift import judge_shift

MOST_LEADS = 14
WEEK = 7
QUARANTINE_DAYS = 3
"""What was refused of the newest days ails the feed now; what is older is history."""
REFUSAL_DAYS = 7


@dataclass(frozen=True)
class Seen:
    """Everything that rules judge of a series. What cannot be known at the moment is empty.

    stale_hours: how much older the newest reading is than its declared delay.
    missing: readings of the last week that lie in holes, of so many `due`.
    scale_mwh: mean energy of a day.
    """

    series: Series
    evidence: Evidence
    realised: Realised
    losses: Sequence[RealisedLoss]
    scale_mwh: float
    bands: Sequence[Band]
    issues: Sequence[WatchedIssue]
    newest: WatchedForecast | None
    newest_reading_end: datetime | None
    stale_hours: float
    missing: int
    missing_since: datetime | None
    due: int
    quarantined: Mapping[str, int]
    quarantined_since: Mapping[str, datetime]
    refusals: Sequence[str]
    troubles: Sequence[Trouble]
    validation: drift.Verdict
    validation_losses: Sequence[ValidationLoss]
    reads_weather: bool
    temperature_missing: float

    @property
    def ill(self) -> bool:
        """Its readings are missing or wrong, so that its losses tell nothing of forecasts."""
        shift = self.evidence.shift
        return self.stale_hours > 0 or bool(self.troubles) or (shift is not None and shift.state is drift.State.DRIFTING)


def see(service: Service, given: SeriesSettings, as_of: datetime) -> Seen:
    """Look at a registered series as it was known at `as_of`."""
    store, settings, series = service.store, service.settings.drift, demand_series(given)
    key = store.readings.key(series)
    history = _history(service, given, as_of)
    since = as_of - timedelta(days=max(settings.band.alike_days, settings.realised.reference_days[0]) + MOST_LEADS + WEEK)
    rows = store.watched.forecasts(key, DAILY, since, as_of, MOST_LEADS)
    issues = store.watched.issues(key, DAILY, as_of, WEEK)
    losses = [] if history is None else realised_losses(rows, history, settings.leads)
    realised = judge_realised(losses, settings)
    newest = store.readings.newest(series, as_of)
    newest_end = None if newest is None else newest + series.interval
    late = timedelta(0) if newest_end is None else as_of - series.publication_delay - newest_end
    quarantined = store.watched.quarantined(key, as_of - timedelta(days=QUARANTINE_DAYS), as_of)
    missing, missing_since = store.watched.gaps(key, as_of - timedelta(days=WEEK), as_of)
    refusals = store.watched.refusals(key, as_of - timedelta(days=REFUSAL_DAYS), as_of)
    due = round(timedelta(days=QUARANTINE_DAYS) / series.interval)
    counts = {reason: count for reason, (count, _) in quarantined.items()}
    found = troubles(counts, due, settings.feed, refusals)
    validation_losses = store.versions.validation_losses(key, DAILY, as_of)
    reads_weather = service.settings.model.information != Information.U and _has_weather(service, given)
    no_temperature = missing_temperature(history, WEEK) if reads_weather and history is not None else 0.0
    stale = max(0.0, late / timedelta(hours=1) - service.settings.ingest.stale_hours)
    shift = judge_shift(history, settings.shift) if history is not None else None
    moved: Sequence[Moved] = judge_inputs(history, settings.inputs) if history is not None else []
    share = float(np.mean([issue.tier != "champion" for issue in issues])) if issues else 0.0
    return Seen(
        series=series,
        evidence=Evidence(realised, _in_charge(rows, series), shift, found, stale, share, no_temperature, moved),
        realised=realised,
        losses=losses,
        scale_mwh=0.0 if history is None else float(history.energy_mwh.mean()),
        bands=[] if history is None else _bands(service, rows, history),
        issues=issues,
        newest=rows[-1] if rows else None,
        newest_reading_end=newest_end,
        stale_hours=stale,
        missing=missing,
        missing_since=missing_since,
        due=round(timedelta(days=WEEK) / series.interval),
        quarantined=counts,
        quarantined_since={reason: first for reason, (_, first) in quarantined.items()},
        refusals=refusals,
        troubles=found,
        validation=drift.judge([drift.Loss(row.as_of, row.model_mwh, row.weekly_naive_mwh) for row in validation_losses], settings),
        validation_losses=validation_losses,
        reads_weather=reads_weather,
        temperature_missing=no_temperature,
    )


def realised_losses(rows: Sequence[WatchedForecast], history: History, leads: int) -> list[RealisedLoss]:
    """Mean pinball loss by target day, over leads 1 to `leads`, of what was published, of its predecessor and of weekly naive.

    Weekly naive repeats the newest same weekday before the origin, as power; a point loses half its absolute error.
    """
    energy = _measured(history)
    hours = history.weights.sum(axis=1)
    by_day: dict[date, list[tuple[float, float | None, float]]] = {}
    for row in rows:
        at = _position(row, history)
        back = at - WEEK * -(-row.lead // WEEK)
        if row.lead > leads or back < 0 or at >= len(history) or np.isnan(energy[at]) or np.isnan(energy[back]):
            continue
        naive = 0.5 * abs(energy[at] - energy[back] * hours[at] / hours[back])
        own = _loss(energy[at], row.q10, row.q50, row.q90)
        before = None
        if row.before_q10 is not None and row.before_q50 is not None and row.before_q90 is not None:
            before = _loss(energy[at], row.before_q10, row.before_q50, row.before_q90)
        by_day.setdefault(history.days[at].date(), []).append((own, before, naive))
    found = []
    for day, told in sorted(by_day.items()):
        if len(told) < leads:
            continue
        others = {NAIVE: float(np.mean([naive for _, _, naive in told]))}
        befores = [before for _, before, _ in told if before is not None]
        if len(befores) == len(told):
            others[PREDECESSOR] = float(np.mean(befores))
        found.append(RealisedLoss(day, float(np.mean([own for own, _, _ in told])), others))
    return found


def _loss(actual: float, *quantiles: float) -> float:
    return float(mean_pinball(np.array([actual]), np.array([quantiles]), QUANTILES))


def _history(service: Service, given: SeriesSettings, as_of: datetime) -> History | None:
    try:
        return known_history(service, given, as_of)
    except HistoryError:  # other rules tell that nothing is known
        return None


def _has_weather(service: Service, given: SeriesSettings) -> bool:
    series = demand_series(given).companion(Quantity.TEMPERATURE) if given.weather is None else temperature_series(given)
    stored = service.store.readings.series(series.series_id)
    return stored is not None and service.store.readings.newest(stored, service.now) is not None


def _measured(history: History) -> np.ndarray:
    return np.where(history.filled, np.nan, history.energy_mwh)


def _position(row: WatchedForecast, history: History) -> int:
    local = row.target_start.astimezone(history.series.zone).date()
    return int((local - history.days[0].date()).days)


def _in_charge(rows: Sequence[WatchedForecast], series: Series) -> InCharge | None:
    """The version of the newest forecasts, and the day of its first in a row."""
    firsts = [row for row in rows if row.lead == 1]
    if not firsts or firsts[-1].version is None or firsts[-1].family is None:
        return None
    newest = first = firsts[-1]
    for row in reversed(firsts):
        if row.version != newest.version:
            break
        first = row
    assert newest.family is not None
    assert newest.version is not None
    return InCharge(newest.family, newest.version, first.target_start.astimezone(series.zone).date())


def _bands(service: Service, rows: Sequence[WatchedForecast], history: History) -> list[Band]:
    settings = service.settings.drift.band
    energy, days = _measured(history), settings.alike_days
    first = len(history) - days
    table = np.full((4, days, MOST_LEADS), np.nan)
    for row in rows:
        at = _position(row, history)
        if first <= at < len(history) and at >= 0:
            table[:, at - first, row.lead - 1] = energy[at], row.q10, row.q50, row.q90
    actual, lower, median, upper = table
    return judge_bands(actual, lower, median, upper, settings)
