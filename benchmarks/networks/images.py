"""Convolutional networks over images: large ones, and LeNet."""

from __future__ import annotations

from .builder import Layers, Network


def lenet() -> Network:
    """LeNet-5 (LeCun et al., 1998) with ReLU and max pooling, on 28×28."""
    net = Layers()
    x = net.pool(net.conv("image", 6, 5, activation="relu"))
    x = net.pool(net.conv(x, 16, 5, padding="valid", activation="relu"))
    x = net.dense(net.add("flatten", x), 120, "relu")
    return _images(net, "lenet", net.dense(net.dense(x, 84, "relu"), 10), 28, channels=1)


def resnet18(side: int = 224, classes: int = 1000) -> Network:
    """ResNet-18 (He et al., 2016). On images of 32×32 the stem is one convolution of 3×3, as usual for CIFAR."""
    net = Layers()
    x = (
        net.conv_norm("image", 64)
        if side < 64
        else net.pool(net.conv_norm("image", 64, 7, 2), 3, 2, padding="same")
    )
    for filters, stride in ((64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)):
        short = x if stride == 1 else net.conv_norm(x, filters, 1, stride, relu=False)
        y = net.conv_norm(net.conv_norm(x, filters, 3, stride), filters, relu=False)
        x = net.add("relu", net.add("add", y, short))
    return _images(net, f"resnet18_{side}", _pooled(net, x, classes), side)


def resnet50() -> Network:
    """ResNet-50 (He et al., 2016), with the stride in the 3×3 convolutions, on 224×224."""
    net = Layers()
    x = net.pool(net.conv_norm("image", 64, 7, 2), 3, 2, padding="same")
    for stage, (blocks, width) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512))):
        for block in range(blocks):
            stride = 2 if stage and block == 0 else 1
            short = x if block else net.conv_norm(x, 4 * width, 1, stride, relu=False)
            y = net.conv_norm(net.conv_norm(x, width, 1), width, 3, stride)
            x = net.add("relu", net.add("add", net.conv_norm(y, 4 * width, 1, relu=False), short))
    return _images(net, "resnet50", _pooled(net, x, 1000), 224)


def vgg16() -> Network:
    """VGG-16 (Simonyan and Zisserman, 2015) on 224×224."""
    net = Layers()
    x = "image"
    for count, filters in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)):
        for _ in range(count):
            x = net.conv(x, filters, activation="relu")
        x = net.pool(x)
    x = net.dense(net.dense(net.add("flatten", x), 4096, "relu"), 4096, "relu")
    return _images(net, "vgg16", net.dense(x, 1000), 224)


def squeezenet() -> Network:
    """SqueezeNet 1.1 (Iandola et al., 2016) on 224×224."""
    net = Layers()

    def fire(x: str, squeeze: int, expand: int) -> str:
        x = net.conv(x, squeeze, 1, activation="relu")
        sides = [net.conv(x, expand, kernel, activation="relu") for kernel in (1, 3)]
        return net.add("concat", *sides)

    x = net.pool(net.conv("image", 64, 3, 2, activation="relu"), 3, 2)
    x = net.pool(fire(fire(x, 16, 64), 16, 64), 3, 2)
    x = net.pool(fire(fire(x, 32, 128), 32, 128), 3, 2)
    x = fire(fire(fire(fire(x, 48, 192), 48, 192), 64, 256), 64, 256)
    x = net.add("global_mean_pool", net.conv(x, 1000, 1, activation="relu"))
    return _images(net, "squeezenet", x, 224)


def mobilenet_v2() -> Network:
    """MobileNetV2 (Sandler et al., 2018), with ReLU in the place of ReLU6, on 224×224."""
    net = Layers()
    x, channels = net.conv_norm("image", 32, 3, 2), 32
    plan = (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )
    for expansion, filters, count, first in plan:
        for number in range(count):
            stride = first if number == 0 else 1
            y = net.conv_norm(x, expansion * channels, 1) if expansion > 1 else x
            y = net.conv_norm(net.depthwise_norm(y, stride=stride), filters, 1, relu=False)
            x = net.add("add", x, y) if stride == 1 and filters == channels else y
            channels = filters
    return _images(net, "mobilenet_v2", _pooled(net, net.conv_norm(x, 1280, 1), 1000), 224)


