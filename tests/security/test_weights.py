"""Model files that mean harm: whatever they say, nothing runs, little memory is taken, and the refusal is one line."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

import pytest
import torch
from safetensors.torch import load, save

from forecasting.artefact import Artefact, pack, read, series_of, unpack
from forecasting.errors import RegistryError, WeightsError
from forecasting.models import MODELS
from forecasting.predicting import FittedModel
from forecasting.registry import Registry
from forecasting.training import repeatable
from tests.unit.builders import QUICK, SMALL, make_forecaster, make_layout, untold, weathered

FAMILY = "seq2seq_attention"


@pytest.fixture(scope="module")
def good() -> Artefact:
    history = weathered(120)
    with repeatable(0):
        forecaster = make_forecaster(FAMILY, make_layout("daily"))
        forecaster.learn(history, 100, QUICK, untold)
    return pack(FittedModel.raw(FAMILY, forecaster), MODELS[FAMILY].options(SMALL), history.series, {"seed": 0})


def refusal(artefact: Artefact, action: Callable[[Artefact], object] = read) -> str:
    """What is said, in little memory."""
    before_kib = getrusage(RUSAGE_SELF).ru_maxrss
    with pytest.raises(WeightsError) as caught:
        action(artefact)
    assert getrusage(RUSAGE_SELF).ru_maxrss - before_kib < 400 << 10
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000
    return str(caught.value)


def changed(artefact: Artefact, place: str, value: object) -> Artefact:
    card = json.loads(artefact.card)
    *folders, name = place.split(".")
    inner = card
    for folder in folders:
        inner = inner[folder]
    inner[name] = value
    return Artefact(artefact.weights, json.dumps(card).encode())


@pytest.mark.parametrize(
    "text",
    [
        b"", b"x", b"[]", b"null", b"\xff\xfe", b"{}", b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b'{"format": 2, "format": 2}', b'{"format": 1e400}', b" " * 2**23,
    ],
)  # fmt: skip
def test_what_is_no_card_is_refused(good: Artefact, text: bytes) -> None:
    for action in (read, series_of):
        assert "the card" in refusal(Artefact(good.weights, text), action)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("family", "../../etc/passwd"), ("family", "__import__('os').system('id')"), ("family", ["seq2seq"]),
        ("family", "x" * 10**6),
        ("family", "Seq2Seq"), ("family", "made_by"), ("family", "\x1b[2J\n"), ("layout", None), ("layout", {}),
        ("layout.per_day", 0), ("layout.per_day", 10**9), ("layout.past_steps", -5), ("layout.past_steps", 10**9),
        ("layout.horizon_steps", 10**9), ("layout.horizon_steps", 14.5), ("layout.information", "Q"), ("layout.evil", 1),
        ("options", None), ("options", []), ("options", {"layout": 1}), ("options", {"self": 1}), ("options.hidden", -1),
        ("options.hidden", 9_999), ("options.hidden", 10**9), ("options.hidden", 10**30), ("options.hidden", "6"),
        ("options.hidden", float("nan")), ("options.hidden", [1]), ("options.seeds", 10**9), ("options.seeds", 0),
        ("options.cell", "__class__"), ("options.attention", "x"), ("calibration", "x"), ("calibration", []),
        ("calibration", [[1.0]]), ("calibration", [[float("nan")] * 15] * 14), ("calibration", [[1e400] * 15] * 14),
        ("series.time_zone", "../../../etc/passwd"), ("series.time_zone", "\x00"), ("series.interval_minutes", 0),
        ("series.interval_minutes", 10**30), ("series.evil", 1), ("series.name", "x" * 10**6), ("evil", 1),
    ],
)  # fmt: skip
def test_a_card_that_says_something_impossible_is_refused(good: Artefact, place: str, value: object) -> None:
    refusal(changed(good, place, value))


def test_nothing_in_the_provenance_of_a_card_matters(good: Artefact) -> None:
    told = changed(good, "provenance", {"__class__": "os.system", "seed": float("nan"), "path": "../.."})
    assert read(told).family == FAMILY


def header(good: Artefact) -> dict[str, dict[str, object]]:
    length = struct.unpack("<Q", good.weights[:8])[0]
    return dict(json.loads(good.weights[8 : 8 + length]))


def with_header(good: Artefact, told: object) -> Artefact:
    length = struct.unpack("<Q", good.weights[:8])[0]
    text = json.dumps(told).encode()
    return Artefact(struct.pack("<Q", len(text)) + text + good.weights[8 + length :], good.card)


def test_weights_with_a_hostile_header_are_refused(good: Artefact) -> None:
    for weights in (
        b"",
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 2**40) + b"{}",
        struct.pack("<Q", 8) + b"[" * 8,
        struct.pack("<Q", 99_000_000) + b"[" * 99_000_000,
        b"PK\x03\x04" + bytes(100),
        b"\x80\x02cposix\nsystem\nq\x00X\x02\x00\x00\x00idq\x01\x85q\x02Rq\x03.",
    ):
        refusal(Artefact(weights, good.card))
    entries = header(good)
    name, first = next((name, entry) for name, entry in entries.items() if name != "__metadata__")
    for change in (
        {"shape": [2**40, 2**40]},
        {"shape": [10**9]},
        {"shape": [-1]},
        {"data_offsets": [0, 2**60]},
        {"data_offsets": [-8, 0]},
        {"dtype": "PYTHON"},
    ):
        refusal(with_header(good, {**entries, name: {**first, **change}}))
    refusal(with_header(good, {f"../../{name}": entry for name, entry in entries.items()}))
    refusal(with_header(good, {name: {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}))


def test_weights_that_are_missing_or_too_many_are_refused(good: Artefact) -> None:
    state = load(good.weights)
    for other in ({}, {**state, "evil": torch.zeros(3)}, dict(list(state.items())[1:])):
        assert "do not fit" in refusal(Artefact(save(other), good.card))


def test_buffers_that_follow_the_data_are_no_way_round(good: Artefact) -> None:
    """They may be of any size, but of no other file than the one that was registered."""
    state = load(good.weights)
    large = Artefact(save({**state, "calendar": torch.zeros(10_000, 10, dtype=torch.float64)}), good.card)
    assert read(large).family == FAMILY
    assert "digest" in refusal(large, lambda found: unpack(found, good.weights_sha256, good.card_sha256))


def test_a_digest_that_only_looks_alike_is_another(good: Artefact) -> None:
    for weights, card in (
        (good.weights_sha256.upper(), good.card_sha256),
        (good.weights_sha256[:12], good.card_sha256),
        (good.card_sha256, good.weights_sha256),
        ("", ""),
    ):
        assert "digest" in refusal(good, lambda found, of=(weights, card): unpack(found, *of))  # type: ignore[misc]


def test_a_registry_that_hands_out_endless_files_does_not_fill_the_memory(
    home: Path, good: Artefact, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry(home, None)
    experiment_id = registry.client.create_experiment("hostile", artifact_location=(home / "artifacts").as_uri())
    run = registry.client.create_run(experiment_id)
    folder = home / "files"
    folder.mkdir()
    (folder / "card.json").write_bytes(good.card)
    with (folder / "weights.safetensors").open("wb") as file:
        file.truncate(2**20)
    registry.client.log_artifacts(run.info.run_id, str(folder), "model")
    assert registry.fetch(run.info.run_id).card == good.card
    monkeypatch.setattr("forecasting.registry.LARGEST_FILE_BYTES", 2**19)
    with pytest.raises(RegistryError, match="far too large"):
        registry.fetch(run.info.run_id)
