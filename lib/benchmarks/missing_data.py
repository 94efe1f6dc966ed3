"""Classification with missing pixels, measured: a mixture that marginalizes against imputation.

    python -m lib.benchmarks.missing_data --data-folder FOLDER   # CIFAR-10 in its binary layout

Images are CIFAR-10 averaged to 16 × 16. Every classifier is trained on whole images, except one
ConvNet that is trained on images with missing pixels and sees which; all are tested with pixels
missing one by one and in squares. Finished networks are appended to
notebooks/results/missing-data.jsonl, so the program may be stopped and called again, also by
several processes at once with seeds of their own.
"""

import datetime
import hashlib
import itertools
import platform
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from ..exact.device import same_in_every_mode
from ..experiments.cifar import cifar10, is_fetched
from ..experiments.networks import generator_for
from ..experiments.records import refuse_download
from ..networks import log_space, missing_data
from ..networks.architecture import Architecture
from ..options import Parser
from ..results import STORED, Results, is_share, program

SETTINGS = {
    "images": 8000, "test_images": 1000, "size": 16, "epochs": 4, "batch_size": 100,
    "components": 32, "widths": [32, 32, 32], "convnet_channels": 28,
    # weights of cross entropy and of the negative log-likelihood for each number of an image
    "loss": {"mixture": [1, 1], "mixture-ce": [1, 0], "mixture-likelihood": [0, 1]},
    "learning_rate": {"mixture": 0.03, "convnet": 0.004, "logistic": 0.003},
    "pixels": [0.0, 0.25, 0.5, 0.75, 0.9], "squares": [1, 2, 3], "side": 7,
}
MAIN = ("mixture", "convnet", "convnet-masked", "logistic")
VARIANTS = ("mixture-ce", "mixture-likelihood")


def images_of(split, count, folder):
    """Standardized images of 16 × 16 pixels, labels, and the provenance of the set."""
    data = cifar10(split, folder).subset(count, 0)
    pixels = F.avg_pool2d(data.images.float(), 2) / 255
    provenance = {**data.provenance, "fingerprint": data.fingerprint, "count": len(data)}
    return (pixels - 0.47) / 0.25, data.labels, provenance


def convnet(colors, channels):
    """Two convolutions and a linear head, for 16 × 16 pixels."""
    return nn.Sequential(
        nn.Conv2d(colors, channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(16 * channels, 10))


def drop(name, count, generator):
    """Which pixels are seen, by the name of the way in which they go missing."""
    kind, amount = name.split("-")
    size = (SETTINGS["size"],) * 2
    if kind == "pixels":
        return missing_data.missing_pixels(count, size, float(amount), generator)
    return missing_data.missing_rectangles(count, size, int(amount), SETTINGS["side"], generator)


def build(kind, images, generator):
    """A classifier; torch's own layers draw from its global generator, seeded for the moment."""
    if kind in SETTINGS["loss"]:
        layers = [(2, 2, width) for width in SETTINGS["widths"]] + [(1, 1, 10)]
        return missing_data.TensorialMixture(
            Architecture(8, SETTINGS["components"], layers), images, generator=generator)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (), generator=generator)))
        if kind == "logistic":
            return nn.Sequential(nn.Flatten(), nn.Linear(images[0].numel(), 10))
        return convnet(3 + (kind == "convnet-masked"), SETTINGS["convnet_channels"])


def with_mask(images, seen):
    """Missing pixels at the mean, and a channel that says which are seen."""
    seen = seen[:, None].to(images.dtype)
    return torch.cat([images * seen, seen], dim=1)


def scores(kind, model, images, seen, way):
    """Scores under one way to treat missing pixels."""
    if way == "marginal":
        return model(images, seen)
    if kind == "convnet-masked":
        return model(with_mask(images, seen))
    black = -0.47 / 0.25
    return model(torch.where(seen[:, None], images, 0 if way == "mean" else black))


def loss_of(kind, model, images, labels, generator):
    """Cross entropy; for mixtures, its weighted sum with the negative log-likelihood."""
    if kind == "convnet-masked":  # a share of missing pixels for every image
        share = torch.rand(len(images), 1, 1, generator=generator)
        seen = torch.rand(len(images), *images.shape[2:], generator=generator) >= share
        return F.cross_entropy(model(with_mask(images, seen)), labels)
    found = model(images)
    decision, likelihood = SETTINGS["loss"].get(kind, (1, 0))
    fit = -found.gather(1, labels[:, None]).mean() / images[0].numel()
    return decision * F.cross_entropy(found, labels) + likelihood * fit


