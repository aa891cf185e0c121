"""What a run leaves in the Prefect UI to look at: the forecast with its picture, the entrants of a retrain, what a watch found."""

import base64
from collections.abc import Hashable
from datetime import timedelta
from pathlib import Path
from typing import Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from forecasting.jobs.publish import PublishReport
from forecasting.jobs.retrain import RetrainReport
from forecasting.jobs.watch import WatchReport
from forecasting.service import Service
from forecasting.settings import SeriesSettings

MOST_PICTURE_BYTES = 300_000
"""A larger picture stays where it is: artefacts lie in Prefect's database."""


def show(service: Service, given: SeriesSettings, result: object) -> None:
    """The artefact of a step's report; none of one that its message says all about."""
    if isinstance(result, PublishReport):
        create_markdown_artifact(_forecast(result), key=f"forecast-{_slug(given.id)}", description=f"{given.name}: {result}")
    elif isinstance(result, RetrainReport):
        listed = service.store.versions.listed(
            result.version.series_key, result.version.as_of, len(service.settings.model.candidates)
        )
        rows: list[dict[str, object]] = [
            {
                "version": each.version,
                "family": each.family,
                "contender": "yes" if each.contender else "no",
                "pinball, MWh": each.pinball_mwh,
                "MAPE, %": each.mape_percent,
                "80 % band holds": each.coverage_80,
                "promoted": each.promoted or "",
            }
            for each in listed
            if each.as_of == result.version.as_of
        ]
        create_table_artifact(rows, key=f"retrain-{_slug(given.id)}", description=f"{given.name}: {result}")


def show_watch(report: WatchReport) -> None:
    """What a watch found, the bad first."""
    rows = [
        {
            "rule": finding.rule,
            "series": finding.series_id or "all series",
            "severity": finding.severity,
            "bad": {True: "yes", False: "no", None: "cannot be judged"}[finding.bad],
            "told": finding.message,
        }
        for finding in sorted(report.findings, key=lambda finding: (not finding.bad, finding.rule))
    ]
    create_table_artifact(rows, key="watch", description=str(report))


def _forecast(report: PublishReport) -> str:
    zone = report.series.zone
    lines = ["| lead | day | hours | mean | q10 | q50 | q90 |", "|--:|:--|--:|--:|--:|--:|--:|"]
    rows: list[dict[Hashable, Any]] = report.forecast.to_dict("records")
    for row in rows:
        hours = (row["target_end"] - row["target_start"]) / timedelta(hours=1)
        day = row["target_start"].astimezone(zone)
        numbers = " | ".join(f"{row[name]:,.0f}" for name in ("mean", "q10", "q50", "q90"))
        lines.append(f"| {row['lead']} | {day:%a %d %b %Y} | {hours:g} | {numbers} |")
    warning = "**SIMULATED, not real.** " if report.series.simulated else ""
    title = f"{warning}Issue {report.issue_id}, tier {report.tier}; {report.series.unit} a local day of {report.series.time_zone}."
    return "\n\n".join(filter(None, (title, _picture(report.picture), "\n".join(lines))))


def _picture(path: Path) -> str:
    if not path.is_file() or path.stat().st_size > MOST_PICTURE_BYTES:
        return f"Picture: `{path.name}` in the state folder"
    return f"![forecast](data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()})"


def _slug(series_id: str) -> str:
    return series_id.replace("_", "-")