def densenet121() -> Network:
    """DenseNet-121 (Huang et al., 2017) on 224×224."""
    net = Layers()
    x, channels = net.pool(net.conv_norm("image", 64, 7, 2), 3, 2, padding="same"), 64
    for stage, count in enumerate((6, 12, 24, 16)):
        if stage:
            channels //= 2
            y = net.add("relu", net.add("batch_norm", x))
            x = net.pool(net.conv(y, channels, 1, use_bias=False), kind="mean")
        for _ in range(count):
            y = net.conv_norm(net.add("relu", net.add("batch_norm", x)), 128, 1)
            x = net.add("concat", x, net.conv(y, 32, use_bias=False))
            channels += 32
    x = net.add("relu", net.add("batch_norm", x))
    return _images(net, "densenet121", _pooled(net, x, 1000), 224)


def inception_v1() -> Network:
    """Inception v1 (GoogLeNet; Szegedy et al., 2015) without its normalizations across channels, on 224×224."""
    net = Layers()

    def block(x: str, one: int, in3: int, three: int, in5: int, five: int, last: int) -> str:
        sides = [
            net.conv(x, one, 1, activation="relu"),
            net.conv(net.conv(x, in3, 1, activation="relu"), three, 3, activation="relu"),
            net.conv(net.conv(x, in5, 1, activation="relu"), five, 5, activation="relu"),
            net.conv(net.pool(x, 3, 1, padding="same"), last, 1, activation="relu"),
        ]
        return net.add("concat", *sides)

    x = net.pool(net.conv("image", 64, 7, 2, activation="relu"), 3, 2, padding="same")
    x = net.conv(net.conv(x, 64, 1, activation="relu"), 192, activation="relu")
    x = block(net.pool(x, 3, 2, padding="same"), 64, 96, 128, 16, 32, 32)
    x = net.pool(block(x, 128, 128, 192, 32, 96, 64), 3, 2, padding="same")
    for sizes in (
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ):
        x = block(x, *sizes)
    x = block(net.pool(x, 3, 2, padding="same"), 256, 160, 320, 32, 128, 128)
    x = block(x, 384, 192, 384, 48, 128, 128)
    return _images(net, "inception_v1", _pooled(net, x, 1000), 224)


def unet(side: int = 128, width: int = 16, levels: int = 4) -> Network:
    """U-Net (Ronneberger et al., 2015) with same padding: ``width`` channels on top, doubled at each level."""
    net = Layers()

    def double(x: str, filters: int) -> str:
        return net.conv_norm(net.conv_norm(x, filters), filters)

    x, skips = "image", []
    for level in range(levels):
        x = double(x, width << level)
        skips.append(x)
        x = net.pool(x)
    x = double(x, width << levels)
    for level in reversed(range(levels)):
        x = net.add(
            "conv_transpose2d", x, filters=width << level, kernel_size=2, stride=2, kernel_init="he_normal"
        )
        x = double(net.add("concat", skips[level], x), width << level)
    return _images(net, f"unet_{side}", net.conv(x, 2, 1), side)


def dilated_head() -> Network:
    """A head like DeepLab's (Chen et al., 2017) on 32×32 maps of 256 channels: convolutions of rates 1, 6, 12 and 18
    side by side, then maps enlarged to 128×128."""
    net = Layers()
    sides = [net.conv_norm("image", 128, 1)]
    sides += [net.conv_norm("image", 128, dilation=rate) for rate in (6, 12, 18)]
    x = net.conv_norm(net.conv_norm(net.add("concat", *sides), 128, 1), 128)
    x = net.add("up_sampling2d", net.conv(x, 21, 1), size=4, interpolation="bilinear")
    return _images(net, "dilated_head", x, 32, channels=256)


def _pooled(net: Layers, x: str, classes: int) -> str:
    return net.dense(net.add("global_mean_pool", x), classes)


def _images(net: Layers, model: str, output: str, side: int, channels: int = 3) -> Network:
    return net.network(model, output, {"image": ["N", side, side, channels]})
