"""The kinds of network that the experiments compare: what one block does.

Every network is five blocks, each of which halves the image, and a dense layer with ten scores.
The published comparison changes the window B of the convolution, and with it three things at once:
whether windows *overlap*, whether the *order* of the pixels in a window matters, and whether
neighboring pixels are *mixed* by a linear map before the nonlinearity.  Other kinds combine the
three in every other way; the rest change the pooling, or multiply.
"""

from dataclasses import dataclass

from ..checks import integer, whole

COMBINATIONS = ("sum", "same", "depth", "haar", "max", "product")
POOLS = ("max", "mean", "product", "none")
BLOCKS = 5
COLORS = 3
SIZE = 32
CLASSES = 10

# E[max(0, x_1, ..., x_k)^2] for independent standard normal x: what one block with a maximum over
# k maps of its own does to the second moment of its features (k = 1 is He's one half)
MOMENTS = {1: 0.5, 4: 1.543785, 9: 2.562559}


@dataclass(frozen=True)
class Kind:
    """What one block of a network computes.

    A linear map reads a window of the image, the results are combined, and a pool may follow.
    Windows of side R at stride S read R - S rows and columns of zeros outside the image, the odd
    one at the bottom and right; pools are cut off at the border.

    Parameters
    ----------
    name : str
        Short, and usable in a file name.
    window : int
        Side R of the window of the linear map.
    stride : int
        1 or 2.
    combine : str
        How the pixels of a window come together.  ``"sum"``: a weight per offset, an ordinary
        convolution.  ``"same"``: the same weight at every offset, that is a 1 x 1 map of the
        window's mean.  ``"depth"``: a 1 x 1 map, then for every channel a sum over the window
        with a weight per offset (a depthwise convolution).  ``"haar"``: the same with fixed
        weights of one half and minus one half: channel after channel the sum of a 2 x 2 window,
        its horizontal, its vertical and its diagonal difference.  ``"max"`` and ``"product"``: an
        affine map per offset, and the maximum or the product over the offsets (a layer of the
        theory, with the maximum in place of the product or the product itself).
    pool : str
        What follows at stride 2: ``"max"``, ``"mean"``, ``"product"`` or ``"none"``.
    pool_window : int
        2 or 3; without a pool it changes nothing.

    Raises
    ------
    ValueError
        If a value is none of these, a block does not halve the image, or the combination is not
        implemented: ``"haar"`` has windows of 2, ``"max"`` windows up to 3, and of products there
        is one, over the offsets at stride 2 or over 2 x 2 values that are sums.

    Notes
    -----
    A bias belongs to every affine map.  ReLU follows the combination, and the order of ReLU and
    maximum does not matter; kinds with products have no ReLU (products.py says what they compute).

    Examples
    --------
    >>> KINDS["conv2"].overlap, KINDS["conv2"].order, KINDS["conv2"].mixing
    (False, True, True)
    >>> [KINDS[block].parameter_count(32) for block in ("B1", "haar2", "depth2", "conv2")]
    [4682, 4682, 5322, 17258]
    """

    name: str
    window: int
    stride: int = 1
    combine: str = "sum"
    pool: str = "max"
    pool_window: int = 2

    def __post_init__(self):
        for name in ("window", "stride", "pool_window"):
            object.__setattr__(self, name, whole(getattr(self, name)))
        sides = self.window, self.stride, self.pool_window
        valid = (all(type(side) is int and side >= 1 for side in sides)
                 and self.combine in COMBINATIONS and self.pool in POOLS
                 and self.stride == (2 if self.pool == "none" else 1) and self.pool_window in (2, 3)
                 and (self.combine != "haar" or self.window == 2)
                 and (self.combine != "max" or self.window**2 in MOMENTS)
                 and (self.combine != "product" or self.pool == "none")
                 and (self.pool != "product" or not self.separate and self.pool_window == 2))
        if not valid:
            raise ValueError(
                f"{self}: a window of at least 1, stride 1 with a pool of {', '.join(POOLS[:-1])} "
                "and window 2 or 3, or stride 2 with pool='none'; combine must be one of "
                f"{', '.join(COMBINATIONS)}, haar with window 2, max with a window up to 3, "
                "product with pool='none'; product pools of 2 x 2 sums")

    @property
    def field(self):
        """Side of the window of the image below that one value of a block depends on."""
        return self.window + (self.pool_window - 1 if self.pool != "none" else 0)

    @property
    def overlap(self):
        """Whether the fields of neighboring values, two pixels apart, overlap."""
        return self.field > 2

    @property
    def order(self):
        """Whether exchanging the pixels of a window can change the result."""
        return self.window > 1 and self.combine != "same"

    @property
    def mixing(self):
        """Whether neighboring pixels are added up before the nonlinearity."""
        return self.window > 1 and not self.separate

    @property
    def product(self):
        """Whether products take the place of ReLU and maximum."""
        return "product" in (self.combine, self.pool)

    @property
    def separate(self):
        """Whether every offset of the window has an affine map of its own."""
        return self.combine in ("max", "product")

    @property
    def side(self):
        """Side of the array of weights between two channels."""
        return 1 if self.combine in ("same", "depth", "haar") else self.window

    def bias_shape(self, channels):
        """Shape of the biases of one block."""
        return (channels, self.window, self.window) if self.separate else (channels,)

    def variance(self, inputs):
        """Variance of the initial weights of one block, for a number of input channels.

        He's, 2 / (number of values that are added up), for sums.  A window's mean is treated as
        one value: neighboring pixels nearly agree.  For maxima over maps of their own, what keeps
        the second moment of independent features, which He's rule does for ReLU.  The weights of a
        depthwise sum have variance 1 / (number of offsets) beside these.  For products, a
        small fraction of He's, so that the deviations from one neither grow nor shrink: the four
        values that a pool multiplies nearly agree, the maps of n offsets are independent.
        """
        if self.combine == "max":
            return 1 / (MOMENTS[self.window**2] * inputs)
        if self.combine == "product":
            return 2 / inputs * (0.4 / self.window) ** 2
        return 2 / (inputs * self.side**2) * (0.1**2 if self.product else 1)

    def parameter_count(self, channels):
        """Number of parameters of a network, biases included.

        Parameters
        ----------
        channels : int

        Returns
        -------
        int

        Examples
        --------
        >>> KINDS["B2"].parameter_count(4), KINDS["conv2"].parameter_count(4)
        (374, 374)
        """
        channels = integer("Kind.parameter_count: channels", channels, 1)
        biases = self.window**2 if self.separate else 1
        inputs = COLORS + (BLOCKS - 1) * channels
        if self.combine == "depth":
            biases += self.window**2
        blocks = (self.side**2 * inputs + BLOCKS * biases) * channels
        return blocks + CLASSES * channels + (0 if self.product else CLASSES)

    def forward_operations(self, channels):
        """Multiplications and additions of the linear maps and the head, for one image.

        Parameters
        ----------
        channels : int

        Returns
        -------
        int
            Floating-point operations; a training step costs about three times as many.

        Examples
        --------
        >>> KINDS["B1"].forward_operations(1), KINDS["conv2"].forward_operations(1)
        (6844, 6844)
        """
        channels = integer("Kind.forward_operations: channels", channels, 1)
        total, inputs = 2 * CLASSES * channels, COLORS
        read = 1 if self.combine == "same" else self.window**2  # pixels that the map multiplies
        for block in range(BLOCKS):
            places = ((SIZE >> block) // self.stride) ** 2
            total += 2 * read * inputs * channels * places
            inputs = channels
        return total


class _Kinds(dict):
    """Kinds by name, to which users add their own."""

    def __missing__(self, name):  # a results file or a worker knows the name alone
        raise KeyError(f"KINDS: no kind {name!r} in this process; need one of {', '.join(self)}, "
                       "or KINDS[name] = Kind(name, ...) at the top of the script, which workers "
                       "run")


KINDS = _Kinds({kind.name: kind for kind in (
    # published: B x B convolution, ReLU, 2 x 2 maximum
    *(Kind(f"B{window}", window) for window in range(1, 6)),
    # overlap x order x mixing at stride 2: B1 is 000 (columns: window, stride, combination)
    Kind("B1max3", 1, pool_window=3),                      # 100
    Kind("offset2", 2, 2, "max", "none"),                  # 010
    Kind("offset3", 3, 2, "max", "none"),                  # 110
    Kind("same2", 2, 2, "same", "none"),                   # 001
    Kind("same3", 3, 2, "same", "none"),                   # 101
    Kind("conv2", 2, 2, "sum", "none"),                    # 011
    Kind("conv3", 3, 2, "sum", "none"),                    # 111
    Kind("conv4", 4, 2, "sum", "none"),
    # order and mixing at the number of parameters of B1: exactly, and up to a few per channel
    Kind("haar2", 2, 2, "haar", "none"),                   # 011
    Kind("depth2", 2, 2, "depth", "none"),                 # 011
    Kind("depth3", 3, 2, "depth", "none"),                 # 111
    # the overlapping half again in the published form, stride 1 and a 2 x 2 maximum: B2 is 111
    Kind("B2same", 2, combine="same"),                     # 101
    Kind("B2offset", 2, combine="max"),                    # 110
    # the mean in place of the maximum
    *(Kind(f"B{window}mean", window, pool="mean") for window in (1, 2, 3)),
    Kind("B1mean3", 1, pool="mean", pool_window=3),
    # arithmetic circuits: products in place of ReLU and maximum
    *(Kind(f"B{window}prod", window, pool="product") for window in (1, 2, 3)),
    Kind("offset2prod", 2, 2, "product", "none"),
    Kind("offset3prod", 3, 2, "product", "none"),
)})
