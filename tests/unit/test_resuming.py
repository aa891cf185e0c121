"""A job whose connection broke is begun again; one that never had any is not."""

import pytest

from forecasting.cli import resuming
from forecasting.errors import ConnectionLost, SourceError, StoreError, Unreachable


class Job:
    """Fails with each of some errors in turn, then ends well."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.begun = list(errors), 0

    def __call__(self) -> None:
        self.begun += 1
        if self.errors:
            raise self.errors.pop(0)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resuming, "PAUSES_S", (0, 0, 0))


def lost() -> ConnectionLost:
    return ConnectionLost("it went away", "look")


def unreachable() -> Unreachable:
    return Unreachable("it is not there", "look")


def test_it_goes_on_after_a_lost_connection_and_while_the_server_comes_back() -> None:
    job = Job(lost(), unreachable())
    resuming.resumed(job)()
    assert job.begun == 3


def test_a_server_that_stays_away_is_told_in_the_end() -> None:
    job = Job(lost(), *(unreachable() for _ in range(9)))
    with pytest.raises(Unreachable):
        resuming.resumed(job)()
    assert job.begun == 4


@pytest.mark.parametrize("error", [unreachable(), StoreError("full", "make room"), SourceError("down", "later")])
def test_what_would_fail_again_is_not_repeated(error: Exception) -> None:
    job = Job(error)
    with pytest.raises(type(error)):
        resuming.resumed(job)()
    assert job.begun == 1
