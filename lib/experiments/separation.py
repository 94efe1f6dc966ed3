"""What a network uses of its rank: scores of images glued from two halves.

The left half of image i beside the right half of image j gives a matrix of scores for every class.
It is a block of the matricized grid tensor whose templates are real halves of images, so its rank
is at most the separation rank of the network with respect to left and right, and its singular
values say how much of that rank matters.  `python -m lib.experiments.separation` measures the kinds
of `COMPARED` before and after training and writes notebooks/results/ranks.jsonl; with `--cifar-10`
the same on CIFAR-10 images.
"""

from pathlib import Path

import torch

from ..checks import floats, integer, kind, shown
from ..exact.device import made_on_the_cpu, same_in_every_mode
from ..options import Parser
from ..results import STORED, Results, ResultsError, program, read
from .cifar import load_data
from .images import ImageSet, dead_leaves
from .kinds import CLASSES, COLORS, SIZE
from .networks import Network
from .records import refuse_download
from .settings import PRESETS, Settings
from .sweep import must_download
from .training import Trainer

COMPARED = ("B1prod", "offset2prod", "B2prod", "offset3prod",
            "B1", "B1max3", "offset2", "haar2", "conv2", "B2", "conv3")
CHANNELS = 8  # on dead leaves
CIFAR_CHANNELS = 16
SEEDS = {CHANNELS: (0, 1, 2), CIFAR_CHANNELS: (0, 1)}  # of the stored networks
HALVES = 40  # left and right halves


def exact_scores(ensemble, images):
    """Scores of the first network of an ensemble, as the function that its rank is about.

    For kinds with products these are the scores of the arithmetic circuit itself.  The ensemble
    multiplies them by a positive number that depends on the image, which keeps every decision but
    not the rank.

    Parameters
    ----------
    ensemble : Ensemble
    images : torch.Tensor, shape (batch, 3, 32, 32)

    Returns
    -------
    torch.Tensor, shape (batch, 10), float64
    """
    if not ensemble.kind.product:
        return ensemble(images)[:, 0].double()
    hidden = images.to(ensemble.head.dtype)
    one = hidden.new_ones((len(images), len(ensemble.head), 1, 1))
    for weight, bias in zip(ensemble._kernels(), ensemble.bias, strict=True):
        hidden, _ = ensemble._products(hidden, one, weight, bias)
    return (hidden.flatten(1) @ ensemble.head)[:, :CLASSES]


@made_on_the_cpu
def split_scores(ensemble, images, others=None, batch=500):
    """Scores of every left half beside every right half.

    Parameters
    ----------
    ensemble : Ensemble
        Of one network.
    images : torch.Tensor, shape (n, 3, 32, 32)
        Normalized images; the left halves of these.
    others : torch.Tensor, shape (m, 3, 32, 32), optional
        The right halves of these; the same images by default.
    batch : int
        Images computed at once.

    Returns
    -------
    torch.Tensor, shape (10, n, m), float64
        One matrix per class.

    Raises
    ------
    ValueError
        If the ensemble holds several networks, or images have another shape.

    Examples
    --------
    >>> from lib.experiments.ensembles import Ensemble
    >>> from lib.experiments.networks import Network
    >>> images = torch.randn((20, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    >>> matrices = split_scores(Ensemble([Network("offset2prod", 3, "none", 0)]), images)
    >>> int(torch.linalg.matrix_rank(matrices[0], rtol=1e-10))  # without overlap: C and a constant
    4
    """
    if len(ensemble.networks) != 1:
        raise ValueError(f"split_scores: {len(ensemble.networks)} networks, must be one")
    others, batch = images if others is None else others, integer("split_scores: batch", batch, 1)
    floats("split_scores: images and others", images, others)  # bytes are no normalized images
    for given in (images, others):
        if given.shape[1:] != (COLORS, SIZE, SIZE):  # of narrower ones the right half is empty
            raise ValueError(f"split_scores: images of shape {tuple(given.shape)}, must be "
                             f"(n, {COLORS}, {SIZE}, {SIZE})")
    half = SIZE // 2
    rows, columns = len(images), len(others)
    places = torch.cartesian_prod(torch.arange(rows), torch.arange(columns))
    scores = []
    with torch.no_grad():
        for part in places.split(batch):
            glued = torch.cat((images[part[:, 0], :, :, :half],
                               others[part[:, 1], :, :, half:]), 3)
            scores.append(exact_scores(ensemble, glued))
    return torch.cat(scores).T.reshape(CLASSES, rows, columns)


