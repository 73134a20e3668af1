"""Predictors that are sent to other processes: pickled, on Ray Data and on Dask."""

import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import netwright
from netwright.errors import RequestError
from netwright.runtime.errors import InputError, WeightsError

from ..forked import forked

SPEC = {
    "netwright": 1,
    "model": "sum",
    "dims": {"N": "batch"},
    "inputs": {"x": {"shape": ["N", 2]}, "b": {"shape": ["N"]}},
    "layers": [
        {"name": "out", "type": "dense", "inputs": ["x"], "units": 3},
        {"name": "shifted", "type": "rescale", "inputs": ["b"], "offset": 1},
    ],
    "outputs": {"y": "out", "more": "shifted"},
}


@pytest.fixture(scope="module")
def model() -> netwright.Model:
    return netwright.load(SPEC)


@pytest.fixture(scope="module")
def weights() -> dict[str, NDArray]:
    kernel = np.arange(6, dtype=np.float32).reshape(2, 3)
    return {"out.kernel": kernel, "out.bias": np.ones(3, np.float32)}


@pytest.fixture(scope="module")
def predictor(model: netwright.Model, weights: dict[str, NDArray]) -> netwright.BatchPredictor:
    return netwright.BatchPredictor(model, weights, keep=["id"], rows=4)


def rows(count: int) -> dict[str, NDArray]:
    x = np.arange(2 * count, dtype=np.float32).reshape(count, 2)
    return {"x": x, "b": np.arange(count, dtype=np.float32), "id": np.arange(count)}


def expected(batch: dict[str, NDArray], weights: dict[str, NDArray]) -> NDArray:
    return batch["x"] @ weights["out.kernel"] + 1


def test_batches_of_any_size(predictor: netwright.BatchPredictor, weights: dict[str, NDArray]) -> None:
    for count in (1, 4, 11):
        batch = rows(count)
        made = predictor(batch)
        assert list(made) == ["id", "y", "more"]
        np.testing.assert_allclose(made["y"], expected(batch, weights))
        np.testing.assert_array_equal(made["more"], batch["b"] + 1)
        np.testing.assert_array_equal(made["id"], batch["id"])
    assert predictor(rows(0))["y"].shape == (0, 3)


def test_another_process_computes_the_same(
    predictor: netwright.BatchPredictor, weights: dict[str, NDArray], tmp_path: Path
) -> None:
    sent = pickle.dumps(predictor)
    assert b"netwright.batch_prediction" in sent
    assert b"\x7fELF" not in sent
    (tmp_path / "sent").write_bytes(sent)
    code = (
        "import pickle, sys, numpy as np\n"
        f"predictor = pickle.load(open({str(tmp_path / 'sent')!r}, 'rb'))\n"
        "y = predictor({'x': np.ones((2, 2), 'f'), 'b': np.zeros(2, 'f'), 'id': np.arange(2)})['y']\n"
        "print(y.tolist())"
    )
    said = forked(code=code).stdout
    assert said.strip() == str([[4.0, 6.0, 8.0]] * 2)


def test_mistakes_are_told_where_the_predictor_is_made(
    model: netwright.Model, weights: dict[str, NDArray]
) -> None:
    with pytest.raises(RequestError, match="sum has no output z: there is 'y', 'more'"):
        netwright.BatchPredictor(model, weights, outputs=["z"])
    with pytest.raises(WeightsError, match=r"out\.bias"):
        netwright.BatchPredictor(model, {"out.kernel": weights["out.kernel"]})


def test_batches_that_do_not_fit(predictor: netwright.BatchPredictor) -> None:
    with pytest.raises(InputError, match="the batch has no 'b': it is needed for the input 'b'"):
        predictor({"x": np.ones((2, 2), np.float32)})
    with pytest.raises(InputError, match="x has 2, b has 3"):
        predictor({"x": np.ones((2, 2), np.float32), "b": np.ones(3, np.float32), "id": np.ones(2)})
    with pytest.raises(InputError, match="a mapping of arrays or a table, not int"):
        predictor(3)


def test_tables(model: netwright.Model, weights: dict[str, NDArray]) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed (pip install pandas)")
    batch = rows(5)
    frame = pandas.DataFrame({"left": batch["x"][:, 0], "right": batch["x"][:, 1], "b": range(5)})
    predictor = netwright.BatchPredictor(model, weights, columns={"x": ["left", "right"]}, keep=["left"])
    made = predictor(frame)
    assert list(made.columns) == ["left", "y", "more"]
    np.testing.assert_allclose(np.stack(made["y"].to_list()), expected(batch, weights))


clusters = pytest.mark.clusters


@pytest.fixture
def ray() -> Iterator[object]:
    ray = pytest.importorskip("ray", reason="Ray is not installed (extra: ray)")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield ray
    ray.shutdown()


@clusters
@pytest.mark.filterwarnings("ignore")
def test_ray_data(ray: object, predictor: netwright.BatchPredictor, weights: dict[str, NDArray]) -> None:
    import ray.data

    batch = rows(50)
    made = ray.data.from_numpy(batch["x"]).map_batches(
        lambda block: {"x": block["data"], "b": block["data"][:, 0], "id": block["data"][:, 1]}
    )
    made = made.map_batches(predictor, batch_size=16).take_all()
    made.sort(key=lambda row: row["id"])
    np.testing.assert_allclose(np.stack([row["y"] for row in made]), expected(batch, weights))


@clusters
@pytest.mark.filterwarnings("ignore")
def test_dask(
    predictor: netwright.BatchPredictor, model: netwright.Model, weights: dict[str, NDArray]
) -> None:
    distributed = pytest.importorskip("distributed", reason="Dask is not installed (extra: dask)")
    frames = pytest.importorskip("dask.dataframe", reason="Dask is not installed (extra: dask)")
    pandas = pytest.importorskip("pandas", reason="pandas is not installed (pip install pandas)")
    batch = rows(50)
    frame = pandas.DataFrame({"left": batch["x"][:, 0], "right": batch["x"][:, 1], "b": batch["b"]})
    predictor = netwright.BatchPredictor(
        model, weights, columns={"x": ["left", "right"]}, outputs=["more"], keep=["left"]
    )
    meta = pandas.DataFrame({"left": np.empty(0, np.float32), "more": np.empty(0, np.float32)})
    workers = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**workers) as cluster, distributed.Client(cluster):
        made = frames.from_pandas(frame, npartitions=4).map_partitions(predictor, meta=meta).compute()
    np.testing.assert_array_equal(made["more"], batch["b"] + 1)
    np.testing.assert_array_equal(made["left"], frame["left"])
