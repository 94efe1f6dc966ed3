"""Building blocks of the networks in lib/audit/models.py."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812


class EndPadding(nn.Module):
    """Pad as TensorFlow's SAME does: just enough, half of it rounded down before the map."""

    def __init__(self, window, stride):
        super().__init__()
        self.window, self.stride = window, stride

    def forward(self, x):
        amounts = []
        for size in reversed(x.shape[2:]):
            total = max(0, (-(-size // self.stride) - 1) * self.stride + self.window - size)
            amounts += [total // 2, total - total // 2]
        return F.pad(x, amounts)


class Parallel(nn.Sequential):
    """Branches on the same input, their outputs side by side."""

    def forward(self, x):
        return torch.cat([branch(x) for branch in self], 1)


class Residual(nn.Module):
    """A branch added to a shortcut."""

    def __init__(self, branch, shortcut):
        super().__init__()
        self.branch, self.shortcut = branch, shortcut

    def forward(self, x):
        return F.relu(self.branch(x) + self.shortcut(x))
