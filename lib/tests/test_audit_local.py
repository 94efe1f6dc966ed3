"""Fields without gates, norms and attention, against the same networks with these taken out."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from lib.audit import audit


class Words(nn.Module):
    """A window of three words, then attention under a mask of the words that are padding."""

    def __init__(self, mask):
        super().__init__()
        self.mask, self.table = mask, nn.Embedding(50, 8)
        self.conv = nn.Conv1d(8, 8, 3, padding=1)
        self.q, self.k, self.v = (nn.Linear(8, 8) for _ in range(3))

    def forward(self, words):
        x = self.conv(self.table(words).transpose(1, 2)).transpose(1, 2)
        q, k, v = self.q(x), self.k(x).transpose(1, 2), self.v(x)
        return x + self.mask(q, k, v, words != 0)


def times(q, k, v, real):
    weights = (q @ k).exp() * real[:, None]
    return weights / weights.sum(-1, keepdim=True) @ v


def by_rows(q, k, v, real):
    """Scores with queries as columns."""
    scores = (k.transpose(1, 2) @ q.transpose(1, 2)).masked_fill(~real[:, :, None], -1e9)
    return (v.transpose(1, 2) @ scores.softmax(1)).transpose(1, 2)


MASKS = {
    "filled": lambda q, k, v, real: (q @ k).masked_fill(~real[:, None], -1e9).softmax(-1) @ v,
    "of two": lambda q, k, v, real: torch.where(
        real[:, None] & real[:, :, None], q @ k, -1e9).softmax(-1) @ v,
    "added": lambda q, k, v, real: (q @ k + (1 - real[:, None].float()) * -1e9).softmax(-1) @ v,
    "in one step": lambda q, k, v, real: torch.baddbmm(
        real[:, None].float().log(), q, k).softmax(-1) @ v,
    "causal": lambda q, k, v, real: (q @ k).masked_fill(
        ~(real[:, None] & torch.ones(12, 12).tril().bool()), -1e9).softmax(-1) @ v,
    "weights": lambda q, k, v, real: (q @ k).softmax(-1) * real[:, None] @ v,
    "times": times, "by rows": by_rows,
    "function": lambda q, k, v, real: F.scaled_dot_product_attention(q, k.mT, v, real[:, None]),
}


@pytest.mark.parametrize("mask", MASKS)
def test_a_mask_of_keys_belongs_to_the_attention(mask):
    found = audit(Words(MASKS[mask]), inputs=torch.ones(1, 12, dtype=torch.long))
    plain = audit(Words(lambda q, k, v, real: q), inputs=torch.ones(1, 12, dtype=torch.long))
    assert found.output[0].everything and found.local.output == plain.output
    assert plain.output[0].size == 3


@pytest.mark.parametrize("weights", [True, False])
def test_padding_and_the_weights_of_multihead_attention(weights):
    attend = nn.MultiheadAttention(8, 2, batch_first=True)

    def run(q, k, v, real):
        return attend(q, k.transpose(1, 2), v, key_padding_mask=~real, need_weights=weights)[0]

    found = audit(Words(run), inputs=torch.ones(1, 12, dtype=torch.long))
    assert found.output[0].everything and found.local.output[0].size == 3


def distances(q, k):
    return 2 * q @ k.mT - q.square().sum(-1, keepdim=True) - k.square().sum(-1)[..., None, :]


SCORES = {
    "a part for each": lambda q, k: F.leaky_relu(
        q.sum(-1, keepdim=True) + k.sum(-1)[..., None, :]).softmax(-1),
    "distances": lambda q, k: distances(q, k).softmax(-1),
    "kernel": lambda q, k: distances(q, k).exp(),
    "keys first": lambda q, k: (-torch.cdist(k, q)).softmax(-2).mT,
    "keys first, no softmax": lambda q, k: (k @ q.mT).relu().square().mT,
    "to places": lambda q, k: (q @ k.mT + (k @ torch.ones(8, k.shape[1])).mT).softmax(-1),
}


@pytest.mark.parametrize("scores", SCORES)
def test_scores_that_are_sums_belong_to_the_attention(scores):
    class Net(nn.Module):
        def __init__(self, scores):
            super().__init__()
            self.scores, self.q, self.k = scores, nn.Linear(8, 8), nn.Linear(8, 8)
            self.conv = nn.Conv2d(3, 8, 3, 2, 1)

        def forward(self, x):
            x = self.conv(x)
            rows = x.flatten(2).mT
            return x + (self.scores(self.q(rows), self.k(rows)) @ rows).mT.view(x.shape)

    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 8, 3, 2, 1)

        def forward(self, x):
            return self.conv(x)

    found, plain = audit(Net(SCORES[scores]), (16, 24)), audit(Own(), (16, 24))
    assert all(axis.everything for axis in found.output)
    assert found.local.output == plain.output and found.local.last_map == plain.last_map


def test_a_window_of_keys_in_each_place_stays():
    class Window(nn.Module):
        """Scores between a place and its neighbors, and a row of the map that is added."""

        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1)

        def forward(self, x):
            x = self.conv(x)
            near = F.unfold(x, 3, padding=1).view(1, 4, 9, *x.shape[2:])
            weights = (x[:, :, None] * near).sum(1, keepdim=True).softmax(2)
            return (weights * near).sum(2)

    found = audit(Window(), 12)
    assert found.local.output == found.output and [a.size for a in found.output] == [3, 3]
