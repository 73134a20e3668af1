"""PyTorch networks over images and volumes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

IMAGE = (2, 3, 32, 32)
#: The inputs of networks that are not over (batch, 3, 32, 32).
SHAPES: dict[str, tuple[tuple[int, ...], ...]] = {
    "DcganGenerator": ((2, 16, 1, 1),),
    "VolumeNet": ((2, 1, 8, 12, 12),),
    "LeNet": ((2, 1, 28, 28),),
    "Autoencoder": ((2, 1, 28, 28),),
    "SpatialTransformer": ((2, 1, 28, 28),),
    "Siamese": (IMAGE, IMAGE),
}


class UNet(nn.Module):
    """Two levels, transposed convolutions, skips that are concatenated (Ronneberger et al., 2015)."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.deep = _double(3, 8), _double(8, 16), _double(16, 32)
        self.up_two, self.up_one = nn.ConvTranspose2d(32, 16, 2, 2), nn.ConvTranspose2d(16, 8, 2, 2)
        self.dec_two, self.dec_one, self.head = _double(32, 16), _double(16, 8), nn.Conv2d(8, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        one = self.one(x)
        two = self.two(F.max_pool2d(one, 2))
        deep = self.deep(F.max_pool2d(two, 2))
        x = self.dec_two(torch.cat([self.up_two(deep), two], 1))
        return self.head(self.dec_one(torch.cat([self.up_one(x), one], 1)))


def _double(inside: int, outside: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, padding=1), nn.BatchNorm2d(outside), nn.ReLU(),
        nn.Conv2d(outside, outside, 3, padding=1), nn.BatchNorm2d(outside), nn.ReLU(),
    )  # fmt: skip


class SegNet(nn.Module):
    """Pooling that remembers where each maximum was (Badrinarayanan et al., 2015)."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = _double(3, 8), nn.Conv2d(8, 4, 3, padding=1)
        self.pool, self.unpool = nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        pooled, where = self.pool(self.encoder(x))
        return self.decoder(self.unpool(pooled, where))


class Autoencoder(nn.Module):
    """Strided convolutions in, transposed ones out."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU(),
            nn.ConvTranspose2d(16, 8, 3, 2, 1, output_padding=1), nn.ReLU(),
            nn.ConvTranspose2d(8, 1, 3, 2, 1, output_padding=1), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class DcganGenerator(nn.Module):
    """Noise to an image (Radford et al., 2015)."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ConvTranspose2d(16, 32, 4, 1, 0, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
            nn.ConvTranspose2d(32, 16, 4, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
            nn.ConvTranspose2d(16, 3, 4, 2, 1, bias=False), nn.Tanh(),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class SubpixelUpscaler(nn.Module):
    """Sub-pixel convolution (Shi et al., 2016)."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 16, 5, padding=2), nn.Tanh(), nn.Conv2d(16, 12, 3, padding=1), nn.PixelShuffle(2)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class ResidualUpscaler(nn.Module):
    """Residual blocks, then a bilinear image and what is added to it (Lim et al., 2017)."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.tail = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)
        self.blocks = nn.ModuleList(_double(8, 8) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        maps = self.head(x)
        for block in self.blocks:
            maps = maps + 0.1 * block(maps)
        image = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        return image + self.tail(F.interpolate(maps, scale_factor=2.0, mode="nearest"))


class FeaturePyramid(nn.Module):
    """Maps of three scales joined from the top down (Lin et al., 2017)."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList([nn.Conv2d(a, b, 3, 2, 1) for a, b in ((3, 8), (8, 16), (16, 24))])
        self.sides = nn.ModuleList(nn.Conv2d(width, 8, 1) for width in (8, 16, 24))

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for stage in self.stages:
            x = stage(x).relu()
            maps.append(x)
        top, found = None, []
        for side, one in zip(reversed(self.sides), reversed(maps), strict=True):
            here = side(one)
            top = here if top is None else here + F.interpolate(top, size=here.shape[-2:])
            found.append(top)
        return found


