"""Makes the sandboxes of drills, from one daily run that is done once."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from forecasting.domain import DAILY
from forecasting.drills.sandbox import Sandbox
from forecasting.jobs.daily import daily
from forecasting.jobs.promote import promote
from forecasting.registry.files import relocate


class Workshop:
    """Makes sandboxes: the first daily run is done once and its state copied for each drill.

    Args:
        now: the last of the `days` that may be drilled is before it.
    """

    def __init__(self, now: datetime, days: int = 21) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="fn-drill-"))
        self.root.chmod(0o711)
        self.now, self.days = now, days
        self.first = now - timedelta(days=days + 1)
        self._template: Path | None = None

    @contextmanager
    def sandbox(self, name: str, *, keep: bool = False) -> Iterator[Sandbox]:
        """A state folder in which day 0 has been run."""
        home = self.root / name
        sandbox = Sandbox(self._copy(home), self.now, self.first, self.days)
        try:
            sandbox.describe()
            yield sandbox
        finally:
            sandbox.close()
            if not keep:
                shutil.rmtree(home)

    def close(self, *, keep: bool = False) -> None:
        if self._template is not None:
            shutil.rmtree(self._template)
        if not keep:
            shutil.rmtree(self.root, ignore_errors=True)

    def _copy(self, home: Path) -> Path:
        """The template under another name; MLflow's database is told where its files are now."""
        template = self.template()
        subprocess.run(["cp", "-a", str(template), str(home)], check=True)  # noqa: S603, S607 - owners are kept
        relocate(home / "mlflow" / "mlflow.db", template, home)
        return home

    def template(self) -> Path:
        """A state folder in which a daily run has been done, whose champion reads temperatures."""
        if self._template is None:
            home = self.root / "template"
            home.mkdir()
            sandbox = Sandbox(home, self.now, self.first, self.days)
            try:
                sandbox.describe()
                moment = sandbox.feed.present = sandbox.day(0)
                with sandbox.service(moment) as service:
                    daily(service, sandbox.given, moment)
                    champion = service.store.versions.champion(service.store.readings.key(sandbox.town), DAILY, moment)
                    assert champion is not None
                    if champion.family == "weekly_naive":
                        other = service.store.versions.by_number(champion.model_name, champion.version + 1)
                        assert other is not None
                        promote(service, other, "by hand", moment, "drills are about models that read temperatures")
            finally:
                sandbox.close()
            self._template = home
        return self._template
