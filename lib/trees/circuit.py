"""The network of a mode tree: the same recursion as its tensor, on vectors, and trainable."""

import torch
from torch import nn

from ..checks import flag, floats, kind
from ..exact.arithmetic import Real, chosen_arithmetic
from .tensors import Operator, combining, require_operator
from .tree import ModeTree, Node, Path, Weights

__all__ = ["TreeCircuit", "evaluate"]


def evaluate(
    tree: ModeTree,
    weights: Weights,
    inputs: torch.Tensor,
    arithmetic=None,
    operator: Operator | None = None,
) -> torch.Tensor:
    """Run the network of a mode tree forward.

    Parameters
    ----------
    tree : ModeTree
    weights : dict from path to torch.Tensor
    inputs : torch.Tensor, shape (batch, N, M)
        The representation channels at every mode.
    arithmetic : Real or Modular, optional
        Real numbers unless given.
    operator : callable, optional
        The activation-pooling operator; the product unless given, see
        :func:`lib.trees.decompositions.coefficient_tensor`.

    Returns
    -------
    torch.Tensor, shape (batch,)

    Raises
    ------
    ValueError
        If inputs or weights do not have the shapes of the tree, or residues are asked to take a
        maximum or a rectifier, or an operator makes of them what is no exact integer.
    TypeError
        If an argument is of another kind, or inputs and weights are not of one floating point type.

    Notes
    -----
    A 1×1 convolution (one matrix per mode or node) followed by pooling over the children of a
    node, level after level (Cohen, Sharir & Shashua, 2016).

    Examples
    --------
    >>> tree = ModeTree.star(modes=2, dim=2, width=1)
    >>> weights = {(): torch.tensor([10.0]), (0,): torch.tensor([[1.0, 2.0]]),
    ...          (1,): torch.tensor([[3.0, 4.0]])}
    >>> evaluate(tree, weights, torch.eye(2)[None])  # mode 0 sees template 0, mode 1 template 1
    tensor([40.])
    """
    kind("evaluate: tree", tree, ModeTree).check_weights(weights)
    arithmetic = chosen_arithmetic("evaluate", arithmetic)
    require_operator("evaluate", operator, arithmetic)
    combine = combining(operator, arithmetic)
    kind("evaluate: inputs", inputs, torch.Tensor)
    if inputs.ndim != 3 or tuple(inputs.shape[1:]) != (tree.modes, tree.dim):
        raise ValueError(
            f"evaluate: inputs of shape {tuple(inputs.shape)}; the tree {tree} needs "
            f"(batch, {tree.modes}, {tree.dim})"
        )
    floats("evaluate: inputs and weights", inputs, *weights.values())
    inputs, weights = arithmetic.taken(inputs), tree.map_weights(arithmetic.taken, weights)

    def channels(node: Node, path: Path) -> torch.Tensor:
        product = None
        for t, child in enumerate(node.children):
            below = (  # (batch, channels of the child)
                channels(child, (*path, t)) if isinstance(child, Node) else inputs[:, child]
            )
            mixed = arithmetic.matmul(below, weights[(*path, t)].T)  # (batch, width)
            product = mixed if product is None else combine(product, mixed)
        return product

    return arithmetic.matmul(channels(tree.root, ()), weights[()][:, None])[:, 0]


class TreeCircuit(nn.Module):
    """The network of a mode tree as a torch module.

    Parameters
    ----------
    tree : ModeTree
    shared : bool
        One weight matrix per level instead of one per node.
    operator : callable, optional
        The activation-pooling operator; the product unless given.
    weights : dict from path to torch.Tensor, optional
        Initial weights. By default normal, scaled so that with products every channel has unit
        variance on independent inputs of unit variance. With shared weights it has more, as the
        factors of a product are no longer independent: 1 + 2/M above two modes.
    generator : torch.Generator, optional
        Source of the default weights; required when ``weights`` is not given.

    Raises
    ------
    ValueError
        If neither weights nor a generator is given, or weights do not fit the tree, or shared
        weights differ.
    TypeError
        If an argument is of another kind, or the weights are not of one floating point type.

    Examples
    --------
    >>> tree = ModeTree.perfect(modes=4, pool=2, dim=3, widths=(2, 2))
    >>> net = TreeCircuit(tree, shared=True, generator=torch.Generator().manual_seed(0))
    >>> net(torch.zeros(5, 4, 3)).shape
    torch.Size([5])
    >>> sum(p.numel() for p in net.parameters()) == tree.parameter_count(shared=True)
    True
    """

    def __init__(
        self,
        tree: ModeTree,
        shared: bool = False,
        operator: Operator | None = None,
        weights: Weights | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        kind("TreeCircuit: tree", tree, ModeTree)
        flag("TreeCircuit: shared", shared)
        require_operator("TreeCircuit", operator)
        if weights is None and generator is None:
            raise ValueError("TreeCircuit: give initial weights or a generator to draw them")
        if weights is None:
            kind("TreeCircuit: generator", generator, torch.Generator)
            drawn = tree.random_weights(Real(), generator, shared)
            like = torch.empty(0)  # of the default type, on the default device
            weights = {path: (w / w.shape[-1] ** 0.5).to(like) for path, w in drawn.items()}
        tree.check_weights(weights)
        floats("TreeCircuit: weights", *weights.values())
        self.tree, self.operator = tree, operator
        self._owners = tree.weight_groups(shared)
        for path, owner in self._owners.items():
            if path != owner and not torch.equal(weights[path], weights[owner]):
                raise ValueError(
                    f"TreeCircuit: shared weights at paths {owner} and {path} differ"
                )
        self._parameters_by_owner = nn.ParameterDict(
            {_name(owner): weights[owner].detach().clone() for owner in self._owners.values()}
        )

    @property
    def weights(self) -> dict[Path, torch.Tensor]:
        """The weights by path, as `coefficient_tensor` takes them."""
        return {p: self._parameters_by_owner[_name(o)] for p, o in self._owners.items()}

    def product_form(self, weights: None = None) -> tuple[ModeTree, Weights]:
        """The tree and the weights, for whatever takes a product network apart.

        Raises
        ------
        ValueError
            If the operator is not the product, or weights are given beside the module's own.
        """
        if weights is not None:
            raise ValueError("product_form: a module has its own weights; give None")
        if self.operator not in (None, torch.mul):
            raise ValueError(f"product_form: operator {self.operator} does not split over a "
                             "partition; only products of affine maps do")
        return self.tree, self.weights

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Scores of shape (batch,) for inputs of shape (batch, N, M)."""
        return evaluate(self.tree, self.weights, inputs, operator=self.operator)


def _name(path: Path) -> str:
    return "-".join(map(str, path)) or "output"
