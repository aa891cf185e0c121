"""The yardstick: the tutorial's networks and its loop as they would be written from it, plainly, with the settings that it names.

S. Keydana, "Introductory time-series forecasting with torch" and its three sequels, RStudio AI Blog, 2021. Demand alone goes in; a
Dataset gives items one by one; decoders walk step by step; Adam, 1e-3, batches of 32, hidden 32. The targets are the steps after
the window.
"""

import random
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

HIDDEN, MLP_HIDDEN, BATCH, LEARNING_RATE, FORCING = 32, 512, 32, 1e-3, 0.3


class Items(Dataset[tuple[Tensor, Tensor]]):
    """One window an item: [past, 1] and [horizon]."""

    def __init__(self, energy: np.ndarray, positions: np.ndarray, past: int, horizon: int) -> None:
        self.energy = torch.from_numpy(energy)
        self.starts, self.past, self.horizon = (positions - past).tolist(), past, horizon

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, item: int) -> tuple[Tensor, Tensor]:
        start = self.starts[item]
        end = start + self.past
        return self.energy[start:end, None], self.energy[end : end + self.horizon]


class OneStep(nn.Module):
    """Part 1. What is true is told to every network, and used by the one with teacher forcing."""

    def __init__(self, horizon: int) -> None:
        super().__init__()
        self.rnn = nn.GRU(1, HIDDEN, batch_first=True)
        self.output = nn.Linear(HIDDEN, horizon)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:  # noqa: ARG002
        return self.output(self.rnn(x)[0][:, -1])


class Perceptron(nn.Module):
    """Part 2."""

    def __init__(self, horizon: int) -> None:
        super().__init__()
        self.rnn = nn.GRU(1, HIDDEN, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(HIDDEN, MLP_HIDDEN), nn.ReLU(), nn.Linear(MLP_HIDDEN, horizon))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:  # noqa: ARG002
        return self.mlp(self.rnn(x)[0][:, -1])


class EncoderDecoder(nn.Module):
    """Part 3: a batch is forced at a step, or not."""

    def __init__(self, horizon: int) -> None:
        super().__init__()
        self.horizon = horizon
        self.encoder = nn.GRU(1, HIDDEN, batch_first=True)
        self.decoder = nn.GRU(1, HIDDEN, batch_first=True)
        self.output = nn.Linear(HIDDEN, 1)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        outputs = torch.zeros(len(x), self.horizon)
        _, state = self.encoder(x)
        given = x[:, -1:]
        for step in range(self.horizon):
            out, state = self.decoder(given, state)
            written = self.output(out[:, 0])
            outputs[:, step] = written[:, 0]
            forced = self.training and random.random() < FORCING  # noqa: S311
            given = y[:, step, None, None] if forced else written[:, None]
        return outputs


class AttendingDecoder(nn.Module):
    """Part 4, multiplicative attention; the decoder reads its own last step, which the tutorial computes and does not use."""

    def __init__(self, horizon: int) -> None:
        super().__init__()
        self.horizon = horizon
        self.encoder = nn.GRU(1, HIDDEN, batch_first=True)
        self.decoder = nn.GRU(1 + HIDDEN, HIDDEN, batch_first=True)
        self.project = nn.Linear(HIDDEN, HIDDEN)
        self.output = nn.Linear(2 * HIDDEN, 1)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:  # noqa: ARG002
        outputs = torch.zeros(len(x), self.horizon)
        keys, state = self.encoder(x)
        given = x[:, -1:]
        for step in range(self.horizon):
            query = state.permute(1, 0, 2)
            weights = torch.softmax(torch.bmm(query, self.project(keys).permute(0, 2, 1)), dim=2)
            context = torch.bmm(weights, keys)
            out, state = self.decoder(torch.cat([given, context], dim=2), state)
            given = self.output(torch.cat([out, context], dim=2))
            outputs[:, step] = given[:, 0, 0]
        return outputs


NETWORKS = {"rnn_one_step": OneStep, "rnn_mlp": Perceptron, "seq2seq": EncoderDecoder, "seq2seq_attention": AttendingDecoder}


@dataclass(frozen=True)
class Run:
    """CPU seconds from the start to the end of each epoch, and the validation loss then."""

    seconds: list[float]
    losses: list[float]


def fit(network: nn.Module, train: Items, validation: Items, epochs: int) -> Run:
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    loader, held_out = DataLoader(train, batch_size=BATCH, shuffle=True), DataLoader(validation, batch_size=BATCH)
    run, started = Run([], []), time.process_time()
    for _ in range(epochs):
        network.train()
        for x, y in loader:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(network(x, y), y)
            loss.backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            total = sum(nn.functional.mse_loss(network(x, y), y).item() * len(x) for x, y in held_out)
        run.seconds.append(time.process_time() - started)
        run.losses.append(total / len(validation))
    return run
