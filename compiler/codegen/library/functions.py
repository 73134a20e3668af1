"""The declarations of the functions that run entries, with what callers have to know of them."""

from __future__ import annotations

from collections.abc import Sequence

from netwright.specs.manifest import STEP, TRAIN, ScoreInfo

from .interface import Array, Function, Interface, Names, c_type
from .text import bound, filled, range_text, wrap_call

_ARENA = [
    ("void *arena", ""),
    ("size_t arena_bytes", ""),
    ("int32_t threads", ""),
]


def declared(array: Array, constant: bool) -> str:
    """A parameter: `const float image[]`."""
    size = "" if array.static is None else str(max(array.static, 1))
    return f"{'const ' * constant}{c_type(array.info.dtype)} {array.name}[{size}]"


def parameters(function: Function, interface: Interface) -> list[str]:
    """The parameters of an entry's function, as they are declared."""
    prefix = interface.prefix
    first = [f"const {prefix}_model *model"]
    kept: tuple[str, ...] = ()
    results = [declared(array, False) for array in function.outputs]
    if function.name == STEP:
        first = [f"{prefix}_stream *stream", *first]
        kept = interface.open_dims(interface.streamed)
    elif function.name == TRAIN:
        first, results = [f"{prefix}_training *training"], []
        kept = interface.open_dims(interface.trained)
    inputs = [declared(array, True) for array in function.inputs]
    sizes = [f"int64_t {name}" for name in function.dims if name not in kept]
    return [*first, *inputs, *results, *sizes, *(text for text, _ in _ARENA)]


def function_text(function: Function, interface: Interface) -> str:
    prefix = interface.prefix
    values = {"PREFIX": prefix, "UPPER": interface.upper, "TRAIN": TRAIN}
    lines = [f"/* -- {function.name} {'-' * max(3, 110 - len(function.name))} */\n"]
    name = f"{prefix}_{function.name}"
    if function.name == STEP:
        kept = interface.open_dims(interface.streamed)
        lines.append(
            filled("stream.h", {**values, **sized(kept), "BEGIN": _begin(interface, "stream", [], kept)})
        )
    if function.name == TRAIN:
        kept = interface.open_dims(interface.trained)
        begin = _begin(interface, "training", [f"const {prefix}_model *initial"], kept)
        lines.append(filled("training.h", {**values, **sized(kept), "BEGIN": begin}))
        lines += [
            f"/* {score.name} of the last step's batch, before its update. */\n"
            f"double {symbol}(const {prefix}_training *training);\n"
            for score, symbol in scores(interface)
        ]
    dims = ", ".join(f"int64_t {name}" for name in function.dims) or "void"
    lines.append(
        f"/* The bytes of the arena for a call with these sizes; 0: sizes that can't be. */\n"
        f"size_t {prefix}_{function.arena_name}({dims});\n"
    )
    listed = [
        f"   {array.name} {array.shape}{range_text(array.info)}{_label_text(array)}{_note_text(array, interface)}"
        for array in (*function.inputs, *(function.outputs if function.name != TRAIN else ()))
    ]
    bounds = [f"   {name} is {bound(interface.dim(name), named=False)}" for name in function.dims]
    title = f"/* {_TITLES.get(function.name, 'Runs the entry ' + function.name)}. {_WHERE}"
    lines.append("\n".join([title, *listed, *bounds]) + " */")
    lines.append(wrap_call(f"int32_t {name}(", parameters(function, interface)) + ";\n")
    return "\n".join(lines)


def labels_text(interface: Interface) -> str:
    return "".join(
        f"\n/* The name of a class of {name}, from 0 to {len(labels) - 1}, in UTF-8; NULL for other numbers. */\n"
        f"const char *{interface.prefix}_{name}_label(int64_t number);\n"
        for name, labels in interface.labels.items()
    )


_TITLES = {
    "predict": "Computes the outputs from the inputs",
    "loss": "Computes the sums behind the loss and metrics of a batch",
    STEP: "Takes the next steps of a sequence, and answers",
    TRAIN: "Makes one update from a batch",
}
_WHERE = """Arrays are dense, row-major, and none may be NULL.
   `arena` is memory for the call, of any alignment; nothing in it is kept. `threads` is how many threads share the
   work: 1 is the calling one alone, 0 as many as there are processors. Returns NETWRIGHT_OK or another code."""


def scores(interface: Interface) -> list[tuple[ScoreInfo, str]]:
    """The numbers that a training reports, those that are means, with the functions that tell them."""
    names = Names([f"{TRAIN}", f"{TRAIN}_entry"])
    return [
        (score, names.of(score.name, f"{interface.prefix}_training_"))
        for score in interface.manifest.scores
        if score.formula == "mean"
    ]


def _begin(interface: Interface, kind: str, more: Sequence[str], kept: Sequence[str]) -> str:
    """The declaration of the function that begins a stream or a training."""
    head = f"int32_t {interface.prefix}_{kind}_begin("
    memory = ["void *memory", "size_t bytes", *(f"int64_t {name}" for name in kept)]
    return wrap_call(head, [f"{interface.prefix}_{kind} **{kind}", *more, *memory]) + ";"


def sized(kept: Sequence[str]) -> dict[str, str]:
    return {
        "SIZES": ", ".join(f"int64_t {name}" for name in kept) or "void",
        "MORE_SIZES": "".join(f", int64_t {name}" for name in kept),
        "FOR": f" for {', '.join(kept)}" if kept else "",
    }


def _note_text(array: Array, interface: Interface) -> str:
    note = interface.notes.get(array.info.name)
    return f", {note}" if note else ""


def _label_text(array: Array) -> str:
    return f", {len(array.info.labels)} classes" if array.info.labels else ""
