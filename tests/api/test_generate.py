"""`netwright generate`: a table of probabilities as a language model, so that every answer can be computed by hand."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from netwright import Model
from netwright.artifacts.writing import Compiled, writing_network
from netwright.build import reference
from netwright.cli import main
from netwright.errors import RequestError
from netwright.generation.search import Continuation, Drawing, Ending, beam_search, continued
from netwright.generation.text import joined
from netwright.generation.writer import Writer
from netwright.runtime.data.vocabulary import Vocabulary
from netwright.runtime.sessions.session import Session
from netwright.specs.load import load_spec_text

SPEC = """netwright: 1
model: letters
dims: {N: batch, T: TIME}
inputs: {text: {shape: [N, T], dtype: int64}}
layers:
  - {name: row, type: embedding, input_dim: 6, output_dim: 6, inputs: [text]}
  - {name: head, type: dense, units: 6}
outputs: {following: head}
train:
  data:
    train: {type: text, path: text.txt, vocabulary: {of: characters, size: 6}, next_token: true, length: 8, stride: 8}
  loss: {type: softmax_cross_entropy, output: following, target: next}
"""
LETTERS = Vocabulary("characters", False, "<pad>", "<unk>", ("<pad>", "<unk>", "a", "b", "c", "."))
#: After a: mostly b, then two ways on that are alike; after b: mostly c. After c, the text is over.
TABLE = np.array(
    [
        [0.5, 0.1, 0.1, 0.1, 0.1, 0.1],
        [0.5, 0.1, 0.1, 0.1, 0.1, 0.1],
        [0.3, 0.1, 0.0, 0.3, 0.2, 0.1],
        [0.0, 0.3, 0.2, 0.2, 0.2, 0.1],
        [0.0, 0.0, 0.1, 0.0, 0.0, 0.9],
        [0.0, 0.0, 0.9, 0.1, 0.0, 0.0],
    ]
)


def language_model(time: str = "time") -> Writer:
    model = Model(load_spec_text(SPEC.replace("TIME", time), "spec.yaml"))
    with np.errstate(divide="ignore"):
        logits = np.maximum(np.log(TABLE), -1e4)
    weights = {"row.table": np.eye(6), "head.kernel": logits, "head.bias": np.zeros(6)}
    names = model.network.parameters
    weights = {name: array.astype("float32") for name, array in zip(names, weights.values(), strict=True)}
    writer = Writer(model, weights, engine="reference")
    writer.vocabularies["text"] = LETTERS
    return writer


def drawn(network: Writer, begun: list[int], drawing: Drawing, ending: Ending) -> Continuation:
    (made,) = continued(network.on(), np.array([begun]), drawing, ending, network.never)
    return made


def best(network: Writer, begun: list[int], size: int, ending: Ending) -> tuple[list[int], float]:
    (made,) = beam_search(network.on(), np.array([begun]), size, ending, network.never)
    return made.tokens, made.log_probability


def texts(tokens: list[int]) -> str:
    return joined([LETTERS.entries[token] for token in tokens], LETTERS)


def probabilities(row: int, never: list[int]) -> NDArray:
    own = TABLE[row].copy()
    own[never] = 0
    return own / own.sum()


def test_the_most_likely_tokens() -> None:
    network = language_model()
    assert network.never == [0, 1]
    assert texts(drawn(network, [2], Drawing(), Ending(5)).tokens) == "babab"
    two = drawn(network, [2], Drawing(), Ending(2))
    expected = probabilities(2, [0, 1])[3] * probabilities(3, [0, 1])[2]
    assert np.exp(two.log_probability) == pytest.approx(expected, rel=1e-5)


def test_a_stop_ends_the_text_and_is_left_out() -> None:
    network = language_model()
    made = drawn(network, [2], Drawing(1.0, None, 3), Ending(500, frozenset([5])))
    assert 0 < len(made.tokens) < 500
    assert 5 not in made.tokens
    chances = [probabilities(a, [0, 1])[b] for a, b in pairwise((2, *made.tokens, 5))]
    assert made.log_probability == pytest.approx(np.log(chances).sum(), rel=1e-4)


def test_draws_by_the_probabilities() -> None:
    network = language_model()
    count = 4000
    made = continued(network.on(), np.full((count, 1), 3), Drawing(1.0, None, 1), Ending(1), network.never)
    counts = Counter(each.tokens[0] for each in made)
    expected = probabilities(3, [0, 1])
    for token in range(6):
        deviation = np.sqrt(count * expected[token] * (1 - expected[token]))
        assert abs(counts[token] - count * expected[token]) <= 4 * deviation
    made = continued(network.on(), np.full((50, 1), 3), Drawing(1.0, 1, 1), Ending(1), network.never)
    assert {each.tokens[0] for each in made} == {int(expected.argmax())}


def test_the_same_seed_draws_the_same() -> None:
    network = language_model()

    def tokens(seed: int) -> list[int]:
        return drawn(network, [2], Drawing(0.7, 3, seed), Ending(20)).tokens

    assert tokens(4) == tokens(4) != tokens(5)


def test_other_samples_of_a_batch_change_nothing() -> None:
    network = language_model()
    ending, begun = Ending(12, frozenset([5])), np.array([[2], [3], [2], [4]])
    together = continued(network.on(), begun, Drawing(1.0, None, 7), ending, network.never, first=10)
    for row in range(len(begun)):
        (alone,) = continued(
            network.on(), begun[row : row + 1], Drawing(1.0, None, 7), ending, network.never, first=10 + row
        )
        assert alone.tokens == together[row].tokens
    beams = beam_search(network.on(), begun, 3, ending, network.never)
    for row, made in enumerate(beams):
        assert best(network, begun[row].tolist(), 3, ending)[0] == made.tokens


@pytest.mark.parametrize("size", [1, 3, 40])
def test_beam(size: int) -> None:
    network = language_model()
    tokens, logarithm = best(network, [2], size, Ending(4))
    likely = {
        path: np.prod([probabilities(a, [0, 1])[b] for a, b in zip((2, *path), path, strict=False)])
        for path in product(range(2, 6), repeat=4)
    }
    assert np.exp(logarithm) == pytest.approx(likely[tuple(tokens)], rel=1e-4)
    if size == 40:
        assert likely[tuple(tokens)] == pytest.approx(max(likely.values()), rel=1e-4)
    if size == 1:
        assert tokens == drawn(network, [2], Drawing(), Ending(4)).tokens


def test_a_beam_compares_means() -> None:
    """Of all texts that end within six tokens, the one whose tokens are the most likely on average."""
    network = language_model()
    tokens, logarithm = best(network, [2], 600, Ending(6, frozenset([5])))
    means: dict[tuple[int, ...], float] = {}
    for length in range(6):
        for path in product((2, 3, 4), repeat=length):
            whole = (2, *path, 5)
            chances = [probabilities(a, [0, 1])[b] for a, b in pairwise(whole)]
            means[path] = float(np.log(np.maximum(chances, 1e-300)).mean())
    assert means[tuple(tokens)] == max(means.values())
    assert logarithm / (len(tokens) + 1) == pytest.approx(means[tuple(tokens)], rel=1e-4)


def test_only_the_last_tokens_are_read_where_there_is_a_limit() -> None:
    limited = language_model("{role: time, max: 3}")
    assert limited.whole is not None
    assert "T is from 1 to 3" in limited.whole
    free = language_model()
    assert free.whole is None
    tokens = np.array([[2, 3, 2, 4, 5]])
    np.testing.assert_allclose(limited.on().begin(tokens), free.on().begin(tokens), rtol=1e-6)
    with pytest.raises(RequestError, match="at least 4"):
        language_model("{role: time, min: 4}").on().begin(np.array([[2, 3]]))


@pytest.mark.parametrize("beam", [None, 3])
def test_a_graph_goes_on_with_a_text(beam: int | None) -> None:
    writer = language_model()
    model = Model(load_spec_text(SPEC.replace("TIME", "time"), "spec.yaml"))
    vocabulary = Vocabulary("characters", False, "<pad>", "<unk>", LETTERS.entries)
    network, graphs = writing_network(model.load, model.network, Compiled(6, {"text": vocabulary}, beam))
    assert set(network.inputs) == {"text"}
    session = Session(reference(network, graphs), writer.session.weights)
    made = session.run("predict", {"text": np.array([[3, 2], [5, 4]])})["written"]
    for begun, tokens in zip(([3, 2], [5, 4]), made.tolist(), strict=True):
        if beam is None:
            assert tokens == drawn(writer, begun, Drawing(), Ending(6)).tokens
        else:
            assert tokens == best(writer, begun, beam, Ending(6))[0]


def test_words_are_joined_as_texts_are() -> None:
    words = Vocabulary("words", False, "<pad>", "<unk>", ("<pad>", "<unk>"))
    assert joined(["so", ",", "it", "(", "he", ")", "is", "."], words) == "so, it (he) is."
    assert joined(["so", ","], Vocabulary("spaces", False, None, None, ())) == "so ,"


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    (tmp_path / "text.txt").write_text("abc." * 200, encoding="utf-8")
    spec = SPEC.replace("TIME", "time") + "  optimizer: {type: adam, learning_rate: 0.1}\n  epochs: 4\n"
    (tmp_path / "letters.yaml").write_text(spec, encoding="utf-8")
    result = CliRunner().invoke(
        main, ["train", f"{tmp_path}/letters.yaml", "--weights", f"{tmp_path}/w.safetensors"]
    )
    assert result.exit_code == 0, result.output
    return tmp_path


def test_from_the_command_line(trained: Path) -> None:
    (trained / "text.txt").unlink()  # the weights know the vocabulary
    command = ["generate", f"{trained}/letters.yaml", "--weights", f"{trained}/w.safetensors"]

    def output(*more: str, code: int = 0) -> str:
        result = CliRunner().invoke(main, [*command, *more])
        assert result.exit_code == code, result.output
        return result.output

    assert output("--text", "ab", "--length", "7") == "abc.abc.a\n"
    assert output("--text", "ab", "--beam", "3", "--length", "7") == "abc.abc.a\n"
    assert output("--text", "ab", "--stop", ".") == "abc\n"
    answer = json.loads(output("--text", "ab", "--length", "3", "--format", "json"))
    assert answer["text"] == "c.a"
    assert len(answer["tokens"]) == 3
    assert -1 < answer["log_probability"] < 0
    assert output("--tokens", "3,4", "--length", "1", "--temperature", "0.01").startswith("3, 4, ")
    assert "there is no token in it" in output("--text", "", code=2)
    assert "is no entry" in output("--text", "a", "--stop", "z", code=2)
    assert "whole numbers" in output("--tokens", "x", code=2)
    assert "too large" in output("--tokens", "99", code=2)
    assert "give one of them" in output("--text", "a", "--beam", "2", "--temperature", "1", code=2)


def test_other_networks_are_refused(tmp_path: Path) -> None:
    text = SPEC.replace("TIME", "time").replace(", next_token: true, length: 8, stride: 8", "")
    with pytest.raises(RequestError, match="does not predict next tokens"):
        Writer(Model(load_spec_text(text, "spec.yaml")), {}, engine="reference")
