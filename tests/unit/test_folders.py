"""Modes of folders, as the file system has them."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from forecasting.folders import private_folder, private_home
from forecasting.sources.web import Web


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    """That of most machines: what is made is readable by all."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_new_folders_are_nobody_elses(tmp_path: Path) -> None:
    folder = private_folder(tmp_path / "above" / "home", "mlflow")
    assert folder == tmp_path / "above" / "home" / "mlflow"
    assert mode(folder) == mode(folder.parent) == 0o700
    assert mode(folder.parent.parent) == 0o755  # above the state folder all is as the user has it


@pytest.mark.parametrize(("before", "after"), [(0o755, 0o711), (0o777, 0o711), (0o750, 0o710), (0o711, 0o711), (0o700, 0o700)])
def test_a_state_folder_of_before_lets_others_pass_at_most(tmp_path: Path, before: int, after: int) -> None:
    tmp_path.chmod(before)
    assert mode(private_home(tmp_path)) == after


def test_a_folder_of_before_is_closed_and_told_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "serve").mkdir(mode=0o755)
    (tmp_path / "serve" / "mlflow_users.db").write_text("kept")
    for _ in range(2):
        assert mode(private_folder(tmp_path, "serve")) == 0o700
    assert (tmp_path / "serve" / "mlflow_users.db").read_text() == "kept"
    assert caplog.messages == [f"closing {tmp_path / 'serve'} to other accounts"]


def test_a_folder_that_belongs_to_all_stays_so(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    assert mode(private_folder(tmp_path, "http")) == 0o700
    assert mode(tmp_path) == 0o1777


def test_the_cache_of_feeds_is_closed(tmp_path: Path) -> None:
    (tmp_path / "http").mkdir(mode=0o755)
    Web(cache=tmp_path / "http")
    assert mode(tmp_path / "http") == 0o700


def test_a_folder_of_another_account_stays_as_it_is(tmp_path: Path) -> None:
    """Its owner decides; and a state folder that a group shares on purpose can be had in this way."""
    if os.geteuid() != 0:
        pytest.skip("only root gives folders away")
    tmp_path.chmod(0o755)
    os.chown(tmp_path, 65534, -1)
    assert mode(private_home(tmp_path)) == 0o755
