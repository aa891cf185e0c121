"""What modellers ask: how would a model have done?"""

import json
import os
import shutil
import sys
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from forecasting.cli.looking import JsonOption
from forecasting.cli.options import AsOfOption, PathOption, SeriesOption, SourceOption
from forecasting.cli.running import err, log_to_terminal, out, progress_shown, run
from forecasting.domain import DAILY, INTERVAL, Information
from forecasting.errors import SettingsError
from forecasting.jobs import Progress as Report
from forecasting.plain import require_plain
from forecasting.settings import SeriesSettings, load_settings

if TYPE_CHECKING:
    from forecasting.history import History
    from forecasting.service import Service

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def backtest(
    out_file: Annotated[Path, typer.Option("--out", dir_okay=False, help="Where the forecasts go, as CSV; .gz compresses.")],
    task: Annotated[Literal["daily", "halfhourly"], typer.Option("--task", help="GWh a day, or MWh an interval.")] = "daily",
    information: Annotated[
        Literal["U", "P", "F", "W"],
        typer.Option(
            "--information", help="Known of the weather when forecasting: nothing, the past, forecasts too, or what came (a bound)."
        ),
    ] = "P",
    model: Annotated[str, typer.Option("--model", help="The model family.")] = "weather_paths",
    source: SourceOption = None,
    path: PathOption = None,
    series: SeriesOption = None,
    weather: Annotated[
        Path | None,
        typer.Option("--weather", help="Weather forecasts for F: issued_at, valid_time, temperature_c.", show_default=False),
    ] = None,
    train_until: Annotated[
        str | None,
        typer.Option(
            "--train-until", help="Last day that the first fit knows. \\[default: the day before --from]", show_default=False
        ),
    ] = None,
    first: Annotated[
        str | None, typer.Option("--from", help="First day to forecast. \\[default: a year before --to]", show_default=False)
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", help="Last day to forecast. \\[default: the last complete one]", show_default=False)
    ] = None,
    every: Annotated[
        int | None,
        typer.Option("--every", min=1, help="Days between origins. \\[default: 1, halfhourly 7]", show_default=False),
    ] = None,
    refit: Annotated[int, typer.Option("--refit-days", min=0, help="Fit anew after so many days; 0: only once.")] = 28,
    window: Annotated[
        int | None,
        typer.Option("--window-days", min=60, help="Fit on so many newest days. \\[default: all]", show_default=False),
    ] = None,
    plots: Annotated[
        Path | None, typer.Option("--plots", help="A folder for pictures of the scores.", show_default=False, file_okay=False)
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes.")] = len(os.sched_getaffinity(0)),
    as_json: JsonOption = False,
) -> None:
    """Forecast from many past origins with a model fitted on what was known, write the forecasts, and tell how it went.

    Stopped, the same command goes on where it was.
    """
    from forecasting.backtest import Plan
    from forecasting.backtest import run as run_plan
    from forecasting.backtest_files import frame, outlooks
    from forecasting.backtest_scores import scores
    from forecasting.jobs.feed_history import history_of_feed
    from forecasting.report import show_scores
    from forecasting.service import choose_series

    settings = load_settings()
    log_to_terminal()
    chosen = choose_series(settings, source, path, series or ())
    if len(chosen) != 1:
        raise SettingsError(
            f"a backtest is of one series, not of {', '.join(each.id for each in chosen)}", "name one with --series"
        )
    if not out_file.absolute().parent.is_dir():
        raise SettingsError(f"--out {out_file}: there is no folder {out_file.absolute().parent}", "make it, or choose another")
    if weather is not None and information != "F":
        raise SettingsError(f"--weather is for --information F, not {information}", "leave one of the two out")
    with progress_shown() as report:
        history = history_of_feed(settings, chosen[0], datetime.now(UTC), report)
        if weather is not None:
            history = outlooks(weather, history)
        knows = told_of_weather(history, Information(information))
        end = _day("--to", last) or history.days[-1].date()
        plan = Plan(
            model,
            DAILY if task == "daily" else INTERVAL,
            knows,
            _day("--from", first) or end - timedelta(days=364),
            end,
            every or (1 if task == "daily" else 7),
            _day("--train-until", train_until),
            refit,
            window,
        )
        parts = out_file.with_name(f"{out_file.name}.parts")
        found = run_plan(plan, history, settings.model, settings.training, parts, workers, report)
        report("scoring", 0, 1)
        told = scores(found)
        unfinished = out_file.with_name(f"unfinished.{out_file.name}")
        frame(found).to_csv(unfinished, index=False)
        unfinished.replace(out_file)
        shutil.rmtree(parts)
        report("scoring", 1, 1)
    if plots is not None:
        from forecasting import plotting

        by_lead = told.groups["lead"].values()
        losses = {
            model: [row["pinball"] for row in by_lead],
            "weekly_naive": [row["pinball"] / (1 - row["skill"]) for row in by_lead],
        }
        levels = {float(level): share for level, share in told.calibration.items()}
        plotting.save(plotting.lead_picture(history.series, losses, "MWh"), plots / "error_by_lead.png")
        plotting.save(plotting.calibration_picture(history.series, {model: levels}), plots / "calibration.png")
    if as_json:
        sys.stdout.write(json.dumps({"plan": asdict(plan), "scores": asdict(told)}, indent=2, default=str) + "\n")
    else:
        show_scores(out, told, plan, history.series)
    err.print(f"{len(found.origins)} origins, {found.actual.size:,} forecasts: {out_file}", highlight=False, soft_wrap=True)


def told_of_weather(history: "History", information: Information) -> Information:
    """What can be known of the weather of a history: nothing, where it has no temperature.

    Raises:
        SettingsError: the weather itself, or forecasts of it, were asked for.
    """
    if history.temperature_c is not None or information == Information.U:
        return information
    problem = f"{history.series.series_id} has no temperature"
    if information != Information.P:
        raise SettingsError(f"{problem}, which --information {information} needs", "give some beside the demand, or ask for U")
    err.print(f"{problem}: --information U instead of P", highlight=False)
    return Information.U


def models(
    series: SeriesOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many of the newest.")] = 25,
) -> None:
    """List registered versions with their scores, and who is champion."""
    from forecasting.jobs.champion import reigning
    from forecasting.report import versions_table
    from forecasting.service import choose_series, demand_series, open_service

    settings, now = load_settings(), datetime.now(UTC)
    with open_service(settings, now) as service:
        stored = service.store.readings.stored_ids()
        every = [given.id for given in settings.known_series if given.id in stored]
        for given in choose_series(settings, series_ids=series or every, stored=stored):
            of = demand_series(given)
            champion = reigning(service, of, DAILY, now)
            listed = service.store.versions.listed(service.store.readings.key(of), now, limit)
            out.print(versions_table(of, listed, None if champion is None else champion.version))


def promote(
    version: Annotated[int, typer.Option("--version", min=1, help="The version to make champion; see fortnight models.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, for those who read the record.")],
    series: SeriesOption = None,
    as_of: AsOfOption = None,
    yes: YesOption = False,
) -> None:
    """Make a version champion, after a look at how it does against the present one. It stands until a later election."""
    from forecasting.jobs.promote import evidence
    from forecasting.jobs.promote import promote as job
    from forecasting.report import evidence_table

    reason = require_plain(reason, "the reason")

    def decide(service: "Service", given: SeriesSettings, moment: datetime, report: Report) -> None:
        found = evidence(service, given, version, moment, report)
        out.print(evidence_table(found))
        _confirm(f"make version {version} champion of {given.id}", yes)
        job(service, found.version, "by hand", moment, reason)

    run(decide, None, None, series, as_of, stored=True)


def rollback(
    series: SeriesOption = None,
    reason: Annotated[str, typer.Option("--reason", help="Why, for those who read the record.")] = "the newer one was withdrawn",
    as_of: AsOfOption = None,
    yes: YesOption = False,
) -> None:
    """Go back to the champion before this one; asked again, to the one before that."""
    from forecasting.jobs.champion import load
    from forecasting.jobs.promote import before
    from forecasting.jobs.promote import promote as job

    reason = require_plain(reason, "the reason")

    def decide(service: "Service", given: SeriesSettings, moment: datetime, report: Report) -> None:  # noqa: ARG001
        found = before(service, given, moment)
        load(service, found)  # what cannot be verified is not gone back to
        _confirm(f"go back to version {found.version} ({found.family}) of {given.id}", yes)
        job(service, found, "rollback", moment, reason)

    run(decide, None, None, series, as_of, stored=True)


def _confirm(what: str, yes: bool) -> None:
    try:
        agreed = yes or typer.confirm(f"{what}?")
    except typer.Abort:
        agreed = False
    if not agreed:
        raise SettingsError(f"not done: {what}", "answer y, or give --yes")


def _day(name: str, given: str | None) -> date | None:
    if given is None:
        return None
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise SettingsError(f"{name} {given!r} is no date", "write it as 2014-01-31") from None
