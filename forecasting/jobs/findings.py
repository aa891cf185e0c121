"""From what was seen to findings: one function a rule. A finding that is not bad ends an episode; None cannot be judged."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from forecasting.calendar import day_start
from forecasting.domain import Finding, Series
from forecasting.drift import State
from forecasting.jobs.evidence import Seen
from forecasting.rules import RULES
from forecasting.settings import Settings
from forecasting.watching.band import Band
from forecasting.watching.cause import Cause, Evidence, likely_cause
from forecasting.watching.feed import Fault, fault_of
from forecasting.watching.realised import Realised, judge_realised, pooled

FORECAST_HOURS = 36
"""A newest issue older than this means that publishing has stopped."""
FEED_RULES: Mapping[str, tuple[Fault, ...]] = {"feed_frozen": (Fault.FROZEN,), "feed_scale": (Fault.SCALE,)}
MANY_MISSING = 0.05
"""Share of the last week's readings."""
LOOK = "see the rows: fortnight psql -- -c 'SELECT reason, raw FROM fortnight.quarantine ORDER BY quarantine_id DESC LIMIT 20'"
LOSSES = ("loss_drift", "loss_drift_series")
OF_MODELS = (*LOSSES, "validation_loss_drift", "coverage_off", "bias_by_lead")
FEW_ROWS = 4
"""Quarantined rows of the last days that are nobody's business."""


def of_series(seen: Seen, as_of: datetime, settings: Settings, *, alone: bool) -> list[Finding]:
    """Everything about one series.

    Args:
        alone: it is the only series, so that what is said of all together says it all.
    """
    found = [rule(seen, as_of, settings) for rule in OF_SERIES]
    if not alone:
        found.append(_loss(seen, as_of, settings))
    return [_linked(finding, seen) for finding in found]


def of_all(every: Sequence[Seen], as_of: datetime, settings: Settings) -> list[Finding]:
    """What is judged of all series together: the pooled loss, by which a person is called."""
    sound = [seen for seen in every if not seen.ill]
    if not sound:
        return [_finding("loss_drift", None, None, as_of, "the readings of every series are missing or wrong")]
    losses = {seen.series.series_id: seen.losses for seen in sound}
    scales = {seen.series.series_id: seen.scale_mwh for seen in sound}
    pool = judge_realised(pooled(losses, scales, settings.drift.pool_min_share), settings.drift)
    worst = max(sound, key=lambda seen: _evidence(seen.realised))
    told = f"all {len(every)} series together: {pool}" if len(every) > 1 else f"{worst.series.series_id}: {pool}"
    evidence = replace(worst.evidence, realised=pool)
    return [_linked(_drift("loss_drift", None, pool, evidence, told, worst.series, as_of, settings), worst)]


def _drift(
    rule: str,
    series_id: str | None,
    realised: Realised,
    evidence: Evidence,
    told: str,
    series: Series,
    as_of: datetime,
    settings: Settings,
) -> Finding:
    if realised.state is State.TOO_EARLY:
        return _finding(rule, series_id, None, as_of, told)
    worst = next(iter(realised.drifting.values()), None)
    if worst is None:
        return _finding(rule, series_id, False, as_of, told)
    likely = likely_cause(evidence, settings.drift)
    cause, remedy = ("", "") if likely is None else (likely.sentence, likely.remedy)
    finding = _finding(rule, series_id, True, _began(worst.since, series, as_of), told)
    return replace(finding, cause=cause, remedy=remedy, score=worst.z)


def _loss(seen: Seen, as_of: datetime, settings: Settings) -> Finding:
    series = seen.series
    return _drift("loss_drift_series", series.series_id, seen.realised, seen.evidence, str(seen.realised), series, as_of, settings)


def _stale(seen: Seen, as_of: datetime, settings: Settings) -> Finding:
    end = seen.newest_reading_end
    if end is None:
        return _of("readings_stale", seen, None, as_of, "nothing is known yet")
    allowed = settings.ingest.stale_hours
    overdue = (as_of - seen.series.publication_delay - end) / timedelta(hours=1)
    told = f"the next reading is {max(overdue, 0):.0f} hours overdue, {allowed:.0f} are allowed"
    finding = _of("readings_stale", seen, seen.stale_hours > 0, end + seen.series.publication_delay, told)
    return replace(finding, score=seen.stale_hours, cause=_feed_cause(seen) or "the feed brings nothing new")


