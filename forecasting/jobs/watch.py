"""Watch: look at every series and at all of them together. What is found becomes alerts, which lead to actions and to messages."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from forecasting.domain import Finding
from forecasting.folders import private_folder
from forecasting.jobs import Progress, silent
from forecasting.jobs.actions import act
from forecasting.jobs.alerting import Recorded, record
from forecasting.jobs.deliver import deliver_or_leave
from forecasting.jobs.evidence import Seen, see
from forecasting.jobs.findings import LOSSES, of_all, of_series
from forecasting.jobs.runs import step
from forecasting.service import Service
from forecasting.settings import SeriesSettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WatchReport:
    """What was found, and which episodes began or ended with it."""

    findings: Sequence[Finding]
    recorded: Recorded
    outcomes: Sequence[str] = ()

    @property
    def bad(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.bad]

    def __str__(self) -> str:
        judged = sum(finding.bad is not None for finding in self.findings)
        told = (
            f"{len(self.bad)} of {judged} rules found something" if self.bad else f"all {judged} rules that can be judged are well"
        )
        names = sorted({f"{finding.rule} ({finding.series_id or 'all series'})" for finding in self.bad})
        return "; ".join(filter(None, (told, ", ".join(names[:MOST_NAMED]), str(self.recorded), *self.outcomes)))


MOST_NAMED = 8
PICTURED_DAYS = 120


def watch(service: Service, chosen: Sequence[tuple[SeriesSettings, datetime]], progress: Progress = silent) -> WatchReport:
    """Watch series, each at its as-of time; whatever is due for sending is sent. The pool is judged only where none is left out.

    Raises:
        SettingsError: a series that was never ingested.
    """
    latest = max(as_of for _, as_of in chosen)
    return step(service, "watch", None, latest, lambda: _look(service, chosen, latest, progress))


def _look(service: Service, chosen: Sequence[tuple[SeriesSettings, datetime]], latest: datetime, progress: Progress) -> WatchReport:
    every: list[Seen] = []
    findings: list[Finding] = []
    stored = set(service.store.readings.stored_ids())
    for done, (given, as_of) in enumerate(chosen):
        progress("watching", done, len(chosen))
        seen = see(service, given, as_of)
        every.append(seen)
        findings += of_series(seen, as_of, service.settings, alone=stored == {given.id})
    _end_long_readers(service)
    if stored <= {given.id for given, _ in chosen}:
        findings += of_all(every, latest, service.settings)
    by_id = {seen.series.series_id: seen for seen in every}
    findings = [_pictured(service, finding, by_id, latest) for finding in findings]
    recorded = record(service, findings, latest)
    outcomes = act(service, chosen, by_id, progress)
    report = WatchReport(findings, recorded, outcomes)
    deliver_or_leave(service, service.now)
    progress("watching", len(chosen), len(chosen))
    logger.log(logging.WARNING if report.bad else logging.INFO, "watch: %s", report)
    return report


def _end_long_readers(service: Service) -> None:
    """Readers may lift their own time limits, so whoever reads for too long is ended from here."""
    limit = timedelta(minutes=service.settings.publish.reader_minutes)
    for reader in service.store.access.end_long_readers(limit):
        told = "was ended" if reader.ended else "cannot be ended with the rights of this login"
        logger.warning("reader %s (pid %s), at it for %s s, %s", reader.login, reader.pid, reader.seconds, told)


def _pictured(service: Service, finding: Finding, every: Mapping[str, Seen], as_of: datetime) -> Finding:
    """With the picture that shows what is bad: losses beside others where those have risen, else the newest forecast."""
    if not finding.bad:
        return finding
    named = next((seen for seen in every.values() if seen.newest is not None and seen.newest.issue_id == finding.issue_id), None)
    seen = every.get(finding.series_id or "") or named
    if seen is None or not seen.issues:
        return finding
    if finding.rule in LOSSES and seen.losses:
        from forecasting import plotting  # seconds to start, and needed on bad days only

        since = finding.since.astimezone(seen.series.zone).date()
        figure = plotting.watched_picture(seen.series, seen.losses[-PICTURED_DAYS:], since)
        name = f"{seen.series.series_id}-loss-{as_of.astimezone(seen.series.zone):%F}.png"
        return replace(finding, picture=str(plotting.save(figure, private_folder(service.settings.home, "pictures") / name)))
    path = service.picture(seen.series, seen.issues[0].origin, seen.issues[0].issue_id)
    return replace(finding, picture=str(path)) if path.exists() else finding
