"""Prints docs/onnx.md from the table of operators: `python -m netwright.onnx.document`."""

from __future__ import annotations

import onnx.defs

from .cells import OPERATORS
from .export.exporting import OPSET
from .export.layers import LAYERS
from .fold import FOLDS
from .fold.reference import EVALUATED, MAX_EVALUATED
from .ops import DOMAINS, OPS
from .reading import OLDEST_OPSET
from .tensors import DTYPES, HELD_AS

_HEAD = """\
# ONNX

`netwright import MODEL.onnx -o SPEC.yaml --weights W.safetensors` turns a model into a spec in the language's own
layers, features last, and `netwright export SPEC.yaml --weights W.safetensors -o MODEL.onnx` goes the other way. Both
need the extra `onnx`: `pip install netwright[onnx]`. From Python:

```python
import netwright
from netwright.onnx import export_model, import_model

imported = import_model("resnet.onnx")  # OnnxError says what is not supported, node by node
imported.save("resnet.yaml", "resnet.safetensors")

export_model(netwright.load("resnet.yaml"), "resnet.safetensors").save("again.onnx")
```

- An imported model keeps its interface: inputs and outputs have ONNX's layout, with a transpose at the border. With
  `--layout native` they have the order of axes that the network itself has, and there is no transpose: images are
  channels last, sequences have the samples first.
- Tensors are held features last inside. Transposes that only change the layout cancel, and a Flatten before a Gemm
  permutes the rows of its kernel.
- Arithmetic on shapes is computed while importing, exactly, whatever its types: what exporters compute with floats,
  `floor(0.5 * H)`, with fractions, and comparisons, Where, Clip and the like stay formulas of the open sizes, which may
  be shapes, positions, repeats, paddings, and numbers that the network computes with. The least value that an open size
  has to have, and the greatest where a table of positions ends, which ONNX can't say, follow from the layers.
- Sizes that the file gives several names and that the network needs to be the same (a batch for each input, a state's
  and its sequence's) become one, and the import says so; `--dim z_batch=x_batch` says it beforehand.
- A network that fits for some sizes alone, such as a U-Net, whose height has to divide by its strides, is refused with
  the least multiples for which it fits, which were tried: `--dim H=32k` says that H is a multiple of 32, `--dim H=640`
  settles it. An exported model says in its metadata what its sizes are multiples of, and their limits
  (`netwright.multiple_of`, `netwright.min`, `netwright.max`).
- Layers have the names of the file's nodes, modules (PyTorch) or weights, else those of the layers that they belong to.
- Scan, and Loop where each step reads the next part of a sequence, become recurrent layers. Equations that are those of
  `rnn`, `lstm` or `gru`, however they are spelled, become that layer, with its options: gates in any order, with one
  matrix or several, peepholes, coupled gates, other activations, several cells one upon the other, and dense layers
  for what needs no state. All others become a cell of one's own; its state may be an image that the cell convolves. Any
  other body is unrolled where the number of steps is known, and the import says so. A spec that is exported and
  imported again is the same network up to names.
- A cell that was called in a loop of Python, which exporters write out step by step, is a recurrence again, be it
  several cells one upon the other, forwards or backwards, from four steps on: where each step has the same operators
  with the same weights, reads the next part of a sequence, and what the step before gave.
- Of an If whose condition is known the branch is taken: by sizes, constants, or an input that is settled, `--input
  sr=16000`, which then is no input of the spec. Else both branches are computed and one is selected, element by element
  of results that have one type. Where an open size decides, it is narrowed to sizes for which one branch is right.
- Activations and normalizations that exporters spell out in many nodes are read as what they are, if nobody reads what
  is inside: gelu, hard_swish, hard_sigmoid, swish, mish, softplus, softsign, sigmoid; softmax along the last axis;
  layer_norm and rms_norm along any axes, instance_norm, and group_norm between reshapes. They are known by what they
  compute, not by how it is written. A gate of channels is a `multiply` that is stretched, a·x + b is one `rescale`.
- Nodes may stand in any order. What no output needs is left out, and is no reason to refuse a model.
- Quantized networks are simulated in floats that hold each sum of whole numbers exactly: pairs of QuantizeLinear and
  DequantizeLinear become `fake_quantize` layers, and operators of whole numbers, those of ONNX Runtime's own domain
  among them, give the runtime's whole numbers. The state of a quantized LSTM is quantized sample by sample, as ONNX
  Runtime does where each sample of a batch has a thread of its own.
- What is not supported is an error with the node, the operator, the attribute and the reason, and nothing is
  written. An attribute that an operator does not list below is such an error.
- Element types: {types}. A model has one float type, that of its weights; inputs and outputs may be cast from and
  to the other one. Constants may be of any type of numbers: a Cast or DequantizeLinear widens float16, bfloat16, int8
  and uint8 weights while importing. {narrow} are moved about, compared and cast, each number in a wider integer type
  that the language has; a network that computes in float16 or bfloat16 is refused.
- What constants alone decide is computed once, while importing, by the same rules as open sizes where there are such,
  else by ONNX's own reference evaluation; a node with more than {evaluated:,} elements among its operands and results
  is left to run time.
- External data are read from the model's own folder only. Large weights are read when a layer needs them, so a file
  must not be changed while it is imported; what they are made of is not kept.

`netwright.onnx.backend` is a backend for ONNX's own tests (`onnx.backend.base.Backend`). `pytest tests/conformance
--conformance` runs all of them through native code; `tests/conformance/unsupported.txt` lists those that are not
supported, with reasons. `python benchmarks/onnx_networks.py` compares the networks that come with the package `onnx`
with ONNX Runtime.

## Import

Models of opset {oldest} to {newest}, as far as their operators mean what they mean in opset 6 or later. Weights may be
computed from constants, and sizes from shapes, by these operators: {folds}.

Constants are computed by these as well: {evaluate}.

The body of a Scan or Loop that becomes a cell may have these: {cells}.

| operator | versions | attributes | |
|---|---|---|---|
"""