def effective_rank(matrices):
    """How many singular values a matrix uses: the exponential of the entropy of their squares.

    Parameters
    ----------
    matrices : torch.Tensor, shape (..., n, m)

    Returns
    -------
    torch.Tensor, shape (...)
        Between 1 and min(n, m); 0 for a matrix of zeros.

    Examples
    --------
    >>> [round(float(effective_rank(matrix)), 6) for matrix in (torch.eye(4), torch.zeros(4, 4))]
    [4.0, 0.0]
    """
    values = torch.linalg.svdvals(matrices)
    squares = _scaled(values, values[..., :1]).square()  # nothing underflows or overflows
    total = squares.sum(-1, keepdim=True)
    shares = squares / total.where(total > 0, 1)
    return torch.exp(-torch.xlogy(shares, shares).sum(-1)).where(total[..., 0] > 0, 0)


def _scaled(numbers, largest):
    """Numbers divided by the largest of them, zeros left alone."""
    return numbers / largest.where(largest > 0, 1)


def decision_rank(matrices, share=0.95):
    """The smallest rank that decides nearly as the network does.

    All matrices are replaced by their best approximations of rank r, and the class with the
    largest score is compared, of classes that tie up to roundings the first.

    Parameters
    ----------
    matrices : torch.Tensor, shape (classes, n, m)
    share : float
        Share of the n m decisions that must stay, from above 0 to 1.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If the share lies outside this range.

    Examples
    --------
    >>> rows, columns = torch.eye(3)[:, :, None], torch.ones(3, 1, 4)
    >>> decision_rank(rows * columns)  # class k where row k: one product each
    1
    """
    if not 0 < share <= 1:
        raise ValueError(f"decision_rank: share={share}, must lie above 0 and at most at 1")
    left, values, right = torch.linalg.svd(matrices, full_matrices=False)
    # all products together are the matrices: what is missing then was rounded, on this processor
    whole = (left * values[:, None]) @ right
    slack = 8 * torch.finfo(values.dtype).eps * values.max() + 4 * (whole - matrices).abs().max()

    def decided(scores):  # by the plain maximum roundings would choose between classes that tie
        return (scores >= scores.amax(0) - slack).byte().argmax(0)

    wanted = decided(matrices)
    total = torch.zeros_like(matrices)
    for rank in range(values.shape[-1]):
        total += left[..., rank:rank + 1] * values[:, rank, None, None] * right[:, rank:rank + 1]
        if float((decided(total) == wanted).double().mean()) >= share:
            return rank + 1
    return values.shape[-1]


def interaction_share(matrices):
    """How much of what the scores vary by is not a sum of what the two halves say.

    Parameters
    ----------
    matrices : torch.Tensor, shape (..., n, m)

    Returns
    -------
    torch.Tensor, shape (...)
        Sum of squares without the means of rows and columns, over that without the mean of all;
        0 where all entries are equal.

    Examples
    --------
    >>> rows, columns = torch.tensor([[1.0], [3.0]]), torch.tensor([[0.0, 5.0]])
    >>> [float(interaction_share(scores)) for scores in (rows + columns, torch.eye(2), rows * 0)]
    [0.0, 1.0, 0.0]
    """
    matrices = _scaled(matrices, matrices.abs().amax((-2, -1), keepdim=True))
    centered = matrices - matrices.mean((-2, -1), keepdim=True)
    alone = centered - centered.mean(-1, keepdim=True) - centered.mean(-2, keepdim=True)
    whole = centered.square().sum((-2, -1))
    return alone.square().sum((-2, -1)) / whole.where(whole > 0, 1)


def rank_usage(ensemble, images):
    """Four numbers on what a network uses of its rank between left and right.

    Parameters
    ----------
    ensemble : Ensemble
        Of one network; float64 is what makes a numerical rank mean something.
    images : torch.Tensor, shape (n, 3, 32, 32)

    Returns
    -------
    dict
        ``"rank"``, the largest numerical rank over the classes (singular values above 1e-10 of
        the largest); ``"effective"`` and ``"interaction"``, means of `effective_rank` and of
        `interaction_share` over the classes; ``"decision"``, `decision_rank`.  What all classes
        share is removed first, since it decides nothing.
    """
    matrices = split_scores(ensemble, images)
    matrices = matrices - matrices.mean(0)
    return {
        "rank": int(torch.linalg.matrix_rank(matrices, rtol=1e-10).max()),
        "effective": round(float(effective_rank(matrices).mean()), 2),
        "interaction": round(float(interaction_share(matrices).mean()), 3),
        "decision": decision_rank(matrices),
    }


