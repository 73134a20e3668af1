"""README's tables of speed, from the results that are kept: `python -m benchmarks tables` writes them."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from netwright.specs.files import write_file

from .peers import PEERS
from .report import duration
from .results import FOLDER, Results, read
from .rows import Row

README = Path(__file__).parents[1] / "README.md"
#: Each table's place is between comments with its name.
_PLACE = "<!-- speed: {0} -->\n{1}\n<!-- /speed: {0} -->"

#: The rows that README shows, with their names there.
SHOWN: dict[str, tuple[tuple[str, str], ...]] = {
    "inference": (
        ("LeNet-5, batch 1", "lenet/b1"),
        ("LeNet-5, batch 32", "lenet/b32"),
        ("ResNet-8, batch 1", "resnet8/b1"),
        ("MobileNet-0.25, batch 1", "mobilenet/b1"),
        ("DS-CNN, batch 8", "ds_cnn/b8"),
        ("ResNet-50, batch 1", "resnet50/b1"),
        ("U-Net, batch 1", "unet/b1"),
        ("LSTM-128, batch 1", "lstm128/b1"),
        ("LSTM-128, batch 32", "lstm128/b32"),
        ("GRU-64, batch 1", "gru64/b1"),
        ("LSTM-512, batch 32", "lstm512/b32"),
        ("LSTM-128, one step of a stream", "lstm128/step"),
    ),
    "training": (
        ("LeNet-5, batch 1", "lenet/b1/sgd"),
        ("LeNet-5, batch 32", "lenet/b32/sgd"),
        ("ResNet-8, batch 32", "resnet8/b32/sgd"),
        ("DS-CNN, batch 32", "ds_cnn/b32/sgd"),
        ("MLP of two times 512, batch 32", "mlp/b32/adam"),
        ("LSTM-128, batch 32, T = 100", "lstm128/T100/b32/adam"),
        ("GRU-64, batch 16, T = 32", "gru64/T32/b16/adam"),
        ("minimal gated unit (equations), batch 16, T = 32", "minimal_gated64/T32/b16/adam"),
    ),
    "zoo": (
        ("AlexNet", "torchvision/alexnet"),
        ("DenseNet-121", "torchvision/densenet121"),
        ("EfficientNet-B0", "torchvision/efficientnet_b0"),
        ("GoogLeNet", "torchvision/googlenet"),
        ("MobileNetV2", "torchvision/mobilenet_v2"),
        ("ResNet-50", "torchvision/resnet50"),
        ("ShuffleNetV2", "torchvision/shufflenet_v2_x1_0"),
        ("SqueezeNet", "torchvision/squeezenet1_1"),
        ("VGG-16", "torchvision/vgg16"),
        ("ViT-B/16", "torchvision/vit_b_16"),
    ),
}


def written(options: argparse.Namespace) -> int:
    """Writes README's tables from the files in benchmarks/results."""
    text = README.read_text(encoding="utf-8")
    write_file(README, readme(text, kept()).encode())
    return 0


def kept(folder: Path = FOLDER) -> dict[str, Results]:
    """All results that are kept, by command."""
    return {path.stem: read(path) for path in sorted(folder.glob("*.json"))}


def readme(text: str, results: Mapping[str, Results]) -> str:
    """The text with its tables written anew. A table without results stays as it is."""
    for name, made in blocks(results).items():
        place = re.compile(f"<!-- speed: {name} -->\n.*?<!-- /speed: {name} -->", re.DOTALL)
        text = place.sub(lambda _, name=name, made=made: _PLACE.format(name, made), text)
    return text


def blocks(results: Mapping[str, Results]) -> dict[str, str]:
    """What stands at each place."""
    made = {}
    for name, shown in SHOWN.items():
        if name in results:
            made[name] = "\n".join(["", *table(results[name], shown), ""])
    if "inference" in results:
        made["machine"] = machine(results["inference"])
    if "goal" in results:
        made["goal"] = goal(results["goal"])
    return made


def machine(results: Results) -> str:
    """A sentence that says what the numbers were measured on."""
    facts, versions = results.machine, results.versions
    peers = [f"{peer.title} {versions[peer.name]}" for peer in PEERS if peer.name in versions]
    core = f"{facts['target']}, {facts['peak_gflops']:.0f} GFLOP/s of multiply-adds"
    return f"One thread of {facts['cpu']} ({core}), float32.\nPeers: {', '.join(peers)}."


def table(results: Results, shown: Sequence[tuple[str, str]]) -> list[str]:
    """The rows that were measured on one thread and calmly, as lines of Markdown; of the zoo with the time of a
    compile."""
    compiles = results.command == "zoo"
    head = ["", *(["cold compile"] if compiles else []), "Netwright", "best peer", "", "ratio"]
    lines = [f"| {' | '.join(head)} |", "|---|" + "---:|" * (len(head) - 3) + "---|---:|"]
    titles = {peer.name: peer.title for peer in PEERS}
    for title, case in shown:
        row = results.row(case)
        if row is None or row.ratio is None or not row.calm:
            continue
        cells = [title, *([f"{row.compile:.1f} s"] if compiles else []), duration(row.ours)]
        cells += [duration(row.seconds[row.best]), titles[row.best], f"{row.ratio:.2f}×"]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def goal(results: Results) -> str:
    """A sentence about each task."""
    words = {"digits": "98 % on held-out digits", "sunspots": "a held-out error of 400 on sunspots"}
    parts = [_reached(words[row.case], row) for row in results.rows if row.case in words]
    cost = f"of CPU time ({results.machine['cpu']})"
    return f"From an empty cache, imports and compiling included, {' and '.join(parts)} {cost}."


def _reached(what: str, row: Row) -> str:
    return f"{what} takes {row.ours:.1f} s (PyTorch {row.seconds['torch']:.1f} s)" if row.best else ""
