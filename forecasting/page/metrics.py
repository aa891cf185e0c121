"""Metrics for Prometheus, read from what is published at each scrape."""

import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from forecasting.errors import StoreError
from forecasting.page.content import Content
from forecasting.page.drift import Drift
from forecasting.page.rendering import SCHEMA, VERSION
from forecasting.page.standing import Judged
from forecasting.store.published import PublishedAlert, Retrain, Step
from forecasting.store.reader import Published

TIERS = ("champion", "last_good", "weekly_naive")
FEEDS = ("demand", "weather", "registry", "model")
SEVERITIES = ("page", "digest")
OUTCOMES = ("done", "failed", "died")
LATELY = timedelta(days=14)
TOGETHER = "*"
"""Label of what is about all series together; no series has such an id."""


def metrics(content: Content, now: datetime, accept: str) -> tuple[bytes, str]:
    """The answer to a scrape, and its content type.

    Args:
        accept: the header by which the scraper says what it understands.
    """
    registry = CollectorRegistry()
    registry.register(Scrape(content, now))
    ProcessCollector(registry=registry)
    encode, kind = choose_encoder(accept)
    return encode(registry), kind


class Scrape(Collector):
    """One look. A database that cannot be read leaves `fortnight_up` 0 and little else."""

    def __init__(self, content: Content, now: datetime) -> None:
        self.content, self.now = content, now

    def describe(self) -> Iterable[Metric]:
        """Nothing is read just to be registered."""
        return []

    def collect(self) -> Iterable[Metric]:
        begun = time.perf_counter()
        info = _gauge(
            "fortnight_build_info", "What code answers, and the schema that it is made for; always 1.", "version", "schema"
        )
        info.add_metric([VERSION, SCHEMA], 1)
        up = _gauge("fortnight_up", "Whether the database could be read: 1, or 0.")
        try:
            with self.content.reader.open() as published:
                found = list(self._read(published))
        except StoreError:
            up.add_metric([], 0)
            return [info, up]
        up.add_metric([], 1)
        took = _gauge("fortnight_scrape_seconds", "How long this look at the database took, in seconds.")
        took.add_metric([], time.perf_counter() - begun)
        return [info, up, *found, took]

    def _read(self, published: Published) -> Iterator[Metric]:
        judged = self.content.judged(published, self.now)
        yield from _standing(judged, self.now)
        yield _alerts(judged, published.alerts(None, 0))
        yield from _validation(published.retrains())
        yield from _jobs(published.last_steps(self.now - LATELY))
        standings = [each.standing for each in judged]
        drifts = {TOGETHER: self.content.losses.pooled(published, standings)[0]}
        drifts |= {s.series_id: self.content.losses.drift(published, s) for s in standings if self.content.losses.is_read(s)}
        yield from _drift(drifts)


def _standing(judged: Sequence[Judged], now: datetime) -> Iterator[Metric]:
    def per_series(name: str, words: str, *more: str) -> GaugeMetricFamily:
        return _gauge(f"fortnight_{name}", words, "series", *more)

    level = per_series("status_level", "How the series stands: 0 well, 1 needs a look, 2 alarm.")
    healthy = per_series("forecast_fresh", "Whether a forecast of the next fourteen days is there in time: 1, or 0.")
    readings = per_series("readings_age_seconds", "How long ago the newest reading ends, in seconds.")
    issue = per_series("issue_age_seconds", "How long ago the newest forecast became ready, in seconds.")
    origin = per_series("origin_age_seconds", "How long ago the last day ends that the newest forecast knows, in seconds.")
    reach = per_series("forecast_reach_seconds", "How far the newest forecast reaches from now on, in seconds.")
    tier = per_series("forecast_tier", "Who made the newest forecast: 1 for that tier, 0 for the others.", "tier")
    fault = per_series("feed_at_fault", "What kept a better forecast away: 1 for that feed, 0 for the others.", "feed")
    gaps = per_series("open_gaps", "Holes between readings of the last 60 days.")
    rows = per_series("quarantined_rows", "Rows put into quarantine in the last 7 days and not replaced since.")
    for each in judged:
        standing = each.standing
        name = [standing.series_id]
        level.add_metric(name, each.level)
        healthy.add_metric(name, each.unfit is None)
        gaps.add_metric(name, standing.open_gaps)
        rows.add_metric(name, standing.quarantined_7_days)
        for family, moment in ((readings, standing.newest_reading_end), (issue, standing.ready_at), (origin, standing.origin)):
            if moment is not None:
                family.add_metric(name, (now - moment).total_seconds())
        if standing.last_target_end is not None:
            reach.add_metric(name, (standing.last_target_end - now).total_seconds())
            for who in TIERS:
                tier.add_metric([*name, who], who == standing.tier)
            for what in FEEDS:
                fault.add_metric([*name, what], what == standing.feed_at_fault)
    yield from (level, healthy, readings, issue, origin, reach, tier, fault, gaps, rows)


