"""Alert episodes, silences, and what alerts led to."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from forecasting.domain import Finding
from forecasting.episodes import Episode, Scope, Silence, State
from forecasting.errors import StoreError
from forecasting.store.database import Connection, statement

NEVER = datetime.max.replace(tzinfo=UTC)
Action = Literal["alert", "retrain", "rollback"]
FINDING = ("rule", "series_id", "since", "severity", "message", "cause", "remedy", "score", "mlflow_run_id", "picture", "issue_id")


@dataclass(frozen=True, slots=True)
class StoredSilence:
    """A silence in force; neither rule nor series means all."""

    silence_id: int
    series_id: str | None
    rule: str | None
    starts_at: datetime
    ends_at: datetime
    reason: str
    made_by: str


class Alerts:
    """Rows of `alert`, at most one open for a rule and a series or all of them; of `silence`; of `drift_action`."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def lock(self) -> None:
        """Keep others from changing episodes until the transaction ends."""
        self.connection.execute(statement("lock_alerts"))

    def newest(self) -> dict[Scope, Episode]:
        """The newest episode of each scope, open or not."""
        return {episode.scope: episode for episode in self._episodes("newest_alerts", {})}

    def listed(self, resolved_after: datetime) -> list[Episode]:
        """All open episodes, and those that fired and ended after a moment; the most urgent first."""
        return self._episodes("listed_alerts", {"alert_id": None, "resolved_after": resolved_after})

    def fired_at(self, as_of: datetime) -> list[Episode]:
        """Those that began to fire with the watch of that moment."""
        return [episode for episode in self.listed(NEVER) if episode.fired_as_of == as_of]

    def get(self, alert_id: int) -> Episode:
        """One episode.

        Raises:
            StoreError: there is none of this number.
        """
        found = self._episodes("listed_alerts", {"alert_id": alert_id, "resolved_after": None})
        if not found:
            raise StoreError(f"there is no alert {alert_id}", "see their numbers with 'fortnight alerts --all'")
        return found[0]

    def _episodes(self, name: str, parameters: Mapping[str, object]) -> list[Episode]:
        with self.connection.cursor(row_factory=dict_row) as cursor:
            return [_episode(row) for row in cursor.execute(statement(name), parameters).fetchall()]

    def write(self, episodes: Iterable[Episode]) -> dict[Scope, int]:
        """Store new episodes and changed ones; the numbers of all of them."""
        rows = [_row(episode) for episode in episodes]
        fresh = [row for row in rows if row["alert_id"] is None]
        known = [row for row in rows if row["alert_id"] is not None]
        self.connection.execute(statement("change_alerts"), {"episodes": Jsonb(known)})
        added = self.connection.execute(statement("add_alerts"), {"episodes": Jsonb(fresh)}).fetchall()
        ids: dict[Scope, Any] = {(row["rule"], row["series_id"]): row["alert_id"] for row in known}
        return ids | {(str(rule), None if series_id is None else str(series_id)): alert_id for alert_id, rule, series_id in added}

    def acknowledge(self, alert_id: int, by: str, note: str | None) -> None:
        """Somebody has taken charge: it is not escalated. Once more, by whomever, replaces name and note.

        Raises:
            StoreError: there is no such alert, it has not fired, or it is over.
        """
        parameters = {"alert_id": alert_id, "by": by, "note": note}
        if self.connection.execute(statement("acknowledge_alert"), parameters).fetchone() is None:
            state = self.get(alert_id).state
            raise StoreError(f"alert {alert_id} is {state}", "acknowledge one that is firing: see 'fortnight alerts'")

    def zones(self, series_ids: Iterable[str]) -> dict[str, ZoneInfo]:
        """The time zones of series.

        Raises:
            StoreError: one is not registered.
        """
        wanted = sorted(set(series_ids))
        rows = self.connection.execute(statement("series_zones"), {"series_ids": wanted}).fetchall()
        found = {str(series_id): ZoneInfo(str(name)) for series_id, name in rows}
        if missing := [series_id for series_id in wanted if series_id not in found]:
            raise StoreError(f"series {missing[0]!r} is not stored", "ingest it first, or name one of 'fortnight status'")
        return found

    def silence(
        self, rule: str | None, series_id: str | None, starts_at: datetime, ends_at: datetime, reason: str, made_by: str
    ) -> int:
        """Tell nothing of a rule, a series or both for a while; the number of the silence."""
        if series_id is not None:
            self.zones([series_id])
        parameters = {
            "rule": rule,
            "series_id": series_id,
            "starts_at": starts_at,
            "ends_at": ends_at,
            "reason": reason,
            "made_by": made_by,
        }
        return _number(self.connection.execute(statement("add_silence"), parameters).fetchone())

    def silences(self, at: datetime) -> list[StoredSilence]:
        """Those in force at a moment of the clock."""
        with self.connection.cursor(row_factory=class_row(StoredSilence)) as cursor:
            return cursor.execute(statement("silences"), {"at": at}).fetchall()

    def end_silence(self, silence_id: int, at: datetime) -> None:
        """Let a silence end now.

        Raises:
            StoreError: there is no such silence, or it has ended.
        """
        if self.connection.execute(statement("end_silence"), {"silence_id": silence_id, "at": at}).fetchone() is None:
            raise StoreError(f"no silence {silence_id} is in force", "see their numbers with 'fortnight silences'")

    def owing_action(self, rules: Sequence[str], action: Action) -> list[int]:
        """Alerts of these rules that are open, not inhibited, and have not led to this action, or not to its end."""
        rows = self.connection.execute(statement("alerts_owing_action"), {"rules": list(rules), "action": action}).fetchall()
        return [_number(row) for row in rows]

    def begin_action(self, alert_id: int, action: Action, as_of: datetime) -> int | None:
        """Note that an alert leads to an action, once; None where that has come to its end before. One that was begun and never
        ended is begun again: hold the series meanwhile."""
        parameters = {"alert_id": alert_id, "action": action, "as_of": as_of}
        row = self.connection.execute(statement("begin_action"), parameters).fetchone()
        return None if row is None else _number(row)

    def finish_action(self, drift_action_id: int, outcome: str) -> None:
        """Note how an action went.

        Raises:
            StoreError: it was not begun, or has ended.
        """
        parameters = {"drift_action_id": drift_action_id, "outcome": outcome}
        if self.connection.execute(statement("finish_action"), parameters).fetchone() is None:
            raise StoreError(f"action {drift_action_id} is not under way", "begin it first, and finish it once")


def quiet(silences: Iterable[StoredSilence]) -> list[Silence]:
    """Silences as the state machine takes them."""
    return [Silence(each.rule, each.series_id) for each in silences]


def _number(row: Sequence[object] | None) -> int:
    assert row is not None
    return int(str(row[0]))


def _episode(row: dict[str, Any]) -> Episode:
    finding = {name: row.pop(name) for name in FINDING}
    given = {**finding, "cause": finding["cause"] or "", "remedy": finding["remedy"] or ""}
    return Episode(Finding(bad=True, **given), State(row.pop("state")), **row)


def _row(episode: Episode) -> dict[str, Any]:
    """An episode as JSON, its finding's fields beside its own."""
    row = asdict(episode)
    row |= row.pop("finding")
    if row["score"] is not None and not math.isfinite(row["score"]):
        row["score"] = None
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
