"""The examples' data are what their specs and READMEs say, and the quickstart's files are the digits example's."""

from pathlib import Path

import numpy as np
import pytest

from netwright.specs.load import load_spec

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


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.yaml")), ids=lambda path: path.name)
def test_specs_load_without_a_word(path: Path) -> None:
    result = load_spec(path)
    assert result.model is not None
    assert not list(result.diagnostics)