def _alerts(judged: Sequence[Judged], alerts: Sequence[PublishedAlert]) -> Metric:
    words = f"Alerts that fire or are acknowledged; series is {TOGETHER} for those about all of them together."
    family = _gauge("fortnight_alerts_open", words, "series", "severity")
    for series_id in (TOGETHER, *(each.standing.series_id for each in judged)):
        for severity in SEVERITIES:
            count = sum((alert.series_id or TOGETHER) == series_id and alert.severity == severity for alert in alerts)
            family.add_metric([series_id, severity], count)
    return family


def _jobs(steps: Sequence[Step]) -> Iterator[Metric]:
    labels = ("series", "job")
    took = _gauge("fortnight_job_seconds", "How long the job took when it last ended, in seconds.", *labels)
    ended = _gauge("fortnight_job_end_timestamp_seconds", "When the job last ended, in seconds since 1970.", *labels)
    outcome = _gauge("fortnight_job_outcome", "How it ended: 1 for that outcome, 0 for the others.", *labels, "outcome")
    for step in steps:
        if step.seconds is None or step.ended_at is None:
            continue
        name = [step.series_id or TOGETHER, step.job]
        took.add_metric(name, step.seconds)
        ended.add_metric(name, step.ended_at.timestamp())
        for each in OUTCOMES:
            outcome.add_metric([*name, each], each == step.outcome)
    yield from (took, ended, outcome)


def _validation(retrains: Sequence[Retrain]) -> Iterator[Metric]:
    loss = _gauge(
        "fortnight_validation_pinball_mwh",
        "Mean pinball loss of the forecaster in charge over the newest week held out in the last retrain, in MWh a day.",
        "series",
    )
    skill = _gauge(
        "fortnight_validation_skill_ratio",
        "Share of weekly naive's loss that it saves over that week: 1 is perfect, 0 no better.",
        "series",
    )
    done = _gauge("fortnight_retrain_timestamp_seconds", "As-of time of the last retrain, in seconds since 1970.", "series")
    for row in retrains:
        loss.add_metric([row.series_id], row.newest_week_pinball)
        done.add_metric([row.series_id], row.as_of.timestamp())
        if row.newest_week_weekly_naive_pinball > 0:
            skill.add_metric([row.series_id], 1 - row.newest_week_pinball / row.newest_week_weekly_naive_pinball)
    yield from (loss, skill, done)


def _drift(drifts: dict[str, Drift]) -> Iterator[Metric]:
    loss = _gauge(
        "fortnight_realised_pinball_mwh",
        "Mean pinball loss of what was published over the last 28 days that have come, in MWh a day.",
        "series",
    )
    skill = _gauge(
        "fortnight_realised_skill_ratio",
        f"Share of weekly naive's loss saved over the last 28 days; series {TOGETHER} is all of them pooled.",
        "series",
    )
    labels = ("series", "against")
    z = _gauge("fortnight_drift_evidence", "Standard errors by which losses have risen against a yardstick.", *labels)
    rise = _gauge(
        "fortnight_drift_rise_ratio", "By how much losses have risen against a yardstick: 0.5 is half as much again.", *labels
    )
    z_limit = _gauge("fortnight_drift_evidence_limit", "Standard errors above which an alert fires.", *labels)
    rise_limit = _gauge("fortnight_drift_rise_limit_ratio", "Rise that an alert needs besides the evidence.", *labels)
    for series_id, drift in drifts.items():
        if (recent := drift.recent()) is not None:
            skill.add_metric([series_id], recent[1])
            if series_id != TOGETHER:
                loss.add_metric([series_id], recent[0])
        for against in drift.against:
            name = [series_id, against.name]
            z_limit.add_metric(name, against.limits.z_limit)
            rise_limit.add_metric(name, against.limits.min_rise)
            if against.newest.z is not None and against.newest.rise is not None:
                z.add_metric(name, against.newest.z)
                rise.add_metric(name, against.newest.rise)
    yield from (loss, skill, z, rise, z_limit, rise_limit)


def _gauge(name: str, words: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, words, labels=labels)
