"""Networks of 1x1 maps and 2x2 pooling whose windows are squares or mirror images, on blobs.

Five times: a linear map of the channels, equal at all places, a nonlinearity, and pooling of four
places. Kinds: ``product``, a convolutional arithmetic circuit with weights on the simplex, computed
with logarithms; ``max`` and ``mean``, ReLU networks. `python -m lib.experiments.pooled` trains
the networks of notebooks/results/blobs.jsonl; it may be stopped and called again.
"""

import dataclasses
import datetime
import hashlib
import itertools
import json
import platform
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F

from ..checks import choice, integer, integers, is_integer
from ..checks import kind as kind_of
from ..exact.device import device_name, made_on_the_cpu, same_in_every_mode
from ..options import Parser
from ..results import STORED, identifier, program
from .blobs import TASKS, blobs
from .networks import generator_for
from .records import ResultsFile, read

__all__ = ["GEOMETRIES", "KINDS", "PoolSettings", "PooledNetworks", "coded", "multisets",
           "run", "train", "window_order"]

GEOMETRIES = ("square", "mirror", "random")
SEEDS = range(5)  # of the stored networks
# learning rate, decay rates of the two moments, weight decay: Adam's, as the authors published them
KINDS = {"product": (3e-3, (0.9, 0.9), 0.0),
         "max": (1e-3, (0.9, 0.999), 1e-4),
         "mean": (1e-3, (0.9, 0.999), 1e-4)}
LAYERS = 5
POINTS = 10  # of a learning curve


@dataclass(frozen=True)
class PoolSettings:
    """What all networks of one comparison share.

    Parameters
    ----------
    images, test_images : int
        Blobs made for training and for testing, at least 3; a task uses four fifths of them.
    steps, batch_size : int
        Steps of Adam (15,000 in the authors' scripts); the learning rate falls to a tenth after
        four fifths of them.
    channels : int

    Examples
    --------
    >>> PoolSettings().identifier == PoolSettings(steps=10).identifier
    False
    """

    images: int = 25_000
    test_images: int = 5_000
    steps: int = 2_000
    batch_size: int = 64
    channels: int = 16

    def __post_init__(self):
        for name, value in dataclasses.asdict(self).items():
            least = 3 if name.endswith("images") else 1  # of fewer a task takes none
            if not is_integer(value) or value < least:
                raise ValueError(f"PoolSettings: {name}={value!r}, must be an integer, at least "
                                 f"{least}")
            object.__setattr__(self, name, int(value))  # NumPy's have no place in a file

    def as_dict(self):
        """The settings, those of the kinds among them, as plain JSON values."""
        return {**dataclasses.asdict(self), "kinds": json.loads(json.dumps(KINDS))}

    @property
    def identifier(self):
        """Twelve hexadecimal digits that change with every setting."""
        return identifier(self.as_dict())


@made_on_the_cpu
def window_order(side, geometry):
    """The pixels of an image in the order in which a geometry meets them.

    Parameters
    ----------
    side : int
        A power of two.
    geometry : str
        ``"square"``: rows 2k and 2k+1 meet, and columns; ``"mirror"``: rows k and n-1-k;
        ``"random"``: a fixed random order, for comparison.

    Returns
    -------
    torch.Tensor, shape (side * side,), int64
        Four in a row are a window of the first pooling, four windows in a row one of the second.

    Raises
    ------
    ValueError
        If there is no such geometry, or the side is no power of two.

    Examples
    --------
    >>> window_order(4, "mirror").view(4, 4).tolist()
    [[0, 12, 3, 15], [4, 8, 7, 11], [1, 13, 2, 14], [5, 9, 6, 10]]
    """
    if geometry not in GEOMETRIES:
        raise ValueError(f"window_order: geometry={geometry!r}, must be one of {GEOMETRIES}")
    side = integer("window_order: side", side, 1)
    if side & (side - 1):  # rows that find no partner would be left out
        raise ValueError(f"window_order: side={side}, must be a power of two")
    if geometry == "random":
        return torch.randperm(side * side, generator=generator_for("window order", side))
    grid = torch.arange(side * side).view(side, side, 1)
    while len(grid) > 1:
        for axis in (0, 1):
            half = grid.shape[axis] // 2
            if geometry == "square":
                pair = grid.unflatten(axis, (half, 2)).unbind(axis + 1)
            else:
                pair = grid.narrow(axis, 0, half), grid.narrow(axis, half, half).flip(axis)
            grid = torch.cat((pair[0], pair[1]), -1)
    return grid.flatten()


