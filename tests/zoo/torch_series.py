"""PyTorch networks over series: recurrences and one-dimensional convolutions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SERIES = (2, 9, 6)
#: The inputs of networks that are not over (batch, steps, 6).
SHAPES: dict[str, tuple[tuple[int, ...], ...]] = {
    "LstmWithStates": (SERIES, (2, 2, 8), (2, 2, 8)),
    "Crnn": ((2, 1, 32, 48),),
    "ConvLstm": ((2, 4, 3, 12, 12),),
    "TemporalConvolutions": ((2, 6, 9),),
    "WaveNet": ((2, 6, 9),),
    "KeywordSpotter": ((2, 6, 9),),
    "DemucsLike": ((2, 2, 128),),
}


class Lstm(nn.Module):
    """The last step of an LSTM, classified."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.head = nn.LSTM(6, 8, batch_first=True), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        steps, _ = self.rnn(x)
        return self.head(steps[:, -1])


class BidirectionalLstm(nn.Module):
    """A tagger."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(6, 8, num_layers=2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.rnn(x)[0]).log_softmax(-1)


class StackedGru(nn.Module):
    """Three layers with dropout between, all steps."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.head = nn.GRU(6, 8, 3, batch_first=True, dropout=0.2), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.rnn(x)[0])


class GruEncoder(nn.Module):
    """The final states of both directions."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(6, 8, bidirectional=True, batch_first=True)
        self.head = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        _, final = self.rnn(x)
        return self.head(torch.cat([final[0], final[1]], 1))


class PlainRnn(nn.Module):
    """A recurrence of ReLU units over steps first."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.head = nn.RNN(6, 8, nonlinearity="relu"), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.rnn(x.transpose(0, 1))[0]).transpose(0, 1)


class LstmWithStates(nn.Module):
    """An LSTM whose states are inputs and outputs, to be run chunk by chunk."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(6, 8, num_layers=2, batch_first=True)

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        steps, (h, c) = self.rnn(x, (h, c))
        return steps.tanh(), h, c


class LstmCells(nn.Module):
    """An LSTMCell in a Python loop, which exporters unroll."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.head = nn.LSTMCell(6, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        h, c = x.new_zeros(x.shape[0], 8), x.new_zeros(x.shape[0], 8)
        for step in range(9):
            h, c = self.cell(x[:, step], (h, c))
        return self.head(h)


class GruCells(nn.Module):
    """A GRUCell in a Python loop that keeps each step."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(6, 8)

    def forward(self, x: Tensor) -> Tensor:
        h, steps = x.new_zeros(x.shape[0], 8), []
        for step in range(9):
            h = self.cell(x[:, step], h)
            steps.append(h)
        return torch.stack(steps, 1)


class Crnn(nn.Module):
    """Text recognition (Shi et al., 2015): convolutions, then columns as steps of a recurrence."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d((2, 1)),
        )  # fmt: skip
        self.rnn, self.head = nn.LSTM(16 * 8, 12, bidirectional=True), nn.Linear(24, 11)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.body(x)
        columns = maps.permute(3, 0, 1, 2).flatten(2)
        return self.head(self.rnn(columns)[0]).log_softmax(2)


class ConvLstm(nn.Module):
    """A convolutional LSTM (Shi et al., 2015) over four frames."""

    def __init__(self) -> None:
        super().__init__()
        self.gates = nn.Conv2d(3 + 4, 16, 3, padding=1)
        self.head = nn.Conv2d(4, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(x.shape[0], 4, x.shape[3], x.shape[4])
        c = torch.zeros_like(h)
        for step in range(4):
            i, f, o, g = self.gates(torch.cat([x[:, step], h], 1)).chunk(4, 1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
        return self.head(h)


class SequenceToSequence(nn.Module):
    """An encoder whose final state starts a decoder over the same steps."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.LSTM(6, 8, batch_first=True)
        self.decoder, self.head = nn.LSTM(6, 8, batch_first=True), nn.Linear(8, 6)

    def forward(self, x: Tensor) -> Tensor:
        _, state = self.encoder(x)
        return self.head(self.decoder(x, state)[0])


class AttentionPooling(nn.Module):
    """The steps of a GRU weighted by a softmax over time."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.score, self.head = nn.GRU(6, 8, batch_first=True), nn.Linear(8, 1), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        steps, _ = self.rnn(x)
        weights = self.score(steps).softmax(1)
        return self.head((weights * steps).sum(1))


class TemporalConvolutions(nn.Module):
    """Causal dilated convolutions with residuals (Bai et al., 2018)."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv1d(6, 6, 3, dilation=2**i) for i in range(3))
        self.head = nn.Conv1d(6, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        for i, conv in enumerate(self.convs):
            x = x + conv(F.pad(x, (2 * 2**i, 0))).relu()
        return self.head(x)


class WaveNet(nn.Module):
    """Gated dilated convolutions with skips (van den Oord et al., 2016)."""

    def __init__(self) -> None:
        super().__init__()
        self.start = nn.Conv1d(6, 8, 1)
        self.gates = nn.ModuleList(nn.Conv1d(8, 16, 2, dilation=2**i, padding=2**i) for i in range(3))
        self.skips = nn.ModuleList(nn.Conv1d(8, 8, 1) for _ in range(3))
        self.head = nn.Conv1d(8, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.start(x)
        total = torch.zeros_like(x)
        for gate, skip in zip(self.gates, self.skips, strict=True):
            filtered, opened = gate(x)[..., : x.shape[-1]].chunk(2, 1)
            step = filtered.tanh() * opened.sigmoid()
            total = total + skip(step)
            x = x + step
        return self.head(total.relu())


class KeywordSpotter(nn.Module):
    """Depthwise separable convolutions over time (Zhang et al., 2017)."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(6, 12, 3, padding=1), nn.BatchNorm1d(12), nn.ReLU(),
            nn.Conv1d(12, 12, 3, padding=1, groups=12), nn.BatchNorm1d(12), nn.Hardswish(),
            nn.Conv1d(12, 8, 1), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(8, 4),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class DemucsLike(nn.Module):
    """A waveform encoder and decoder with an LSTM between (Défossez et al., 2019)."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList([nn.Conv1d(2, 8, 8, 4, 2), nn.Conv1d(8, 16, 8, 4, 2)])
        self.gates = nn.ModuleList([nn.Conv1d(8, 16, 1), nn.Conv1d(16, 32, 1)])
        self.rnn = nn.LSTM(16, 8, bidirectional=True)
        self.up = nn.ModuleList([nn.ConvTranspose1d(16, 8, 8, 4, 2), nn.ConvTranspose1d(8, 2, 8, 4, 2)])

    def forward(self, x: Tensor) -> Tensor:
        kept = []
        for conv, gate in zip(self.down, self.gates, strict=True):
            x = F.glu(gate(conv(x).relu()), 1)
            kept.append(x)
        x = self.rnn(x.permute(2, 0, 1))[0].permute(1, 2, 0)
        for i, conv in enumerate(self.up):
            x = conv(x + kept.pop())
            x = x.relu() if i == 0 else x
        return x