_EXPORT = """
## Export

Opset {opset}. These layers become the operator of the same name: {layers}. Recurrences with lengths, and with first
states that are given or learned, are among them. Everything else is exported by the primitives it is made of, and cells
of one's own as Scan.
"""


def document() -> str:
    """The page as Markdown."""
    lines = [
        _HEAD.format(
            types=", ".join(DTYPES.values()),
            oldest=OLDEST_OPSET,
            newest=onnx.defs.onnx_opset_version(),
            narrow=", ".join(HELD_AS),
            evaluated=MAX_EVALUATED,
            folds=", ".join(sorted(FOLDS)),
            evaluate=", ".join(sorted(EVALUATED - FOLDS.keys())),
            cells=", ".join(sorted({"Identity", *OPERATORS})),
        ).rstrip("\n")
    ]
    for name in sorted(OPS):
        op = OPS[name]
        known = {key for schema in _schemas(name, op.since) for key in schema.attributes}
        attributes = ", ".join(f"`{one}`" for one in sorted(known & set(op.attributes)))
        summary = (op.convert.__doc__ or "").strip().split("\n")[0].replace("|", "\\|")
        versions = ", ".join(str(schema.since_version) for schema in _schemas(name, op.since))
        lines.append(f"| {name} | {versions} | {attributes} | {summary} |")
    for domain, table in sorted(DOMAINS.items()):
        for name, op in sorted(table.items()):
            attributes = ", ".join(f"`{one}`" for one in op.attributes)
            summary = (op.convert.__doc__ or "").strip().split("\n")[0]
            lines.append(f"| {domain}.{name} | {op.since} | {attributes} | {summary} |")
    layers = sorted({kind.__name__ for kind in LAYERS} | {"Lstm", "Gru", "Rnn"})
    return "\n".join(lines) + "\n" + _EXPORT.format(opset=OPSET, layers=", ".join(layers))


def _schemas(name: str, since: int) -> list[onnx.defs.OpSchema]:
    """The versions of an operator, beginning with the one in opset ``since``."""
    found = sorted(
        (one for one in onnx.defs.get_all_schemas_with_history() if one.name == name and one.domain == ""),
        key=lambda one: one.since_version,
    )
    first = max((one.since_version for one in found if one.since_version <= since), default=0)
    return [one for one in found if one.since_version >= first]


if __name__ == "__main__":
    print(document(), end="")
