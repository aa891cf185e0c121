"""Disasters, played in a sandbox."""

import logging
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from forecasting.cli.running import out, progress_shown
from forecasting.errors import SettingsError

if TYPE_CHECKING:
    from forecasting.drills import Drill
    from forecasting.drills.story import Outcome, Step
    from forecasting.drills.workshop import Workshop

ALL = "all"
BROKEN, NOT_PLAYED = 1, 3
DAYS_OF_KILLS = 5


def drill(
    name: Annotated[str | None, typer.Argument(help="Which disaster, or all of them.", show_default=False)] = None,
    *,
    listed: Annotated[bool, typer.Option("--list", help="Only list them.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the sandbox, and say where it is.")] = False,
    times: Annotated[int | None, typer.Option(help="How many kills of the drill 'killed'.", min=1, show_default=False)] = None,
    seed: Annotated[int, typer.Option(help="Of the moments of the kills.")] = 1,
) -> None:
    """Play a disaster in a sandbox: does what is promised for it hold? Exit code 1: it does not, 3: it cannot be played here."""
    from forecasting.drills import DRILLS
    from forecasting.drills.kills import KILLS_A_DAY, killed
    from forecasting.drills.workshop import Workshop

    if name is None or listed:
        out.print(_list(DRILLS.items()))
        return
    if name != ALL and name not in DRILLS:
        raise SettingsError(f"there is no drill {name!r}", f"use one of {', '.join(DRILLS)}, or {ALL}")
    chosen = dict(DRILLS) if name == ALL else {name: DRILLS[name]}
    kills = KILLS_A_DAY if times is None else times
    if "killed" in chosen:
        chosen["killed"] = replace(chosen["killed"], play=partial(killed, times=kills, seed=seed))
    logging.getLogger("forecasting").setLevel(logging.ERROR)  # the steps say what matters
    workshop = Workshop(datetime.now(UTC), max(DAYS_OF_KILLS + kills // KILLS_A_DAY, 21))
    try:
        outcomes = [_play(each, chosen[each], workshop, keep=keep) for each in chosen]
    finally:
        workshop.close(keep=keep)
    if len(outcomes) > 1:
        out.print(_table(outcomes))
    if not all(outcome.held for outcome in outcomes if outcome.played):
        sys.exit(BROKEN)
    if not any(outcome.played for outcome in outcomes):
        sys.exit(NOT_PLAYED)


def _play(name: str, drill: "Drill", workshop: "Workshop", *, keep: bool) -> "Outcome":
    from forecasting.drills.playing import play

    out.print(f"[bold]{name}[/]: {escape(drill.sentence)}", highlight=False)
    out.print(f"promised: {escape(drill.promise)}", highlight=False, soft_wrap=True)
    with progress_shown() as report:
        report("making the sandbox", 0, 1)
        workshop.template()
        report("making the sandbox", 1, 1)
        outcome = play(name, drill, workshop, _tell, report, keep=keep)
    verdict = "[bold green]held[/]" if outcome.held else "[bold red]broken[/]" if outcome.played else "[bold]not played[/]"
    out.print(f"{verdict}: {escape(outcome.told)}; {_ended(outcome)}", highlight=False, soft_wrap=True)
    if keep:
        out.print(
            f"sandbox: {workshop.root / name}; look into it: FORTNIGHT_HOME={workshop.root / name} fortnight status", soft_wrap=True
        )
    return outcome


def _tell(step: "Step") -> None:
    out.print(f"{step.at_s:7.1f} s  {escape(step.told)}", highlight=False, soft_wrap=True)


def _ended(outcome: "Outcome") -> str:
    why = f" ({escape(outcome.reason)})" if outcome.reason else ""
    return f"tier {outcome.tier}{why}, recovered within {outcome.recovery_s:.1f} s"


def _list(drills: "Iterable[tuple[str, Drill]]") -> Table:
    table = Table("drill", "what happens", "what is promised", box=box.SIMPLE, show_lines=True)
    for name, each in drills:
        table.add_row(name, each.sentence, each.promise)
    return table


def _table(outcomes: "Sequence[Outcome]") -> Table:
    table = Table("drill", "verdict", "tier", "recovered within, s", "told", box=box.ROUNDED)
    for outcome in outcomes:
        verdict = "held" if outcome.held else "broken" if outcome.played else "not played"
        table.add_row(outcome.name, verdict, outcome.tier or "", f"{outcome.recovery_s:.1f}", escape(outcome.told))
    return table
