"""What Prometheus is told, as its own parser reads it, and the dashboard that asks for it."""

import json
import re
from pathlib import Path

import pytest
import requests
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from forecasting.store import schema
from forecasting.store.reader import Reader
from tests.conftest import CHECKOUT
from tests.page.world import Seen, get
from tests.store.contract_world import ask

DASHBOARD = CHECKOUT / "deploy" / "grafana.json"
LOSSES = """
    SELECT avg(pinball) AS own, avg(abs(weekly_naive - actual)) / 2 AS naive FROM published.forecast_vs_actual
    WHERE lead = 1 AND target_day BETWEEN '2014-10-13' AND '2014-11-09'
"""
NAME = re.compile(r"fortnight_[a-z_]+|process_[a-z_]+")


@pytest.fixture(scope="module")
def told(site: str) -> dict[str, Metric]:
    answer = get(f"{site}/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def value(told: dict[str, Metric], name: str, **labels: str) -> float:
    found = [sample.value for sample in told[name].samples if labels.items() <= sample.labels.items()]
    assert len(found) == 1, (name, labels, found)
    return float(found[0])


def test_the_metrics_are_those_of_what_is_published(told: dict[str, Metric], seen: Seen) -> None:
    assert value(told, "fortnight_up") == 1
    assert value(told, "fortnight_build_info", schema=schema.head()) == 1
    assert value(told, "fortnight_readings_age_seconds", series="vic") == 6.5 * 3600
    assert value(told, "fortnight_origin_age_seconds", series="vic") == 6.5 * 3600
    assert value(told, "fortnight_forecast_reach_seconds", series="vic") == 14 * 86400 - 6.5 * 3600
    for tier in ("champion", "last_good", "weekly_naive"):
        assert value(told, "fortnight_forecast_tier", series="vic", tier=tier) == (tier == "champion")
    assert value(told, "fortnight_status_level", series="vic") == 2
    assert value(told, "fortnight_alerts_open", series="*", severity="page") == 1
    assert value(told, "fortnight_alerts_open", series="vic", severity="digest") == 1
    assert value(told, "fortnight_alerts_open", series="hostile", severity="page") == 0, "what is over is not open"
    assert value(told, "fortnight_validation_pinball_mwh", series="vic") == 900
    assert value(told, "fortnight_validation_skill_ratio", series="vic") == pytest.approx(0.4)
    assert value(told, "fortnight_job_seconds", series="vic", job="ingest") == 7
    assert value(told, "fortnight_job_outcome", series="vic", job="publish", outcome="failed") == 1
    assert value(told, "fortnight_job_outcome", series="vic", job="publish", outcome="done") == 0
    losses = ask(seen.owner, LOSSES)
    assert value(told, "fortnight_realised_pinball_mwh", series="vic") == pytest.approx(losses["own"][0])
    for series in ("vic", "*"):
        skill = value(told, "fortnight_realised_skill_ratio", series=series)
        assert skill == pytest.approx(1 - losses["own"][0] / losses["naive"][0])
        assert value(told, "fortnight_drift_evidence_limit", series=series, against="predecessor") == 3.5
        assert value(told, "fortnight_drift_evidence", series=series, against="weekly_naive") < 4.5


def test_names_and_words_follow_the_conventions(told: dict[str, Metric], site: str) -> None:
    own = {name: family for name, family in told.items() if name.startswith("fortnight_")}
    assert len(own) > 25
    for name, family in own.items():
        assert family.type == "gauge"
        assert family.documentation.endswith("."), name
        assert len(family.samples) == len({(sample.name, *sorted(sample.labels.items())) for sample in family.samples})
        if name.endswith("_seconds"):
            assert "seconds" in family.documentation or "long ago" in family.documentation or "How far" in family.documentation
        if name.endswith("_mwh"):
            assert "MWh" in family.documentation
    text = requests.get(f"{site}/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"}, timeout=30).text
    assert {family.name for family in openmetrics(text)} >= set(own)


def test_the_dashboard_asks_for_what_there_is(told: dict[str, Metric], seen: Seen) -> None:
    board = json.loads(Path(DASHBOARD).read_text())
    assert board["schemaVersion"] >= 41
    targets = [(panel["title"], target) for panel in board["panels"] for target in panel["targets"]]
    asked = {name for _, target in targets for name in NAME.findall(target.get("expr", ""))}
    asked |= set(NAME.findall(json.dumps(board["templating"])))
    assert len(asked) > 15
    assert asked <= set(told), asked - set(told)
    labels = {name: {label for sample in family.samples for label in sample.labels} for name, family in told.items()}
    for title, target in targets:
        for name, selector in re.findall(r"(fortnight_\w+)\{([^}]*)\}", target.get("expr", "")):
            assert set(re.findall(r"(\w+)\s*=", selector)) <= labels[name], title
    queries = [target["rawSql"] for _, target in targets if "rawSql" in target]
    assert len(queries) >= 3
    with Reader(seen.reader).open() as published:
        for query in queries:
            plain = query.replace("${series:sqlstring}", "'vic'").replace("$__timeFrom()", "'2014-11-01'::timestamptz")
            plain = plain.replace("$__timeTo()", "'2014-11-30'::timestamptz")
            assert published.connection.execute(plain.encode()).fetchall(), query
