"""What happens in a drill, told step by step and timed."""

import time
from collections.abc import Callable
from dataclasses import dataclass

LIMIT_S = 120.0
"""Within which there has to be a ready forecast again, or a labelled fallback."""


@dataclass(frozen=True, slots=True)
class Step:
    """What happened, how long after the beginning of the drill it had, and how long it took."""

    told: str
    at_s: float
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """How a drill went. `tier` and `reason` are of the forecast that consumers have at its end; `recovery_s` is the longest time
    from a disaster to a forecast of the day. `played` is False where this machine does not allow the drill: nothing held then."""

    name: str
    promise: str
    steps: tuple[Step, ...]
    tier: str | None
    reason: str | None
    recovery_s: float
    held: bool
    told: str
    played: bool = True


class PromiseBroken(Exception):  # noqa: N818 - what a drill is played for
    """Something that was promised did not hold."""


class CannotPlay(Exception):  # noqa: N818 - a state of this machine, no fault
    """This machine does not allow what the drill needs."""


class Story:
    """Collects the steps of one drill, and hands each on as it happens."""

    def __init__(self, tell: Callable[[Step], None], progress: Callable[[str, int, int], None]) -> None:
        self.tell, self.progress = tell, progress
        self.steps: list[Step] = []
        self.recovery_s = 0.0
        self.began_s = self._last_s = time.monotonic()
        self._disaster_s: float | None = None

    def step(self, told: str) -> None:
        """Something has happened."""
        now_s = time.monotonic()
        step = Step(told, now_s - self.began_s, now_s - self._last_s)
        self._last_s = now_s
        self.steps.append(step)
        self.tell(step)

    def disaster(self, told: str) -> None:
        """A step that breaks something: from now on the recovery is timed."""
        self.step(told)
        self._disaster_s = time.monotonic()

    def recovered(self, told: str) -> None:
        """There is a forecast of the day again.

        Raises:
            PromiseBroken: it took too long.
        """
        assert self._disaster_s is not None
        took_s = time.monotonic() - self._disaster_s
        self.recovery_s = max(self.recovery_s, took_s)
        self.step(f"{told}, {took_s:.1f} s after it")
        self.require(took_s <= LIMIT_S, f"it took {took_s:.0f} s, {LIMIT_S:.0f} are allowed")

    def require(self, held: object, otherwise: str) -> None:
        """A part of the promise.

        Raises:
            PromiseBroken: it does not hold.
        """
        if not held:
            raise PromiseBroken(otherwise)
