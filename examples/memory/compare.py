"""Compares the trained recurrences: what they get right, and how far gradients reach.

    python compare.py

Prints two tables, which are also in build/results.json, and draws build/first-gradients.svg, with the weights before
training, and build/trained-gradients.svg.
"""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

import netwright
from netwright.inspection.gradients import gradient_flow
from netwright.report.flow_chart import flow_chart

HERE = Path(__file__).parent
BUILD = HERE / "build"
KINDS = ("rnn", "lstm", "gru")
LENGTHS = (100, 400, 1000, 2000)
#: Gradients are measured on so many sequences.
MEASURED = 16


def model_of(problem: str, kind: str) -> netwright.Model:
    return netwright.load(HERE / f"{problem}.yaml", {"layers.memory.type": kind})


def score(problem: str, kind: str, trained: int, steps: int) -> dict[str, float]:
    """The loss and metrics, on sequences of `steps` steps, of a network that was trained at `trained` steps."""
    weights = BUILD / f"{problem}-{trained}-{kind}.safetensors"
    program = model_of(problem, kind).compile(weights, entries=["loss"])
    return program.evaluate(BUILD / f"{problem}-{steps}-test.npz")


def show(title: str, rows: dict[str, dict[str, float]], form: str) -> None:
    print(f"{title}\n\n{'':6}" + "".join(f"{column:>12}" for column in rows[KINDS[0]]))
    for kind, row in rows.items():
        print(f"{kind:6}" + "".join(f"{value:>12{form}}" for value in row.values()))
    print()


def draw_gradients(name: str, weights: bool) -> None:
    with np.load(BUILD / "adding-400-test.npz") as data:
        inputs = {"x": data["x"][:MEASURED]}
    flows = {}
    for kind in KINDS:
        model = model_of("adding", kind)
        trained = load_file(BUILD / f"adding-400-{kind}.safetensors") if weights else None
        (flows[kind],) = gradient_flow(model, trained, inputs=inputs).flows
    (BUILD / name).write_text(flow_chart(flows), encoding="utf-8")


def main() -> None:
    adding = {
        kind: {f"T = {steps}": score("adding", kind, steps, steps)["loss"] for steps in LENGTHS}
        for kind in KINDS
    }
    copying = {
        kind: {f"T = {steps}": score("copying", kind, 100, steps)["accuracy"] for steps in LENGTHS}
        for kind in KINDS
    }
    show(
        "adding: the mean square of the error, trained at the same length (to answer 1 always: 0.167)",
        adding,
        ".4f",
    )
    show("copying: the share of symbols that are right, trained at T = 100 (to guess: 0.125)", copying, ".3f")
    (BUILD / "results.json").write_text(json.dumps({"adding": adding, "copying": copying}, indent=2))
    draw_gradients("first-gradients.svg", weights=False)
    draw_gradients("trained-gradients.svg", weights=True)
    print("wrote build/results.json, build/first-gradients.svg and build/trained-gradients.svg")


if __name__ == "__main__":
    main()
