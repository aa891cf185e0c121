"""What the pages show, from what is published at a moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from forecasting.page.charts import (
    IN_A_WEEK,
    TOMORROW,
    Chart,
    Scale,
    accuracy_chart,
    drift_chart,
    forecast_chart,
    past_chart,
    scale_for,
)
from forecasting.page.drift import Drift
from forecasting.page.losses import Losses
from forecasting.page.memory import Memory
from forecasting.page.standing import Judged, Level, judge
from forecasting.page.svg import NARROW, SMALL, WIDE, Shape
from forecasting.settings import Settings
from forecasting.store.published import Ahead, LeadAccuracy, Pair, PublishedAlert, Reign, Retrain, Standing, Step
from forecasting.store.reader import Published, Reader

CARDS_WITH_CHARTS = 12
CONTEXT, ACCURACY_DAYS = timedelta(days=60), 365
CLOSED_ALERTS, REIGNS, STEPS = 10, 10, 16


@dataclass(frozen=True)
class Card:
    """A series at a glance. `near` are today's and tomorrow's rows of its forecast, or the first one where they lie beyond it."""

    judged: Judged
    scale: Scale
    near: Sequence[tuple[str, date, Ahead]]
    chart: Chart | None


@dataclass(frozen=True)
class Overview:
    """All series, the worst first; `unread` of them are not yet among the pooled losses."""

    cards: Sequence[Card]
    level: Level
    pool: Drift
    pool_chart: Chart | None
    unread: int
    alerts: Sequence[PublishedAlert]


@dataclass(frozen=True)
class Detail:
    """All about one series. Charts are None where there is nothing to draw."""

    card: Card
    forecast: Sequence[Ahead]
    forecast_chart: Chart | None
    past: Sequence[Pair]
    past_chart: Chart | None
    accuracy: Sequence[LeadAccuracy]
    accuracy_chart: Chart | None
    drift: Drift
    drift_chart: Chart | None
    champions: Sequence[Reign]
    retrain: Retrain | None
    steps: Sequence[Step]


class Content:
    """Reads, and remembers what is dear to make."""

    def __init__(self, reader: Reader, settings: Settings) -> None:
        self.reader, self.settings = reader, settings
        self.memory = Memory()
        self.losses = Losses(settings.drift, (TOMORROW, IN_A_WEEK), self.memory)

    def judged(self, published: Published, now: datetime, series_id: str | None = None, closed: int = 0) -> list[Judged]:
        """Every series, or one."""
        alerts = published.alerts(series_id, closed)
        return [judge(standing, alerts, now, self.settings) for standing in published.standings(series_id)]

    def overview(self, now: datetime) -> Overview:
        """
        Raises:
            StoreError: the database cannot be read.
        """
        with self.reader.open() as published:
            every = sorted(self.judged(published, now), key=lambda judged: -judged.level)
            shapes = (WIDE, NARROW) if len(every) == 1 else (SMALL,)
            cards = [self._card(published, each, now, shapes if at < CARDS_WITH_CHARTS else ()) for at, each in enumerate(every)]
            standings = sorted((judged.standing for judged in every), key=lambda standing: standing.series_id)
            pool, unread = self.losses.pooled(published, standings)
            alerts = [alert for alert in published.alerts(None, 0) if alert.series_id is None]
        chart = None
        if pool.against:
            key = ("pool chart", *(standing.version for standing in standings), unread)
            chart = self.memory.get(key, lambda: drift_chart("pool", pool))
        level = max((judged.level for judged in every), default=Level.ALARM)
        return Overview(cards, level, pool, chart, unread, alerts)

    def detail(self, series_id: str, now: datetime) -> Detail | None:
        """None where there is no such series.

        Raises:
            StoreError: the database cannot be read.
        """
        with self.reader.open() as published:
            found = self.judged(published, now, series_id, CLOSED_ALERTS)
            if not found:
                return None
            judged = found[0]
            standing = judged.standing
            card = self._card(published, judged, now)
            forecast, days = self._forecast(published, standing), self._days(published, standing)
            pairs = self.losses.pairs(published, standing)
            drift = self.losses.drift(published, standing)
            accuracy = self._accuracy(published, standing)
            champions = published.champions(series_id, REIGNS)
            steps = published.steps(series_id, STEPS)
            retrain = next(iter(published.retrains(series_id)), None)
        past = [pair for pair in pairs if pair.lead == TOMORROW]
        scale, version = card.scale, standing.version
        return Detail(
            card=card,
            forecast=forecast,
            forecast_chart=self.memory.get(
                ("forecast chart", version),
                lambda: forecast_chart("forecast", days, forecast, standing.zone, scale, (WIDE, NARROW)) if forecast else None,
            ),
            past=past,
            past_chart=self.memory.get(("past chart", version), lambda: past_chart("past", days, pairs, scale) if past else None),
            accuracy=accuracy,
            accuracy_chart=self.memory.get(
                ("accuracy chart", version), lambda: accuracy_chart("accuracy", accuracy) if accuracy else None
            ),
            drift=drift,
            drift_chart=self.memory.get(("drift chart", version), lambda: drift_chart("drift", drift) if drift.against else None),
            champions=champions,
            retrain=retrain,
            steps=steps,
        )

    def _card(self, published: Published, judged: Judged, now: datetime, shapes: Sequence[Shape] = ()) -> Card:
        standing = judged.standing
        forecast = self._forecast(published, standing)
        scale = scale_for(max((abs(row.q50) for row in forecast), default=0.0))
        chart = None
        if shapes and forecast:
            days = self._days(published, standing)
            name = f"card-{standing.series_id}"
            chart = self.memory.get(
                ("card chart", shapes, standing.version), lambda: forecast_chart(name, days, forecast, standing.zone, scale, shapes)
            )
        return Card(judged, scale, _near(forecast, standing, now), chart)

    def _forecast(self, published: Published, standing: Standing) -> list[Ahead]:
        return self.memory.get(("forecast", standing.version), lambda: published.forecast(standing.series_id))

    def _days(self, published: Published, standing: Standing) -> list[tuple[date, float]]:
        if standing.origin is None:
            return []
        first = (standing.origin - CONTEXT).astimezone(standing.zone).date()
        since = datetime.combine(first, time(), standing.zone)
        return self.memory.get(("days", standing.version), lambda: published.days(standing.series_id, since))

    def _accuracy(self, published: Published, standing: Standing) -> list[LeadAccuracy]:
        if standing.origin is None:
            return []
        since = standing.origin.astimezone(standing.zone).date() - timedelta(days=ACCURACY_DAYS)
        return self.memory.get(("accuracy", standing.version), lambda: published.accuracy(standing.series_id, since))


def _near(forecast: Sequence[Ahead], standing: Standing, now: datetime) -> list[tuple[str, date, Ahead]]:
    by_day = {row.target_start.astimezone(standing.zone).date(): row for row in forecast}
    today = now.astimezone(standing.zone).date()
    words = {today: "Today", today + timedelta(days=1): "Tomorrow"}
    near = [(words[day], day, row) for day, row in by_day.items() if day in words]
    return near or [("First day", day, row) for day, row in list(by_day.items())[:1]]