def _feed(rule: str) -> Callable[[Seen, datetime, Settings], Finding]:
    def judge(seen: Seen, as_of: datetime, settings: Settings) -> Finding:  # noqa: ARG001
        trouble = next((each for each in seen.troubles if each.fault in FEED_RULES[rule]), None)
        if trouble is None:
            return _of(rule, seen, False, as_of, "nothing of the kind in quarantine")
        firsts = [first for reason, first in seen.quarantined_since.items() if fault_of(reason) is trouble.fault]
        finding = _of(rule, seen, True, min(firsts, default=as_of), trouble.sentence)
        return replace(finding, cause=trouble.sentence, remedy=f"{trouble.remedy}; {LOOK}", score=float(trouble.rows))

    return judge


def _refused(seen: Seen, as_of: datetime, settings: Settings) -> Finding:  # noqa: ARG001
    count = len(seen.refusals)
    told = f"{count} runs in a row brought nothing: {seen.refusals[-1]}" if count else "deliveries are taken"
    finding = _of("feed_refused", seen, count > 0, as_of, told)
    return replace(finding, cause=_feed_cause(seen) or (seen.refusals[-1] if count else ""), score=float(count))


def _gaps(seen: Seen, as_of: datetime, settings: Settings) -> Finding:  # noqa: ARG001
    told = f"{seen.missing} of the {seen.due} readings of the last week are missing"
    bad = seen.missing >= MANY_MISSING * seen.due
    return replace(_of("gaps_growing", seen, bad, seen.missing_since or as_of, told), score=float(seen.missing))


def _quarantine(seen: Seen, as_of: datetime, settings: Settings) -> Finding:  # noqa: ARG001
    count = sum(seen.quarantined.values())
    reasons = "; ".join(f"{reason}: {number}" for reason, number in list(seen.quarantined.items())[:3])
    told = f"{count} rows of the last days wait in quarantine" + (f" ({reasons})" if count else "")
    since = min(seen.quarantined_since.values(), default=as_of)
    return replace(_of("quarantine_growing", seen, count > FEW_ROWS, since, told), score=float(count), cause=reasons)


def _shift(seen: Seen, as_of: datetime, settings: Settings) -> Finding:
    shift = seen.evidence.shift
    if shift is None or shift.state is State.TOO_EARLY:
        return _of("time_shift", seen, None, as_of, "too early to judge the time of day")
    bad = shift.state is State.DRIFTING
    since = _began(shift.since, seen.series, as_of)
    likely = likely_cause(seen.evidence, settings.drift)
    finding = _of("time_shift", seen, bad, since, str(shift))
    if bad and likely is not None and likely.cause is Cause.TIME_SHIFT:
        return replace(finding, cause=likely.sentence, remedy=likely.remedy)
    return finding


def _inputs(seen: Seen, as_of: datetime, settings: Settings) -> Finding:  # noqa: ARG001
    judged = [moved for moved in seen.evidence.moved if moved.state is not State.TOO_EARLY]
    bad = [moved for moved in judged if moved.state is State.DRIFTING]
    told = "; ".join(str(moved) for moved in bad or judged)
    return replace(_of("inputs_moved", seen, bool(bad) if judged else None, as_of, told), cause=told if bad else "")


def _bands(rule: str) -> Callable[[Seen, datetime, Settings], Finding]:
    def judge(seen: Seen, as_of: datetime, settings: Settings) -> Finding:
        judged = [band for band in seen.bands if band.coverage is not None]
        if not judged:
            return _of(rule, seen, None, as_of, "too few days")
        limit = settings.drift.band.z_limit
        off = [band for band in judged if (abs(band.z or 0.0) > limit if rule == "bias_by_lead" else _uncovered(band))]
        return _of(rule, seen, bool(off), as_of, "; ".join(str(band) for band in off or judged))

    return judge


def _uncovered(band: Band) -> bool:
    assert band.coverage is not None
    assert band.low is not None
    assert band.high is not None
    return not band.low <= band.coverage <= band.high


