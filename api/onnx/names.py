"""Names for layers: the file's own if they are meaningful identifiers, otherwise derived from their role."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import takewhile

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBERED = re.compile(
    r"_*(n|r|t|x|v|op|node|output|input|tensor|val|getitem|constant)?_*\d*(_\d+)?|node_\w+", re.IGNORECASE
)
_ROLE = re.compile(
    r"[._/](w|b|s|kernel|weight|weights|bias|gamma|beta|scale|rm|riv|mean|var|variance|running_mean|running_var"
    r"|weight_ih_l\d+|lin_[lr]|W|B|R)(_\d+)?$"
)
_OF_A_ROLE = r"(_(bn|batch_norm|norm|add|multiply|concat|relu|clip|rescale|lrn|dropout|[a-z]+_pool))+$"
_MAX = 80
#: Names that the language allows.
LONGEST = 100


def identifier(text: str) -> str | None:
    """``text`` if it is a meaningful identifier."""
    if len(text) > _MAX or not _IDENTIFIER.fullmatch(text) or _NUMBERED.fullmatch(text):
        return None
    return text


def scoped(path: str) -> list[str]:
    """Names from a node's place in a tree of modules, as PyTorch writes it: `/layer1/layer1.0/conv1/Conv` becomes
    layer1_0_conv1, or layer1_0_conv1_conv if that is taken.
    """
    if not path.startswith("/") or path.count("/") < 2:
        return []
    *modules, operator = [part for part in path.split("/") if part] or [""]
    if not modules:
        return []
    kept: list[str] = []
    for part in modules:
        if kept and part.startswith(f"{kept[-1]}."):
            kept.pop()  # the module's name repeats the path so far
        kept.append(part)
    text = re.sub(r"\W+", "_", "_".join(kept), flags=re.ASCII).strip("_")
    text = text if re.match("[A-Za-z_]", text) else f"layer_{text}"
    operator = re.sub(r"_\d+$", "", operator).lower()
    return [name for name in (identifier(text), identifier(f"{text}_{operator}")) if name]


def stem(parameter: str) -> str | None:
    """The layer's part of a parameter's name: `layer1.0.conv1.weight` and `gpu_0/conv1_w_0` give layer1_0_conv1 and
    conv1.
    """
    match = _ROLE.search(parameter)
    if match is None or not match.start():
        return None
    text = re.sub(r"^gpu_\d+/|^/+", "", parameter[: match.start()])
    text = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_")
    if text and not re.match("[A-Za-z_]", text):
        text = f"layer_{text}"
    return identifier(text)


def safe(text: str) -> str | None:
    """A name in the file as an identifier: unchanged if possible, otherwise without the characters that are not
    allowed.
    """
    if len(text) <= _MAX and _IDENTIFIER.fullmatch(text):
        return text
    text = re.sub(r"^gpu_\d+/", "", text)
    text = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_")[:_MAX]
    return (text if re.match("[A-Za-z_]", text) else f"v_{text}") if text else None


_PARAMETERS = (
    (re.compile(r"(cast|kernel)_1_readvariableop"), "recurrent_kernel"),
    (re.compile(r"(cast|kernel|matmul)_readvariableop"), "kernel"),
    (re.compile(r"(bias\w*|split|add\w*)_readvariableop"), "bias"),
)
_MEANINGLESS = re.compile(
    r"placeholder|TensorList|readvariableop|loop_counter|^const|^\d|_output_\d+$", re.IGNORECASE
)


def short(value: str) -> str | None:
    """The meaningful part of the name of a loop's value: `while/gru_cell/kernel:0` is kernel, and TorchScript's `h.13`
    is h.
    """
    for pattern, word in _PARAMETERS:
        if pattern.search(value.lower()):
            return word
    text = safe(re.sub(r"[:.]\d+$", "", value).replace("/", ".").rpartition(".")[2])
    return None if text is None or _MEANINGLESS.search(text) else text


def role_of(above: Sequence[str], type: str) -> list[str]:
    """Names for a layer after those that it reads: the relu after conv1, or after conv1_bn, is conv1_relu; what joins
    fire2_left and fire2_right is fire2_concat.
    """
    if not above:
        return []
    suffix = re.sub(r"[123]d$", "", type)
    owner = above[-1] if type == "concat" else above[0]
    hints = [f"{re.sub(_OF_A_ROLE, '', owner)}_{suffix}"]
    alike = takewhile(lambda letters: len(set(letters)) == 1, zip(*above, strict=False))
    common = "".join(letters[0] for letters in alike).rpartition("_")[0]
    if type == "concat" and len(set(above)) > 1 and common:
        hints.insert(0, f"{common}_{suffix}")
    return hints


class Names:
    """Gives out names, each once."""

    def __init__(self, taken: Iterable[str] = ()):
        self._taken = set(taken)
        self._counts: dict[str, int] = {}

    def fresh(self, hints: Iterable[str | None], fallback: str) -> str:
        """The first hint that is free, otherwise ``fallback``, numbered from the second on."""
        for hint in hints:
            if hint and len(hint) <= LONGEST and hint not in self._taken:
                self._taken.add(hint)
                return hint
        fallback = re.sub(r"[123]d$", "", fallback)
        while True:
            count = self._counts[fallback] = self._counts.get(fallback, 0) + 1
            name = fallback if count == 1 else f"{fallback}{count}"
            if name not in self._taken:
                self._taken.add(name)
                return name
