"""What a person sees in the terminal."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from forecasting.domain import DAILY, Series
from forecasting.errors import StoreError
from forecasting.jobs.doctor import Check
from forecasting.jobs.status import ALARM, LOOK, WELL, Status
from forecasting.service import Service
from forecasting.store.forecasts import ForecastRow
from forecasting.store.versions import ListedVersion
from forecasting.store.watched import LeadAccuracy

if TYPE_CHECKING:  # these import torch, which most commands do without
    from forecasting.backtest import Plan
    from forecasting.backtest_scores import Scores
    from forecasting.jobs.promote import Evidence
    from forecasting.jobs.replay import ReplayReport
    from forecasting.reproduce import Reproduced


def show_latest(console: Console, service: Service, series_id: str, as_of: datetime | None = None) -> None:
    """Print the newest forecast of a series, read back from where consumers read it.

    Args:
        as_of: the moment that was just replayed, if any: where there is a newer forecast than its own, that is said.

    Raises:
        StoreError: the series has none.
    """
    latest = service.store.forecasts.latest(series_id, DAILY)
    series = service.store.readings.series(series_id)
    if series is None or not latest:
        raise StoreError(f"series {series_id} has no published forecast", "make one: fortnight daily")
    if as_of is not None and latest[0].readings_as_of > as_of:
        console.print(
            f"the replay of {as_of:%F %H:%M}Z is stored; there is a newer forecast, which is shown", style="bold", highlight=False
        )
    console.print(forecast_table(latest, series))
    picture = service.picture(series, latest[0].origin, latest[0].issue_id)
    console.print(f"picture: {picture}\n", markup=False, highlight=False, soft_wrap=True)


def forecast_table(latest: Sequence[ForecastRow], series: Series) -> Table:
    """`published.forecast_latest` of one series as a table, by local day."""
    first = latest[0]
    warning = "SIMULATED, not real. " if series.simulated else ""
    who = "weekly naive"
    if first.model_name is not None:
        who = f"{first.model_name} version {first.model_version}, MLflow run {first.mlflow_run_id}"
    table = Table(
        title=f"{warning}{escape(series.name)}: published.forecast_latest, days of {series.time_zone}",
        caption=(
            f"issue {first.issue_id}, tier {first.tier}{escape(f' ({first.reason})' if first.reason else '')}; {who}, "
            f"readings as of {first.readings_as_of:%F %H:%M}Z, issued {first.issued_at:%F %H:%M}Z"
        ),
        title_justify="left",
        caption_justify="left",
    )
    for heading in ("lead", "day", "hours", *(f"{name}, {first.unit}" for name in ("mean", "q10", "q50", "q90"))):
        table.add_column(heading, justify="left" if heading == "day" else "right")
    for row in latest:
        hours = (row.target_end - row.target_start) / timedelta(hours=1)
        day = row.target_start.astimezone(series.zone)
        table.add_row(
            str(row.lead), f"{day:%a %d %b %Y}", f"{hours:g}", *(f"{value:,.0f}" for value in (row.mean, row.q10, row.q50, row.q90))
        )
    return table


LEVELS = {WELL: "[green]ok[/]", LOOK: "[yellow]look[/]", ALARM: "[bold red]ALARM[/]"}


def show_status(console: Console, found: Sequence[Status]) -> None:
    """One line a stored quantity, how fresh and how complete; below it what is wrong."""
    table = Table(title=f"status at {found[0].now:%F %H:%M}Z", title_justify="left")
    for heading in ("", "series", "newest reading", "behind", "missing", "quarantined", "forecast from"):
        numbers = heading in ("behind", "missing", "quarantined")
        table.add_column(heading, justify="right" if numbers else "left", overflow="fold")  # no id is cut, however narrow it is
    for each in found:
        state = each.state
        table.add_row(
            LEVELS[each.level],
            state.series_id,
            f"{state.newest_end:%F %H:%M}Z" if state.newest_end else "none",
            _short(each.lag),
            f"{state.missing_readings:,}" if state.gaps else "",
            f"{state.quarantined:,}" if state.quarantined else "",
            f"{state.forecast_origin:%F %H:%M}Z" if state.forecast_origin else "",
        )
    console.print(table)
    for each in found:
        if each.findings:
            told = escape("; ".join(each.findings))
            console.print(f"{LEVELS[each.level]} {each.state.series_id}: {told}", highlight=False, soft_wrap=True)


def status_json(found: Sequence[Status]) -> str:
    """The same for machines: a list of objects, times in ISO 8601, durations in seconds."""

    def plain(value: object) -> object:
        return value.total_seconds() if isinstance(value, timedelta) else str(value)

    rows = [
        {**asdict(each.state), "lag_s": each.lag, "level": each.level, "findings": each.findings, "at": each.now.isoformat()}
        for each in found
    ]
    return json.dumps(rows, default=plain, indent=2)


def doctor_table(checks: Sequence[Check]) -> Table:
    """One line a check: what was found, or what is wrong and the remedy."""
    table = Table(title="doctor", title_justify="left")
    for heading in ("", "checked", "found", "seconds"):
        table.add_column(heading, justify="right" if heading == "seconds" else "left")
    for check in checks:
        verdict = "[green]ok[/]" if check.passed else "[bold red]FAILS[/]"
        table.add_row(verdict, check.name, escape(check.told), f"{check.seconds:.1f}")
    return table


def _short(lag: timedelta | None) -> str:
    if lag is None:
        return ""
    hours = lag / timedelta(hours=1)
    return f"{hours:.0f} h" if hours < 72 else f"{hours / 24:,.0f} d"


SCORE_COLUMNS = {
    "mse": ("MSE", "{:.4f}"),
    "mape": ("MAPE, %", "{:.2f}"),
    "mase": ("MASE", "{:.3f}"),
    "pinball": ("pinball,\nMWh", "{:,.0f}"),
    "skill": ("skill", "{:.1%}"),
    "coverage_80": ("in 80 %\nband", "{:.1%}"),
    "bias": ("bias,\nMWh", "{:+,.0f}"),
    "pairs": ("pairs", "{:,}"),
}


def show_scores(console: Console, scores: "Scores", plan: "Plan", series: Series) -> None:
    """Print how a backtest went."""
    warning = "SIMULATED, not real. " if series.simulated else ""
    what = f"{plan.family}, {plan.resolution}, information {plan.information}, {plan.first} to {plan.last}"
    title = f"{warning}{escape(series.name)}: {what}"
    rows = [("all", scores.overall), *(row for members in scores.groups.values() for row in members.items())]
    table = _narrow(["", *(heading for heading, _ in SCORE_COLUMNS.values())], [[name, *_scores_row(row)] for name, row in rows])
    table.title, table.caption = title, "MSE in units of the sd before; skill against weekly naive by pinball loss"
    table.rows[0].style, table.rows[0].end_section, last = "bold", True, 0
    for members in scores.groups.values():
        last += len(members)
        table.rows[last].end_section = True
    console.print(table)
    shares = ", ".join(f"{level} {share:.3f}" for level, share in scores.calibration.items())
    console.print(f"actual at or below each level: {shares}", highlight=False)
    for level, tail in scores.tail.items():
        console.print(f"pinball at {level}: {tail['model']:,.0f} MWh, climatology {tail['climatology']:,.0f} MWh", highlight=False)
    for event in scores.events:
        table = Table(
            title=f"daily peak above the {event.level:.0%} quantile of the year before: came on {event.happened:.1%} of the days",
            caption=f"Brier {event.brier:.4f}; climatology of the season {event.brier_season:.4f}, flat {event.brier_share:.4f}",
            title_justify="left",
        )
        for heading in ("forecast probability", "mean", "observed", "pairs"):
            table.add_column(heading, justify="right")
        for name, row in event.reliability.items():
            table.add_row(name, f"{row['forecast']:.3f}", f"{row['observed']:.3f}", f"{row['pairs']:,}")
        console.print(table)


def _scores_row(row: Mapping[str, float]) -> list[str]:
    return [shape.format(row[name]) for name, (_, shape) in SCORE_COLUMNS.items()]


def replay_table(report: "ReplayReport") -> Table:
    """Every alert of a replay: when it fired, what it was and since when, and the likely cause."""
    rows = [
        [
            f"{day}",
            finding.severity,
            finding.rule,
            finding.series_id or "all",
            f"{finding.since:%F}",
            finding.cause or finding.message,
        ]
        for day, finding in report.fired
    ]
    table = _narrow(["day", "", "rule", "series", "since", "cause"], rows, left=("day", "", "rule", "series", "since", "cause"))
    table.title = "alerts, by the day on which they fired"
    return table


def accuracy_table(accuracy: Sequence[LeadAccuracy]) -> Table:
    """How good the forecasts were, by lead."""
    rows = [
        [
            f"{each.lead}",
            f"{each.n}",
            *(
                "" if value is None else shape.format(value)
                for value, shape in (
                    (each.mape_percent, "{:.2f}"),
                    (each.weekly_naive_mape_percent, "{:.2f}"),
                    (each.skill, "{:.2f}"),
                    (each.coverage_80, "{:.0%}"),
                )
            ),
        ]
        for each in accuracy
    ]
    table = _narrow(["lead", "days", "MAPE, %", "weekly naive, %", "skill", "in 80 % band"], rows)
    table.title = "what was published, against what came"
    return table


def versions_table(series: Series, versions: Sequence[ListedVersion], champion: int | None) -> Table:
    """Registered versions of a series, newest first."""
    rows = []
    for each in versions:
        told = (each.pinball_mwh, "{:,.0f}"), (each.mape_percent, "{:.2f}"), (each.coverage_80, "{:.0%}")
        scores = ["" if value is None else shape.format(value) for value, shape in told]
        now = "now, " if each.version == champion else ""
        day = f"{each.as_of.astimezone(series.zone):%F}"
        rows.append([str(each.version), each.family, each.information, day, *scores, f"{now}{each.promoted or ''}"])
    headings = ["version", "family", "knows", "trained\nas of", "pinball,\nMWh", "MAPE,\n%", "in 80 %\nband", "champion"]
    table = _narrow(headings, rows, left=("family", "knows", "trained\nas of", "champion"))
    table.title, table.caption = f"{escape(series.name)}: model versions", "scores on the validation windows of each retrain"
    for row, each in zip(table.rows, versions, strict=True):
        row.style = "bold" if each.version == champion else ""
    return table


def evidence_table(evidence: "Evidence") -> Table:
    """A version beside the champion, on the same recent windows."""
    own, other = evidence.scores
    table = Table(title=f"{evidence.version.model_name}: from the same {own.windows} recent origins", title_justify="left")
    table.add_column("")
    table.add_column(f"version {evidence.version.version} ({evidence.version.family})", justify="right")
    if evidence.champion is not None:
        table.add_column(f"champion: version {evidence.champion.version} ({evidence.champion.family})", justify="right")
    rows = {"pinball_mwh": "{:,.0f}", "mape_percent": "{:.2f}", "mase": "{:.3f}", "coverage_80": "{:.1%}"}
    for name, shape in rows.items():
        table.add_row(name, *(shape.format(getattr(each, name)) for each in (own, other) if each is not None))
    return table


def tutorial_table(parts: "Sequence[Reproduced]") -> Table:
    """The parts of the tutorial: what it published, what came out here, and how that does on the steps after the window."""
    rows = [
        [
            str(each.part),
            each.family,
            str(each.epochs),
            each.task,
            f"{each.published_train:.5f} / {each.published_validation:.5f}",
            f"{each.train:.5f} / {each.validation:.5f}",
            f"{each.true:.3f}",
            f"{each.naive:.3f}",
        ]
        for each in parts
    ]
    headings = ["part", "family", "epochs", "its task", "published", "here", "true task", "weekly naive"]
    table = _narrow(headings, rows, left=("family", "its task"))
    table.title = "torch tutorial: mean squared error of standardised demand"
    table.caption = "its task: train / validation; true task: the steps after the window, validation"
    return table


def _narrow(headings: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[str] = ("",)) -> Table:
    """A table for narrow terminals: one space between columns, and no number is ever cut."""
    table = Table(box=box.SIMPLE_HEAD, padding=0, show_edge=False, title_justify="left", caption_justify="left")
    for number, heading in enumerate(headings):
        width = max((len(word) for row in rows for word in row[number].split()), default=0)
        table.add_column(heading, justify="left" if heading in left else "right", min_width=width, overflow="fold")
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    return table
