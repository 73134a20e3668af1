"""Recurrent layers.

The cells of `rnn`, `lstm` and `gru` are written as equations (`builtin_cells.py`) like any user's cell; `recurrent`
runs a cell of the spec. Each layer is one scan over the time axis: `[N, T, F]` gives `[N, T, units]`.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from ..activations import PointwiseActivation, Sigmoid, Tanh
from ..base import Flag, Integer, Name, Number, Positive, Probability, Reference, Size, at
from ..initializers import GlorotUniform, Initializer, Orthogonal, Zeros
from .base import LayerSpec

Unroll = Literal["none", "full", "auto"] | Size


ChronoSteps = Annotated[Size, Field(ge=2)] | None


InitialState = Reference | dict[Name, Reference]


START_WORDS = ("zeros", "learned")


LENGTHS = "lengths:"
"""The key of a layer's lengths among the names of its states; no state can have this name."""


class RecurrentLayer(LayerSpec):
    """Base of all layers that run over time.

    Ports besides the output: `state` and `state_all`, the last value and all values of the first state; and the same
    for each state by its name (`h`, `h_all`, `c`, `c_all`).
    """

    has_parameters: ClassVar[bool] = True

    return_sequences: Flag = True
    """Whether the output has all steps, `[N, T, …]`, or only the last valid one, `[N, …]`."""
    initial_state: InitialState = "zeros"
    """The state before the first step: zeros, learned, or the name of an input or layer that gives it. A mapping sets
    it for each state: `{h: h0, c: zeros}`. A given state of a bidirectional layer has the two directions concatenated
    on the last axis, forward first.
    """
    reverse: Flag = False
    """Whether time runs from the end to the start."""
    lengths: Reference | None = None
    """An input or layer with the number of valid steps of each sequence, `[N]`, for an input that has no lengths. The
    output is zero past the end; the layers after it treat all its steps as valid.
    """
    input_dropout: Probability = 0.0
    """In training, the probability of dropping a feature of the input, the same ones in all steps of a sequence (Gal
    and Ghahramani, 2016; Keras' `dropout`).
    """
    recurrent_dropout: Probability = 0.0
    """In training, the probability of dropping an element of the state where a matrix product reads `prev(…)`, the same
    ones in all steps of a sequence. The elements kept are divided by 1 − p.
    """
    zoneout: Probability | dict[Name, Probability] = 0.0
    """Zoneout: the probability that an element of the state keeps its old value in a step (Krueger et al., 2017). Drawn
    in each step in training; otherwise its mean is used. A mapping sets it for each state: `{h: 0.05, c: 0.5}`.
    """
    unroll: Unroll = "auto"
    """How many steps the loop's body contains: none (one), a number, full (all; the length has to be known), or
    auto.
    """

    @field_validator("unroll", mode="before")
    @classmethod
    def _unroll_is_no_flag(cls, value: Any) -> Any:
        if isinstance(value, bool):
            raise PydanticCustomError("unroll", "expected none, full, auto or a number of steps")
        return value

    def zoneout_of(self, state: str) -> float:
        """The probability that a state's elements keep their old values."""
        return self.zoneout.get(state, 0.0) if isinstance(self.zoneout, dict) else self.zoneout

    def references(self) -> tuple[tuple[str, tuple[str | int, ...]], ...]:
        lengths = ((self.lengths, ("lengths",)),) if self.lengths else ()
        return (*super().references(), *self.given_states(), *lengths)

    def given_states(self) -> tuple[tuple[str, tuple[str | int, ...]], ...]:
        """The layers or inputs that give initial states, each with the path of the key that names it."""
        given = self.initial_state
        if isinstance(given, str):
            return () if given in START_WORDS else ((given, ("initial_state",)),)
        return tuple(
            (name, ("initial_state", state)) for state, name in given.items() if name not in START_WORDS
        )


