"""Normalizations in a loop's body, over the last axes of a sample, as equations."""

from __future__ import annotations

from ..errors import Refusal
from ..numbers import decimal
from .step import Step
from .table import operator
from .terms import Term, joint, written


@operator("LayerNormalization", "RMSNormalization", attributes="axis epsilon stash_type")
def _normalized(s: Step) -> list[Term]:
    term = s.term(0)
    if len([name for name in s.node.outputs if name]) > 1:
        raise Refusal("mean and inverse deviation are not supported in a loop")
    if s.own_axis(term, s.attribute("axis", -1)) != len(term.shape) - 1:
        raise Refusal("only the last axis of a sample is normalized in a loop", "axis")
    if not term.is_name:
        term = s.writer.step(s.node.inputs[0], term)
    epsilon = decimal(s.attribute("epsilon", 1e-5))
    mean = "mean(x)" if len(term.shape) == 1 else "mean(x, axis=-1)"
    if s.node.op == "LayerNormalization":
        centred = written(f"x - {mean}", {"x": term.text})
        term = s.writer.step("centred", term.seen(centred, term.shape))
    text = written(f"x / sqrt({mean.replace('x', 'x * x', 1)} + {epsilon!r})", {"x": term.text})
    result = term.seen(text, term.shape)
    for position, template in ((1, "x * a"), (2, "x + a")):
        if s.has(position):
            result = joint(template, {"x": result, "a": s.term(position)}, term.dtype)
    return [result]
