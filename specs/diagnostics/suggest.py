"""Suggests what a misspelt or foreign word probably means: similar spellings, and the words of other frameworks for our
keys and types.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches
from heapq import nsmallest

from .foreign_notes import TYPE_NOTES
from .foreign_types import LOSSES, TYPES

_KEYS: dict[str, tuple[str, ...]] = {
    "strides": ("stride",),
    "step": ("stride",),
    "subsample": ("stride",),
    "out_channels": ("filters", "units"),
    "channels": ("filters", "units"),
    "num_output": ("filters", "units"),
    "num_filters": ("filters",),
    "n_filters": ("filters",),
    "nb_filter": ("filters",),
    "out_features": ("units", "filters"),
    "features": ("units", "filters"),
    "n_units": ("units",),
    "num_units": ("units",),
    "hidden_size": ("units",),
    "hidden_dim": ("units",),
    "hidden_units": ("units",),
    "size": ("units", "kernel_size", "pool_size"),
    "nodes": ("units",),
    "neurons": ("units",),
    "kernel_shape": ("kernel_size", "pool_size"),
    "kernel": ("kernel_size", "pool_size"),
    "kernel_size": ("pool_size",),
    "filter_size": ("kernel_size", "pool_size"),
    "window": ("pool_size", "kernel_size"),
    "window_size": ("pool_size", "kernel_size"),
    "pool_size": ("kernel_size",),
    "dilation_rate": ("dilation",),
    "dilations": ("dilation",),
    "pad": ("padding",),
    "pads": ("padding",),
    "auto_pad": ("padding",),
    "group": ("groups",),
    "ceil_mode": ("rounding",),
    "bias": ("use_bias",),
    "bias_term": ("use_bias",),
    "nonlinearity": ("activation",),
    "act": ("activation",),
    "kernel_initializer": ("kernel_init",),
    "weight_init": ("kernel_init",),
    "weight_filler": ("kernel_init",),
    "init": ("kernel_init", "embeddings_init"),
    "bias_initializer": ("bias_init",),
    "bias_filler": ("bias_init",),
    "recurrent_initializer": ("recurrent_init",),
    "embeddings_initializer": ("embeddings_init",),
    "num_layers": ("layers",),
    "n_layers": ("layers",),
    "bidir": ("bidirectional",),
    "direction": ("bidirectional", "reverse"),
    "go_backwards": ("reverse",),
    "linear_before_reset": ("reset_after",),
    "return_sequence": ("return_sequences",),
    "p": ("rate",),
    "prob": ("rate",),
    "ratio": ("rate",),
    "drop_rate": ("rate",),
    "dropout_rate": ("rate", "dropout"),
    "eps": ("epsilon",),
    "decay": ("momentum", "weight_decay"),
    "gamma_initializer": ("gamma_init",),
    "depthwise_initializer": ("depthwise_init", "kernel_init"),
    "pointwise_initializer": ("pointwise_init",),
    "channel_multiplier": ("depth_multiplier",),
    "heads": ("num_heads",),
    "n_heads": ("num_heads",),
    "nhead": ("num_heads",),
    "is_causal": ("causal",),
    "use_causal_mask": ("causal",),
    "beta_initializer": ("beta_init",),
    "affine": ("scale",),
    "num_embeddings": ("input_dim",),
    "vocab_size": ("input_dim",),
    "vocabulary": ("input_dim",),
    "embedding_dim": ("output_dim",),
    "units": ("filters", "output_dim"),
    "filters": ("units",),
    "dim": ("axis",),
    "axes": ("axis",),
    "start_dim": ("start_axis",),
    "target_shape": ("shape",),
    "slope": ("negative_slope",),
    "std": ("stddev",),
    "sigma": ("stddev",),
    "input": ("inputs",),
    "bottom": ("inputs",),
    "from": ("inputs",),
    "inbound_nodes": ("inputs",),
    "id": ("name",),
    "equation": ("value", "expression"),
    "formula": ("value", "expression"),
    "expression": ("value",),
    "value": ("expression",),
    "op": ("type",),
    "class_name": ("type",),
    "n_fft": ("fft_length",),
    "nfft": ("fft_length",),
    "fft_size": ("fft_length",),
    "win_length": ("frame_length",),
    "window_length": ("frame_length",),
    "frame_size": ("frame_length",),
    "sequence_length": ("frame_length",),
    "hop": ("hop_length",),
    "hop_size": ("hop_length",),
    "frame_step": ("hop_length",),
    "sequence_stride": ("hop_length",),
    "window_fn": ("window",),
    "window_type": ("window",),
    "center": ("padding",),
    "pad_mode": ("padding",),
    "mag_exp": ("power",),
    "sr": ("sample_rate",),
    "sampling_rate": ("sample_rate",),
    "n_mels": ("mels",),
    "num_mels": ("mels",),
    "num_mel_bins": ("mels",),
    "fmin": ("low_frequency",),
    "f_min": ("low_frequency",),
    "min_freq": ("low_frequency",),
    "lower_edge_hertz": ("low_frequency",),
    "fmax": ("high_frequency",),
    "f_max": ("high_frequency",),
    "max_freq": ("high_frequency",),
    "upper_edge_hertz": ("high_frequency",),
    "htk": ("mel_scale",),
    "power_to_db": ("log",),
    "amin": ("floor",),
    "min_power": ("floor",),
    "n_mfcc": ("coefficients",),
    "lr": ("learning_rate",),
    "base_lr": ("initial", "learning_rate"),
    "learning_rate": ("initial",),
    "beta1": ("beta_1",),
    "beta2": ("beta_2",),
    "alpha": ("rho", "negative_slope"),
    "num_epochs": ("epochs",),
    "batch": ("batch_size",),
    "grad_clip": ("clip_norm",),
    "clipnorm": ("clip_norm",),
    "gradient_clipping": ("clip_norm",),
    "warmup": ("warm_up",),
    "warmup_steps": ("warm_up",),
    "decay_steps": ("steps", "every"),
    "step_size": ("every",),
    "gamma": ("factor", "focal_gamma"),
    "pos_weight": ("positive_weight",),
    "class_weight": ("class_weights",),
    "weights": ("class_weights",),
    "smoothing": ("label_smoothing",),
    "loss_weight": ("weight",),
    "top_k": ("k",),
    "random_seed": ("seed",),
    "tbptt": ("bptt",),
    "requires_grad": ("trainable",),
    "frozen": ("trainable", "freeze"),
    "frozen_layers": ("freeze",),
    "gradient_accumulation": ("accumulate",),
    "gradient_accumulation_steps": ("accumulate",),
    "accumulate_grad_batches": ("accumulate",),
    "ema_decay": ("ema",),
    "balanced": ("balance",),
    "oversample": ("balance",),
    "sampler": ("balance",),
    "param_groups": ("parameter_groups",),
    "lr_mult": ("rate_factor",),
    "lr_scale": ("rate_factor",),
    "params": ("parameters",),
    "use_ema": ("ema",),
    "checkpoint_every": ("checkpoint",),
    "save_steps": ("checkpoint",),
    "labels": ("target",),
    "name": ("model",),
    "version": ("netwright",),
}

NOTES: dict[str, str] = {
    "in_channels": "channels are found from the input; leave it out",
    "in_features": "features are found from the input; leave it out",
    "input_size": "features are found from the input; leave it out",
    "input_shape": "shapes are found from the inputs; `expect` checks an output shape",
    "output_shape": "shapes are found from the inputs; `expect` checks an output shape",
    "data_format": "features are always last: [N, H, W, C]",
    "batch_first": "the batch is always first: [N, T, C]",
    "time_major": "the batch is always first: [N, T, C]",
    "trainable": "freeze what is not trained: freeze: [encoder, conv1.kernel]",
    "weight_decay": "weight_decay belongs to the optimizer: optimizer: {type: adam, weight_decay: 1e-4}",
    "learning_rate": "learning_rate belongs to the optimizer: optimizer: {type: adam, learning_rate: 1e-3}",
    "lr": "the learning rate belongs to the optimizer: optimizer: {type: adam, learning_rate: 1e-3}",
    "top_db": "log_mel has no top_db, which needs the loudest frame; floor bounds the logarithm from below",
    "momentum": "momentum belongs to the optimizer: optimizer: {type: sgd, momentum: 0.9}",
}

REDUNDANT = frozenset(("in_channels", "in_features", "input_size"))
"""Keys of `NOTES` whose notes say nothing new."""

#: Words with several meanings, or another meaning elsewhere: their suggestion is a guess.
_LOOSE = frozenset(
    [
        "decay",
        "size",
        "features",
        "init",
        "alpha",
        "direction",
        "learning_rate",
        "units",
        "filters",
        "kernel_size",
        "pool_size",
        "dim",
        "axes",
        "ratio",
        "window",
        "name",
        "version",
        "batch",
        "step",
        "conv",
        "convolution",
        "pooling",
        "eltwise",
        "sum",
        "normalization",
        "swish",
        "none",
        "route",
        "shortcut",
        "local",
        "crop",
        "avgpool",
        "normalize",
        "scale",
    ]
)

_MANY = 100
"""With more candidates than this, only those of similar length and beginning are compared."""


def _plain(word: str) -> str:
    return "".join(character for character in word.lower() if character.isalnum())


def closest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that `word` most probably misspells; None if none is close."""
    known = list(candidates)
    if len(word) > 64:  # no misspelling, and comparing it would take long
        return None
    if len(known) > _MANY:
        first, length = word[:1].lower(), len(word)
        known = nsmallest(_MANY, known, key=lambda name: (name[:1].lower() != first, abs(len(name) - length)))
    plain = _plain(word)
    for candidate in known:
        if _plain(candidate) == plain:
            return candidate
    letters = sorted(plain)
    for candidate in known:  # swapped letters are the commonest misspelling
        if len(plain) > 2 and candidate[:1] == word[:1] and sorted(_plain(candidate)) == letters:
            return candidate
    matches = get_close_matches(word, known, n=1, cutoff=0.65)
    return matches[0] if matches else None


