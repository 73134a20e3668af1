"""Training on text from the command line: the vocabulary goes with the weights, and is never made again silently."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

import netwright
from netwright.errors import RequestError
from netwright.runtime.data.vocabulary import KEY
from netwright.runtime.errors import CheckpointError, DataError
from netwright.runtime.files.tensors import TensorFile, write_tensors
from netwright.runtime.training.checkpoint import load_checkpoint

Cli = Callable[..., Result]
SPEC = """\
netwright: 1
model: mood
dims: {N: batch, T: time}
inputs: {words: {shape: [N, T], dtype: int64, lengths: count}, count: {shape: [N], dtype: int64}}
layers:
  - {name: embed, type: embedding, input_dim: 12, output_dim: 6, inputs: [words]}
  - {name: read, type: gru, units: 6, return_sequences: false}
  - {name: head, type: dense, units: 2}
outputs: {y: head}
train:
  data:
    train: {type: text, path: texts.txt, label: first}
    valid: {from: train, fraction: 0.25, stratify: kind}
  targets: {kind: {shape: [N], dtype: int64}}
  loss: {type: softmax_cross_entropy, output: y, target: kind}
  metrics: [accuracy]
  optimizer: {type: adam, learning_rate: 3e-2}
  epochs: 6
"""
WORDS = {"good": ("fine", "great"), "bad": ("dull", "sad")}


def write(path: Path, count: int = 200, seed: int = 1) -> None:
    generator = np.random.default_rng(seed)
    lines = []
    for _ in range(count):
        kind = ("good", "bad")[generator.integers(2)]
        words = [
            *generator.choice(["a", "film", "it", "was"], generator.integers(1, 6)),
            generator.choice(WORDS[kind]),
        ]
        lines.append(f"{kind}\t{' '.join(generator.permutation(words))}\n")
    path.write_text("".join(lines), encoding="utf-8")


@pytest.fixture
def mood(tmp_path: Path) -> Path:
    write(tmp_path / "texts.txt")
    path = tmp_path / "mood.yaml"
    path.write_text(SPEC, encoding="utf-8")
    return path


def trained(cli: Cli, spec: Path, *more: object) -> Result:
    return cli("train", spec, "--weights", "w.safetensors", "--force", "--engine", "reference", *more)


def test_text_trains_and_is_evaluated_with_the_weights_vocabulary(
    cli: Cli, mood: Path, tmp_path: Path
) -> None:
    assert cli("validate", "--data", mood).output == f"{mood}: valid\n"
    assert trained(cli, mood).exit_code == 0
    shown = json.loads(cli("data", mood, "--format", "json").stdout)
    assert shown["valid"]["arrays"]["words"]["text"]["entries"] == 10
    assert "tokens, 0.0% of them unknown; the vocabulary has 10 entries\n" in cli("data", mood).stdout
    evaluate = ("evaluate", mood, "--weights", "w.safetensors", "--engine", "reference")
    done = cli(*evaluate)
    assert float(done.stdout.split()[-1]) > 0.95
    # Other words in the training data would be other numbers: they are not looked at.
    write(tmp_path / "new.txt", 40, 2)
    given = cli(*evaluate, "--data", "test=new.txt")
    (tmp_path / "texts.txt").write_text("good\tzebra film it it it it\nbad\twas\n" * 9, encoding="utf-8")
    assert cli(*evaluate, "--data", "test=new.txt").stdout == given.stdout
    program = netwright.load(mood).compile(tmp_path / "w.safetensors", engine="reference")
    assert program.evaluate(tmp_path / "new.txt")["accuracy"] > 0.95
    words = np.array([program.vocabularies["words"].encode("it was great")])
    scores = program.predict(words=words, count=np.array([3]))["y"]
    assert scores[0].argmax() == 1  # the classes are "bad", "good"
    # A training on numbers goes on with weights that belong to these words.
    arrays = {"words": words, "count": np.array([3]), "kind": np.array([1])}
    program.train(arrays, arrays, epochs=1)
    program.save_weights(tmp_path / "again.safetensors")
    assert (
        TensorFile(tmp_path / "again.safetensors").metadata[KEY]
        == TensorFile(tmp_path / "w.safetensors").metadata[KEY]
    )


def test_weights_and_spec_must_divide_text_alike(cli: Cli, mood: Path, tmp_path: Path) -> None:
    assert trained(cli, mood, "--epochs", "1").exit_code == 0
    evaluate = ("evaluate", mood, "--engine", "reference", "--weights")
    mood.write_text(SPEC.replace("label: first", "label: first, vocabulary: {lower: true}"), encoding="utf-8")
    done = cli(*evaluate, "w.safetensors")
    assert done.exit_code == 2
    assert done.output == (
        "error: the vocabulary of words changed: it was made with lower: false, the data set says lower: true\n"
    )
    mood.write_text(SPEC, encoding="utf-8")
    file = TensorFile(tmp_path / "w.safetensors")
    write_tensors(tmp_path / "bare.safetensors", {name: file.read(name) for name in file.headers}, {})
    done = cli(*evaluate, "bare.safetensors")
    assert done.exit_code == 2
    assert "the weights hold no vocabulary of words: they were not trained on text" in done.output


def test_a_training_is_resumed_with_its_vocabulary_alone(cli: Cli, mood: Path, tmp_path: Path) -> None:
    assert trained(cli, mood, "--epochs", "4").exit_code == 0
    whole = TensorFile(tmp_path / "w.safetensors")
    assert trained(cli, mood, "--epochs", "2", "--checkpoint", "c").exit_code == 0
    assert trained(cli, mood, "--epochs", "4", "--resume", "c").exit_code == 0
    again = TensorFile(tmp_path / "w.safetensors")
    assert all((whole.read(name) == again.read(name)).all() for name in whole.headers)
    text = (tmp_path / "texts.txt").read_text(encoding="utf-8")
    (tmp_path / "texts.txt").write_text(text.replace("dull", "grey"), encoding="utf-8")
    done = trained(cli, mood, "--epochs", "5", "--resume", "c")
    assert done.exit_code == 2
    assert (
        "c is from a training with another vocabulary of words: 1 new ('grey'), 1 gone ('dull'), number"
        in done.output
    )


def test_what_the_embedding_cannot_take_is_said_before_training(cli: Cli, mood: Path, tmp_path: Path) -> None:
    mood.write_text(SPEC.replace("input_dim: 12", "input_dim: 9"), encoding="utf-8")
    done = cli("validate", "--data", mood)
    assert done.exit_code == 1
    said = (
        "the vocabulary of words has 10 entries, the model takes 9: write input_dim: 10 in the embedding, or "
        "vocabulary: {size: 9} in the data set to keep the most frequent"
    )
    assert f"error[NW0704]: texts.txt: {said}" in done.output
    assert said in cli("data", mood).output
    assert said in trained(cli, mood).output
    assert cli("validate", "--data", mood, "--set", "train.data.train.vocabulary={size: 9}").exit_code == 0
    (tmp_path / "ids.txt").write_text("0\t1 2\n1\t3 11 4\n0\t12\n" * 4, encoding="utf-8")
    mood.write_text(SPEC.replace("type: text, path: texts", "type: tokens, path: ids"), encoding="utf-8")
    done = cli("validate", "--data", mood)
    assert "ids.txt: words: line 3 has the index 12 (at [0]); indices are 0 to 11" in done.output


def test_files_given_need_labels_of_their_own(mood: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("a\nb\n" * 100, encoding="utf-8")
    mood.write_text(SPEC.replace("label: first", "labels: labels.txt"), encoding="utf-8")
    sets = netwright.load(mood).data()
    assert [path.name for path in sets.files("train")] == ["texts.txt", "labels.txt"]
    with pytest.raises(RequestError, match=r"texts\.txt needs labels of its own"):
        netwright.load(mood).data({"test": tmp_path / "texts.txt"})


def test_sets_without_training_data_have_no_vocabulary(mood: Path, tmp_path: Path) -> None:
    mood.write_text(
        SPEC.replace("train: {", "test: {").replace("from: train", "from: test"), encoding="utf-8"
    )
    with pytest.raises(
        DataError, match="there is no vocabulary of words; it is made from the data set train"
    ):
        netwright.load(mood).data()["test"]


def test_names_in_data_sets_are_checked(cli: Cli, mood: Path) -> None:
    for change, message in (
        ("label: first, input: word", "there is no input or target named word"),
        ("label: first, labels: l.txt", "labels are in another file or in the lines, not in both"),
        ("label: first, vocabulary: {size: 2}", "size is 2, which leaves no entry beside <pad> and <unk>"),
        ("label: first, vocabulary: {unknown: <pad>}", "padding and unknown are both <pad>"),
        ('label: first, vocabulary: {unknown: ""}', "an entry of the vocabulary has printable characters"),
        ("label: first, vocabulary: letters", "letters"),
    ):
        mood.write_text(SPEC.replace("label: first", change), encoding="utf-8")
        done = cli("validate", mood)
        assert done.exit_code == 1
        assert message in done.output, done.output


def test_a_damaged_vocabulary_is_refused(mood: Path, tmp_path: Path) -> None:
    program = netwright.load(mood).compile(engine="reference")
    program.train(epochs=1, checkpoint=tmp_path / "c")
    file = TensorFile(tmp_path / "c")
    tensors = {name: file.read(name) for name in file.headers}
    write_tensors(tmp_path / "c", tensors, {**file.metadata, KEY: '{"words": {"entries": "ab"}}'})
    with pytest.raises(CheckpointError, match="the vocabularies can't be read"):
        load_checkpoint(tmp_path / "c", program.session, {})
