"""What a figure is made of: the settings all its networks share, the grid, and the presets."""

import dataclasses
import json
from dataclasses import dataclass, field

from ..checks import integer, kind, whole
from ..results import identifier
from .augment import Strength
from .kinds import CLASSES, KINDS
from .networks import Network

DATA_SETS = ("dead-leaves", "photograph-patches", "cifar-10")
MOST_IMAGES = {"dead-leaves": 100_000, "photograph-patches": 100_000, "cifar-10": 50_000}


@dataclass(frozen=True)
class Settings:
    """Everything that must agree between two networks drawn in the same figure.

    Parameters
    ----------
    data : str
        ``"dead-leaves"``, ``"photograph-patches"`` or ``"cifar-10"``.
    images : int or None
        Training images (a fixed subset, equal classes); None takes all of CIFAR-10.
    epochs, batch_size : int
        Of fewer images than a batch has, all make one.
    learning_rate : float
        Of Adam, whose other parameters keep their standard values.
    strength : Strength
        Ranges of the augmentations.
    evaluations : int
        Passes over freshly augmented images that give the final training accuracy.

    Raises
    ------
    ValueError
        If a value is out of range.

    Examples
    --------
    >>> Settings(epochs=1).identifier == Settings(epochs=1).identifier
    True
    """

    data: str = "dead-leaves"
    images: int | None = 200
    epochs: int = 50
    batch_size: int = 10
    learning_rate: float = 1e-3
    strength: Strength = field(default_factory=Strength)
    evaluations: int = 5

    def __post_init__(self):
        if self.data not in DATA_SETS:
            raise ValueError(f"Settings: data={self.data!r}, must be one of {DATA_SETS}")
        if not isinstance(self.strength, Strength):
            raise ValueError(f"Settings: strength={self.strength!r}, must be a Strength")
        for name in ("images", "epochs", "batch_size", "evaluations"):
            object.__setattr__(self, name, whole(getattr(self, name)))
        for name in ("epochs", "batch_size", "evaluations"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise ValueError(f"Settings: {name}={value!r}, must be an integer >= 1")
        if not isinstance(self.learning_rate, float) or not 0 < self.learning_rate < 1:
            raise ValueError(f"Settings: learning_rate={self.learning_rate!r}, must be a float in "
                             "(0, 1)")
        if self.images is None and self.data == "cifar-10":
            return
        most = MOST_IMAGES[self.data]  # of CIFAR-10 the training images, before they are fetched
        if type(self.images) is not int or not CLASSES <= self.images <= most:
            raise ValueError(f"Settings: images={self.images!r}, must be an integer from {CLASSES} "
                             f"to {most} for {self.data!r}")

    def as_dict(self):
        """The settings as plain JSON values; the precision was a setting of version 1.0."""
        return {**json.loads(json.dumps(dataclasses.asdict(self))), "precision": "float32"}

    @property
    def identifier(self):
        """Twelve hexadecimal digits that change with every setting."""
        return identifier(self.as_dict())


@dataclass(frozen=True)
class Grid:
    """Which networks to train.

    Parameters
    ----------
    channels : dict of str to tuple of int
        Name of a kind -> channel numbers C.
    augmentations : tuple of str
    seeds : tuple of int

    Raises
    ------
    ValueError
        If a list is empty or names something twice, or a network is impossible.

    Examples
    --------
    >>> len(Grid({"B1": (2, 4), "B2": (2,)}, seeds=(0, 1)).networks())
    12
    """

    channels: dict
    augmentations: tuple = ("spatial", "color")
    seeds: tuple = (0,)

    def __post_init__(self):
        kind("Grid: channels", self.channels, dict)
        lists = {"augmentations": self.augmentations, "seeds": self.seeds, "kinds": self.channels}
        lists |= {f"channels of {kind}": widths for kind, widths in self.channels.items()}
        for what, values in lists.items():
            several = hasattr(values, "__len__") and not isinstance(values, str)
            if not several or not len(values) or len(set(values)) != len(values):
                raise ValueError(f"Grid: {what} {tuple(values) if several else repr(values)}, must "
                                 "be at least one, all different")
        object.__setattr__(self, "seeds", tuple(map(whole, self.seeds)))
        object.__setattr__(self, "channels", {
            block: tuple(map(whole, widths)) for block, widths in self.channels.items()})
        self.networks()

    def networks(self):
        """All networks, one seed after the other, so that a full figure comes first."""
        return [
            Network(block, width, augmentation, seed)
            for seed in self.seeds
            for width in sorted({c for widths in self.channels.values() for c in widths})
            for block, widths in self.channels.items() if width in widths
            for augmentation in self.augmentations
        ]


def check_plan(operation, grid, settings):
    """Raise a TypeError unless these are a grid and its settings; `PRESETS` has them exchanged."""
    kind(f"{operation}: grid", grid, Grid)
    kind(f"{operation}: settings", settings, Settings)


PUBLISHED = ("B1", "B2", "B3", "B4", "B5")


def powers(first, last):
    """The numbers first, 2 first, 4 first and so on, up to last; for first = 1 powers of two.

    Examples
    --------
    >>> powers(4, 32)
    (4, 8, 16, 32)
    """
    first = integer("powers: first", first, 1)
    widths = []
    while first <= last:
        widths.append(first)
        first *= 2
    return tuple(widths)


PRESETS = {
    # a figure in some seconds, nothing downloaded
    "minute": (
        Settings(images=100, epochs=25, batch_size=10),
        Grid({"B1": powers(16, 32), "B2": (16,), "B3": (16,)}, ("color",)),
    ),
    # CIFAR-10 images on two cores
    "laptop": (
        Settings(data="cifar-10", images=2000, epochs=30, batch_size=25, evaluations=3),
        Grid({block: powers(2, 64) for block in PUBLISHED}, seeds=(0, 1, 2)),
    ),
    # the same settings for all other kinds; with "laptop" it separates overlap, order and mixing
    "factorial": (
        Settings(data="cifar-10", images=2000, epochs=30, batch_size=25, evaluations=3),
        Grid({block: powers(4, 64) for block in KINDS if block not in PUBLISHED},
             seeds=(0, 1, 2)),
    ),
    # the protocol of the source; what it leaves open is chosen here
    "paper": (
        Settings(data="cifar-10", images=None, epochs=300, batch_size=128, evaluations=1),
        Grid({"B1": powers(4, 2048), **{block: powers(4, 256) for block in PUBLISHED[1:]}},
             seeds=(0, 1, 2)),
    ),
}
