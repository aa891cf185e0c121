"""Playing a drill: a sandbox for it, its story, and how it went."""

from collections.abc import Callable
from dataclasses import dataclass

from forecasting.drills.sandbox import Sandbox
from forecasting.drills.story import CannotPlay, Outcome, PromiseBroken, Step, Story
from forecasting.drills.workshop import Workshop
from forecasting.errors import FortnightError
from forecasting.jobs import Progress, silent

Play = Callable[[Sandbox, Story], None]


@dataclass(frozen=True, slots=True)
class Drill:
    """What goes wrong, in a sentence, and what is promised then. `play` raises PromiseBroken where it does not hold."""

    sentence: str
    promise: str
    play: Play


def play(
    name: str,
    drill: Drill,
    workshop: Workshop,
    tell: Callable[[Step], None] = lambda _: None,
    progress: Progress = silent,
    *,
    keep: bool = False,
) -> Outcome:
    """Play a drill in a sandbox of its own; `tell` hears of each step as it happens."""
    with workshop.sandbox(name, keep=keep) as sandbox:
        story = Story(tell, progress)
        held, told, played = True, "the promise was held", True
        try:
            drill.play(sandbox, story)
        except PromiseBroken as broken:
            held, told = False, str(broken)
        except CannotPlay as obstacle:
            held, told, played = False, str(obstacle), False
        except FortnightError as error:
            held, told = False, f"unexpected: {error}"
        issue = sandbox.seen
        tier, reason = (None, None) if issue is None else (issue.tier, issue.reason)
        return Outcome(name, drill.promise, tuple(story.steps), tier, reason, story.recovery_s, held, told, played)
