"""The tutorial that the model families come from, run again."""

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Literal

import typer

from forecasting.cli.looking import JsonOption
from forecasting.cli.options import PathOption, SeriesOption, SourceOption
from forecasting.cli.running import log_to_terminal, out, progress_shown
from forecasting.errors import SettingsError
from forecasting.settings import load_settings


def reproduce(
    part: Annotated[
        list[int] | None, typer.Option("--part", help="1 to 4; may be repeated. \\[default: all]", show_default=False)
    ] = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", min=1, help="\\[default: the tutorial's, 30 to 100]", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of windows drawn and weights.")] = 1,
    attention: Annotated[Literal["multiplicative", "additive"], typer.Option("--attention", help="Of part 4.")] = "multiplicative",
    source: SourceOption = None,
    path: PathOption = None,
    series: SeriesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the four-part torch tutorial that the model families come from, beside its published losses and on the true task."""
    from forecasting.jobs.feed_history import history_of_feed
    from forecasting.report import tutorial_table
    from forecasting.reproduce import chosen_parts
    from forecasting.reproduce import reproduce as run_part
    from forecasting.service import choose_series

    settings = load_settings()
    log_to_terminal()
    parts = chosen_parts(tuple(part or ()))
    chosen = choose_series(settings, source or (None if path or series else "csv"), path, series or ())
    if len(chosen) != 1:
        raise SettingsError(
            f"the tutorial is about one series, not {', '.join(each.id for each in chosen)}", "name one with --series"
        )
    with progress_shown() as report:
        history = history_of_feed(settings, chosen[0], datetime.now(UTC), report)
        found = [run_part(each, history, seed, epochs, attention, report) for each in parts]
    if as_json:
        sys.stdout.write(json.dumps([asdict(each) for each in found], indent=2) + "\n")
    else:
        out.print(tutorial_table(found))