class Siamese(nn.Module):
    """How far two images are apart in one embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 6)
        )

    def forward(self, x: Tensor, other: Tensor) -> Tensor:
        return (self.body(x) - self.body(other)).pow(2).sum(1).sqrt()


class SpatialTransformer(nn.Module):
    """A network that turns its image before it reads it (Jaderberg et al., 2015)."""

    def __init__(self) -> None:
        super().__init__()
        self.where = nn.Sequential(nn.Conv2d(1, 4, 5, 2), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 12 * 12, 6))
        self.body = nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(4), nn.Flatten(), nn.Linear(144, 5)
        )

    def forward(self, x: Tensor) -> Tensor:
        grid = F.affine_grid(
            self.where(x).tanh().view(-1, 2, 3), [x.shape[0], 1, 28, 28], align_corners=False
        )
        return self.body(F.grid_sample(x, grid, align_corners=False))


class VolumeNet(nn.Module):
    """Three-dimensional convolutions, pools and a transposed one."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv3d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool3d(2),
            nn.Conv3d(4, 8, 3, padding=1), nn.ReLU(), nn.ConvTranspose3d(8, 2, 2, 2),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class LeNet(nn.Module):
    """LeCun et al., 1998."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
        self.head = nn.Sequential(
            nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = F.avg_pool2d(self.one(x).tanh(), 2)
        x = F.avg_pool2d(self.two(x).tanh(), 2)
        return self.head(x.view(x.size(0), -1))


class SmallInception(nn.Module):
    """Branches of different kernels, concatenated (Szegedy et al., 2014)."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.three, self.five = (
            nn.Conv2d(3, 4, 1),
            nn.Conv2d(3, 4, 3, padding=1),
            nn.Conv2d(3, 4, 5, padding=2),
        )
        self.norm, self.head = nn.GroupNorm(3, 12), nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        maps = torch.cat([self.one(x), self.three(x), self.five(x), F.max_pool2d(x, 3, 1, 1)[:, :0]], 1)
        return self.head(F.silu(self.norm(maps)).mean((2, 3)))


class StandardizedConvolutions(nn.Module):
    """Kernels that are standardized before use (Qiao et al., 2019)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        kernel = self.conv.weight
        mean = kernel.mean((1, 2, 3), keepdim=True)
        scale = kernel.std((1, 2, 3), keepdim=True) + 1e-5
        maps = F.conv2d(x, (kernel - mean) / scale, self.conv.bias, padding=1)
        return self.head(F.gelu(maps).amax((2, 3)))


class PatchMixer(nn.Module):
    """Patches, mixed over positions and over channels (Tolstikhin et al., 2021)."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 8, 8)
        self.norms = nn.ModuleList(nn.LayerNorm(16) for _ in range(3))
        self.positions, self.channels, self.head = nn.Linear(16, 16), nn.Linear(16, 16), nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        tokens = tokens + F.gelu(self.positions(self.norms[0](tokens).transpose(1, 2))).transpose(1, 2)
        tokens = tokens + F.gelu(self.channels(self.norms[1](tokens)))
        return self.head(self.norms[2](tokens).mean(1))


class StyleTransfer(nn.Module):
    """Reflected borders and instance normalization (Johnson et al., 2016)."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(
            nn.ReflectionPad2d(1), nn.Conv2d(3, 8, 3, 2), nn.InstanceNorm2d(8, affine=True), nn.ReLU()
        )
        self.up = nn.Sequential(
            nn.Upsample(scale_factor=2), nn.ReflectionPad2d(1), nn.Conv2d(8, 3, 3), nn.Tanh()
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.up(self.down(x))


class YoloHead(nn.Module):
    """Boxes from a grid of cells (Redmon and Farhadi, 2018)."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 16, 3, 4, 1), nn.LeakyReLU(0.1), nn.Conv2d(16, 2 * 7, 1))
        y, x = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
        self.register_buffer("cells", torch.stack([x, y], -1))
        self.register_buffer("anchors", torch.tensor([[1.0, 2.0], [2.0, 1.0]]).view(1, 2, 1, 1, 2))

    def forward(self, x: Tensor) -> Tensor:
        found = self.body(x).view(x.shape[0], 2, 7, 8, 8).permute(0, 1, 3, 4, 2)
        centre = (found[..., :2].sigmoid() + self.cells) * 4
        size = found[..., 2:4].exp() * self.anchors
        return torch.cat([centre, size, found[..., 4:].sigmoid()], -1).flatten(1, 3)
