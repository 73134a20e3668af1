"""The manifest: the description of a compiled model, and the interface between compiler and runtime.

It names the entries, the table of caller-owned buffers (position = index in the call's buffer table), the dims, and the
ABI version. The C side of the same contract:

    typedef struct {
        const int64_t *dims;        /* one value per manifest dim, in order */
        void *const *buffers;       /* one pointer per manifest buffer, in order; NULL where the entry has no use */
        void *arena;                /* 64-byte aligned, as large as the entry's plan says */
        const int64_t *offsets;     /* as the entry's plan wrote them */
        void *barrier;              /* 64 zeroed bytes, aligned to 8, shared by the threads of one call; NULL for one */
        void (*passed)(int32_t);    /* for entries with marks: told the number of each mark, by thread 0; or NULL */
    } netwright_context;

    int32_t MODEL_ENTRY_entry(const netwright_context *, int32_t tid, int32_t nthreads);   /* 0, or an error code */
    int64_t MODEL_ENTRY_plan(const int64_t *dims, int64_t *offsets);                 /* arena bytes, < 0: too large */
    int64_t MODEL_missing(void);                          /* bit i: this CPU lacks the i-th of the features */

MODEL is the model's name in small letters. Where the system has threads there is a pool of them
(``compiler/codegen/llvm/ll/pool.ll``):

    int32_t MODEL_pool_run(entry, const netwright_context *, int32_t nthreads, int32_t spins);   /* the entry's code */
    int32_t MODEL_pool_stop(void);      /* ends the workers; 1 where a call has them */
    void MODEL_pool_forked(void);       /* to be called in a forked child */
    int32_t MODEL_pool_pin(const int32_t *processors, int32_t count);   /* workers stay there; 1 if not */

A library adds the functions of its header (``compiler/codegen/library``), and for loaders:

    extern const char MODEL_manifest[];       /* this manifest as JSON */
    extern const void *const MODEL_data[];    /* one pointer per manifest buffer, in order: contents of constants and
                                                 embedded values, NULL for the rest; absent if all are NULL */
    int64_t MODEL_bytes(int32_t buffer, const int64_t *dims);   /* the size of a buffer, < 0: too large */

Buffers of role "constant" have contents that the compiler computed; the engine supplies them, not the session.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict

ABI_VERSION = 1
#: Entries with a part of their own: `prepare` packs weights for the others, `step` takes a sequence chunk by chunk,
#: `train_step` changes weights.
PREPARE, STEP, TRAIN = "prepare", "step", "train_step"
#: The largest number of threads per call.
MOST_THREADS = 1024
#: The most arrays of an entry that Python can call as a built-in function.
MOST_ARRAYS = 16
#: How many turns of a loop a thread waits for others before it sleeps, 50 to 200 µs. Waking a sleeping thread takes
#: about 25 µs, and a third of that is time of the thread that wakes it.
SPINS = 2048

#: States that are more than the optimizer's own affair: the moving average of a parameter (with its name after it), how
#: many batches are gathered for the next update, and what a plateau schedule's rate is multiplied by.
AVERAGE, GATHERED, SCALE = "average.", "optimizer.gathered", "optimizer.scale"

#: What training by parts of batches needs beside weights and states: the gradient of a parameter, and the part of a
#: statistic's new value, that one part gives (with the name after it); numbers of the whole batch.
GRADIENT, BATCH = "part.", "batch."

#: What a program that trains by itself has around its steps: the entry `order` gives the order of the samples in an
#: epoch, `batches` that of its batches where samples are grouped by length, `rate` the learning rate after so many
#: updates, of which a plateau's scale is a factor. Then the names of what they take, and of the dim of samples.
ORDER, BATCHES, RATE = "order", "batches", "rate"
EPOCH, UPDATES, RATE_SCALE, SAMPLES = "epoch", "updates", "scale", "samples"

#: The entry that varies samples, its output, and its inputs beside the epoch: samples as they are, their numbers, and
#: how many steps of each count.
VARY, VARIED = "vary", "varied"
PLAIN, ROWS, LENGTHS = "plain", "rows", "lengths"

#: Return codes of entries and kernels.
INDEX_OUT_OF_RANGE, LENGTH_OUT_OF_RANGE = 1, 2
#: Return codes of entries that refuse to start.
CPU_LACKS, MISSING_POINTER, BAD_NUMBERS, READ_ONLY_CONTENTS = 16, 17, 18, 19
ERRORS = {
    INDEX_OUT_OF_RANGE: "an index in the data is out of range (a label or token outside the declared classes)",
    LENGTH_OUT_OF_RANGE: "a sequence length in the data is out of range",
    CPU_LACKS: "this machine's CPU lacks instructions that the code was compiled to use",
    MISSING_POINTER: "a pointer that the entry needs is NULL (the context, a part of it, or a buffer)",
    BAD_NUMBERS: "a number of the call can't be: a dim below its least value or no multiple of what it has to be, a "
    "thread beyond the number of threads, or an arena or barrier that is not aligned",
    READ_ONLY_CONTENTS: "the entry would write into contents that are part of the library: give it a copy of them",
}
#: Return codes of a library's functions beside those of its entries.
SMALL_MEMORY, TOO_LARGE, CANNOT_READ, NO_WEIGHTS, OTHER_WEIGHTS = 20, 21, 22, 23, 24
LIBRARY_ERRORS = {
    SMALL_MEMORY: "the memory is smaller than the function says that tells how many bytes are needed",
    TOO_LARGE: "these sizes need more memory than can be addressed",
    CANNOT_READ: "the file can't be read or mapped: errno says why",
    NO_WEIGHTS: "this is no file of weights, or it is cut short, or it is not aligned to 64 bytes",
    OTHER_WEIGHTS: "these weights are for another network, or were packed for other code than this",
}


def c_prefix(model: str) -> str:
    """What the C names of a model begin with."""
    return model.lower()


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


#: More steps than any sequence has.
UNBOUNDED = 2**31 - 1


class DimInfo(_Frozen):
    """A named dim: its range, what it is a multiple of and, if known, what it stands for ("batch", "time", …).

    A dim with ``longest_of`` is no size of an array: it is the largest number in that input of lengths, and bounds how
    many steps are computed. A larger value is right, too. One with ``first_row`` isn't either: it says where in the
    batch the rows of a call are, if they are a part of it, counted from 1.
    """

    name: str
    min: int = 1
    max: int | None = None
    multiple_of: int = 1
    role: str = ""
    longest_of: str | None = None
    first_row: bool = False

    @property
    def unbound(self) -> int:
        """The value if nothing says another."""
        return self.min if self.longest_of is None else UNBOUNDED

    def admits(self, size: int) -> bool:
        """Whether the dim can have this size."""
        return self.min <= size and (self.max is None or size <= self.max) and size % self.multiple_of == 0

    @property
    def admitted(self) -> str:
        """The admitted sizes in words: `from 32 to 512, a multiple of 32`."""
        allowed = f"at least {self.min}" if self.max is None else f"from {self.min} to {self.max}"
        return allowed if self.multiple_of == 1 else f"{allowed} and a multiple of {self.multiple_of}"

    def nearest(self, size: int) -> tuple[int, ...]:
        """The admitted sizes next to one that is not admitted: the next smaller and the next larger."""
        below = size // self.multiple_of * self.multiple_of
        sizes = {self.fitted(multiple) for multiple in (below, below + self.multiple_of)}
        return tuple(sorted(sizes))

    def fitted(self, size: int) -> int:
        """The largest admitted size below this one, or the least admitted size."""
        most = size if self.max is None else min(size, self.max)
        return max(self.min, most // self.multiple_of * self.multiple_of)


class RangeInfo(_Frozen):
    """The integers that a buffer may hold: ``low`` to ``high`` (a size). Entries return an error code for others.

    ``unless`` names the buffers that say which elements count: lengths `[N]` of sequences, or masks. If it is empty,
    all count. ``partial``: entries may use only some of the elements.
    """

    what: Literal["index", "class", "length"]
    high: str
    low: int = 0
    unless: list[str] = []
    partial: bool = False


class BufferInfo(_Frozen):
    """A buffer that the caller owns. The entries of ``shape`` are sizes as ``specs.dims.parse_dim`` reads them."""

    name: str
    role: Literal["input", "output", "parameter", "statistic", "state", "gradient", "packed", "constant"]
    dtype: str
    shape: list[str]
    labels: list[str] | None = None
    ranges: list[RangeInfo] | None = None


class EntryInfo(_Frozen):
    """An entry: its C symbol and the names of the buffers it reads and writes. ``slots`` is the length of
    ``offsets``. ``marks`` has the gradients that are complete when each mark is passed.
    """

    name: str
    symbol: str
    reads: list[str]
    writes: list[str]
    slots: int
    marks: list[list[str]] = []

    @property
    def plan(self) -> str:
        """The C symbol of its planner."""
        return f"{self.symbol.removesuffix('_entry')}_plan"


class ScoreInfo(_Frozen):
    """A number that training and evaluation report, over any number of calls of `loss` or `train_step`: a formula of
    ``sums``, outputs of these entries, each added up over the calls (``runtime/scores.py`` computes it).

    mean: Σ weight·numerator / count over pairs of sums, with a weight each. precision, recall, f1: of how often each
    class is right, was answered, and is meant. r2: of Σ(x − t)², Σt, Σt² and the number of targets. auc: of how many
    samples that are meant, and how many others, have a score in each of some ranges. perplexity: exp of a mean.
    """

    name: str
    formula: Literal["mean", "precision", "recall", "f1", "r2", "auc", "perplexity"]
    sums: list[str]
    weights: list[float] = []
    rises: bool = False
    """Whether more is better."""


def has_time(dims: Iterable[DimInfo]) -> bool:
    """Whether a dim counts steps, whose results must not depend on how many are computed at once."""
    return any(info.role == "time" for info in dims)


class Manifest(_Frozen):
    """Everything a program needs to call a compiled model."""

    abi: int = ABI_VERSION
    netwright: str
    model: str
    spec: str = ""
    """SHA-256 of the spec's text, in one piece and with the settings that were applied; "" if it is not known."""
    versions: dict[str, str] = {}
    """The versions of what made the code."""
    target: str
    features: list[str] = []
    """The CPU features that the code needs beyond the baseline of its family, as LLVM spells them."""
    dims: list[DimInfo]
    buffers: list[BufferInfo]
    entries: list[EntryInfo]
    scores: list[ScoreInfo] = []
    """What `loss` and `train_step` report; first `loss`, the number that is minimized."""

    @property
    def prefix(self) -> str:
        """What its C names begin with."""
        return c_prefix(self.model)