@same_in_every_mode
def train(kind, seed, images, labels):
    """A trained classifier and the seconds it took."""
    generator = generator_for("missing data", kind, seed)
    model = build(kind, images, generator)
    steps = SETTINGS["epochs"] * len(images) // SETTINGS["batch_size"]
    rate = SETTINGS["learning_rate"][kind.split("-")[0]]
    adam = torch.optim.Adam(model.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(adam, rate, total_steps=steps)
    start = time.process_time()
    for _ in range(SETTINGS["epochs"]):
        order = torch.randperm(len(images), generator=generator)
        for batch in order.split(SETTINGS["batch_size"]):
            adam.zero_grad()
            loss_of(kind, model, images[batch], labels[batch], generator).backward()
            adam.step()
            schedule.step()
    return model, time.process_time() - start


@torch.no_grad()
def measure(kind, model, seed, images, labels):
    """Test accuracy for every way in which pixels go missing and every way to treat them."""
    ways = ("marginal",) * (kind in SETTINGS["loss"]) + ("zero", "mean")
    ways = ("masked",) if kind == "convnet-masked" else ways
    found = {}
    for name in ([f"pixels-{share}" for share in SETTINGS["pixels"]]
                 + [f"squares-{number}" for number in SETTINGS["squares"]]):
        seen = drop(name, len(images), generator_for("missing", name, seed))  # the same for all
        found[name] = {"missing": round(1 - seen.float().mean().item(), 4)} | {
            way: round((scores(kind, model, images, seen, way).argmax(1) == labels)
                       .float().mean().item(), 4) for way in ways}
    return found


def as_classifier(entry):
    """The record of a classifier: accuracies from 0 to 1 for all ways in which pixels are lost."""
    found = entry.get("accuracy")
    if not isinstance(found, dict) or not all(
            isinstance(ways, dict) and all(map(is_share, ways.values()))
            for ways in [{"train": entry.get("train_accuracy")}, *found.values()]):
        raise ValueError("is not the record of a classifier with accuracies from 0 to 1")
    return entry


def main():
    parser = Parser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data-folder", help="CIFAR-10 in its binary layout; else downloaded")
    parser.add_argument("--output", type=Path, default=STORED / "missing-data.jsonl")
    parser.add_argument("--seeds", type=int, nargs="+", action="extend", help="default 0 to 4")
    arguments = parser.parse_args()
    arguments.seeds = list(dict.fromkeys(arguments.seeds or range(5)))  # 0 1 and 1 2: once each
    torch.set_num_threads(1)
    with program():
        measure_missing(arguments)


def measure_missing(arguments):
    """Train and measure the classifiers that the file does not hold yet."""
    Results(arguments.output, SETTINGS, parse=as_classifier, make=False)  # before a download
    if arguments.data_folder is None and not is_fetched():
        refuse_download(arguments.output)
    images, labels, origin = images_of("train", SETTINGS["images"], arguments.data_folder)
    *test, test_origin = images_of("test", SETTINGS["test_images"], arguments.data_folder)
    code = hashlib.sha256(b"".join(Path(file).read_bytes() for file in (
        __file__, log_space.__file__, missing_data.__file__))).hexdigest()[:12]
    results = Results(arguments.output, SETTINGS,
                      {"data": {"train": origin, "test": test_origin}}, as_classifier)
    stored, wanted = results.names(), set()
    for models in (MAIN, VARIANTS):
        for seed, kind in itertools.product(arguments.seeds, models):
            wanted.add(f"{kind}-s{seed}")
            if f"{kind}-s{seed}" in stored:
                continue
            model, seconds = train(kind, seed, images, labels)
            some = images[:SETTINGS["test_images"]]
            with torch.no_grad():
                known = torch.ones(len(some), *some.shape[2:], dtype=torch.bool)
                found = scores(kind, model, some, known, "mean")  # all are seen
            right = found.argmax(1) == labels[:len(some)]
            record = {
                "kind": "network", "name": f"{kind}-s{seed}", "model": kind, "seed": seed,
                "parameters": sum(p.numel() for p in model.parameters()),
                "train_accuracy": round(right.float().mean().item(), 4),
                "accuracy": measure(kind, model, seed, *test),
                "provenance": {
                    "cpu_seconds": round(seconds, 1), "threads": 1, "code": code,
                    "device": platform.processor() or platform.machine(),
                    "torch": torch.__version__, "python": platform.python_version(),
                    "finished": datetime.datetime.now(datetime.UTC).isoformat(
                        timespec="seconds")}}
            results.append(record)
            print(record["name"], record["train_accuracy"], record["accuracy"], flush=True)
    results.require(wanted)
    print(f"{len(results.names())} networks are stored in {arguments.output}")


if __name__ == "__main__":
    main()
