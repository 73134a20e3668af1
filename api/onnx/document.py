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

- An imported model keeps its interface: inputs and outputs have ONNX's layout, with transposes after and before
  them. With `--layout native` they have the order of axes that the network uses, without transposes: images are
  channels last, sequences samples first.
- Inside the network, features are the last axis. Transposes that only change the layout cancel, and a Flatten
  before a Gemm permutes the rows of its kernel.
- Arithmetic on shapes is computed exactly while importing, whatever its types: floating-point arithmetic of
  exporters, such as `floor(0.5 * H)`, is computed with fractions. Comparisons, Where, Clip and the like become
  formulas over the open sizes, which may be used as shapes, positions, repeats, paddings, and numbers that the
  network computes with. The least value of an open size, and the greatest if a table of positions ends, which ONNX
  cannot express, follow from the layers.
- If the network needs sizes with different names to be equal (the batch of each input, a state's and its
  sequence's), they become one, and the import says so; `--dim z_batch=x_batch` says it beforehand.
- A network that fits only for some sizes, such as a U-Net, whose height must be a multiple of its strides, is
  refused, with the least multiples for which it fits; these have been tried. `--dim H=32k` says that H is a
  multiple of 32, `--dim H=640` fixes it. An exported model has the multiples and limits of its sizes in its metadata
  (`netwright.multiple_of`, `netwright.min`, `netwright.max`).
- Layers are named after the file's nodes, modules (PyTorch) or weights, or else after the layers that they belong
  to.
- Scan, and Loop if each step reads the next part of a sequence, become recurrent layers. Equations that are those
  of `rnn`, `lstm` or `gru`, in any form, become that layer, with its options: gates in any order, with one matrix
  or several, peepholes, coupled gates, other activations, several stacked cells, and dense layers for parts that
  need no state. All other equations become a cell in the spec; its state may be an image that the cell convolves.
  Any other body is unrolled if the number of steps is known, and the import says so. A spec that is exported and
  imported again is the same network except for names.
- A cell that was called in a Python loop, which exporters unroll step by step, becomes a recurrence again, also
  several stacked cells, forwards or backwards, from four steps on. Each step must have the same operators with the
  same weights, and read the next part of a sequence and the results of the previous step.
- If the condition of an If is known (from sizes, constants, or an input replaced by a constant with `--input
  sr=16000`), its branch is taken. Otherwise both branches are computed and one is selected, element by element;
  their results must have the same type. If an open size decides, its range is limited to sizes that take one
  branch.
- Activations and normalizations that exporters write as many nodes become layers, if their intermediate results are
  not read elsewhere: gelu, hard_swish, hard_sigmoid, swish, mish, softplus, softsign, sigmoid; softmax along the
  last axis; layer_norm and rms_norm along any axes, instance_norm, and group_norm between reshapes. They are
  recognized by what they compute, not by how it is written. A channel gate becomes a `multiply` with a stretched
  factor, a·x + b becomes one `rescale`.
- Nodes may be in any order. Nodes that no output needs are dropped, even if they are not supported.
- Quantized networks are simulated in floats, in which every sum of integers is exact: pairs of QuantizeLinear and
  DequantizeLinear become `fake_quantize` layers, and integer operators, including those of ONNX Runtime's own
  domain, give the runtime's integers. The state of a quantized LSTM is quantized sample by sample, as ONNX Runtime
  does if each sample of a batch has its own thread.
- If anything is not supported, an error names the node, the operator, the attribute and the reason, and nothing is
  written. The same holds for attributes that are not listed below for an operator.
- Element types: {types}. A model has one float type, that of its weights; inputs and outputs may be cast from and
  to the other one. Constants may have any numeric type: a Cast or DequantizeLinear widens float16, bfloat16, int8
  and uint8 weights while importing. {narrow} can be moved, compared and cast; they are stored in a wider integer
  type of the language. A network that computes in float16 or bfloat16 is refused.
- Values that depend on constants alone are computed once, while importing: by the rules for open sizes if these are
  involved, otherwise by ONNX's reference evaluation. A node with more than {evaluated:,} elements in its operands
  and results is computed at run time.
- External data are only read from the model's own folder. Large weights are read when a layer needs them, so a file
  must not change while it is imported; the constants that they are computed from are not kept in memory.

`netwright.onnx.backend` is a backend for ONNX's own tests (`onnx.backend.base.Backend`). `pytest tests/conformance
--conformance` runs all of them in native code; `tests/conformance/unsupported.txt` lists those that are not
supported, with the reasons. `python -m benchmarks zoo` compares networks of torchvision, timm and the package `onnx`
with ONNX Runtime ([benchmarks](benchmarks.md)).

## Import

Models of opset {oldest} to {newest} can be imported, if their operators have the meaning of opset 6 or later. Weights
may be computed from constants, and sizes from shapes, with these operators: {folds}.

Constants may also be computed with these: {evaluate}.

The body of a Scan or Loop that becomes a cell may contain these: {cells}.

| operator | versions | attributes | |
|---|---|---|---|
"""

_EXPORT = """
## Export

Models are exported in opset {opset}. These layers become the operator of the same name: {layers}. That includes
recurrences with lengths, and with initial states that are given or learned. All other layers are exported as their
primitives, and users' cells as Scan.
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
        attributes = ", ".join(f"`{attribute}`" for attribute in sorted(known & set(op.attributes)))
        summary = (op.convert.__doc__ or "").strip().split("\n")[0].replace("|", "\\|")
        versions = ", ".join(str(schema.since_version) for schema in _schemas(name, op.since))
        lines.append(f"| {name} | {versions} | {attributes} | {summary} |")
    for domain, table in sorted(DOMAINS.items()):
        for name, op in sorted(table.items()):
            attributes = ", ".join(f"`{attribute}`" for attribute in op.attributes)
            summary = (op.convert.__doc__ or "").strip().split("\n")[0]
            lines.append(f"| {domain}.{name} | {op.since} | {attributes} | {summary} |")
    layers = sorted({kind.__name__ for kind in LAYERS} | {"Lstm", "Gru", "Rnn"})
    return "\n".join(lines) + "\n" + _EXPORT.format(opset=OPSET, layers=", ".join(layers))


def _schemas(name: str, since: int) -> list[onnx.defs.OpSchema]:
    """The versions of an operator, beginning with the one in opset ``since``."""
    every = onnx.defs.get_all_schemas_with_history()
    schemas = [schema for schema in every if schema.name == name and schema.domain == ""]
    schemas.sort(key=lambda schema: schema.since_version)
    first = max((schema.since_version for schema in schemas if schema.since_version <= since), default=0)
    return [schema for schema in schemas if schema.since_version >= first]


if __name__ == "__main__":
    print(document(), end="")
