"""The four networks of MLPerf Tiny (Banbury et al., 2021), and what else fits a small machine."""

from __future__ import annotations

from .builder import Layers, Network


def resnet8() -> Network:
    """ResNet-8 for images of 32×32: three stages of one block each."""
    net = Layers()
    x = net.conv_norm("image", 16)
    for filters, stride in ((16, 1), (32, 2), (64, 2)):
        short = x if stride == 1 else net.conv(x, filters, 1, stride)
        y = net.conv_norm(net.conv_norm(x, filters, 3, stride), filters, relu=False)
        x = net.add("relu", net.add("add", y, short))
    return net.network("resnet8", net.dense(net.add("global_mean_pool", x), 10), {"image": ["N", 32, 32, 3]})


def ds_cnn() -> Network:
    """A depthwise separable CNN that spots keywords (Zhang et al., 2017): 49 frames of 10 coefficients."""
    net = Layers()
    x = net.conv("image", 64, [10, 4], 2, padding=[[4, 5], [1, 1]], use_bias=False)
    x = net.add("relu", net.add("batch_norm", x))
    for _ in range(4):
        x = net.conv_norm(net.depthwise_norm(x), 64, 1)
    return net.network("ds_cnn", net.dense(net.add("global_mean_pool", x), 12), {"image": ["N", 49, 10, 1]})


def mobilenet(side: int = 96, classes: int = 2) -> Network:
    """MobileNet v1 (Howard et al., 2017) at a quarter of its width."""
    net = Layers()
    x = net.conv_norm("image", 8, 3, 2)
    blocks = [(16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *[(128, 1)] * 5, (256, 2), (256, 1)]
    for filters, stride in blocks:
        x = net.conv_norm(net.depthwise_norm(x, stride=stride), filters, 1)
    output = net.dense(net.add("global_mean_pool", x), classes)
    return net.network(f"mobilenet_{side}", output, {"image": ["N", side, side, 3]})


def autoencoder() -> Network:
    """A dense autoencoder over 640 features, which hears machines that sound odd."""
    net = Layers()
    x = "x"
    for units in (128, 128, 128, 128, 8, 128, 128, 128, 128):
        x = net.add("relu", net.add("batch_norm", net.dense(x, units)))
    return net.network("autoencoder", net.dense(x, 640), {"x": ["N", 640]})


def mlp(*units: int, features: int = 784, classes: int = 10) -> Network:
    """Hidden layers with ReLU: many weights for little work."""
    net = Layers()
    x = "x"
    for each in units:
        x = net.dense(x, each, "relu")
    return net.network(f"mlp_{'_'.join(map(str, units))}", net.dense(x, classes), {"x": ["N", features]})
