"""A small convolutional network in PyTorch, exported to ONNX, with an input and PyTorch's own answers to compare."""

import numpy as np
import torch
from torch import nn


class Network(nn.Module):
    """Two convolutions with batch norm, and two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.hidden = nn.Linear(16 * 7 * 7, 32)
        self.head = nn.Linear(32, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm1(self.conv1(image)))
        x = nn.functional.max_pool2d(x, 2)
        x = torch.relu(self.conv2(x))
        return self.head(torch.relu(self.hidden(x.flatten(1))))


def main() -> None:
    torch.manual_seed(0)
    network = Network()
    images = torch.randn(64, 1, 28, 28)
    network.train()
    network(images)  # gives the batch norm statistics
    network.eval()
    torch.onnx.export(
        network,
        (images[:2],),
        "network.onnx",
        input_names=["image"],
        output_names=["logits"],
        dynamic_axes={"image": {0: "N"}, "logits": {0: "N"}},
        dynamo=False,
    )
    np.save("images.npy", images[:5].numpy())
    with torch.no_grad():
        np.save("expected.npy", network(images[:5]).numpy())


if __name__ == "__main__":
    main()
