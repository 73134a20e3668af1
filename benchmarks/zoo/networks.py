"""The networks of `python -m benchmarks zoo`, by the names `SOURCE/MODEL`, and how each becomes an ONNX model."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path

import onnx

from tests.onnx.models import NETWORKS, light
from tests.zoo.exporting import REVISION

from ..peers import Unsupported
from .layers import Layer, layers

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "netwright-benchmarks"
ROOT = Path(__file__).parents[2]

_TORCHVISION = (
    "alexnet convnext_tiny deeplabv3_mobilenet_v3_large densenet121 densenet169 efficientnet_b0 efficientnet_b1 "
    "efficientnet_v2_s fcn_resnet50 googlenet inception_v3 lraspp_mobilenet_v3_large mnasnet0_5 mnasnet1_0 mobilenet_v2 "
    "mobilenet_v3_large mobilenet_v3_small regnet_x_400mf regnet_x_800mf regnet_y_400mf regnet_y_800mf resnet18 resnet34 "
    "resnet50 resnext50_32x4d shufflenet_v2_x0_5 shufflenet_v2_x1_0 squeezenet1_0 squeezenet1_1 swin_t vgg11 vgg16 "
    "vit_b_16 wide_resnet50_2 mc3_18 r2plus1d_18"
).split()
_TIMM = (
    "convmixer_768_32 convnext_atto cs3darknet_s cspresnet50 darknet17 dla34 dpn48b eca_nfnet_l0 edgenext_xx_small "
    "efficientnet_lite0 efficientvit_b0 ese_vovnet19b_dw fasternet_t0 fastvit_t8 fbnetc_100 fbnetv3_b ghostnet_100 "
    "hardcorenas_a hgnetv2_b0 hrnet_w18_small inception_next_atto lcnet_050 mambaout_femto mixer_s32_224 mixnet_s "
    "mobilenetv1_100 mobilenetv4_conv_small mobileone_s0 mobilevit_xxs regnetz_b16 repghostnet_050 repvgg_a0 res2net50_14w_8s "
    "resnest14d resnet10t rexnet_100 selecsls42 seresnet18 skresnet18 tinynet_e vovnet39a xception41"
).split()
_LAYERS: dict[str, Layer] = {f"layers/{re.sub(r'[ ,]+', '_', layer.name)}": layer for layer in layers()}

NAMES = (
    *(f"torchvision/{model}" for model in _TORCHVISION),
    *(f"timm/{model}" for model in _TIMM),
    *(f"onnx/{model}" for model in NETWORKS),
    *_LAYERS,
)
#: With --quick.
QUICK = (
    "onnx/squeezenet",
    "onnx/shufflenet",
    "layers/linear_64_of_48²_×2",
    "layers/transposed_64→32_of_48²_k2_s2_1_groups",
)


def model(name: str) -> onnx.ModelProto:
    """The model of a name: an exported one is kept in the user's cache. Raises Unsupported where what makes it is not
    installed, or fails."""
    source, _, rest = name.partition("/")
    if source == "onnx":
        return light(rest, scores=True)
    if source == "layers":
        return _LAYERS[name].model()
    missing = [package for package in ("torch", source) if importlib.util.find_spec(package) is None]
    if missing:
        raise Unsupported(f"left out: pip install {' '.join(missing)}")
    path = CACHE / f"{source}_{rest}_{_made_by(source)}.onnx"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.zoo.exporting", name, str(path)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            said = [line for line in done.stderr.strip().splitlines() if line.strip()] or ["?"]
            raise Unsupported(f"not exported: {said[-1][:160]}")
    return onnx.load(path)


@cache
def _made_by(source: str) -> str:
    return f"{version('torch')}-{version(source)}-{REVISION}"
