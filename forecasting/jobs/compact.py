"""Compact: old forecasts keep some leads only; some stay whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from forecasting.errors import SettingsError
from forecasting.jobs import Progress, silent
from forecasting.store import Store
from forecasting.store.retention import CompactedMonth, KeptWhole

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class CompactReport:
    """What was dropped by month, or would be, and what stayed whole and why."""

    months: tuple[CompactedMonth, ...]
    kept: tuple[KeptWhole, ...]
    leads: tuple[int, ...]
    dry_run: bool

    def lines(self) -> list[str]:
        """For people."""
        verb = "would drop" if self.dry_run else "dropped"
        told = [
            f"{m.month:%Y-%m}: {verb} {m.rows_dropped:,} of {m.rows_before:,} rows and {m.paths_dropped:,} days of paths"
            + ("" if self.dry_run else f", {m.bytes_before / MEBIBYTE:,.1f} MiB before, {m.bytes_after / MEBIBYTE:,.1f} MiB after")
            + ("" if self.dry_run or m.given_back else "; readers were at it: run again to give the space back")
            for m in self.months
        ]
        rows, dropped = sum(m.rows_before for m in self.months), sum(m.rows_dropped for m in self.months)
        size = [sum(m.bytes_before for m in self.months) / MEBIBYTE, sum(m.bytes_after for m in self.months) / MEBIBYTE]
        after = f"{rows:,} rows" if self.dry_run else f"{rows:,} rows and {size[0]:,.1f} MiB before"
        told.append(
            f"{len(self.months)} months: {after}, {verb} {dropped:,}" + ("" if self.dry_run else f", {size[1]:,.1f} MiB after")
        )
        told.append(f"every issue keeps leads {', '.join(map(str, self.leads))}")
        return told + [f"kept whole, {kept.reason}: {kept.issues:,}" for kept in self.kept]


def compact(store: Store, before: datetime, leads: Sequence[int], *, dry_run: bool, progress: Progress = silent) -> CompactReport:
    """Drop values of other leads, and paths, of the months wholly before a moment. Interrupted, the same call goes on.

    Raises:
        SettingsError: no lead would be kept.
        StoreError: this login may not.
    """
    wanted = tuple(sorted(set(leads)))
    if not wanted or wanted[0] < 1:
        raise SettingsError(
            f"cannot keep leads {', '.join(map(str, leads)) or 'of no number'}", "give some from 1 on: --leads 1,2,7,14"
        )
    months = []
    for month in store.retention.compact(before, wanted, dry_run=dry_run):
        months.append(month)
        progress("compacting", len(months), 0)
    if not dry_run and any(month.paths_dropped for month in months):
        store.retention.vacuum_paths()
    return CompactReport(tuple(months), tuple(store.retention.kept(before)), wanted, dry_run)
