"""The command `fortnight`: the daily jobs without Prefect, looking at what there is, and ways into what they leave."""

from collections.abc import Callable, Mapping, Sequence

import typer

from forecasting.cli import (
    alerting,
    backups,
    drilling,
    jobs,
    keeping,
    lineage,
    looking,
    modelling,
    replaying,
    reproducing,
    servers,
    serving,
)
from forecasting.cli.running import guarded

app = typer.Typer(
    help="Two-week demand forecasts, every morning, in Postgres.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
PANELS: Mapping[str, Sequence[Callable[..., object]]] = {
    "Jobs": (jobs.daily, jobs.ingest, jobs.backfill, jobs.retrain, jobs.publish, jobs.watch),
    "Modelling": (
        modelling.models,
        modelling.promote,
        modelling.rollback,
        modelling.backtest,
        replaying.replay,
        reproducing.reproduce,
    ),
    "Looking": (looking.show, looking.status, looking.doctor, lineage.explain, lineage.verify, drilling.drill),
    "Alerts": (alerting.alerts, alerting.ack, alerting.silence, alerting.silences, alerting.unsilence, alerting.notify),
    "Keeping": (backups.backup, backups.restore, servers.migrate, keeping.access, keeping.keep, keeping.compact),
    "Servers": (serving.serve, servers.mlflow, servers.prefect, servers.stop),
}
for panel, commands in PANELS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)
app.command(rich_help_panel="Servers", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(servers.psql)


def main() -> None:
    """Entry point."""
    guarded(app)
