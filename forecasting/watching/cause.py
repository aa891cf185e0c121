"""Why has the loss risen? Evidence in, the likeliest cause out, with what to do about it.

Faults of the data come first, since bad readings make every forecaster worse; then the model in charge, where it alone got worse;
then demand itself, where all did. A fault of the data is a finding even while no loss has risen yet.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from forecasting.drift import State
from forecasting.settings import DriftSettings
from forecasting.watching.feed import Fault, Trouble
from forecasting.watching.inputs import Input, Moved
from forecasting.watching.realised import NAIVE, Realised
from forecasting.watching.scan import Rise
from forecasting.watching.time_shift import Shift


class Cause(StrEnum):
    """What changed."""

    TIME_SHIFT = "time shift"
    SCALE = "scale"
    FROZEN = "frozen feed"
    STALE = "stale feed"
    QUARANTINE = "quarantined readings"
    TEMPERATURE = "temperature missing"
    FALLBACK = "fallback forecasts"
    MODEL = "model"
    DEMAND = "demand"
    WEATHER = "weather"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class InCharge:
    """The version whose forecasts are published, and the target day of its first."""

    family: str
    version: int
    since: date


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a series on one day. Whatever is unknown stays at its default.

    stale_hours: how much older the newest reading is than it may be; 0 for fresh.
    fallback_share: of the last days' published forecasts, those that were not the champion's.
    temperature_missing: share of the last days' temperatures that are missing, for a model that reads some.
    """

    realised: Realised = field(default_factory=lambda: Realised({}))
    in_charge: InCharge | None = None
    shift: Shift | None = None
    troubles: Sequence[Trouble] = ()
    stale_hours: float = 0.0
    fallback_share: float = 0.0
    temperature_missing: float = 0.0
    moved: Sequence[Moved] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """A cause in one sentence, and what to do."""

    cause: Cause
    sentence: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.sentence}; {self.remedy}"


def likely_cause(evidence: Evidence, settings: DriftSettings) -> Finding | None:
    """The likeliest of `causes`; None where nothing is amiss."""
    return next(iter(causes(evidence, settings)), None)


def causes(evidence: Evidence, settings: DriftSettings) -> list[Finding]:
    """All that could explain the evidence, the likeliest first."""
    found = _of_readings(evidence) + _of_serving(evidence, settings)
    drifting = evidence.realised.drifting
    rivals = {name: rise for name, rise in drifting.items() if name != NAIVE}
    if rivals:
        found.append(_of_model(evidence.in_charge, *next(iter(rivals.items())), settings))
    elif NAIVE in drifting:
        found.append(_of_everyone(evidence, drifting[NAIVE]))
    found += [_of_moved(moved) for moved in evidence.moved if moved.state is State.DRIFTING]
    return found


def _of_readings(evidence: Evidence) -> list[Finding]:
    found = []
    if evidence.shift is not None and evidence.shift.state is State.DRIFTING:
        remedy = "check whether the feed follows daylight saving and marks starts or ends, correct its time zone and ingest again"
        found.append(Finding(Cause.TIME_SHIFT, f"data: {evidence.shift}", remedy))
    kinds = {Fault.SCALE: Cause.SCALE, Fault.FROZEN: Cause.FROZEN}
    found += [Finding(kinds.get(each.fault, Cause.QUARANTINE), f"data: {each.sentence}", each.remedy) for each in evidence.troubles]
    if evidence.stale_hours > 0:
        told = f"data: the newest reading is {evidence.stale_hours:.0f} hours older than it may be"
        found.append(Finding(Cause.STALE, told, "see why ingest brings nothing: fortnight status"))
    return found


def _of_serving(evidence: Evidence, settings: DriftSettings) -> list[Finding]:
    found = []
    if evidence.temperature_missing >= settings.many_without_temperature:
        told = f"data: {evidence.temperature_missing:.0%} of the last days' temperatures are missing"
        found.append(Finding(Cause.TEMPERATURE, told, "see why the weather feed brings none, then ingest again"))
    if evidence.fallback_share >= settings.many_fallbacks:
        told = f"{evidence.fallback_share:.0%} of the last days' forecasts came from a fallback, not from the champion"
        found.append(Finding(Cause.FALLBACK, told, "see in the log of publish why the champion could not forecast"))
    return found


def _of_model(model: InCharge | None, rival: str, rise: Rise, settings: DriftSettings) -> Finding:
    assert rise.since is not None
    assert rise.rise is not None
    worse = f"loss beside {rival} on the same days up {rise.rise:.0%}"
    if model is None:
        return Finding(Cause.MODEL, f"the model: {worse} since {rise.since:%F}", "compare its run with earlier ones in MLflow")
    named = f"version {model.version} ({model.family})"
    if abs((rise.since - model.since).days) <= settings.same_time_days:
        told = f"the model: {named} is worse than {rival} since its first forecasts on {model.since:%F}: {worse}"
        return Finding(Cause.MODEL, told, "go back to the one before: fortnight rollback")
    told = f"the model: {named}, in charge since {model.since:%F}, is worse than {rival} since {rise.since:%F}: {worse}"
    return Finding(Cause.MODEL, told, f"what only it reads may have changed: look at its inputs, or promote {rival}")


def _of_everyone(evidence: Evidence, rise: Rise) -> Finding:
    assert rise.since is not None
    assert rise.rise is not None
    worse = f"loss beside {NAIVE} up {rise.rise:.0%} since {rise.since:%F}"
    rivals = [name for name, other in evidence.realised.against.items() if name != NAIVE and other.state is not State.TOO_EARLY]
    if not rivals:
        return Finding(
            Cause.UNKNOWN,
            f"{worse}, and no other forecaster to tell demand from the model",
            "look at the forecasts beside what came, and at the model's run in MLflow",
        )
    moved = next((each for each in evidence.moved if each.state is State.DRIFTING), None)
    told = f"demand changed: every forecaster got worse, {', '.join(rivals)} as well; {worse}"
    cause = Cause.WEATHER if moved is not None and moved.of is Input.TEMPERATURE else Cause.DEMAND
    if moved is not None:
        told = f"{told}; {moved}"
    return Finding(
        cause, told, "see what happened on those days; a retrain learns the new ways once it has seen some weeks of them"
    )


def _of_moved(moved: Moved) -> Finding:
    cause = Cause.WEATHER if moved.of is Input.TEMPERATURE else Cause.DEMAND
    return Finding(cause, f"inputs moved: {moved}", "if it is true, nothing to do but to retrain; if not, look at the feed")