@cache
@torch.inference_mode(False)  # what is kept is for trainings too
@made_on_the_cpu
def multisets(symbols):
    """The contents of a window of four places, up to their order.

    Parameters
    ----------
    symbols : int
        How many values a place can have.

    Returns
    -------
    torch.Tensor, shape (n, 4), int64
        In lexicographic order; n = (symbols + 3 choose 4).

    Examples
    --------
    >>> len(multisets(2)), len(multisets(5)), multisets(2)[1].tolist()
    (5, 70, [0, 0, 0, 1])
    """
    return torch.combinations(torch.arange(symbols), 4, with_replacement=True)


@made_on_the_cpu
def coded(images, geometry):
    """What the networks can see of images: the contents of every window of the second pooling.

    All places have the same weights and pooling does not look at the order, so a window of the
    first pooling counts only by its number of white pixels, one of five, and a window of the second
    by the four numbers in it, one of 70. The networks are computed on these codes, with the same
    result as on the pixels and 16 times fewer places.

    Parameters
    ----------
    images : torch.Tensor, shape (n, side, side), bool
    geometry : str

    Returns
    -------
    torch.Tensor, shape (n, side * side / 16), int64
        Rows of ``multisets(5)``, in the geometry's order.

    Raises
    ------
    ValueError
        If the images are no squares of truth values, or their side is no power of two, at least 4.

    Examples
    --------
    >>> coded(torch.ones(1, 4, 4, dtype=torch.bool), "square").tolist()
    [[69]]
    """
    if (images.ndim != 3 or images.shape[1] != images.shape[2] or images.shape[1] < 4
            or images.dtype != torch.bool):  # smaller ones have no window of the second pooling
        raise ValueError(f"coded: images of shape {tuple(images.shape)} and type {images.dtype}; "
                         "need squares (n, side, side) of torch.bool, a side of at least 4")
    codes = images.flatten(1)[:, window_order(images.shape[1], geometry)].long()
    for symbols in (2, 5):
        powers = symbols ** torch.arange(3, -1, -1)
        number = torch.zeros(symbols**4, dtype=torch.int64)
        number[(multisets(symbols) * powers).sum(1)] = torch.arange(len(multisets(symbols)))
        codes = number[(codes.unflatten(1, (-1, 4)).sort().values * powers).sum(2)]
    return codes


