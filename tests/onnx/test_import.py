"""ONNX models become specs that a person would have written, and give the same numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install onnxruntime)")

from click.testing import CliRunner
from onnx import helper

import netwright
from netwright.cli import main
from netwright.onnx import ImportedModel, OnnxError, import_model

from .models import agrees, light, model, onnxruntime_outputs

node = helper.make_node


def compiled(imported: ImportedModel, tmp_path: Path, engine: str = "native") -> netwright.Program:
    imported.save(tmp_path / "m.yaml", tmp_path / "m.safetensors")
    loaded = netwright.load(tmp_path / "m.yaml")
    assert loaded.is_valid, loaded.diagnostics.to_text()
    return loaded.compile(tmp_path / "m.safetensors", engine=engine, entries=["predict"])  # type: ignore


def test_resnet50_is_the_spec_one_would_write(golden) -> None:
    text = import_model(light("resnet50"), name="resnet50").spec
    assert text.count("type: transpose") == 1
    golden.check("resnet50.yaml", text)


def test_a_filter_per_channel_extracts_no_windows() -> None:
    """Three filters with a 1 each look like an extraction of windows of three cells, but read a channel each."""
    kernel = np.eye(3, dtype=np.float32)[:, None]
    nodes = [
        node("Conv", ["x", "kernel"], ["c"], group=3),
        node("Transpose", ["c"], ["t"], perm=[0, 2, 1]),
        node("Reshape", ["t", "shape"], ["r"]),
        node("Transpose", ["r"], ["f"], perm=[0, 2, 1]),
        node("GlobalMaxPool", ["f"], ["y"]),
    ]
    found = model(
        nodes, {"x": [2, 3, 6]}, ["y"], {"kernel": kernel, "shape": np.array([8, 3, 1], dtype=np.int64)}
    )
    agrees(found, {"x": (2, 3, 6)})


def test_native_layout_needs_no_transpose() -> None:
    text = import_model(light("resnet50"), name="resnet50", layout="native").spec
    assert "transpose" not in text
    assert "data_0: {shape: [1, 224, 224, 3]}" in text


def test_native_layout_turns_images_and_sequences_at_both_ends(tmp_path: Path) -> None:
    generator = np.random.default_rng(5)
    found = model(
        [
            node("Conv", ["image", "k"], ["map"], pads=[1, 1, 1, 1]),
            node("RNN", ["words", "w", "r"], ["steps"], hidden_size=4),
            node("Squeeze", ["steps", "one"], ["states"]),
        ],
        {"image": ["N", 2, 6, 5], "words": ["T", "N", 3]},
        ["map", "states"],
        {
            "k": generator.normal(size=(3, 2, 3, 3)).astype(np.float32),
            "w": generator.normal(size=(1, 4, 3)).astype(np.float32),
            "r": generator.normal(size=(1, 4, 4)).astype(np.float32),
            "one": np.asarray([1]),
        },
    )
    imported = import_model(found, name="m", layout="native")
    assert "transpose" not in imported.spec
    assert "image: {shape: [N, 6, 5, 2]}" in imported.spec
    assert "words: {shape: [N, T, 3]}" in imported.spec
    image = generator.normal(size=(2, 2, 6, 5)).astype(np.float32)
    words = generator.normal(size=(4, 2, 3)).astype(np.float32)
    expected = onnxruntime_outputs(found, {"image": image, "words": words})
    program = compiled(imported, tmp_path, "reference")
    answers = program.predict(image=image.transpose(0, 2, 3, 1), words=words.transpose(1, 0, 2))
    np.testing.assert_allclose(answers["map"].transpose(0, 3, 1, 2), expected[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(answers["states"].transpose(1, 0, 2), expected[1], rtol=1e-4, atol=1e-5)


def test_weights_that_are_used_twice_are_shared(tmp_path: Path) -> None:
    generator = np.random.default_rng(6)
    weights = generator.normal(size=(4, 4)).astype(np.float32)
    found = model(
        [
            node("MatMul", ["x", "step.weight"], ["a"]),
            node("Add", ["a", "step.bias"], ["b"]),
            node("Tanh", ["b"], ["c"]),
            node("MatMul", ["c", "step.weight"], ["d"]),
            node("Add", ["d", "step.bias"], ["y"]),
        ],
        {"x": ["N", 4]},
        ["y"],
        {"step.weight": weights, "step.bias": weights[0].copy()},
    )
    imported = import_model(found, name="m")
    assert "{name: step, type: dense, units: 4, activation: tanh}" in imported.spec
    assert "type: dense, units: 4, share: step}" in imported.spec
    assert sorted(imported.weights) == ["step.bias", "step.kernel"]
    x = generator.normal(size=(3, 4)).astype(np.float32)
    answer = compiled(imported, tmp_path, "reference").predict(x=x)["y"]
    np.testing.assert_allclose(answer, onnxruntime_outputs(found, {"x": x})[0], rtol=1e-4, atol=1e-5)


def test_open_sizes_are_settled_and_narrowed(tmp_path: Path) -> None:
    found = model(
        [
            node("MaxPool", ["x"], ["a"], kernel_shape=[2, 2], strides=[2, 2]),
            node("Resize", ["a", "", "scales"], ["b"], mode="nearest"),
            node("Add", ["x", "b"], ["y"]),
        ],
        {"x": ["N", 1, "H", "W"]},
        ["y"],
        {"scales": np.asarray([1, 1, 2, 2], np.float32)},
    )
    with pytest.raises(OnnxError, match="do not broadcast"):  # an odd height comes back one short
        import_model(found)
    path, spec = tmp_path / "m.onnx", tmp_path / "m.yaml"
    path.write_bytes(found.SerializeToString())
    result = CliRunner().invoke(
        main, ["import", str(path), "-o", str(spec), "--weights", str(tmp_path / "w")]
    )
    assert result.stderr.splitlines()[-1] == (
        "help: it fits where H is a multiple of 2 and W is a multiple of 2: --dim H=2k --dim W=2k"
    )
    names = ["import", str(path), "-o", str(spec), "--weights", str(tmp_path / "w.safetensors")]
    result = CliRunner().invoke(main, [*names, "--dim", "H=8", "--dim", "W=6", "--dim", "N=1..16"])
    assert result.exit_code == 0, result.stderr
    assert "dims: {N: {role: batch, max: 16}}" in spec.read_text()
    assert "x: {shape: [N, 1, 8, 6]}" in spec.read_text()
    result = CliRunner().invoke(main, [*names, "--dim", "H=2k", "--dim", "W=32k"])
    assert result.exit_code == 0, result.stderr
    assert (
        "dims: {H: {role: size, multiple_of: 2}, N: batch, W: {role: size, multiple_of: 32}}"
        in spec.read_text()
    )
    result = CliRunner().invoke(main, [*names, "--dim", "D=8"])
    assert result.stderr == "error: there is no open size D: there is H, N, W\n"


def test_the_least_open_size_follows_from_the_layers() -> None:
    kernel = np.ones((2, 3, 5), np.float32)
    found = model(
        [node("Conv", ["x", "k"], ["a"]), node("MaxPool", ["a"], ["y"], kernel_shape=[4])],
        {"x": ["N", 3, "T"]},
        ["y"],
        {"k": kernel},
    )
    assert "dims: {N: batch, T: {role: size, min: 8}}" in import_model(found).spec
    with pytest.raises(OnnxError, match="does not fit"):
        import_model(model([node("Conv", ["x", "k"], ["y"])], {"x": [1, 3, 4]}, ["y"], {"k": kernel}))


def test_native_layout_of_an_image_with_one_channel() -> None:
    kernel = np.ones((1, 1, 3, 3), np.float32)
    found = model([node("Conv", ["x", "k"], ["y"])], {"x": ["N", 1, 8, 6]}, ["y"], {"k": kernel})
    text = import_model(found, layout="native").spec
    assert "x: {shape: [N, 8, 6, 1]}" in text
    assert "reshape" not in text


def test_a_flatten_before_a_gemm_permutes_the_rows_of_its_kernel(tmp_path: Path) -> None:
    generator = np.random.default_rng(2)
    kernel = generator.normal(size=(4, 2, 3, 3)).astype(np.float32)
    weights = generator.normal(size=(7, 4 * 6 * 5)).astype(np.float32)
    found = model(
        [
            node("Conv", ["x", "conv.weight"], ["a"], name="conv"),
            node("Relu", ["a"], ["b"]),
            node("Flatten", ["b"], ["c"]),
            node("Gemm", ["c", "fc.weight"], ["y"], transB=1),
        ],
        {"x": ["N", 2, 8, 7]},
        ["y"],
        {"conv.weight": kernel, "fc.weight": weights},
    )
    imported = import_model(found, name="m")
    assert imported.spec.count("transpose,") == 1
    assert "{name: fc, type: dense, units: 7, use_bias: false}" in imported.spec
    x = generator.normal(size=(3, 2, 8, 7)).astype(np.float32)
    answer = compiled(imported, tmp_path).predict(x=x)["y"]
    np.testing.assert_allclose(answer, onnxruntime_outputs(found, {"x": x})[0], rtol=1e-4, atol=1e-5)


def test_transposes_that_only_change_the_layout_cancel(tmp_path: Path) -> None:
    found = model(
        [
            node("Transpose", ["x"], ["a"], perm=[0, 3, 1, 2]),
            node("MaxPool", ["a"], ["b"], kernel_shape=[2, 2], strides=[2, 2]),
            node("Transpose", ["b"], ["y"], perm=[0, 2, 3, 1]),
        ],
        {"x": ["N", 8, 8, 3]},
        ["y"],
    )
    imported = import_model(found, name="m")
    assert "transpose" not in imported.spec
    x = np.random.default_rng(3).normal(size=(2, 8, 8, 3)).astype(np.float32)
    answer = compiled(imported, tmp_path).predict(x=x)["y"]
    np.testing.assert_array_equal(answer, onnxruntime_outputs(found, {"x": x})[0])


def test_arithmetic_on_shapes_is_folded_into_open_sizes() -> None:
    found = model(
        [
            node("Shape", ["x"], ["s"]),
            node("Gather", ["s", "zero"], ["n"]),
            node("Mul", ["n", "two"], ["m"]),
            node("Unsqueeze", ["m", "axes"], ["u"]),
            node("Concat", ["u", "rest"], ["t"], axis=0),
            node("Reshape", ["x", "t"], ["y"]),
        ],
        {"x": ["batch", 6]},
        ["y"],
        {
            "zero": np.asarray(0),
            "two": np.asarray(2),
            "axes": np.asarray([0]),
            "rest": np.asarray([3]),
        },
    )
    text = import_model(found, name="m").spec
    assert 'shape: ["2*batch", 3]' in text
    assert "dims: {batch: batch}" in text


def test_everything_unsupported_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    found = model(
        [
            node("Unique", ["x"], ["a"], name="which"),
            node("Relu", ["a"], ["b"], name="after"),
            node("Conv", ["x", "w"], ["c"], name="conv", kernel_shape=[3]),
            node("Det", ["x"], ["d"], name="det"),
        ],
        {"x": [1, 2, 8, 8]},
        ["b", "c", "d"],
        {"w": np.zeros((1, 2, 3, 3), np.float32)},
    )
    path = tmp_path / "m.onnx"
    path.write_bytes(found.SerializeToString())
    result = CliRunner().invoke(
        main,
        ["import", str(path), "-o", str(tmp_path / "m.yaml"), "--weights", str(tmp_path / "w.safetensors")],
    )
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "error: which (Unique): the operator is not supported",
        "error: conv (Conv): attribute kernel_shape: [3] does not fit 2 spatial axes",
        "error: det (Det): the operator is not supported",
    ]
    assert [one.name for one in tmp_path.iterdir()] == ["m.onnx"]


def test_an_attribute_that_is_not_honoured_is_an_error() -> None:
    found = model([node("Relu", ["x"], ["y"], slope=1)], {"x": [1, 2]}, ["y"])
    with pytest.raises(OnnxError, match=r"\(Relu\): attribute slope: is not one of Relu in opset 17"):
        import_model(found)


def test_the_command_line_writes_spec_and_weights(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    weights = np.random.default_rng(4).normal(size=(3, 2)).astype(np.float32)
    found = model([node("MatMul", ["x", "w"], ["y"])], {"x": ["N", 3]}, ["y"], {"w": weights})
    path.write_bytes(found.SerializeToString())
    spec, values = tmp_path / "net.yaml", tmp_path / "net.safetensors"
    result = CliRunner().invoke(main, ["import", str(path), "-o", str(spec), "--weights", str(values)])
    assert result.exit_code == 0, result.stderr
    program = netwright.load(spec).compile(values, engine="reference")
    np.testing.assert_allclose(program.predict(x=np.eye(3, dtype=np.float32))["y"], weights)
