"""The examples' data are what their specs and READMEs say, and the quickstart's files are the digits example's."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import netwright
from netwright.data.checks import check_data
from netwright.runtime.files.npz import write_npz
from netwright.sampling import sample
from netwright.specs.load import load_spec
from netwright.templates import TEMPLATES, template

PROJECT = Path(__file__).parents[2]
EXAMPLES = PROJECT / "examples"


def arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as data:
        return dict(data)


@pytest.mark.parametrize("name", ["digits.yaml", "digits-train.npz", "digits-valid.npz"])
def test_quickstart_ships_the_digits_example(name: str) -> None:
    assert (PROJECT / "api" / "quickstart" / name).read_bytes() == (EXAMPLES / "digits" / name).read_bytes()


def test_digits_are_split_by_class_and_share_no_image() -> None:
    train, valid = (arrays(EXAMPLES / "digits" / f"digits-{part}.npz") for part in ("train", "valid"))
    for part, count in ((train, 1437), (valid, 360)):
        assert part["image"].dtype == np.uint8
        assert part["image"].shape == (count, 8, 8, 1)
        assert part["image"].max() == 16
        assert part["label"].dtype == np.int64
        assert part["label"].shape == (count,)
    counts = np.bincount(train["label"]) + np.bincount(valid["label"])
    np.testing.assert_allclose(np.bincount(valid["label"]), counts * 360 / 1797, atol=1)
    seen = {image.tobytes() for image in train["image"]}
    assert not seen & {image.tobytes() for image in valid["image"]}


def test_sunspots_are_one_year_ahead_and_held_out_years_are_new() -> None:
    train, valid = (arrays(EXAMPLES / "sunspots" / f"sunspots-{part}.npz") for part in ("train", "valid"))
    for part, shape in ((train, (215, 32, 1)), (valid, (1, 61, 1))):
        for array in part.values():
            assert array.shape == shape
            assert array.dtype == np.float32
        np.testing.assert_array_equal(part["x"][:, 1:], part["y"][:, :-1])
    # The windows, in the order of years, hold the years 1700 to 1946; the held-out sequence goes on from there.
    np.testing.assert_array_equal(train["x"][1:, 0], train["x"][:-1, 1])
    years = len(train["x"]) + train["x"].shape[1]
    assert 1700 + years == 1947
    assert 1947 + valid["x"].shape[1] == 2008


def test_same_as_last_year_is_off_by_what_the_readme_says() -> None:
    valid = arrays(EXAMPLES / "sunspots" / "sunspots-valid.npz")
    error = np.sqrt(np.mean((valid["x"] - valid["y"]) ** 2))
    assert f"off by {error:.1f}" in (EXAMPLES / "sunspots" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*/*.yaml")), ids=lambda path: path.name)
def test_specs_load_without_a_word(path: Path) -> None:
    result = load_spec(path)
    assert result.model is not None
    assert not list(result.diagnostics)


def test_nothing_is_a_link_so_that_copies_are_whole() -> None:
    """Archives and checkouts of other systems keep links as small files of text, or as nothing."""
    listed = subprocess.run(["git", "ls-files", "-s"], cwd=PROJECT, capture_output=True, text=True)
    if listed.returncode == 0:
        assert not [line for line in listed.stdout.splitlines() if line.startswith("120000")]
    assert not [path for path in EXAMPLES.rglob("*") if path.is_symlink()]


def test_a_copy_of_the_examples_works_elsewhere(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES, tmp_path / "examples", ignore=shutil.ignore_patterns("build"))
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / "examples")
    shutil.unpack_archive(archive, tmp_path / "copy")
    for spec in sorted((tmp_path / "copy").rglob("*.yaml")):
        model = netwright.load(spec)
        assert model.is_valid, spec
        if list(spec.parent.glob("*.npz")):  # other examples make their data, or come without any
            assert not list(check_data(model.load, model.network)), spec


@pytest.mark.parametrize("kind", TEMPLATES)
def test_templates_and_lenet_can_be_tried_with_random_data(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(template(kind, "m"), encoding="utf-8")
    model = netwright.load(path)
    for number, file in enumerate(model.data_paths.values()):
        write_npz(file, sample(model.network, 5, {}, number))
    assert not list(check_data(model.load, model.network))
    program = model.compile(engine="reference", entries=["loss", "train_step"])
    assert np.isfinite(program.train(epochs=1).history[0].train["loss"])
