"""What modellers ask: how would a model have done?"""

import json
import os
import shutil
import sys
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Literal

import typer

from forecasting.cli.looking import JsonOption
from forecasting.cli.options import PathOption, SeriesOption, SourceOption
from forecasting.cli.running import err, log_to_terminal, out, progress_shown
from forecasting.errors import SettingsError
from forecasting.settings import load_settings


def backtest(
    out_file: Annotated[Path, typer.Option("--out", help="Where the forecasts go, as CSV; .gz compresses.")],
    task: Annotated[Literal["daily", "halfhourly"], typer.Option("--task", help="GWh a day, or MWh an interval.")] = "daily",
    information: Annotated[
        Literal["U", "P", "F", "W"],
        typer.Option("--information", help="Known of the weather: nothing, the past, forecasts too, or what came (a bound)."),
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
    from forecasting.backtest import Plan, frame, outlooks, run
    from forecasting.backtest_scores import scores
    from forecasting.domain import DAILY, INTERVAL, Information
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
        history = history_of_feed(settings, chosen[0], report)
        if weather is not None:
            history = outlooks(weather, history)
        end = _day("--to", last) or history.days[-1].date()
        plan = Plan(
            model,
            DAILY if task == "daily" else INTERVAL,
            Information(information),
            _day("--from", first) or end - timedelta(days=364),
            end,
            every or (1 if task == "daily" else 7),
            _day("--train-until", train_until),
            refit,
            window,
        )
        parts = out_file.with_name(f"{out_file.name}.parts")
        found = run(plan, history, settings.model, settings.training, parts, workers, report)
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
        show_scores(out, told, plan)
    err.print(f"{len(found.origins)} origins, {found.actual.size:,} forecasts: {out_file}", highlight=False, soft_wrap=True)


def _day(name: str, given: str | None) -> date | None:
    if given is None:
        return None
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise SettingsError(f"{name} {given!r} is no date", "write it as 2014-01-31") from None
