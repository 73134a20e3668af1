"""The graphs of chunks of steps, as text: what is kept for the next chunk, and what is masked at the start."""

from __future__ import annotations

from typing import Any

import pytest

from ..conftest import Golden
from .checking import Steps
from .test_steps import spec

NETWORKS: dict[str, list[dict[str, Any]]] = {
    "states_go_on": [{"type": "rnn", "units": 2, "initial_state": "learned"}],
    "windows_keep_frames": [
        {"type": "conv1d", "filters": 2, "kernel_size": 3, "dilation": 2, "padding": "causal"},
        {"type": "max_pool1d", "pool_size": 3, "stride": 1, "padding": "causal"},
    ],
    "a_loop_waits_for_its_first_frame": [
        {"type": "conv1d", "filters": 2, "kernel_size": 3},
        {"type": "rnn", "units": 2},
    ],
    "padding_replaces_frames_before_the_first": [
        {"type": "conv1d", "filters": 2, "kernel_size": 2},
        {"type": "conv1d", "filters": 2, "kernel_size": 2, "padding": "causal"},
    ],
    "strides_take_groups_of_steps": [
        {"type": "conv1d", "filters": 2, "kernel_size": 3, "stride": 2, "padding": "causal"},
        {"type": "scan_window", "window": 3, "stride": 1, "layers": [{"name": "f", "type": "flatten"}]},
    ],
    "means_divide_by_the_cells_so_far": [
        {"type": "mean_pool1d", "pool_size": 2, "stride": 1, "padding": "causal"},
    ],
}


@pytest.mark.parametrize("name", NETWORKS)
def test_step_graphs(name: str, golden: Golden) -> None:
    step = Steps(spec(*NETWORKS[name])).step
    outputs = "".join(f"{name}: {output}\n" for name, output in step.outputs.items())
    golden.check(f"{name}.txt", f"{step.graph}\ngroups of {step.group}\n{outputs}")
