"""The Python API on real specs: load, summary, compile, predict, train, save; native code against the reference."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import netwright
from netwright.runtime.arrays import arrays
from netwright.runtime.errors import InputError, WeightsError

EXAMPLES = Path(__file__).parents[2] / "examples"
LENET = EXAMPLES / "lenet" / "lenet.yaml"


def images(count: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, 28, 28, 1)).astype(np.float32)


def test_lenet_predicts_the_same_natively_and_by_reference() -> None:
    model = netwright.load(LENET)
    assert model.is_valid
    native = model.compile(entries=["predict"])
    reference = model.compile(native.weights, engine="reference", entries=["predict"])
    for count in (1, 5):
        expected = reference.predict(image=images(count))["logits"]
        assert expected.shape == (count, 10)
        np.testing.assert_allclose(native.predict(image=images(count))["logits"], expected, atol=2e-5)


def test_training_steps_are_the_same_natively_and_by_reference(tiny: Path) -> None:
    model = netwright.load(tiny, {"layers.hidden.units": 6})
    native, reference = model.compile(seed=3), model.compile(seed=3, engine="reference")
    generator = np.random.default_rng(1)
    x, t = generator.normal(size=(7, 4)).astype(np.float32), generator.integers(0, 3, 7)
    for _ in range(5):
        found, expected = native.train_step(x=x, t=t), reference.train_step(x=x, t=t)
        assert found == pytest.approx(expected, rel=1e-5)
    assert native.loss(x=x, t=t) == pytest.approx(reference.loss(x=x, t=t), rel=1e-5)
    for name, array in reference.weights.items():
        np.testing.assert_allclose(native.weights[name], array, atol=1e-6)


def test_weights_are_saved_and_read_back(tiny: Path, tmp_path: Path) -> None:
    model = netwright.load(tiny)
    program = model.compile(seed=1, engine="reference", entries=["predict"])
    program.save_weights(tmp_path / "w.safetensors")
    again = model.compile(tmp_path / "w.safetensors", engine="reference")
    names = {"hidden.kernel", "hidden.bias", "head.kernel", "head.bias"}
    assert program.weights.keys() == again.weights.keys() == names
    for name, array in program.weights.items():
        np.testing.assert_array_equal(again.weights[name], array)
    with pytest.raises(WeightsError, match=r"head\.bias is missing"):
        model.compile({name: a for name, a in program.weights.items() if name != "head.bias"})


def test_weights_are_copied_once(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Bias and kernel of a layer that no output needs: nothing runs on them, they are kept all the same.
    text = tiny.read_text().split("train:")[0]
    tiny.write_text(text.replace("outputs: {y: head}", "outputs: {y: hidden}"))
    model = netwright.load(tiny, {"layers.hidden.units": 500_000})
    given = {
        "hidden.kernel": np.ones((4, 500_000), np.float32),
        "hidden.bias": np.zeros(500_000, np.float32),
        "head.kernel": np.ones((500_000, 3), np.float32),
        "head.bias": np.zeros(3, np.float32),
    }
    model.compile(given, entries=["predict"])  # the code is made, and kept
    huge: list[int] = []  # sizes of what lies in huge pages, which Python's own allocator knows nothing of

    def counted(size: int) -> np.ndarray:
        huge.append(size)
        return mapped_block(size)

    mapped_block = arrays.mapped
    monkeypatch.setattr(arrays, "mapped", counted)
    tracemalloc.start()
    program = model.compile(given, entries=["predict"])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    nbytes = sum(array.nbytes for array in given.values())
    packed = sum(array.nbytes for array in program.session.packed.values())
    assert nbytes <= peak + sum(huge) <= 1.2 * nbytes + packed + 1_000_000
    for array in given.values():
        array.fill(7)
    program.weights["head.kernel"].fill(7)
    assert not any((array == 7).any() for array in program.weights.values())
    assert program.predict(x=np.ones((1, 4), np.float32))["y"][0, 0] == 4


def test_errors_say_what_is_wrong(tiny: Path) -> None:
    program = netwright.load(tiny).compile(engine="reference")
    with pytest.raises(InputError, match="axis 1 must be 4"):
        program.predict(x=np.zeros((2, 5), np.float32))
    with pytest.raises(netwright.RequestError, match="no entry step"):
        netwright.load(tiny).compile(entries=["step"])
    broken = netwright.load(tiny, ["outputs.y=haed"])
    assert not broken.is_valid
    assert [one.code for one in broken.diagnostics.errors] == ["NW0302"]
    with pytest.raises(netwright.SpecError, match="did you mean head") as caught:
        broken.compile()
    assert caught.value.diagnostics is broken.diagnostics
    with pytest.raises(AttributeError):
        netwright.nothing  # noqa: B018
    assert "load" in dir(netwright)


def test_texts_of_the_compiler_are_written(tiny: Path, tmp_path: Path) -> None:
    program = netwright.load(tiny).compile(engine="reference")
    for emit, words in {
        "graph": 'graph "predict"',
        "loop": "predict",
        "llvm": "define i32 @tiny_predict",
        "asm": "tiny_predict_entry:",
    }.items():
        (path,) = program.save(tmp_path / f"tiny.{emit}", emit)  # type: ignore[arg-type]
        assert words in path.read_text(encoding="utf-8")
    with pytest.raises(netwright.RequestError, match="not as 'elf'"):
        program.save(tmp_path / "x", "elf")  # type: ignore[arg-type]
