"""The networks of the examples as a PyTorch user writes them: NCHW, with the same layers, loss and optimizer."""

import torch
from torch import nn
from torch.nn import functional


class Network(nn.Module):
    """What a training step needs besides the layers."""

    clip_norm: float | None = None

    def loss(self, answer: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(answer, target)

    def optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


class LeNet(Network):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(400, 120), nn.ReLU()),
            *(nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.layers(image.reshape(-1, 1, 28, 28))  # one channel: NHWC and NCHW are the same bytes

    def optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1e-2, momentum=0.9)


class Digits(Network):
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

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.layers(image.reshape(-1, 1, 8, 8).float() * 0.0625)


class Sunspots(Network):
    clip_norm = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.memory = nn.LSTM(1, 32, batch_first=True)
        self.head = nn.Linear(32, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states, _ = self.memory((x - 45.0) / 34.0)
        return self.head(states) * 40.0 + 50.0

    def loss(self, answer: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return functional.mse_loss(answer, target)

    def optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-2)


NETWORKS: dict[str, type[Network]] = {"lenet": LeNet, "digits": Digits, "sunspots": Sunspots}
