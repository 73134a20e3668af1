"""Networks as estimators of scikit-learn: labels, sizes, pipelines, searches, pickles, and clear errors."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed (extra: sklearn)")

from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import netwright
from netwright.sklearn import Classifier, Regressor

from ..forked import forked
from .conftest import TINY, samples

OPEN = TINY.replace("layers:", "vars: {features: 1, classes: 2}\nlayers:", 1)
OPEN = OPEN.replace("[N, 4]", "[N, $features]").replace("units: 3", "units: $classes")
OPEN = OPEN.replace("  data: {train: train.npz, valid: valid.npz}\n", "")
NAMES = np.array(["iris", "lily", "rose"])


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    """A spec that leaves the numbers of features and classes open."""
    path = tmp_path / "flowers.yaml"
    path.write_text(OPEN, encoding="utf-8")
    return path


def named(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Four features, and the name of the largest of the first three."""
    drawn = samples(count, seed)
    return drawn["x"], NAMES[drawn["t"]]


def test_a_classifier_learns_names(flowers: Path) -> None:
    (X, y), (others, names) = named(400, 1), named(200, 2)
    classifier = Classifier(flowers, epochs=10, seed=3).fit(X, y)
    assert classifier.classes_.tolist() == NAMES.tolist()
    assert classifier.n_features_in_ == 4
    assert len(classifier.history_) == 10
    assert classifier.score(others, names) > 0.9
    chances = classifier.predict_proba(others)
    assert chances.shape == (200, 3)
    np.testing.assert_allclose(chances.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_array_equal(NAMES[np.argmax(chances, axis=1)], classifier.predict(others))


def test_it_is_the_training_of_the_spec(flowers: Path) -> None:
    X, y = named(100, 1)
    classifier = Classifier(flowers, epochs=2, seed=3, engine="reference").fit(X, y)
    model = netwright.load(flowers, {"vars.features": 4, "vars.classes": 3, "train.seed": 3})
    program = model.compile(engine="reference")
    program.train({"x": X, "t": np.searchsorted(NAMES, y)}, epochs=2)
    for name, array in program.weights.items():
        np.testing.assert_array_equal(classifier.weights_[name], array)
    logits = program.predict(x=X)["y"].astype(np.float64)
    np.testing.assert_allclose(
        classifier.predict_proba(X), np.exp(logits) / np.exp(logits).sum(1, keepdims=True), atol=1e-12
    )


def test_two_classes_by_a_single_score() -> None:
    spec = {
        "netwright": 1,
        "model": "sides",
        "dims": {"N": "batch"},
        "inputs": {"x": {"shape": ["N", 2]}},
        "layers": [{"name": "score", "type": "dense", "units": 1}],
        "outputs": {"score": "score"},
        "train": {
            "loss": {"type": "binary_cross_entropy", "output": "score", "target": "right"},
            "optimizer": {"type": "adam", "learning_rate": 0.1},
        },
    }
    X = np.random.default_rng(0).normal(size=(300, 2))
    y = np.where(X[:, 0] > 0, "right", "left")
    classifier = Classifier(spec, epochs=10).fit(X, y)
    assert classifier.score(X, y) > 0.95
    logit = classifier.program_.predict(x=X.astype(np.float32))["score"][:, 0].astype(np.float64)
    np.testing.assert_allclose(classifier.predict_proba(X)[:, 1], 1 / (1 + np.exp(-logit)), atol=1e-12)
    with pytest.raises(ValueError, match="tells 2 classes apart by binary_cross_entropy, y has 3"):
        classifier.fit(X, np.arange(300) % 3)


def test_rows_become_images() -> None:
    digits = load_digits()
    spec = {
        "netwright": 1,
        "model": "digits",
        "dims": {"N": "batch"},
        "inputs": {"image": {"shape": ["N", 8, 8, 1]}},
        "layers": [
            {"name": "pixels", "type": "rescale", "scale": 1 / 16},
            {"name": "conv", "type": "conv2d", "filters": 8, "kernel_size": 3, "activation": "relu"},
            {"name": "flat", "type": "flatten"},
            {"name": "digit", "type": "dense", "units": 10},
        ],
        "outputs": {"digit": "digit"},
        "train": {
            "loss": {"type": "softmax_cross_entropy", "output": "digit", "target": "label"},
            "optimizer": {"type": "adam", "learning_rate": 0.01},
        },
    }
    rows, labels = digits.data[:1000], digits.target[:1000]
    classifier = Classifier(spec, epochs=3).fit(rows, labels)
    assert classifier.score(digits.data[1000:], digits.target[1000:]) > 0.8
    images = Classifier(spec, epochs=3).fit(rows.reshape(-1, 8, 8, 1), labels)
    np.testing.assert_array_equal(
        images.predict_proba(rows.reshape(-1, 8, 8, 1)), classifier.predict_proba(rows)
    )
    with pytest.raises(ValueError, match="X has 63 features, digits takes 8 × 8 × 1 = 64"):
        Classifier(spec).fit(rows[:, 1:], labels)


@pytest.mark.parametrize("shape", [(200,), (200, 1), (200, 2)])
def test_a_regressor_predicts_in_the_shape_of_y(shape: tuple[int, ...]) -> None:
    X = np.random.default_rng(0).normal(size=(200, 3))
    y = (X @ np.array([[1.0, -1.0], [0.5, 2.0], [0.0, 1.0]]))[
        :, : shape[-1] if len(shape) > 1 else 1
    ].reshape(shape)
    regressor = Regressor().fit(X, y)
    assert regressor.predict(X).shape == shape
    assert regressor.score(X, y) > 0.95


COUNTS = {
    "netwright": 1,
    "model": "counts",
    "dims": {"N": "batch"},
    "inputs": {"x": {"shape": ["N", 1]}},
    "layers": [{"name": "rate", "type": "dense", "units": 1}],
    "outputs": {"rate": "rate"},
    "train": {
        "loss": {"type": "poisson", "output": "rate", "target": "count"},
        "optimizer": {"type": "adam", "learning_rate": 0.05},
    },
}


def test_counts_are_exponentials() -> None:
    generator = np.random.default_rng(0)
    X = generator.uniform(-1, 1, size=(500, 1))
    regressor = Regressor(COUNTS, epochs=20).fit(X, generator.poisson(np.exp(X[:, 0] + 1)))
    np.testing.assert_allclose(regressor.predict([[0.0], [1.0]]), np.exp([1, 2]), rtol=0.15)


@pytest.mark.parametrize("shape", [(30,), (30, 1)])
def test_one_number_may_be_a_column(shape: tuple[int, ...]) -> None:
    flat = [*COUNTS["layers"], {"name": "flat", "type": "reshape", "shape": ["N"]}]
    spec = {**COUNTS, "layers": flat, "outputs": {"rate": "flat"}}
    X = np.random.default_rng(0).normal(size=(30, 1))
    regressor = Regressor(spec, epochs=1, engine="reference").fit(X, np.ones(shape))
    assert regressor.predict(X).shape == shape


def test_losses_that_y_is_no_target_of_are_refused() -> None:
    equation = {"type": "expression", "value": "(rate - count) * (rate - count)"}
    targets = {"count": {"shape": ["N", 1], "dtype": "float32"}}
    for loss in (equation, [COUNTS["train"]["loss"], {**COUNTS["train"]["loss"], "name": "again"}]):
        spec = {**COUNTS, "train": {"targets": targets, "loss": loss}}
        with pytest.raises(ValueError, match="this estimator needs a single loss, mse, mae"):
            Regressor(spec).fit([[1.0], [2.0]], [1.0, 2.0])
    with pytest.raises(ValueError, match="axis 1 must be 1"):
        Regressor(COUNTS, engine="reference").fit([[1.0], [2.0]], [[1.0, 2.0], [3.0, 4.0]])


def test_pipelines_searches_and_clones(flowers: Path) -> None:
    X, y = named(200, 1)
    classifier = Classifier(flowers, epochs=5, engine="reference")
    search = GridSearchCV(
        classifier, {"settings": [{"layers.hidden.units": 2}, {"layers.hidden.units": 16}]}, cv=2
    ).fit(X, y)
    assert search.best_estimator_.weights_["hidden.kernel"].shape == (4, 16)
    assert cross_val_score(make_pipeline(StandardScaler(), classifier), X, y, cv=2).min() > 0.5
    model = netwright.load(flowers, ["train.optimizer.learning_rate=0.02"])
    copied = clone(Classifier(model, settings=["layers.hidden.units=2"]))
    assert copied.spec is model
    copied.set_params(epochs=1).fit(X, y)
    assert copied.model_.settings[:2] == ("train.optimizer.learning_rate=0.02", "layers.hidden.units=2")
    assert not hasattr(classifier, "weights_")


def test_a_pickle_holds_text_and_weights(flowers: Path, tmp_path: Path) -> None:
    X, y = named(100, 1)
    classifier = Classifier(netwright.load(flowers), epochs=1).fit(X, y)
    stored = pickle.dumps(classifier)
    assert b"type: dense, units: $classes" in stored
    flowers.unlink()  # not read again
    np.testing.assert_array_equal(pickle.loads(stored).predict_proba(X), classifier.predict_proba(X))
    types = "{type(value).__name__ for value in vars(pickle.load(sys.stdin.buffer)).values()}"
    program = f"import sys, pickle; print(*sorted({types}))"
    (tmp_path / "stored").write_bytes(stored)
    with (tmp_path / "stored").open("rb") as file:
        done = forked(code=program, stdin=file)
    assert "Program" not in done.stdout.split()
    assert "Model" in done.stdout.split()


def test_a_pickled_model_keeps_settings_and_dims(flowers: Path) -> None:
    model = netwright.load(flowers, {"layers.hidden.units": 5}, dims={"N": 2})
    again = pickle.loads(pickle.dumps(model))
    assert again.spec == model.spec
    assert again.changed(["layers.hidden.units=6"]).spec.dims == {}
    missing = netwright.load(flowers.with_name("none.yaml"))
    with pytest.raises(netwright.SpecError, match=r"none\.yaml"):
        pickle.dumps(missing)
    with pytest.raises(netwright.SpecError, match=r"none\.yaml"):
        Classifier(flowers.with_name("none.yaml")).fit(*named(10, 1))


def test_float64_data_are_rounded_without_a_warning(flowers: Path) -> None:
    X, y = named(60, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier = Classifier(flowers, epochs=1, engine="reference").fit(X.astype(np.float64) / 3, y)
        classifier.predict(X.astype(np.float64) / 3)
    with pytest.raises(ValueError, match="too large for dtype"):
        classifier.fit(X.astype(np.float64) * 1e40, y)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["layers.head.units=5"], "y of tiny has 5 columns, y has 3 classes"),
        (["layers.head.units=x"], "NW0203"),
    ],
)
def test_specs_that_do_not_fit(flowers: Path, changes: list[str], words: str) -> None:
    X, y = named(30, 1)
    with pytest.raises(ValueError, match=words):
        Classifier(flowers, settings=changes).fit(X, y)