class PooledNetworks(torch.nn.Module):
    """One network per seed, of the same kind and geometry, computed together.

    Parameters
    ----------
    kind : str
        A key of `KINDS`.
    geometry : str
    channels : int
    seeds : sequence of int
        All geometries start from the same weights.

    Raises
    ------
    ValueError
        If there is no such kind or geometry.

    Examples
    --------
    >>> nets = PooledNetworks("product", "mirror", 4, seeds=(0, 1))
    >>> nets(torch.zeros(2, 7, 64, dtype=torch.int64)).shape
    torch.Size([2, 7, 2])
    """

    @made_on_the_cpu
    def __init__(self, kind, geometry, channels, seeds):
        super().__init__()
        if kind not in KINDS or geometry not in GEOMETRIES:
            raise ValueError(f"PooledNetworks: kind={kind!r}, geometry={geometry!r}; must be one "
                             f"of {tuple(KINDS)} and one of {GEOMETRIES}")
        self.kind = kind
        channels = integer("PooledNetworks: channels", channels, 1)
        seeds = integers("PooledNetworks: seeds", seeds)
        sizes = [2] + [channels] * LAYERS + [2]
        shapes = list(itertools.pairwise(sizes))
        drawn = [[] for _ in shapes]
        for seed in seeds:
            generator = generator_for("pooled", kind, channels, seed)
            for layer, (inputs, outputs) in enumerate(shapes):
                # Xavier's range for sums; logarithms of weights between -1 and 1, up to a constant
                bound = 1.0 if kind == "product" else (3 / inputs) ** 0.5
                unit = torch.rand(inputs, outputs, generator=generator, dtype=torch.float32)
                drawn[layer].append((2 * unit - 1) * bound)
        self.weights = torch.nn.ParameterList(torch.stack(layer) for layer in drawn)
        self.biases = torch.nn.ParameterList(
            [] if kind == "product" else
            [torch.zeros(len(seeds), 1, outputs, dtype=torch.float32) for _, outputs in shapes])

    def affine(self, x, layer):
        """Linear maps of a layer, with its nonlinearity: (seeds, places, channels) to the same."""
        if self.kind == "product":  # the logarithm of a convex combination of exponentials
            top = x.detach().amax(2, keepdim=True)
            return ((x - top).exp() @ self.weights[layer].softmax(1)).log() + top
        x = x @ self.weights[layer] + self.biases[layer]
        return x.relu() if layer < LAYERS else x

    def pool(self, x):
        """Four places into one: (seeds, places, 4, channels) to (seeds, places, channels)."""
        if self.kind == "max":
            return x.amax(2)
        return x.sum(2) if self.kind == "product" else x.mean(2)  # logarithms of a product

    def forward(self, codes):
        """Scores of shape (seeds, batch, 2) for codes of images of 32 x 32 pixels.

        Parameters
        ----------
        codes : torch.Tensor, shape (seeds, batch, 64), int64
            From `coded`.

        Raises
        ------
        ValueError
            If there is another number of places: images would be pooled with one another.
        """
        seeds, batch, places = codes.shape
        if places != 4 ** (LAYERS - 2):
            raise ValueError(f"PooledNetworks: codes of {places} places; need {4 ** (LAYERS - 2)}, "
                             f"those of images of {2**LAYERS} x {2**LAYERS} pixels")
        table = torch.eye(2, dtype=self.weights[0].dtype, device=codes.device).expand(seeds, 2, 2)
        if self.kind == "product":
            table = table.log()
        for layer, symbols in enumerate((2, 5)):
            table = self.affine(table, layer)
            table = self.pool(table[:, multisets(symbols)])
        table = self.affine(table, 2)
        windows = codes.view(seeds, -1, 4)
        if self.kind == "max":
            start = torch.arange(seeds, device=codes.device)[:, None, None] * table.shape[1]
            x = F.embedding_bag((windows + start).view(-1, 4), table.flatten(0, 1), mode="max")
            x = x.view(*windows.shape[:2], -1)
        else:  # a sum over the window, as its numbers of places of each kind times the table
            counts = table.new_zeros(*windows.shape[:2], table.shape[1])
            counts.scatter_add_(2, windows, counts.new_ones(()).expand(windows.shape))
            x = counts @ (table if self.kind == "product" else table / 4)
        for layer in range(3, LAYERS):
            x = self.pool(self.affine(x, layer).unflatten(1, (-1, 4)))
        return self.affine(x, LAYERS)


def batches(count, size, seeds):
    """Batches without end, for every seed its own: indices of shape (seeds, size)."""
    generators = [generator_for("order", seed) for seed in seeds]
    while True:
        orders = torch.stack([torch.randperm(count, generator=g, device="cpu") for g in generators])
        yield from orders[:, :count - count % size].split(size, 1)


def accuracies(nets, codes, labels, seeds, size=1000):
    """Share of right answers on all images, one number per seed."""
    with torch.no_grad():
        right = sum((nets(part.expand(seeds, *part.shape)).argmax(2) == wanted).sum(1)
                    for part, wanted in zip(codes.split(size), labels.split(size), strict=True))
    return (right.double() / len(labels)).tolist()  # in float32 the sixth digit may be another


