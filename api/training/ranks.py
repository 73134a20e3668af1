"""Training by several processes, and by parts of batches, from the front door: who takes part, what can be divided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from netwright.compiler.codegen.targets.target import named_target
from netwright.compiler.frontend.analyses.mixing import mixing_layer
from netwright.compiler.frontend.build import bounded_network, divided_network
from netwright.compiler.frontend.network import Network, initial_states
from netwright.compiler.frontend.problem import Problem
from netwright.runtime.arrays.named import weight_buffers
from netwright.runtime.engines.engine import Engine
from netwright.runtime.sessions.session import Session
from netwright.runtime.training.distributed.communicator import Communicator
from netwright.runtime.training.distributed.mpi import MpiCommunicator
from netwright.specs.dims import Dim
from netwright.specs.load import LoadResult
from netwright.specs.manifest import GRADIENT

from ..build import build, reference
from ..errors import RequestError

#: The entries of a training by parts of batches.
DIVIDED = ("loss", "counts", "gradients", "update")


def communicator_of(given: Any) -> Communicator | None:
    """A communicator of `mpi4py` or of ours; None for one process. Raises RequestError."""
    if given is None or isinstance(given, MpiCommunicator) or hasattr(given, "start_sum"):
        return given
    if not (hasattr(given, "Get_rank") and hasattr(given, "Iallreduce")):
        raise RequestError(f"communicator is one of mpi4py, such as MPI.COMM_WORLD, not {given!r}")
    return MpiCommunicator(given)


class Divided:
    """A network compiled for training by parts of batches. Raises RequestError if random numbers can't be divided."""

    def __init__(
        self, load: LoadResult, network: Network, *, engine: str, threads: int | None, pin: bool, cpu: str
    ):
        self._load, self._network = load, divided(load, bounded_network(load, network))
        self._how = engine, threads, pin, cpu
        self._engine: Engine | None = None

    def session(self, weights: Mapping[str, NDArray], ranks: int) -> Session:
        """A session with these weights. Raises RequestError if so many processes can't divide the batches."""
        network = self._network
        check_divisible(self._load, network, ranks)
        made = self._engine = self._engine or self._compiled()
        known = weight_buffers(made.manifest)
        values = {name: array for name, array in weights.items() if name in known}
        idle = {name: array for name, array in weights.items() if name not in known}
        return Session(made, {**values, **initial_states(network)}, idle)

    def _compiled(self) -> Engine:
        engine, threads, pin, cpu = self._how
        graphs = {name: self._network.graphs[name] for name in DIVIDED}
        if engine == "reference":
            return reference(self._network, graphs)
        return build(self._network, graphs, named_target(cpu)).engine(threads, pin)


def divided(load: LoadResult, network: Network) -> Network:
    """What trains a network by parts of batches; ``network`` is the one that runs it, as ``bounded_network`` returns
    it. Raises RequestError if random numbers can't be divided."""
    try:
        return divided_network(load, network)
    except Problem as problem:
        raise RequestError(f"batches can't be divided: {problem.diagnostic.message}") from None


def check_divisible(load: LoadResult, network: Network, ranks: int) -> None:
    """Raises RequestError if so many processes can't divide the batches."""
    assert load.model is not None
    assert load.model.train is not None
    parts = load.model.train.parts
    fixed = [name for name, type in network.inputs.items() if not isinstance(type.shape[0], Dim)]
    if fixed:
        size = network.inputs[fixed[0]].shape[0]
        raise RequestError(
            f"batches of {network.model} can't be divided: {fixed[0]} always has {size} samples. Declare a dim for "
            "them, such as dims: {N: batch}"
        )
    if parts is not None and ranks > parts:
        raise RequestError(
            f"{ranks} processes can't share the {parts} parts of a batch: start at most {parts}, or set train.parts to "
            f"{ranks} or more"
        )
    if parts is not None or ranks == 1:
        return
    trained = {name for name, parameter in network.parameters.items() if parameter.trained}
    written = (name.removeprefix(GRADIENT) for name in network.graphs["gradients"].outputs)
    statistics = [name for name in written if name in network.parameters and name not in trained]
    layer = network.parameters[statistics[0]].layer if statistics else None
    batch = next(iter(network.inputs.values())).shape[0]
    layer = layer or mixing_layer(network.graphs["predict"], batch)
    if layer is not None:
        raise RequestError(
            f"{layer} computes something of all samples of a batch, and each of {ranks} processes has a part of it. "
            f"With train.parts: {ranks} (--set train.parts={ranks}) it is that of a part, on any number of processes"
        )
