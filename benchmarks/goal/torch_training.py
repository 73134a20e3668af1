"""The examples as a PyTorch user writes and trains them: with the layers, loss, schedule and batches of the specs."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .tasks import Task

Loss = Callable[[Tensor, Tensor], Tensor]


class Digits(nn.Module):
    """Two blocks of two convolutions with normalization."""

    def __init__(self) -> None:
        super().__init__()

        def block(channels: int, filters: int) -> tuple[nn.Module, ...]:
            convolution = nn.Conv2d(channels, filters, 3, padding=1, bias=False)
            return convolution, nn.BatchNorm2d(filters), nn.ReLU()

        self.layers = nn.Sequential(
            *(*block(1, 32), *block(32, 32), nn.MaxPool2d(2), nn.Dropout(0.2)),
            *(*block(32, 64), *block(64, 64), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Dropout(0.4), nn.Linear(256, 10)),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, image: Tensor) -> Tensor:
        """Images [N, 8, 8, 1] of bytes from 0 to 16."""
        return self.layers(image.reshape(-1, 1, 8, 8).float() * 0.0625)


class Sunspots(nn.Module):
    """An LSTM on standardized numbers."""

    def __init__(self, mean: float, deviation: float) -> None:
        super().__init__()
        self.mean, self.deviation = mean, deviation
        self.memory, self.head = nn.LSTM(1, 32, batch_first=True), nn.Linear(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Sequences [N, T, 1]."""
        states, _ = self.memory((x - self.mean) / self.deviation)
        return self.head(states) * 40.0 + 50.0


def train(task: Task) -> tuple[int, float]:
    """The epochs until the goal, and the score then."""
    torch.manual_seed(7)
    torch.set_num_threads(1)
    train_set, valid_set = (_tensors(task, part) for part in ("train", "valid"))
    if task.name == "digits":
        network: nn.Module = Digits()
        loss_of: Loss = functional.cross_entropy
        rate, steps, batch, clip = 2e-3, 450, 32, None
    else:
        network = Sunspots(float(train_set[0].mean()), float(train_set[0].std()))
        loss_of = functional.mse_loss
        rate, steps, batch, clip = 1e-2, 280, 16, 1.0
    optimizer = torch.optim.Adam(network.parameters(), lr=rate, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: 0.5 * (1 + math.cos(math.pi * min(step, steps) / steps))
    )
    score = math.nan
    for epoch in range(task.epochs):
        network.train()
        for rows in torch.randperm(len(train_set[0])).split(batch):
            optimizer.zero_grad()
            loss_of(network(train_set[0][rows]), train_set[1][rows]).backward()
            if clip:
                nn.utils.clip_grad_norm_(network.parameters(), clip)
            optimizer.step()
            schedule.step()
        score = _score(task, network, valid_set, loss_of)
        if task.reached(score):
            return epoch + 1, score
    return task.epochs, score


def _score(task: Task, network: nn.Module, valid: list[Tensor], loss_of: Loss) -> float:
    network.eval()
    with torch.inference_mode():
        answer = network(valid[0])
        if task.metric == "loss":
            return float(loss_of(answer, valid[1]))
        return float((answer.argmax(-1) == valid[1]).float().mean())


def _tensors(task: Task, part: str) -> list[Tensor]:
    with np.load(task.data(part)) as arrays:
        return [torch.from_numpy(arrays[name]) for name in arrays.files]