def _checked(name, task):
    """Images and labels of a task; what is wrong with them is said before the training."""
    parts = list(task) if isinstance(task, (tuple, list)) else [task]
    if len(parts) != 2 or not all(isinstance(part, torch.Tensor) for part in parts):
        kinds = ", ".join(type(part).__name__ for part in parts)
        raise TypeError(f"train: {name} of type {kinds}; need two tensors, images and labels, as "
                        "Blobs.task returns them")
    images, labels = parts
    side = 2**LAYERS
    if images.shape[1:] != (side, side) or images.dtype != torch.bool or not len(images):
        raise ValueError(f"train: images of {name} of shape {tuple(images.shape)} and type "
                         f"{images.dtype}; need (n, {side}, {side}) of torch.bool, n >= 1")
    values = labels.unique().tolist()
    if labels.shape != images.shape[:1] or labels.dtype != torch.int64 or not {*values} <= {0, 1}:
        raise ValueError(f"train: labels of {name} of shape {tuple(labels.shape)} and type "
                         f"{labels.dtype} with {str(values[:3])[1:-1]}; need "
                         f"({len(images)},) of torch.int64, each 0 or 1")
    return images, labels


@same_in_every_mode
def train(kind, geometry, settings, data, test, seeds):
    """Train one network per seed and describe them.

    Parameters
    ----------
    kind, geometry : str
    settings : PoolSettings
        Its numbers of images say what `run` makes, and change nothing here.  Of fewer images than
        a batch has, all make one.
    data, test : (torch.Tensor, torch.Tensor)
        Images (n, 32, 32) of torch.bool and labels 0 or 1 of a task, as `Blobs.task` returns them.
    seeds : sequence of int

    Returns
    -------
    list of dict
        Per seed ``"accuracy"`` on the training images, ``"test_accuracy"``, and ``"curve"``: the
        mean loss of every tenth of the training.

    Raises
    ------
    TypeError, ValueError
        If they are something else; before anything is trained.
    """
    seeds = integers("train: seeds", seeds)
    (codes, labels), (test_codes, test_labels) = (
        (coded(images, geometry), labels)
        for images, labels in (_checked("data", data), _checked("test", test)))
    nets = PooledNetworks(kind, geometry, settings.channels, seeds)
    rate, betas, decay = KINDS[kind]
    groups = [{"params": list(nets.weights), "weight_decay": decay},
              {"params": list(nets.biases), "lr": 2 * rate}]
    optimizer = torch.optim.Adam([group for group in groups if group["params"]], lr=rate,
                                 betas=betas, eps=1e-16, fused=True)
    slower = torch.optim.lr_scheduler.MultiStepLR(optimizer, [settings.steps * 4 // 5])
    curve, total, since = [], 0.0, 0
    stream = batches(len(labels), min(settings.batch_size, len(labels)), seeds)
    for step, rows in zip(range(1, settings.steps + 1), stream):
        scores = nets(codes[rows])
        loss = F.cross_entropy(scores.permute(0, 2, 1), labels[rows], reduction="none").mean(1)
        optimizer.zero_grad()
        loss.sum().backward()
        optimizer.step()
        slower.step()
        total, since = total + loss.detach(), since + 1
        if step * POINTS // settings.steps > (step - 1) * POINTS // settings.steps:
            curve.append((total / since).tolist())
            total, since = 0.0, 0
    found = zip(seeds, accuracies(nets, codes, labels, len(seeds)),
                accuracies(nets, test_codes, test_labels, len(seeds)), zip(*curve, strict=True),
                strict=True)
    return [{"seed": seed, "accuracy": round(right, 6), "test_accuracy": round(tested, 6),
             "curve": {"loss": [round(value, 5) for value in values]}}
            for seed, right, tested, values in found]


def fingerprint(data):
    """Hash of images and scores, 16 hexadecimal digits."""
    digest = hashlib.sha256(data.images.numpy().tobytes())
    for task in TASKS:
        digest.update(getattr(data, task).numpy().tobytes())
    return digest.hexdigest()[:16]


@cache
def code_digest():
    """Hash of the files that determine the numbers, stored with every result."""
    here = Path(__file__).parent
    return hashlib.sha256(b"".join((here / name).read_bytes() for name in (
        "blobs.py", "pooled.py"))).hexdigest()[:12]


code_digest()  # now: the files may change while this runs


def run(settings=None, seeds=SEEDS, geometries=GEOMETRIES, output=STORED / "blobs.jsonl",
        together=5):
    """Train what the file does not hold yet: kinds, tasks and geometries, all seeds.

    Parameters
    ----------
    settings : PoolSettings, optional
        The published sizes by default.
    seeds : sequence of int
    geometries : str or sequence of str
    output : path-like
    together : int
        Networks trained at once.

    Raises
    ------
    RecordsError
        If the file belongs to other settings or other data, cannot be written, or was exchanged
        meanwhile.
    """
    settings = kind_of("run: settings", settings or PoolSettings(), PoolSettings)
    seeds, together = integers("run: seeds", seeds), integer("run: together", together, 1)
    geometries = (geometries,) if isinstance(geometries, str) else tuple(geometries)
    for geometry in geometries:  # read once, and said before the blobs are made
        choice("run: geometries", geometry, GEOMETRIES)
    data, test = blobs(settings.images, "train"), blobs(settings.test_images, "test")
    results = ResultsFile(output, settings, {
        "name": "blobs", "official": False, "count": settings.images,
        "origin": "made by lib/experiments/blobs.py from the published description",
        "fingerprint": fingerprint(data), "test_fingerprint": fingerprint(test)})
    stored, code, wanted = results.names(), code_digest(), set()
    for first in range(0, len(seeds), together):
        for kind, task, geometry in itertools.product(KINDS, TASKS, geometries):
            names = {seed: f"{kind}-{geometry}-C{settings.channels}-{task}-s{seed}"
                     for seed in seeds[first:first + together]}
            wanted.update(names.values())
            rest = [seed for seed, name in names.items() if name not in stored]
            if not rest:
                continue
            start = time.perf_counter()
            results.append(*({
                "name": names[found["seed"]], "block": f"{kind}-{geometry}", "pooling": kind,
                "geometry": geometry, "task": task, "augmentation": "none",
                "channels": settings.channels, "status": "finished", **found,
                "provenance": {
                    "trained_with": [names[seed] for seed in rest],
                    "job_seconds": round(time.perf_counter() - start, 1),
                    "device": device_name("cpu"), "threads": torch.get_num_threads(),
                    "torch": torch.__version__, "python": platform.python_version(),
                    "code": code,
                    "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
                }} for found in train(kind, geometry, settings, data.task(task), test.task(task),
                                      rest)))
    results.require(wanted)


def main(arguments=None):
    """`python -m lib.experiments.pooled [--seeds ...] [--output FILE]`."""
    parser = Parser(prog="python -m lib.experiments.pooled", description=(
        "Train the networks on blobs that the file does not hold yet."))
    parser.add_argument("--seeds", type=int, nargs="+", action="extend", help="default 0 to 4")
    parser.add_argument("--output", default=STORED / "blobs.jsonl",
                        help="default notebooks/results/blobs.jsonl")
    chosen = parser.parse_args(arguments)
    output = chosen.output
    seeds = SEEDS if chosen.seeds is None else list(dict.fromkeys(chosen.seeds))  # each once
    torch.set_num_threads(1)
    with program():
        run(seeds=seeds, geometries=("square", "mirror"), output=output)
        run(seeds=seeds, output=output)
        print(f"{len(read(output)[1])} networks are stored in {output}")


if __name__ == "__main__":
    main()
