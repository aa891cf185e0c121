"""Is a reading fit to be believed? What is not goes to quarantine with its reason; what is goes on. Pure, no clock."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from forecasting.calendar import grid_anchor
from forecasting.domain import Quantity, Series
from forecasting.errors import SourceError
from forecasting.frames import Batch, rejected_frame
from forecasting.rows import MICROSECOND, NO_TIME, Rows, moment_us
from forecasting.usual import Usual, from_neighbours, learn

LIMITS = {
    Quantity.DEMAND: (-1e7, 1e7),
    Quantity.DEMAND_FORECAST: (-1e7, 1e7),
    Quantity.TEMPERATURE: (-90.0, 70.0),
    Quantity.TEMPERATURE_FORECAST: (-90.0, 70.0),
    Quantity.HOLIDAY: (0.0, 1.0),
}
"""Values outside are impossible: temperatures that no station ever recorded, more energy than any grid carries."""
THOUSANDFOLD = (300.0, 3000.0)
FROZEN = {
    Quantity.DEMAND: timedelta(hours=6),
    Quantity.TEMPERATURE: timedelta(hours=24),
}
FROZEN_READINGS = 6
FEWEST = 10
"""Rows of a batch of which it is said that most are a thousandfold off."""
REACH_US = timedelta(days=17) // MICROSECOND
"""No forecast reaches further."""


Verdict = tuple[str, int, float]
"""A reason, and the time (microseconds since 1970) and value that it is about."""


class Inspector:
    """Judges the batches of one quantity of one ingest, in the order in which they come.

    Readings are compared with their neighbours, across batches too as long as these come in ascending order: the last few are held
    back until the next batch or the end. Where batches overlap or run backward, each is judged by itself.

    Attributes:
        ascending: all readings so far came in strictly increasing order, so none can be double.
    """

    def __init__(
        self,
        series: Series,
        usual: Usual | None,
        before: pd.DataFrame,
        since: datetime,
        until: datetime,
        now: datetime,
        *,
        may_be_negative: bool = False,
        known_by: datetime | None = None,
    ) -> None:
        """Readings that start before `since`, are not due at `until`, or were not known then are left out without a word.

        Args:
            before: the last accepted readings before `since`, which the first ones are compared with.
            now: the present: what was measured after it, or issued, is refused.
            known_by: versions that their source says became known later are left out too; `until` where it is not given.
        """
        self.series, self.usual = series, usual
        self.since, self.until, self.now = (moment_us(moment) for moment in (since, until, now))
        self.may_be_negative = may_be_negative
        self.known_by = self.until if known_by is None else moment_us(known_by)
        self.ascending = True
        self._interval = series.interval // MICROSECOND
        self._anchor = moment_us(grid_anchor(series.zone, series.interval))
        frozen = FROZEN.get(series.quantity)
        self._run = max(FROZEN_READINGS, -(-frozen // series.interval)) if frozen else 0
        self._tail = 0 if series.quantity.is_forecast or series.quantity is Quantity.HOLIDAY else max(1, self._run - 1)
        self._context = Rows.of(before) if self._tail else Rows.none()
        self._held = Rows.none()
        self._newest = int(self._context.start[-1]) if len(self._context) else NO_TIME

    def inspect(self, batch: Batch) -> Batch:
        """The readings of a batch that may be believed, and all rows that may not, the source's own rejections among them.

        Raises:
            SourceError: most of the batch is a thousandfold off.
        """
        rows = self._due(Rows.of(batch.readings))
        if self.usual is None and len(rows):
            finite = batch.readings[np.isfinite(batch.readings["value"])]
            self.usual = learn(finite.sort_values("interval_start"), self.series, may_be_negative=self.may_be_negative)
        if len(rows) and not self._follows(rows):
            passed, rejected = self._judge(self._held, at_end=True)
            self._context = self._held = Rows.none()
        else:
            passed, rejected = Rows.none(), []
        more, bad = self._judge(self._held + rows, at_end=False)
        return self._batch(passed + more, [*rejected, *bad], batch.rejected)

    def finish(self) -> Batch:
        """What was held back for its neighbours."""
        passed, rejected = self._judge(self._held, at_end=True)
        self._held = Rows.none()
        return self._batch(passed, rejected, rejected_frame())

    def _due(self, rows: Rows) -> Rows:
        """Without what lies before the window, or was not known yet."""
        untimed, end = rows.start == NO_TIME, rows.start + self._interval
        in_window = rows.start >= self.since
        if rows.known is not None:
            in_window &= (rows.known <= self.known_by) | (rows.known > self.now)
        if not self.series.quantity.is_forecast:
            delay = self.series.publication_delay // MICROSECOND
            in_window &= (end + delay <= self.until) | (end > self.now)
        return rows[untimed | in_window]

    def _follows(self, rows: Rows) -> bool:
        """Whether a batch comes after all before it; notes whether all ascends."""
        if rows.known is not None or not bool((rows.start[1:] > rows.start[:-1]).all()):
            self.ascending = False
        follows = int(rows.start.min()) > self._newest
        self._newest = max(self._newest, int(rows.start.max()))
        self.ascending = self.ascending and follows
        return follows

    def _judge(self, rows: Rows, *, at_end: bool) -> tuple[Rows, list[Verdict]]:
        """The rows that passed every check, and those that did not. Unless `at_end`, the last few are held back."""
        if not len(rows):
            return rows, []
        rows = rows.sorted()
        reasons = self._alone(rows)
        verdicts = _verdicts(rows, reasons)
        rows = rows[reasons == ""]
        if not self._tail or not len(rows):
            return rows, verdicts
        known = self._context + rows
        reasons = self._among_neighbours(known, at_end=at_end)[len(self._context) :]
        keep = len(rows) if at_end else max(0, len(rows) - self._tail)
        self._held = rows[keep:]
        verdicts += _verdicts(rows[:keep], reasons[:keep])
        passed = rows[:keep][reasons[:keep] == ""]
        self._context = (self._context + rows[:keep])[-self._tail - 1 :]  # a frozen run goes on from what was refused of it
        return passed, verdicts

    def _alone(self, rows: Rows) -> np.ndarray:
        """Reasons against sorted rows, each by itself; the last that applies is told."""
        quantity, value, start = self.series.quantity, rows.value, rows.start
        low, high = LIMITS[quantity]
        if quantity in (Quantity.DEMAND, Quantity.DEMAND_FORECAST) and not self.may_be_negative:
            low = 0.0
        end = start + self._interval
        future = start > self.until + REACH_US if quantity.is_forecast else end > self.now
        if rows.known is not None:
            future |= rows.known > self.now
        doubled = rows.doubled()
        checks: list[tuple[str, np.ndarray]] = [("doubled with different values", doubled)]
        if self.usual is not None and quantity is not Quantity.HOLIDAY:
            usual = self.usual
            checks.append(
                (
                    f"far from the usual {usual.low:.4g} to {usual.high:.4g} {self.series.unit}",
                    ~_within(value, usual.low, usual.high),
                )
            )
            if quantity in (Quantity.DEMAND, Quantity.DEMAND_FORECAST) and usual.level > 0:
                checks.append(
                    (
                        f"about a thousandfold off the usual {usual.level:.4g} {self.series.unit}: wrong unit or scale",
                        self._thousandfold(value),
                    )
                )
        checks += [
            (f"outside {low:g} to {high:g} {self.series.unit}", ~_within(value, low, high)),
            (f"off the {self.series.interval} grid", (start - self._anchor) % self._interval != 0),
            ("lies in the future", future),
            ("not a finite number", ~np.isfinite(value)),
            ("no time", start == NO_TIME),
        ]
        reasons = np.full(len(rows), "", dtype=object)
        for reason, broken in checks:
            if broken.any():
                reasons[broken] = reason
        return reasons

    def _thousandfold(self, value: np.ndarray) -> np.ndarray:
        assert self.usual is not None
        ratio = np.abs(value) / self.usual.level
        low, high = THOUSANDFOLD
        large = _within(ratio, low, high)
        off: np.ndarray = large | _within(ratio, 1 / high, 1 / low)
        if len(value) >= FEWEST and off.mean() > 0.5:
            raise SourceError(
                f"{int(off.sum()):,} of {len(value):,} {self.series.quantity} rows of series {self.series.series_id} are about a "
                f"thousandfold off the usual {self.usual.level:.4g} {self.series.unit}",
                "nothing of them was stored; correct the unit or scale in the series' options",
            )
        return large if self.may_be_negative else off  # demand that passes through zero is truly small there

    def _among_neighbours(self, rows: Rows, *, at_end: bool) -> np.ndarray:
        """Reasons against rows, in order, that are good by themselves."""
        reasons = np.full(len(rows), "", dtype=object)
        if self.usual is not None and len(rows) > 1:
            self._spikes(rows, reasons, at_end=at_end)
        if self._run and len(rows) >= self._run:
            repeats = np.concatenate([[False], (np.diff(rows.value) == 0) & (np.diff(rows.start) == self._interval)])
            first = np.flatnonzero(~repeats)
            length = np.diff(np.append(first, len(rows)))
            frozen = repeats & np.repeat(length >= self._run, length)
            hours = FROZEN[self.series.quantity] / timedelta(hours=1)
            reasons[frozen] = f"frozen: the same value for {hours:g} hours or longer"
        return reasons

    def _spikes(self, rows: Rows, reasons: np.ndarray, *, at_end: bool) -> None:
        """One reading far from both neighbours, which agree; the last one of all, far from the one before it, has to wait."""
        assert self.usual is not None
        value, beside = rows.value, np.diff(rows.start) == self._interval
        apart = np.abs(from_neighbours(value))
        lonely = (apart > self.usual.step) & (apart > 2 * np.abs(value[2:] - value[:-2])) & beside[1:] & beside[:-1]
        reasons[1:-1][lonely] = f"a spike: more than {self.usual.step:.4g} {self.series.unit} from the readings beside it"
        if at_end and beside[-1] and abs(value[-1] - value[-2]) > self.usual.jump and not reasons[-2]:
            reasons[-1] = f"a jump of more than {self.usual.jump:.4g} {self.series.unit}: waits for the next reading"

    def _batch(self, passed: Rows, verdicts: list[Verdict], told: pd.DataFrame) -> Batch:
        rows = [(reason, {"interval_start": _iso(start), "value": repr(value)}) for reason, start, value in verdicts]
        starts = pd.DatetimeIndex(np.array([start for _, start, _ in verdicts], dtype="datetime64[us]"), tz="UTC")
        rejected = pd.concat([told, rejected_frame(rows, starts)], ignore_index=True) if rows else told
        return Batch(self.series.quantity, passed.frame(), rejected)


def _iso(us: int) -> str:
    return "" if us == NO_TIME else pd.Timestamp(us, unit="us", tz="UTC").isoformat()


def _within(value: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.asarray((value >= low) & (value <= high))


def _verdicts(rows: Rows, reasons: np.ndarray) -> list[Verdict]:
    bad = reasons != ""
    return list(zip(reasons[bad].tolist(), rows.start[bad].tolist(), rows.value[bad].tolist(), strict=True))