def test_other_specs_are_refused(tmp_path: Path, flowers: Path) -> None:
    X, y = named(30, 1)
    untrained = tmp_path / "untrained.yaml"
    untrained.write_text(OPEN.split("train:")[0], encoding="utf-8")
    with pytest.raises(ValueError, match="the spec has no train section"):
        Classifier(untrained).fit(X, y)
    several = tmp_path / "several.yaml"
    text = OPEN.replace("inputs:", "inputs:\n  z: {shape: [N, 4]}", 1)
    several.write_text(text.replace("name: hidden,", "name: hidden, inputs: [x],"), encoding="utf-8")
    with pytest.raises(ValueError, match="has the inputs z, x: X is a single one"):
        Classifier(several).fit(X, y)
    with pytest.raises(
        ValueError, match="trained by softmax_cross_entropy: this estimator needs a single loss, mse"
    ):
        Regressor(flowers).fit(X, X)
    with pytest.raises(ValueError, match="y has one class, rose"):
        Classifier(flowers).fit(X, ["rose"] * 30)
    with pytest.raises(NotFittedError):
        Classifier(flowers).predict(X)
    fixed = tmp_path / "fixed.yaml"
    fixed.write_text(OPEN.replace("$features", "5"), encoding="utf-8")
    with pytest.raises(ValueError, match="axis 1 must be 5"):
        Classifier(fixed, engine="reference").fit(X, y)


def test_the_package_says_which_extra_is_missing() -> None:
    program = "import sys; sys.modules['sklearn'] = None; import netwright; netwright.sklearn"
    done = forked(code=program)
    assert done.returncode == 1
    assert "netwright.sklearn needs the extra sklearn: pip install 'netwright[sklearn]'" in done.stderr
    program = "import sys, netwright; print('sklearn' in sys.modules, netwright.sklearn.Classifier.__name__)"
    assert forked(code=program).stdout == "False Classifier\n"