def key_meant(key: str, known: Iterable[str]) -> str | None:
    """The known key that `key` misspells, or that other frameworks call `key`."""
    names = list(known)
    for ours in _KEYS.get(key.lower(), ()):
        if ours in names:
            return ours
    return closest(key, names)


def type_meant(kind: str, known: Iterable[str]) -> str | None:
    """The known type that `kind` misspells, or that other frameworks call `kind`."""
    names = list(known)
    plain = _plain(kind)
    if kind in names:
        return kind
    if TYPES.get(plain) in names:
        return TYPES[plain]
    near = closest(kind, names)
    return None if plain in TYPE_NOTES and _plain(near or "") != plain else near


def type_note(kind: str) -> str | None:
    """How to write a layer of another framework that has no counterpart here."""
    plain = _plain(kind)
    ours = TYPES.get(plain, kind)
    if ours in LOSSES:
        return (
            f"losses stand in the training section: train: {{loss: {{type: {ours}, output: y, target: t}}}}"
        )
    if ours == "linear":
        return "it changes nothing: leave it out, and let the next layer read the one before it"
    return TYPE_NOTES.get(plain)


def is_certain(word: str, meant: str | None) -> bool:
    """Whether a suggested key or type is certain: the only counterpart of another framework's word, or a clear
    misspelling.

    Wrong digits are not clear: conv1 may be any other conv.
    """
    if meant is None or word.lower() in _LOOSE:
        return False
    known = TYPES.get(_plain(word)) == meant or meant in _KEYS.get(word.lower(), ())
    digits = [character for character in word if character.isdigit()]
    same = digits == [character for character in meant if character.isdigit()]
    return known or (same and SequenceMatcher(None, _plain(word), _plain(meant)).ratio() >= 0.8)


def did_you_mean(word: str | None) -> str | None:
    """The help line for a suggestion, if there is one."""
    return f"did you mean {word}?" if word else None
