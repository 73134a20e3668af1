"""Draws losses and metrics that suit an output."""

from __future__ import annotations

from typing import Any

from .sketch import Signal, Sketch

ANY = ("mse", "mae", "huber", "log_cosh", "poisson", "hinge", "binary_cross_entropy", "expression")
BY_CLASS = ("softmax_cross_entropy", "multi_class_hinge")
OF_CLASSES = (*BY_CLASS, "softmax_cross_entropy", "kl_divergence")


def train(s: Sketch, output: Signal) -> dict[str, Any]:
    """The losses, targets and metrics of a training section."""
    kinds = [*ANY, *(OF_CLASSES if _has_classes(output) else ()), *(("cosine",) if output.rank >= 2 else ())]
    if output.rank == 3:
        kinds += ["soft_dtw", *(["ctc"] * 4 if _has_classes(output) else [])]  # it has many keys
    kind = s.one_of(*kinds)
    if kind == "poisson":  # exp of anything larger would hide all other losses
        output = s.output(s.layer("tanh", output) or output)
    name = next(key for key, source in s.outputs.items() if source == output.name)
    written = loss(s, kind, name, output)
    shape = [size if isinstance(size, int) else str(size) for size in output.shape]
    targets: dict[str, Any] = {}
    classes = kind == "multi_class_hinge" or (kind == "softmax_cross_entropy" and s.flag())
    if "mask" in written or kind in ("multi_class_hinge", "ctc", "soft_dtw", "expression") or s.flag():
        probabilities = {"shape": shape, "dtype": s.dtype}
        targets["target"] = {"shape": shape[:-1], "dtype": "int32"} if classes else probabilities
    if kind == "soft_dtw":
        targets["target"] = {"shape": [shape[0], s.number(1, 3), shape[2]], "dtype": s.dtype}
    if kind == "ctc":
        targets["target"] = {"shape": [shape[0], s.number(1, 3)], "dtype": s.one_of("int32", "int64")}
    if "target_lengths" in written:
        targets["many"] = {"shape": shape[:1], "dtype": "int64"}
    if "mask" in written:
        targets["mask"] = {"shape": shape[:2], "dtype": s.one_of("bool", "int32", s.dtype)}
    losses: Any = written
    if s.number(0, 4) == 0:
        second = {"type": "mae", "output": name, "target": "other", "name": "second", "weight": 0.5}
        losses = [written, second | s.options(mask=(None, written.get("mask")))]
        targets |= {"other": {"shape": shape, "dtype": s.dtype}} if targets else {}
    return {"loss": losses, "targets": targets, "metrics": metrics(s, kind, output) if s.flag() else []}


def loss(s: Sketch, kind: str, name: str, output: Signal) -> dict[str, Any]:
    """A loss of a kind with any of its options."""
    written: dict[str, Any] = {"type": kind}
    sequence = output.rank >= 3 and str(output.shape[0]) == str(s.batch)
    if sequence and s.number(0, 3) == 0:
        written["mask"] = "mask"
    if kind == "expression":
        values = [f"log(1 + ({name} - target) ** 2)", f"sum(abs({name} - target), axis=-1)"]
        return {**written, "value": s.one_of(*values[: min(output.rank, 2)])}
    written |= {"output": name, "target": "target"}
    if kind == "ctc":  # an infinite loss would hide all other differences
        written |= {"skip_impossible": True}
        return written | s.options(
            target_lengths=(None, "many"), blank=(None, "last", 1), per_label=(None, False)
        )
    if kind == "soft_dtw":
        return written | s.options(target_lengths=(None, "many"), gamma=(None, 0.5))
    if sequence:
        written |= s.options(steps=(None, "last"))
    if kind == "huber":
        written["delta"] = s.one_of(0.5, 1.0)
    if kind in ("hinge", "multi_class_hinge"):
        written |= s.options(margin=(None, 0.5), squared=(None, True))
    if kind in ("softmax_cross_entropy", "binary_cross_entropy"):
        written |= s.options(label_smoothing=(None, None, 0.1), focal_gamma=(None, None, 2, 1.5))
    size = output.shape[-1] if output.rank >= 2 else None
    each = [0.5 * (1 + i) for i in range(size)] if isinstance(size, int) and size < 20 else None
    if kind == "softmax_cross_entropy":
        written |= s.options(class_weights=(None, each))
    if kind == "binary_cross_entropy":
        written |= s.options(positive_weight=(None, 2.5, each))
    return written


def metrics(s: Sketch, kind: str, output: Signal) -> list[Any]:
    """One or two metrics."""
    if kind == "ctc":
        return ["label_error_rate"]
    if kind in ("expression", "soft_dtw"):  # without a loss of an output to go by
        return []
    counted = s.one_of("precision", "recall", "f1")
    if kind == "softmax_cross_entropy" and s.flag():
        return [s.one_of("auc", "perplexity")]
    if kind in BY_CLASS:
        return [
            "accuracy",
            s.one_of({"type": "top_k", "k": 2}, counted, {"type": counted, "average": "macro"}),
        ]
    if kind in ("hinge", "binary_cross_entropy"):
        return ["mae", s.one_of(counted, "auc")]
    known = output.rank < 2 or isinstance(output.shape[-1], int)
    return ["mae", s.one_of("mse", *(("r2",) if known else ()))]


def _has_classes(output: Signal) -> bool:
    return output.rank >= 2 and isinstance(output.shape[-1], int) and output.shape[-1] >= 2
