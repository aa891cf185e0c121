"""HTML from templates, everything escaped that is not ours."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from importlib.metadata import version
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined

from forecasting.alerts.messages import duration
from forecasting.page.charts import told_day
from forecasting.page.drift import YARDSTICKS
from forecasting.page.standing import tier_words
from forecasting.rules import rule_of
from forecasting.store import schema
from forecasting.store.published import Ahead

VERSION, SCHEMA = version("fortnight"), schema.head()
Render = Callable[..., str]


def renderer(now: Callable[[], datetime]) -> Render:
    """A function from a template's name and its words to HTML."""
    environment = Environment(
        loader=PackageLoader("forecasting.page"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "utc": lambda moment: f"{moment:%F %H:%M}Z",
        "local": lambda moment, zone: f"{moment.astimezone(zone):%a %F %H:%M %Z}",
        "minute": lambda moment, zone: f"{moment.astimezone(zone):%F %H:%M}",
        "local_day": _local_day,
        "day": lambda day: f"{day:%a %F}",
        "ago": lambda moment: "an unknown time" if moment is None else duration(now() - moment),
        "hours": _hours,
        "number": lambda value: "–" if value is None else f"{value:.1f}",
        "spaced": lambda name: name.replace("_", " "),
        "tier": tier_words,
        "title_of": lambda rule: rule_of(rule).title,
        "remedy_of": lambda rule: rule_of(rule).remedy,
    }
    environment.globals |= {"version": VERSION, "schema": SCHEMA, "yardsticks": {**YARDSTICKS}}

    def render(name: str, **words: Any) -> str:
        return environment.get_template(name).render(now=now(), **words)

    return render


def _local_day(moment: datetime, zone: ZoneInfo) -> str:
    local: date = moment.astimezone(zone).date()
    return f"{told_day(local)} {local.year}"


def _hours(row: Ahead) -> str:
    return f"{(row.target_end - row.target_start) / timedelta(hours=1):g}"
