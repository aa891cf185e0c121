"""Malformed answers made of good ones, and what must be true of whatever a parser makes of them."""

import json
import os
import random
import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import pandas as pd

from forecasting.errors import SourceError
from forecasting.frames import Batch

INPUTS = int(os.environ.get("FUZZ_INPUTS", "10000"))
EARLIEST, LATEST = pd.Timestamp("1900-01-01", tz="UTC"), pd.Timestamp("2300-01-01", tz="UTC")


def mutated(good: bytes, chance: random.Random, splitters: bytes, poison: Sequence[bytes]) -> bytes:
    """A copy with one to four faults: cut, flipped bytes, poison put in, a piece doubled, dropped or swapped with another."""
    body = bytearray(good)
    for _ in range(chance.randint(1, 4)):
        here, there = sorted(chance.randrange(len(body) + 1) for _ in range(2))
        match chance.randrange(8):
            case 0:
                del body[here:]
            case 1:
                for _ in range(chance.randint(1, 8)):
                    if body:
                        body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
            case 2:
                body[here:here] = chance.choice(poison)
            case 3:
                body[here:here] = body[here : min(there, here + 300)]
            case 4:
                del body[here : min(there, here + 100)]
            case 5 | 6:  # a whole field becomes poison, or trades its place
                ends = [place for place, byte in enumerate(body) if byte in splitters]
                if len(ends) > 4:
                    first, second = sorted(chance.sample(range(len(ends) - 1), 2))
                    old = bytes(body[ends[first] + 1 : ends[first + 1]])
                    new = bytes(body[ends[second] + 1 : ends[second + 1]]) if chance.random() < 0.5 else chance.choice(poison)
                    body[ends[second] + 1 : ends[second + 1]] = old
                    body[ends[first] + 1 : ends[first + 1]] = new
            case 7:
                body[here:here] = bytes([chance.choice(splitters)]) * chance.choice([1, 2, 1000])
    return bytes(body)


ODD_VALUES: list[Any] = [
    None, True, "", "x", "NaN", "1e400", "-1.5", 0, -1, 2**63, 10**400, 1.5, -1e308, [], {}, [[]], {"a": None}, "\ud800\0",
    "9" * 5000, "0000-00-00T00", "9999-12-31T23", "2024-03-09T01",
]  # fmt: skip


def json_mutated(good: bytes, chance: random.Random) -> bytes:
    """A copy that is still JSON, with one to six of its values replaced, renamed, dropped, doubled or moved."""
    top = json.loads(good)
    for _ in range(chance.randint(1, 6)):
        node, inner = top, top
        while isinstance(inner, (dict, list)) and inner and chance.random() < 0.9:
            node = inner
            place = chance.choice(list(node) if isinstance(node, dict) else range(len(node)))
            inner = node[place]
        if inner is top:
            continue
        match chance.randrange(6):
            case 0:
                del node[place]
            case 1 if isinstance(node, dict):
                node[chance.choice(["", "odd", "total", "\ud800\0"])] = node.pop(place)
            case 2 if isinstance(node, list):
                node.insert(chance.randrange(len(node)), deepcopy(inner))
            case 3 if isinstance(node, list):
                chance.shuffle(node)
            case _:
                node[place] = deepcopy(chance.choice(ODD_VALUES))
    return json.dumps(top).encode()


def fuzz(
    good: Sequence[bytes], look: Callable[[bytes], None], splitters: bytes, poison: Sequence[bytes], inputs: int = INPUTS
) -> None:
    """Let `look` parse and check; it may raise SourceError and nothing else, and no input may take time out of all proportion."""
    chance = random.Random(20240101)  # noqa: S311 - no secret
    refusals = []
    for number in range(inputs):
        whole = chance.choice(good)
        body = json_mutated(whole, chance) if whole[:1] == b"{" and number % 2 else mutated(whole, chance, splitters, poison)
        started = time.process_time()
        try:
            look(body)
        except SourceError as error:
            refusals.append(str(error))
        except Exception as error:
            error.add_note(f"input {number}: {body!r:.3000}")
            raise
        assert time.process_time() - started < 10, f"input {number}: {body!r:.3000}"
    assert all(len(told) < 1000 and "\n" not in told for told in refusals)
    assert 0.02 < len(refusals) / inputs < 0.98  # both ways out are taken


def check_batch(batch: Batch) -> None:
    """A batch that any caller can go on with."""
    starts = pd.DatetimeIndex(batch.readings["interval_start"])
    assert str(starts.tz) == "UTC"
    assert np.isfinite(batch.readings["value"]).all()
    assert ((starts > EARLIEST) & (starts < LATEST)).all()
    assert len(batch.rejected.columns) == 3
    for raw in batch.rejected["raw"]:
        for name, cell in json.loads(raw).items():
            for text in (name, cell):
                assert "\0" not in text
                text.encode()
