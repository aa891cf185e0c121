"""A modeller's word: a version becomes champion by hand, forecasts, and is taken back."""

from pathlib import Path

import pytest

from forecasting.registry import Registry
from forecasting.store import Store, embedded
from tests.journey.commands import CANDIDATES, DAILY, fortnight, refused

AS_OF = ("--as-of", "2024-03-01")
MODEL = "fortnight-simulated-daily"


@pytest.fixture
def champion(home: Path) -> int:
    """The version elected by a first run of two candidates."""
    assert fortnight(home, *DAILY).returncode == 0
    number = Registry(home, None).champion(MODEL)
    assert number in (1, 2)
    return number or 0


def forecasting_version(home: Path) -> int:
    with Store(embedded.ensure_running(home)) as store:
        return store.forecasts.latest("simulated", "daily")[0].model_version


def test_a_version_is_promoted_by_hand_forecasts_and_is_rolled_back(home: Path, champion: int) -> None:
    other = 3 - champion
    refused(
        fortnight(home, "promote", "--version", "77", "--reason", "why not", *AS_OF, "--yes"), "no version 77", "fortnight models"
    )
    refused(fortnight(home, "rollback", *AS_OF, "--yes"), f"no champion before version {champion}")
    assert Registry(home, None).champion(MODEL) == champion

    asked = ("promote", "--version", str(other), "--reason", "steadier", *AS_OF)
    assert fortnight(home, *asked).returncode != 0, "nobody said yes"
    assert Registry(home, None).champion(MODEL) == champion

    done = fortnight(home, *asked, "--yes")
    assert done.returncode == 0, done.stderr
    assert all(f"version {number} ({CANDIDATES[number - 1]})" in done.stdout for number in (1, 2)), "both are shown side by side"
    assert Registry(home, None).champion(MODEL) == other
    assert fortnight(home, "publish", *AS_OF).returncode == 0
    assert forecasting_version(home) == other

    listed = fortnight(home, "models").stdout
    row = next(line for line in listed.splitlines() if CANDIDATES[other - 1] in line)
    assert "now, by hand 2024-02-29" in row

    assert fortnight(home, "rollback", *AS_OF, "--yes").returncode == 0
    assert Registry(home, None).champion(MODEL) == champion
    for path in home.rglob("weights.safetensors"):
        path.write_bytes(path.read_bytes()[:-1] + b"\0\0")
    refused(fortnight(home, *asked, "--yes"), "weights.safetensors")
    assert Registry(home, None).champion(MODEL) == champion, "what cannot be verified is not promoted"
    with Store(embedded.ensure_running(home)) as store:
        record = store.connection.execute("SELECT kind, reason FROM fortnight.promotion ORDER BY promotion_key").fetchall()
    assert [kind for kind, _ in record] == ["elected", "by hand", "rollback"]
    assert record[1][1] == "steadier"
