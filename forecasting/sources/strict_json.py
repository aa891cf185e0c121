"""JSON as RFC 8259 has it. Python's own reader also takes NaN and infinities, and of a name given twice silently the last."""

import json
from typing import Any

from forecasting.errors import SourceError

DEEPEST = 32
"""Nesting beyond which other readers and writers may give up in their own ways."""


def read_json(body: bytes, place: str) -> Any:
    """The value of a JSON text in UTF-8. A number too large for a float becomes an infinity: look at what you take.

    Args:
        place: who answered, for the message.

    Raises:
        SourceError: not JSON, a constant that JSON does not have, a name given twice in one object, or nested too deeply.
    """
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant, object_pairs_hook=_distinct)
        _refuse_deep(value)
    except json.JSONDecodeError as error:
        why = f"{error.msg}, at byte {error.pos:,}"
    except UnicodeDecodeError as error:
        why = f"not UTF-8, at byte {error.start:,}"
    except RecursionError:
        why = "nested too deeply"
    except ValueError as error:
        why = str(error).split(";")[0]
    else:
        return value
    raise SourceError(f"{place} does not answer in proper JSON ({why})", "try again later; should it last, look at what it sends")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _refuse_deep(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return
    raise RecursionError


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is given twice")
    return found
