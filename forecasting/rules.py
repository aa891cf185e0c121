"""What is watched: one line of properties for each rule that can find something bad. A new rule is one new entry in RULES."""

from collections.abc import Mapping
from dataclasses import dataclass

from forecasting.domain import Severity

JUDGED = frozenset(
    {
        "loss_drift",
        "loss_drift_series",
        "validation_loss_drift",
        "coverage_off",
        "bias_by_lead",
        "inputs_moved",
    }
)
"""Rules that judge forecasts or inputs, which means nothing while the readings themselves are missing or wrong."""

FOLLOWS = frozenset({"readings_stale", "gaps_growing", "quarantine_growing"})
"""Rules that find what a fault of the feed leads to."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How findings of one rule are treated, and told of.

    Args:
        title: what is the case, as it stands in a subject after the series.
        remedy: what to do, where a finding does not know better.
        bad_watches: so many bad watches in a row before it fires.
        good_watches: so many good watches in a row before it counts as over.
        inhibits: rules that stay quiet in the same scope while this one is open; while it is open for all series, in every scope.
    """

    name: str
    title: str
    severity: Severity
    remedy: str
    bad_watches: int = 1
    good_watches: int = 1
    inhibits: frozenset[str] = frozenset()


_ALL = (
    Rule(
        "readings_stale",
        "readings are stale",
        "page",
        "run 'fortnight doctor': it asks the feed; once it answers, 'fortnight ingest' catches up",
        inhibits=JUDGED,
    ),
    Rule(
        "feed_frozen",
        "the feed repeats one value",
        "page",
        "ask whoever runs the meter; the frozen readings wait in fortnight.quarantine and are replaced when good ones come",
        good_watches=2,
        inhibits=JUDGED | FOLLOWS | {"feed_refused"},
    ),
    Rule(
        "feed_scale",
        "the feed has changed its scale",
        "page",
        "compare unit and scale in the series' options with what the feed now delivers, correct them, and ingest again",
        good_watches=2,
        inhibits=JUDGED | FOLLOWS | {"feed_refused"},
    ),
    Rule(
        "feed_refused",
        "deliveries are refused",
        "page",
        "run 'fortnight status' for the reason and 'fortnight doctor' for the present answer of the feed",
        bad_watches=2,
        inhibits=JUDGED | FOLLOWS,
    ),
    Rule(
        "gaps_growing",
        "readings are missing",
        "digest",
        "they are asked for again on every run; if the feed has lost them, 'fortnight backfill' from another file brings them in",
        bad_watches=2,
        good_watches=2,
        inhibits=JUDGED,
    ),
    Rule(
        "quarantine_growing",
        "more rows are quarantined than usual",
        "digest",
        "read the reasons in fortnight.quarantine; a wrong unit, clock or column is corrected in the series' options",
        bad_watches=2,
        good_watches=2,
    ),
    Rule(
        "time_shift",
        "readings are shifted in time",
        "page",
        "compare the feed's clock with time_zone and time_format in the series' options, correct them, and ingest again",
        good_watches=2,
        inhibits=JUDGED,
    ),
    Rule(
        "inputs_moved",
        "inputs are unlike those of the training",
        "digest",
        "look at the picture; if demand or weather has truly changed, the next retrains will learn it",
        bad_watches=2,
        good_watches=3,
    ),
    Rule(
        "forecast_missing",
        "there is no fresh forecast",
        "page",
        "run 'fortnight publish': it tells what is in the way; 'fortnight status' shows what consumers have meanwhile",
    ),
    Rule(
        "fallback_share",
        "forecasts come from a fallback",
        "digest",
        "the forecast says why in its reason; 'fortnight doctor' tries database, MLflow and feeds",
        good_watches=2,
    ),
    Rule(
        "loss_drift",
        "forecast errors have grown",
        "page",
        "compare the champion with earlier versions ('fortnight models'); 'fortnight rollback' goes back to the one before",
        good_watches=3,
        inhibits=frozenset({"loss_drift_series"}),
    ),
    Rule(
        "loss_drift_series",
        "forecast errors have grown",
        "digest",
        "look at the picture, then at 'fortnight models'; 'fortnight rollback' goes back to the champion before",
        good_watches=3,
    ),
    Rule(
        "validation_loss_drift",
        "the validation loss has drifted",
        "page",
        "compare the champion's run with earlier ones in MLflow; 'fortnight rollback' goes back to the champion before",
    ),
    Rule(
        "coverage_off",
        "bands hold too few or too many days",
        "digest",
        "look at the calibration of the champion's run in MLflow; a retrain widens the bands to its recent errors",
        good_watches=3,
    ),
    Rule(
        "bias_by_lead",
        "forecasts lean to one side",
        "digest",
        "look at the error by lead of the champion's run in MLflow, and for a level that has moved in the picture",
        good_watches=3,
    ),
    Rule(
        "weather_missing",
        "weather is missing",
        "digest",
        "run 'fortnight doctor --series ID': it asks the weather source; forecasts go on without it, with wider bands",
    ),
)
RULES: Mapping[str, Rule] = {rule.name: rule for rule in _ALL}


def rule_of(name: str) -> Rule:
    """The properties of a rule; of one that is watched no longer, plain ones, since its episodes are still stored."""
    return RULES.get(name) or Rule(name, name.replace("_", " "), "digest", "the rule is watched no longer; acknowledge the alert")