def _missing_forecast(seen: Seen, as_of: datetime, settings: Settings) -> Finding:  # noqa: ARG001
    if not seen.issues:
        return _of(
            "forecast_missing", seen, None if seen.newest_reading_end is None else True, as_of, "there is no forecast at all"
        )
    newest = seen.issues[0]
    age = (as_of - newest.readings_as_of) / timedelta(hours=1)
    told = f"the newest forecast was made from what was known {newest.readings_as_of:%F %H:%M}Z, {age:.0f} hours ago"
    return replace(_of("forecast_missing", seen, age > FORECAST_HOURS, newest.readings_as_of, told), score=age)


def _fallback(seen: Seen, as_of: datetime, settings: Settings) -> Finding:
    if not seen.issues:
        return _of("fallback_share", seen, None, as_of, "there is no forecast")
    share, newest = seen.evidence.fallback_share, seen.issues[0]
    bad = share >= settings.drift.many_fallbacks and newest.tier != "champion"
    told = f"{share:.0%} of the last {len(seen.issues)} forecasts are of a fallback tier"
    finding = _of("fallback_share", seen, bad, min(issue.readings_as_of for issue in seen.issues), told)
    return replace(finding, cause=newest.reason or "", score=share, issue_id=newest.issue_id)


def _weather(seen: Seen, as_of: datetime, settings: Settings) -> Finding:
    share = seen.temperature_missing
    bad = seen.reads_weather and share >= settings.drift.many_without_temperature
    return replace(
        _of("weather_missing", seen, bad, as_of, f"{share:.0%} of the last week's temperatures are missing"), score=share
    )


def _validation(seen: Seen, as_of: datetime, settings: Settings) -> Finding:  # noqa: ARG001
    verdict, rows = seen.validation, seen.validation_losses
    bad = None if verdict.state is State.TOO_EARLY else verdict.state is State.DRIFTING
    champion = f"; champion {rows[-1].model_name} version {rows[-1].version}" if rows else ""
    since = rows[-1].as_of if rows else as_of
    return replace(_of("validation_loss_drift", seen, bad, since, f"{verdict}{champion}"), score=verdict.z)


OF_SERIES: Sequence[Callable[[Seen, datetime, Settings], Finding]] = (
    _stale,
    _feed("feed_frozen"),
    _feed("feed_scale"),
    _refused,
    _gaps,
    _quarantine,
    _shift,
    _inputs,
    _bands("coverage_off"),
    _bands("bias_by_lead"),
    _missing_forecast,
    _fallback,
    _weather,
    _validation,
)
"""A new rule is one function here and one entry in RULES."""


def _of(rule: str, seen: Seen, bad: bool | None, since: datetime, told: str) -> Finding:
    return _finding(rule, seen.series.series_id, bad, since, told)


def _finding(rule: str, series_id: str | None, bad: bool | None, since: datetime, told: str) -> Finding:
    return Finding(rule, series_id, bad, since, RULES[rule].severity, told)


def _linked(finding: Finding, seen: Seen) -> Finding:
    """With the run and the issue that it is about."""
    if seen.newest is None or not seen.issues:
        return finding
    newest = seen.issues[0]
    issue_id = seen.newest.issue_id if finding.rule in LOSSES else finding.issue_id or newest.issue_id
    run = seen.newest.mlflow_run_id if finding.rule in OF_MODELS else None
    message = finding.message
    if finding.bad and finding.rule not in OF_MODELS:
        first = newest.origin.astimezone(seen.series.zone)
        message = f"{message}; consumers have issue {newest.issue_id} (tier {newest.tier}, from {first:%a %d %b %Y} on)"
    return replace(finding, message=message, mlflow_run_id=run, issue_id=issue_id)


def _feed_cause(seen: Seen) -> str:
    return "; ".join(trouble.sentence for trouble in seen.troubles)


def _evidence(realised: Realised) -> float:
    return max((found.z or 0.0 for found in realised.against.values()), default=0.0)


def _began(day: date | None, series: Series, as_of: datetime) -> datetime:
    return as_of if day is None else min(day_start(day, series.zone), as_of)