class GatedLayer(RecurrentLayer):
    """Base of rnn, lstm and gru: a built-in cell, stacked and run in one or both directions."""

    units: Size
    """The size of the state."""
    layers: Annotated[Size, Field(le=1000)] = 1
    """How many of these layers are stacked."""
    bidirectional: Flag = False
    """Whether a second one runs from the end to the start. The outputs are concatenated on the last axis, forward
    first.
    """
    dropout: Probability = 0.0
    """The dropout rate between stacked layers, drawn in each step."""
    use_bias: Flag = True
    """Whether a bias is added."""
    kernel_init: Initializer = GlorotUniform()
    """How the input kernel starts; each gate is initialized as a separate matrix."""
    recurrent_init: Initializer = Orthogonal()
    """How the recurrent kernel starts; each gate is initialized as a separate matrix."""
    bias_init: Initializer = Zeros()
    """How the bias starts."""
    clip: Positive | None = None
    """Clips the arguments of the gates' activations to this magnitude."""

    @model_validator(mode="after")
    def _given_state_is_for_one(self) -> Self:
        if self.given_states() and self.layers > 1:
            message = "a given state is for layers: 1; stack several layers of one instead"
            raise at("initial_state", "together", message)
        if self.reverse and self.bidirectional:
            raise at("reverse", "together", "a bidirectional layer runs both ways already")
        return self

    @model_validator(mode="after")
    def _dropout_is_between(self) -> Self:
        if self.dropout and self.layers == 1:
            message = "dropout acts between stacked layers, and there is only one: write input_dropout"
            raise at("dropout", "together", message)
        return self


class Rnn(GatedLayer):
    """h = activation(x @ kernel + prev(h) @ recurrent_kernel + bias).

    Parameters: `kernel [F, H]`, `recurrent_kernel [H, H]`, `bias [H]`.
    """

    type: Literal["rnn"] = "rnn"
    activation: PointwiseActivation = Tanh()
    """The function that computes the new state."""


class Lstm(GatedLayer):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997; with the forget gate of Gers et al., 2000).

    Parameters, gates in the order i, f, g, o: `kernel [F, 4·H]`, `recurrent_kernel [H, 4·H]`, `bias [4·H]`.
    """

    type: Literal["lstm"] = "lstm"
    activation: PointwiseActivation = Tanh()
    """The activation of the candidate g."""
    recurrent_activation: PointwiseActivation = Sigmoid()
    """The activation of the gates i, f and o."""
    output_activation: PointwiseActivation = Tanh()
    """The activation applied to the cell state for the output."""
    peepholes: Flag = False
    """Whether the gates read the cell state (Gers and Schmidhuber, 2000): i and f the old one, o the new one, through
    the parameter `peephole [3·H]`, in the order i, f, o.
    """
    peephole_init: Initializer = Zeros()
    """How the peephole weights start."""
    input_forget: Flag = False
    """Whether the forget gate is 1 − i."""
    unit_forget_bias: Flag = True
    """Whether the forget gate's bias starts at 1 (Jozefowicz et al., 2015)."""
    chrono_init: ChronoSteps = None
    """The longest time to remember, in steps: then the forget gate's bias starts with [chrono](#initializers) biases,
    the input gate's with the opposite ones, so that gradients reach that far from the first update on.
    """

    @model_validator(mode="after")
    def _chrono_is_of_a_bias(self) -> Self:
        _check_chrono(self)
        return self


class Gru(GatedLayer):
    """Gated recurrent unit (Cho et al., 2014).

    Parameters, gates in the order z, r, n: `kernel [F, 3·H]`, `recurrent_kernel [H, 3·H]`, `bias [3·H]` and,
    with `reset_after`, `recurrent_bias [3·H]`.
    """

    type: Literal["gru"] = "gru"
    activation: PointwiseActivation = Tanh()
    """The activation of the candidate n."""
    recurrent_activation: PointwiseActivation = Sigmoid()
    """The activation of the gates z and r."""
    reset_after: Flag = True
    """Whether the reset gate acts after the recurrent product (as in cuDNN, Keras and PyTorch) or before (the
    paper)."""
    chrono_init: ChronoSteps = None
    """The longest time to remember, in steps: then the bias of z, which keeps the state, starts with
    [chrono](#initializers) biases, so that gradients reach that far from the first update on.
    """

    @model_validator(mode="after")
    def _chrono_is_of_a_bias(self) -> Self:
        _check_chrono(self)
        return self


class Recurrent(RecurrentLayer):
    """Runs a cell of the spec over time."""

    arity: ClassVar[tuple[int, int | None]] = (1, None)

    type: Literal["recurrent"] = "recurrent"
    cell: Name
    """The cell, by its name under `cells`."""
    with_: dict[Name, Integer | Number] = Field(default_factory=dict, alias="with")
    """The cell's arguments."""


def _check_chrono(layer: Lstm | Gru) -> None:
    if layer.chrono_init is not None and not layer.use_bias:
        raise at(
            "chrono_init",
            "together",
            "chrono_init is how biases start, and with use_bias: false there are none",
        )


LAYERS = (
    Rnn,
    Lstm,
    Gru,
    Recurrent,
)
