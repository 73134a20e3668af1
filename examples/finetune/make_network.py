"""Trains a network in PyTorch that knows the digits 0 to 6, and exports it: build/digits.onnx.

    pip install torch "netwright[examples,onnx]"
    python make_network.py

It stands for a network that somebody else has trained on more data than you have.
"""

import sys

import numpy as np

try:
    import torch
    from torch import nn
except ImportError as error:
    sys.exit(f'{error}: pip install torch "netwright[examples,onnx]" brings what this example needs')

from make_data import BUILD, digits


class Network(nn.Module):
    """Grey images from 0 to 1, [N, 1, 28, 28], to scores of seven digits."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 5)
        self.conv2 = nn.Conv2d(16, 32, 5)
        self.hidden = nn.Linear(32 * 4 * 4, 64)
        self.head = nn.Linear(64, 7)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = nn.functional.max_pool2d(self.conv1(image).relu(), 2)
        x = nn.functional.max_pool2d(self.conv2(x).relu(), 2)
        x = nn.functional.dropout(self.hidden(x.flatten(1)).relu(), 0.3, self.training)
        return self.head(x)


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    known = digits(range(7))
    images = torch.from_numpy(np.concatenate(list(known.values()))[:, np.newaxis] / np.float32(255))
    labels = torch.arange(7).repeat_interleave(len(known[0]))
    network = Network()
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    for _ in range(8):
        for rows in torch.randperm(len(images)).split(50):
            down, right = torch.randint(-3, 4, (2,)).tolist()
            moved = images[rows].roll((down, right), (2, 3))
            loss = nn.functional.cross_entropy(network(moved), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    network.eval()
    correct = (network(images).argmax(1) == labels).float().mean()
    torch.onnx.export(
        network,
        (images[:1],),
        str(BUILD / "digits.onnx"),
        input_names=["image"],
        output_names=["scores"],
        dynamic_axes={"image": {0: "N"}, "scores": {0: "N"}},
        dynamo=False,
    )
    print(f"wrote build/digits.onnx: {correct:.1%} of the digits 0 to 6 that it was trained on are right")


if __name__ == "__main__":
    main()
