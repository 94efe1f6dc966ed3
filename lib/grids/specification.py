"""What every specification of a product network offers: the interface that certificates use."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

from ..checks import shown

__all__ = ["Specification", "require_specification"]


@runtime_checkable
class Specification(Protocol):
    """A network of products of affine maps over a grid of positions.

    :class:`lib.trees.tree.ModeTree` and :class:`lib.networks.architecture.Architecture` are two.
    What they call weights is their own affair: a dictionary here, a list there.
    """

    @property
    def channels(self) -> int:
        """M, the representation channels of every position."""

    @property
    def grid(self) -> tuple[int, ...]:
        """The sizes of the grid of positions."""

    def random_weights(self, arithmetic, generator, shared=None, biases=None) -> Any:
        """Independent random weights."""

    def check_weights(self, weights: Any) -> None:
        """Raise a ValueError unless the weights fit."""

    def map_weights(self, function: Callable, weights: Any) -> Any:
        """The weights with a function applied to every tensor."""

    def product_form(self, weights: Any) -> "tuple[Specification, Any]":
        """Specification and weights, checked; a torch module answers with what is inside."""

    def parameter_count(self, shared: bool) -> int:
        """How many weights the network has."""

    def output_cell(
        self, weights: Any, inputs: Mapping[int, Any], multiply: Callable, output: int = 0
    ) -> Any:
        """One output, from the inputs by products of affine maps."""

    def draw(self, axes=None, **options) -> Any:
        """A picture."""


def require_specification(subject: object, operation: str) -> None:
    """Raise a TypeError unless the subject is a specification.

    Examples
    --------
    >>> require_specification("a tree", "certify")
    Traceback (most recent call last):
    ...
    TypeError: certify: 'a tree' is not a ModeTree or an Architecture
    """
    if isinstance(subject, type) or not isinstance(subject, Specification):
        raise TypeError(f"{operation}: {shown(subject)} is not a ModeTree or an Architecture")