@same_in_every_mode
def trained_usage(network, settings, data, halves=HALVES):
    """Train one network and measure what it uses of its rank, before and after.

    Parameters
    ----------
    network : Network
    settings : Settings
    data : ImageSet
        All of these are trained on, whatever the settings say of images.
    halves : int
        Images, unchanged by augmentation, whose halves are put together.

    Returns
    -------
    dict
        The network, its training accuracy, and `rank_usage` ``"before"`` and ``"after"``.

    Examples
    --------
    >>> short = Settings(images=20, epochs=1, evaluations=1)
    >>> found = trained_usage(Network("offset2prod", 3, "color", 0), short, dead_leaves(20), 20)
    >>> found["before"]["rank"], found["after"]["rank"]  # without overlap: C and a constant
    (4, 4)
    """
    trainer = Trainer([network], settings, data)
    ensemble = trainer.ensembles[0]
    images = torch.cat([batch for batch, _ in trainer.stream.plain(data.subset(halves))])
    kept = ensemble.head.dtype
    before = rank_usage(ensemble.double(), images.double())
    ensemble.to(kept)
    trainer.run()
    accuracy = trainer.evaluate()[0]
    return {"name": network.name, "block": network.block, "channels": network.channels,
            "seed": network.seed, "accuracy": accuracy, "settings": settings.identifier,
            "before": before, "after": rank_usage(ensemble.double(), images.double())}


def protocol(block):
    """The settings under which a kind is trained here on dead leaves."""
    rate = 5e-4 if Network(block, 1, "color", 0).kind.product else 1e-3
    return Settings(images=100, epochs=40, batch_size=10, learning_rate=rate)


def measure(networks, settings_of, data, output):
    """Measure the networks that a file does not hold yet; may be stopped and called again.

    Parameters
    ----------
    networks : iterable of Network
    settings_of : callable
        From the name of a kind to its `Settings`; asked for those of `COMPARED` too, which the
        header of every file names.
    data : ImageSet
        All of these are trained on, whatever the settings say of images.
    output : path-like
        A results file, see `lib.results`.

    Raises
    ------
    TypeError
        If the settings are no function, or it returns something else for a kind, or the images
        are no `ImageSet`.
    ResultsError
        If the file cannot be written, holds networks trained otherwise, or something else, or was
        exchanged meanwhile.
    """
    kind("measure: data", data, ImageSet)
    if not callable(settings_of):
        raise TypeError(f"measure: settings_of={shown(settings_of)}; need a function from the name "
                        "of a kind to its Settings: lambda block: settings")

    def chosen(block):
        return kind(f"measure: settings_of({block!r})", settings_of(block), Settings)

    results = Results(output, _shared(chosen), {"data": {
        **data.provenance, "fingerprint": data.fingerprint, "count": len(data)}})
    networks = list(networks)
    _require_settings(results, networks, chosen)
    for network in networks:
        if network.name not in results.names():  # another run may have been faster
            results.append(trained_usage(network, chosen(network.block), data))
    results.require(network.name for network in networks)
    _require_settings(results, networks, chosen)  # of what that run stored, too


def _shared(settings_of):
    """What the header of a file says of its settings."""
    return {"halves": HALVES, **{block: settings_of(block).as_dict() for block in COMPARED}}


def _require_settings(results, networks, settings_of):
    """Refuse other settings; the header has those of the kinds of `COMPARED` alone."""
    stored = {record["name"]: record.get("settings") for record in results.contents.records}
    for network in networks:
        here = settings_of(network.block).identifier
        if (there := stored.get(network.name, here)) != here:
            raise ResultsError(f"measure: {results.path} holds {network.name} of other settings, "
                               f"{there!r} there, {here!r} here; choose another output")


def main(arguments=None):
    """`python -m lib.experiments.separation [--data-folder FOLDER] [--seeds ...]`."""
    parser = Parser(prog="lib.experiments.separation", description=(
        "Measure what trained networks use of their rank: on a hundred dead leaves, or with "
        "--cifar-10 on the images and with the settings of the preset laptop."))
    parser.add_argument("--cifar-10", action="store_true", dest="cifar")
    parser.add_argument("--data-folder", help="local CIFAR-10 folder in the binary layout")
    parser.add_argument("--seeds", type=int, nargs="+", action="extend",
                        help="default 0 1 2, with --cifar-10 0 1")
    parser.add_argument("--output", type=Path, help="default notebooks/results/ranks[-cifar].jsonl")
    chosen = parser.parse_args(arguments)
    if chosen.data_folder and not chosen.cifar:
        parser.error("--data-folder belongs to --cifar-10")
    with program():
        _measure_chosen(chosen)


def _measure_chosen(chosen):
    output = chosen.output or STORED / ("ranks-cifar.jsonl" if chosen.cifar else "ranks.jsonl")
    if chosen.cifar:
        settings = PRESETS["laptop"][0]
        of_kind, width = (lambda block: settings), CIFAR_CHANNELS
        # what is no place for results is said before a download
        Results(output, _shared(of_kind), make=False)
        if must_download(settings, (chosen.data_folder, None)):
            refuse_download(output)
        data = load_data(settings.data, settings.images, chosen.data_folder)
    else:
        data, of_kind, width = dead_leaves(100), protocol, CHANNELS
    seeds = SEEDS[width] if chosen.seeds is None else chosen.seeds
    networks = [Network(block, width, "color", seed) for seed in seeds for block in COMPARED]
    measure(networks, of_kind, data, output)
    print(f"{len(read(output).records)} networks are stored in {output}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
