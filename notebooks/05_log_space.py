# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Circuits in log-space, run
#
# [Run on Colab](https://colab.research.google.com/github/your_account/overlapping-convnets/blob/main/notebooks/05_log_space.ipynb) · [Run on Binder](https://mybinder.org/v2/gh/your_account/overlapping-convnets/main?urlpath=lab/tree/notebooks/05_log_space.ipynb)
#
# SimNets, circuits that neither underflow nor overflow, and missing pixels that are integrated out.
# This notebook computes MEX for every exponent, trains circuits where direct products are 0, checks
# marginals in integers, and classifies pieces of a photograph with most of their pixels missing. The
# proofs are on [the page](../book/log-space.md).

# %% tags=["setup", "remove-cell"]
import subprocess, sys
if "google.colab" in sys.modules and subprocess.run(f'test -d course/lib || timeout 300 git clone -q --depth 1 https://github.com/your_account/overlapping-convnets course && cd course && "{sys.executable}" -m lib.course.colab', shell=True).returncode:
    sys.exit("no course: why stands above; git has 300 seconds, a folder course of yours must go")
sys.path[:0] = ["course", ".", ".."]  # `lib` is in one of them

# %%
import fractions, itertools, math, torch

from lib import (
    Architecture, ConvAC, LogConvAC, Mex, ModeTree, Modular, Similarity,
    SimplexConvAC, TensorialMixture, check_answer, checking,
    coefficient_tensor, exact_rank, glue, log_forward, matricize, mex,
    missing_pixels, missing_rectangles, photograph, signed_log, table,
)
from lib.plots import log_space as pictures, style

generator = torch.Generator().manual_seed(5)
Fraction, inf = fractions.Fraction, math.inf

# %% [markdown]
# ## MEX
#
# The log-mean-exp of $n$ numbers with exponent $\beta$, as one would write it first, and as `mex`
# computes it. The formula overflows for large numbers, says $-\infty$ for very negative ones, and
# divides by zero for $\beta=0$.


# %%
def formula(values, beta):
    return (beta * values).exp().mean(-1).log() / beta


def short(number):
    """Few digits, and a power of ten where there is one."""
    digits, _, power = f"{number:.3g}".partition("e")
    digits = digits.replace("-", "−").replace("inf", "∞")
    return f"{digits}·10^{int(power)}" if power else digits


rows = []
for values in ([1.0, 2.0, 6.0], [1000.0, 2000.0, 6000.0], [-500.0, -501.0]):
    values = torch.tensor(values)  # float32
    for beta in (-inf, 0, 1, inf):
        shown = ", ".join(f"{value:g}" for value in values.tolist())
        rows.append((f"[{shown}]", short(beta),
                     short(formula(values, beta).item()),
                     f"{mex(values, beta).item():.6g}"))
table(rows, ["values", "β", "formula", "mex"])

# %% [markdown]
# Put $c_i=\log t_i$: then $e^{\text{MEX}_\beta(c)}$ is the power mean $(\frac1n\sum t_i^\beta)^{1/\beta}$,
# so that MEX can be held against fractions. As $\beta$ grows it climbs from the minimum through the
# mean to the maximum.

# %%
numbers = [3, 7, 7, 12, 40]
c = torch.tensor(numbers).double().log()
betas = (-40, -3, -1, 1, 2, 5, 40)


def power_mean_log(numbers, beta):
    mean = sum(Fraction(t) ** beta for t in numbers) / len(numbers)
    return (math.log(mean.numerator) - math.log(mean.denominator)) / beta


table([(beta, f"{mex(c, beta).item():.10f}",
        f"{power_mean_log(numbers, beta):.10f}") for beta in betas],
      ["β", "mex", "from fractions"])

# %% tags=["hide-input"]
with checking("mex-limits", "numerical", detail="{count} comparisons: "
              "fractions, limits, order") as check:
    for beta in betas:
        check(abs(mex(c, beta) - power_mean_log(numbers, beta)) < 1e-13, beta)
    for _ in range(40):
        values = torch.randn(6, generator=generator).double() * 5
        line = [-inf, *sorted(torch.randn(8, generator=generator).tolist()),
                inf]
        climb = [mex(values, beta).item() for beta in line]
        check(all(a < b for a, b in zip(climb, climb[1:])), "increasing")
        check(climb[0] == values.min() and climb[-1] == values.max(), "ends")
        check(abs(mex(values, 0) - values.mean()) < 1e-14, "mean at 0")
        near = max(abs(mex(values, b) - mex(values, 0)) for b in (1e-9, -1e-9))
        check(near < 1e-7, "continuous at 0")
        check(abs(mex(values + 3, 0.7) - mex(values, 0.7) - 3) < 1e-13, "shift")
    equal = torch.full((4,), 2.5).double()
    for beta in (-inf, -2, 0, 2, inf):
        check(mex(equal, beta) == 2.5, "equal numbers")

# %% [markdown]
# How far is it from its limits? For $\beta>0$, with $\Delta$ the range of the numbers: at most $\beta\Delta^2/8$
# above the mean, at most $\frac1\beta\log n$ below the maximum. Both are approached, the first for
# small $\beta$ and two values of equal number, the second by one number far above the others.

# %%
halves = torch.tensor([0.0, 1.0]).double()
alone = torch.tensor([0.0, -900, -900, -900]).double()
spread = halves.max() - halves.min()
reached = [(f"{beta:g}", f"{excess / (beta * spread**2 / 8):.4f}",
            f"{deficit / (math.log(len(alone)) / beta):.4f}")
           for beta in (0.01, 0.1, 1, 10)
           for excess, deficit in [(mex(halves, beta) - halves.mean(),
                                    alone.max() - mex(alone, beta))]]
table(reached, ["β", "excess over the mean / bound",
                "deficit below the maximum / bound"])

# %% tags=["hide-input"]
draws, slack = 200, 1e-12  # rounding may cross a bound
with checking("mex-bounds", "numerical", detail=f"{draws} draws") as check:
    for _ in range(draws):
        n = int(torch.randint(2, 9, (), generator=generator))
        values = torch.randn(n, generator=generator).double() * 3
        beta = 10 ** float(torch.randn((), generator=generator))
        found, spread = mex(values, beta), values.max() - values.min()
        check(-slack <= found - values.mean() <= beta * spread**2 / 8 + slack,
              "Hoeffding")
        check(-slack <= values.max() - found <= math.log(n) / beta + slack,
              "maximum")
        check(abs(found + mex(-values, -beta)) < 1e-12, "negative exponents")
    pair, one = torch.tensor([[0, 1], [0, -900]]).double()
    check((mex(pair, 0.01) - 0.5) / (0.01 / 8) > 0.999, "sharp, mean")
    check(-mex(one, 1) / math.log(2) > 0.999, "sharp, maximum")

# %% [markdown]
# ## Derivatives
#
# By the values: a softmax. By the exponent: $\frac1\beta(\sum_i\pi_ic_i-\text{MEX})$, which is half the
# variance at 0. Automatic differentiation of the formula loses every digit for small exponents and
# gives NaN for large values. The last column, a series around 0, is computed with fractions.


# %%
def slope(function, values, beta, dtype):
    beta = torch.tensor(float(beta), dtype=dtype, requires_grad=True)
    function(torch.tensor(values, dtype=dtype), beta).backward()
    return beta.grad.item()


def slope_series(values, beta):
    """Half the variance, and the next two terms, in fractions."""
    values = [Fraction(v) for v in values]
    mean = sum(values) / len(values)
    k2, k3, k4 = (sum((v - mean) ** k for v in values) / len(values)
                  for k in (2, 3, 4))
    beta = Fraction(beta)
    return float(k2 / 2 + beta * k3 / 3 + beta**2 * (k4 - 3 * k2**2) / 8)


derivatives, three, near = [], [1.0, 2.0, 6.0], 0.01
extent = max(three) - min(three)  # an exponent is small beside 1 / extent
for beta in (1e-1, 1e-3, 1e-5, 1e-7):
    naive, ours = (slope(f, three, beta, torch.float32)
                   for f in (formula, mex))
    double = slope(mex, three, beta, torch.float64)
    derivatives.append((beta, naive, ours, double, slope_series(three, beta)))
table([(short(beta), abs(naive / double - 1) < near, f"{ours:.4f}",
        f"{double:.5f}", f"{exact:.5f}" if abs(beta) * extent < 0.05
        else None)
       for beta, naive, ours, double, exact in derivatives],
      ["β", f"formula, float32: right within {100 * near:g} %",
       "mex, float32", "mex, float64", "series"])

# %% tags=["hide-input"]
with checking("mex-derivatives", "numerical", detail="{count} checks, against "
              "differences and series") as check:
    for beta in (-3.0, -1e-3, 0.0, 1e-6, 0.5, 20.0):
        values = torch.randn(3, 5, generator=generator).double()
        values.requires_grad_()
        exponent = torch.tensor(beta).double().requires_grad_(abs(beta) > 0.1)
        check(torch.autograd.gradcheck(mex, (values, exponent)), beta)
        shares, = torch.autograd.grad(mex(values, beta).sum(), values)
        check(bool((shares >= 0).all()), "shares")
        check(torch.allclose(shares.sum(-1), torch.ones(3).double()), "sum 1")
    for beta, _, single, double, exact in derivatives:
        if abs(beta) * extent < 0.05:
            rest = 0.4 * (abs(beta) * extent) ** 3  # of the series
            check(abs(double / exact - 1) < 1e-8 + rest, ("float64", beta))
            check(abs(single / exact - 1) < 1e-4 + rest, ("float32", beta))
    tiny = [abs(d[1] / d[4] - 1) for d in derivatives
            if abs(d[0]) * extent < 5e-4]
    check(not tiny or max(tiny) > 0.5, "formula")
    for beta in (-inf, -1e4, 0, 1e4, inf):  # extreme values in float32
        values = torch.tensor([1e4, -1e4, 3.0, -inf], requires_grad=True)
        mex(values, beta).nan_to_num(neginf=0).backward()
        check(bool(values.grad.isfinite().all()), ("extreme", beta))

# %% [markdown]
# ## MEX of MEX
#
# Take MEX inside groups, then MEX of the results. In $t_i=e^{\beta c_i}$ it is a weighted sum, and the
# weights say when one MEX of all numbers is the same: when every number has the same total weight.


# %%
def nested(t, groups):
    """exp(β · MEX of MEX), t = exp(β c): the mean over groups of means."""
    return sum(sum(Fraction(t[i]) for i in g) / len(g)
               for g in groups) / len(groups)


def total_weights(groups, n):
    return [sum(Fraction(1, len(g)) for g in groups if i in g) / len(groups)
            for i in range(n)]


covers = {
    "equal groups": [(0, 1, 2), (3, 4, 5)],
    "unequal groups": [(0, 1), (2, 3, 4, 5)],
    "overlapping windows": [(0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5)],
    "windows on a circle": [(i, (i + 1) % 6, (i + 2) % 6) for i in range(6)],
    "unequal, yet balanced": [(0, 1, 2, 3, 4, 5), (0, 1, 2), (3, 4, 5)],
}
t = torch.randint(1, 30, (6,), generator=generator).tolist()
found = {name: (total_weights(groups, 6), nested(t, groups))
         for name, groups in covers.items()}
table([(name, ", ".join(map(str, weights)), str(value),
        str(Fraction(sum(t), 6)), value == Fraction(sum(t), 6))
       for name, (weights, value) in found.items()],
      ["groups", "weights of the numbers", "MEX of MEX", "one MEX",
       "equal"])

# %% tags=["hide-input"]
with checking("mex-collapse", detail="{count} checks, fractions") as check:
    for name, groups in covers.items():
        weights = total_weights(groups, 6)
        balanced = len(set(weights)) == 1
        for _ in range(10):
            t = torch.randint(1, 30, (6,), generator=generator).tolist()
            weighted = sum(w * x for w, x in zip(weights, t))
            check(nested(t, groups) == weighted, name)
            check(not balanced or weighted == Fraction(sum(t), 6), name)
        for i in range(6):  # if unbalanced, some unit of t tells
            t = [1 + 5 * (j == i) for j in range(6)]
            equal = nested(t, groups) == Fraction(sum(t), 6)
            check(equal == (weights[i] == Fraction(1, 6)), (name, i))
    for beta in (-2, 0, 0.5, 3, inf):  # and with `mex` itself
        values = torch.randn(6, generator=generator).double()
        for name, groups in covers.items():
            inner = torch.stack([mex(values[list(g)], beta) for g in groups])
            same = bool((mex(inner, beta) - mex(values, beta)).abs() < 1e-12)
            balanced = len(set(total_weights(groups, 6))) == 1
            check(same == (balanced or beta == inf), (name, beta))

# %% [markdown]
# Offsets collapse as well: two MEX layers with one exponent are one layer.

# %%
first = Mex(3, 4, 1.5, generator=generator).double()
second = Mex(4, 2, 1.5, generator=generator).double()
merged = Mex(3, 2, 1.5, generator=generator).double()
with torch.no_grad():
    merged.offsets.copy_(mex(
        second.offsets[:, :, None] + first.offsets[None], 1.5, dim=1))
    x = torch.randn(5, 3, generator=generator).double()
    difference = (second(first(x)) - merged(x)).abs().max().item()
print("one layer does what two did:", difference < 1e-12)

# %% [markdown]
# With two different exponents no single MEX does, whatever its exponent and offsets. Such a MEX would
# divide the derivative between positions 0 and 2 in a ratio that depends on $c_0$ and $c_2$ alone.
# Here the inner exponent is 1, the outer one 2, and only $t_1=e^{c_1}$ changes.

# %%
ratios = []
for t1 in (1, 3, 9):
    values = torch.tensor([1.0, t1, 1.0, 1.0]).double().log().requires_grad_()
    out = mex(torch.stack([mex(values[:2], 1), mex(values[2:], 1)]), 2)
    gradient, = torch.autograd.grad(out, values)
    exact = Fraction(1 + t1, 2)  # t_0 A / (t_2 B), A and B the inner means
    ratios.append((t1, str(exact), f"{gradient[0] / gradient[2]:.6f}"))
table(ratios, ["t_1", "ratio of derivatives", "by autograd"])

# %% tags=["hide-input"]
exponents = ((1, 2), (2, 1), (-1, 1), (0, 1), (1, 0), (0.5, -2))
with checking("mex-two-exponents", "numerical",
              detail=f"{len(exponents)} pairs of exponents, {len(ratios)} "
                     "ratios") as check:
    for one, two in exponents:
        kinds = []
        for change in (0.0, 1.0):
            values = torch.tensor([0.3, change, -0.2, 0.1]).double()
            values.requires_grad_()
            inner = torch.stack([mex(values[:2], one), mex(values[2:], one)])
            gradient, = torch.autograd.grad(mex(inner, two), values)
            kinds.append((gradient[0] / gradient[2]).item())
        differ = abs(kinds[0] / kinds[1] - 1) > 0.05
        check(differ == (one != two), (one, two))
    for t1, exact, value in ratios:
        check(abs(float(Fraction(exact)) - float(value)) < 1e-5, t1)

# %% [markdown]
# ## A SimNet is a circuit in log-space
#
# A circuit with positive weights: mix channels, multiply over a window. In logarithms: MEX with
# exponent 1 and offsets $\log(n a)$, then a sum over the window. By hand, for eight positions:

# %%
simnet = Architecture((8,), 3, ((2, 2, 4), (2, 2, 3), (2, 2, 2)))
mixing = [(torch.rand(shape, generator=generator).double(), None)
          for shape, _ in simnet.weight_shapes()]
cells = torch.rand(5, 3, 8, generator=generator).double()

values = cells.log().movedim(1, -1)  # (batch, positions, channels)
for weight, _ in mixing:
    halves = []
    for offset in range(2):
        matrix = weight[:, :, offset]
        layer = Mex(matrix.shape[1], len(matrix), 1.0, generator=generator)
        layer.offsets.data = (matrix * matrix.shape[1]).log()
        layer.beta.data = layer.beta.data.double()
        halves.append(layer(values[:, offset::2]))
    values = halves[0] + halves[1]  # the product over the window
direct = ConvAC.from_weights(simnet, mixing)(cells)[:, :, 0]
gap = (values[:, 0] - direct.log()).abs().max().item()
print("SimNet = log of the circuit:", gap < 1e-12)

# %% [markdown]
# Another exponent for the whole network is another unit of measurement:
# $\text{MEX}_\beta(c)=\frac1\beta\text{MEX}_1(\beta c)$, so a SimNet with exponent $\beta$ throughout is a
# circuit on the powers $x^\beta$ with weights $a=\frac1ne^{\beta b}$. At $\beta=\infty$ it adds and takes
# maxima.

# %%
scaled = []
for beta in (0.5, 2.0, -1.0, 60.0):
    values = cells.log().movedim(1, -1)
    for weight, _ in mixing:
        values = sum(mex(values[:, o::2, None, :] + weight[:, :, o].log(), beta)
                     for o in range(2))
    powers = [((beta * w.log()).exp() / w.shape[1], None) for w, _ in mixing]
    out = log_forward(simnet, powers, beta * cells.log())[0][:, :, 0] / beta
    same = (values[:, 0] - out).abs().max().item() < 1e-10
    scaled.append((f"{beta:g}", same))
table(scaled, ["β", "SimNet = circuit on powers"])

# %% tags=["hide-input"]
with checking("simnet-circuit", "numerical",
              detail="{count} networks") as check:
    check(gap < 1e-12, "exponent 1")
    for beta, same in scaled:
        check(same, beta)

# %% [markdown]
# The similarity layer in front gives log-densities: $-\sum_iu_i|x_i-z_i|^p$ plus a constant is the
# log-density of independent variables around $z$, normal for $p=2$ and Laplace for $p=1$. MEX with
# exponent 1 then mixes densities.

# %%
x = torch.randn(40, 3, generator=generator).double()
densities = []
for power, family in ((2, torch.distributions.Normal),
                      (1, torch.distributions.Laplace)):
    layer = Similarity(3, 4, power, generator=generator).double()
    layer.log_weights.data = torch.randn(4, 3, generator=generator).double()
    scale = (power * layer.log_weights.exp()) ** (-1 / power)
    known = family(layer.templates, scale).log_prob(x[:, None]).sum(-1)
    mine = layer(x) + layer.log_normalization()
    mixed = mex(mine, 1)
    average = known.exp().mean(-1).log()
    densities.append((power, (mine - known).abs().max().item() < 1e-12,
                      (mixed - average).abs().max().item() < 1e-12))
table(densities, ["p", "similarity = log-density", "MEX = log of a mixture"])

# %% tags=["hide-input"]
with checking("similarity-density", "numerical",
              detail=f"normal and Laplace, {len(x)} points each") as check:
    for power, one, mixture in densities:
        check(one and mixture, power)

# %% [markdown]
# ## Where direct products vanish
#
# Probabilities as weights, and $\frac18$ in every input channel: the output is $8^{-N}$ exactly. In
# single precision the smallest positive number is $2^{-149}$.


# %%
def tower(N, M, r, outputs=1):
    """Windows of two cells up to one, then a sum."""
    return Architecture((N,), M, ((2, 2, r),) * (N.bit_length() - 1)
                        + ((1, 1, outputs),))


underflow, part = [], 8  # every input is 1 / part
for N in (8, 32, 64, 256, 512, 1024):
    net = tower(N, 2, 2)
    probabilities = [(torch.full(shape, 1 / shape[1]), None)
                     for shape, _ in net.weight_shapes()]
    inputs = torch.full((1, 2, N), 1 / part)
    direct = [ConvAC.from_weights(net, net.map_weights(
        lambda w, dtype=dtype: w.to(dtype), probabilities))(inputs.to(dtype))
        .item() for dtype in (torch.float32, torch.float64)]
    log, _ = log_forward(net, probabilities, inputs.log())
    underflow.append((N, *map(short, direct),
                      f"{log.item():.2f}", f"{-N * math.log(part):.2f}"))
table(underflow, ["N", "direct, float32", "direct, float64",
                  "log-space, float32", f"−N log {part}"])

# %% tags=["hide-input"]
with checking("direct-underflow", "numerical",
              detail=f"{len(underflow)} sizes, two precisions") as check:
    for N, single, double, log, exact in underflow:
        check((single == "0") == (part**N >= 2**150), N)
        check((double == "0") == (part**N >= 2**1075), N)
        check(abs(float(log) / float(exact) - 1) < 1e-5, N)

# %% [markdown]
# Random weights and inputs, against integers without rounding: 64ths as weights and inputs, so that
# the exact output is a large integer over a power of two. With signs too.


# %%
def integers(net, numbers, weights):
    """The output times a power of 64, in Python's integers."""
    cells = [[int(v) for v in cell] for cell in numbers.T]
    for weight in weights:
        size = weight.shape[2]
        cells = [[math.prod(sum(int(a) * b for a, b in
                                zip(channel[:, o], cells[i + o]))
                            for o in range(size)) for channel in weight]
                 for i in range(0, len(cells), size)]
    return cells[0][0]


def log_integer(n):
    return math.log(abs(n)) if n else -inf


against = []
for lowest in (1, -12):
    for N in (8, 64, 1024):
        net = tower(N, 2, 2)
        whole = 0
        while not whole:  # signed terms can cancel altogether: draw again
            ints = [torch.randint(lowest, 13, shape, generator=generator)
                    for shape, _ in net.weight_shapes()]
            entries = torch.randint(1, 13, (2, N), generator=generator)
            whole = integers(net, entries, ints)
        edges = sum(N >> level for level in range(N.bit_length()))
        exact = log_integer(whole) - (edges + N) * math.log(64)
        sizes = []
        for dtype in (torch.float32, torch.float64):
            some = [(w.to(dtype) / 64, None) for w in ints]
            log, sign = log_forward(net, some,
                                    *signed_log(entries[None].to(dtype) / 64))
            direct = ConvAC.from_weights(net, some)(
                entries[None].to(dtype) / 64)
            sizes += [short(direct.item()), abs(log.item() - exact)]
        right = sign.item() == (whole > 0) - (whole < 0)
        against.append((lowest < 0, N, f"{exact:.3f}", *sizes, right))
table([(signed, N, exact, single, error < 1e-5 * abs(float(exact)), double,
        deviation < 1e-12 * abs(float(exact)), right)
       for signed, N, exact, single, error, double, deviation, right
       in against],
      ["signed", "N", "log, exact", "direct, float32", "log-space right",
       "direct, float64", "log-space right", "sign right"])

# %% [markdown]
# Errors do not grow on the way up: with nonnegative weights, without overlap and biases, moving every
# input logarithm by at most
# $\varepsilon$ moves the output by at most $N\varepsilon$, and equal moves reach that. With signs there
# is no such bound: two products may cancel.

# %%
N, tries = 64, 20
net = tower(N, 3, 4)
weights = SimplexConvAC(net, generator=generator).double().weights
logs = torch.randn(1, 3, N, generator=generator).double()
start = log_forward(net, weights, logs)[0].item()
moves = []
for kind in ("random", "all up"):
    worst = 0
    for _ in range(tries):
        step = torch.rand(logs.shape, generator=generator).double() * 2 - 1
        step = torch.ones_like(step) if kind == "all up" else step
        moved = log_forward(net, weights, logs + 0.01 * step)[0].item()
        worst = max(worst, abs(moved - start) / 0.01)
    moves.append((kind, worst))
pair = Architecture((1,), 2, ((1, 1, 1),))  # x - y, with x and y almost equal
cancel = [(torch.tensor([[[1.0], [-1.0]]]).double(), None)]
inputs = torch.tensor([[[0.0], [-1e-6]]]).double()
base = log_forward(pair, cancel, inputs)[0].item()
inputs[0, 1, 0] = -2e-6
signed_move = abs(log_forward(pair, cancel, inputs)[0].item() - base) / 1e-6
table([*((kind, f"{worst:.1f}", N) for kind, worst in moves),
       ("x − y, one input", f"{signed_move:.0f}", None)],
      ["moves", "largest change / ε", "bound N"])

# %% tags=["hide-input"]
with checking("log-space-errors", "numerical",
              detail=f"{tries} random moves and all up; {len(against)} "
              "circuits in integers") as check:
    check(moves[0][1] <= N and abs(moves[1][1] - N) < 1e-6, "positive")
    check(signed_move > 1e5, "signed")
    for signed, size, exact, _, single, _, double, right in against:
        check(double < 1e-12 * abs(float(exact)) and right, (signed, size))
        check(single < 1e-5 * abs(float(exact)), (signed, size))
    if any(N > 500 for _, N, *_ in against):
        check(any(row[3] == "0" for row in against), "underflow")

# %% tags=["remove-cell"]
for kind, row in (("float32", 1), ("float64", 2)):
    vanish = [sizes[0] for sizes in underflow if sizes[row] == "0"]
    glue(f"05-underflow-{kind}", min(vanish, default="none"))

# %% [markdown]
# ## Trained where direct products are 0
#
# Two kinds of sequences of 256 coin tosses. In one a toss repeats the last one with probability 0.8, in
# the other with 0.2; a single toss says nothing about the kind. A circuit with two outputs, one for
# each kind, and weights shared by all windows of a layer is trained by cross entropy on the logarithms
# of its outputs. First the direct circuit: is there a number to minimize?

# %%
def tosses(count, N):
    kind = torch.randint(2, (count,), generator=generator)
    stay = torch.where(kind == 0, 0.8, 0.2)
    change = torch.rand(count, N, generator=generator) >= stay[:, None]
    return (change.cumsum(1) + torch.randint(2, (count, 1), generator=generator)
            ) % 2, kind


def one_hot(sequences):
    return torch.nn.functional.one_hot(sequences, 2).movedim(-1, 1).float()


positions = 256
net = tower(positions, 2, 8, outputs=2)


def start(kind):
    simplex = SimplexConvAC(net, generator=generator)
    if kind == "probabilities":
        return simplex
    if kind == "signs allowed":  # begins at probabilities, may leave them
        return LogConvAC.from_weights(net, simplex.weights)
    return LogConvAC(net, biases=False, generator=generator)


kinds = "probabilities", "signs allowed", "random signs"
sequences, label = tosses(20, positions)
cross_entropy = torch.nn.functional.cross_entropy
first_steps = []
for kind in kinds:
    logarithmic = start(kind)
    direct = ConvAC.from_weights(net, logarithmic.weights)
    for how, module, logs in (
            ("direct", direct, direct(one_hot(sequences)).abs().log()),
            ("log-space", logarithmic,
             logarithmic(one_hot(sequences).log())[0])):
        module.zero_grad()
        loss = cross_entropy(logs[:, :, 0], label)
        loss.backward()
        finite = all(p.grad.isfinite().all() for p in module.parameters())
        first_steps.append((kind, how, bool(loss.isfinite()), finite))
table(first_steps, ["weights", "computed", "loss is finite",
                    "gradient is finite"])

# %% [markdown]
# In log-space all three can take a step. Training with signs is delicate: terms may cancel, and the
# logarithm of what is left has large derivatives. So the gradient is clipped there, and up to four
# starts are allowed; from random signs one start of 80 steps led nowhere. For comparison, the best
# rule, which counts how often the sequence changes.

# %%
test, answer = tosses(1000, positions)
steps = 80


def error_after(circuit, rate, clip):
    adam = torch.optim.Adam(circuit.parameters(), lr=rate)
    for step in range(steps):
        sequences, label = tosses(50, positions)
        log, _ = circuit(one_hot(sequences).log())
        adam.zero_grad()
        cross_entropy(log[:, :, 0], label).backward()
        torch.nn.utils.clip_grad_norm_(circuit.parameters(), clip)
        adam.step()
    with torch.no_grad():
        log, _ = circuit(one_hot(test).log())
    return (log[:, :, 0].argmax(1) != answer).float().mean().item()


trained, negative, good = {}, {}, 0.1
for kind, rate, clip, starts in (("probabilities", 0.03, inf, 1),
                                 ("signs allowed", 0.003, 1, 4),
                                 ("random signs", 0.003, 1, 1)):
    for _ in range(starts):
        logarithmic = start(kind)
        trained[kind] = error_after(logarithmic, rate, clip)
        if trained[kind] < good:
            break
    negative[kind] = bool(any((w < 0).any() for w, _ in logarithmic.weights))
changes = (test[:, 1:] != test[:, :-1]).float().mean(1)
trained["best rule"] = ((changes > 0.5).long() != answer).float().mean().item()
table([(kind, negative.get(kind), error < good)
       for kind, error in trained.items()],
      ["circuit", "negative weights", f"error below {100 * good:g} %"])

# %% tags=["hide-input"]
limit = max(good, 0.1)  # a larger goal ends the starts earlier
enough = (steps >= 80 and net.layers[0].channels >= 8
          and trained["best rule"] < limit / 2)
with checking("log-space-training", "trained",
              detail=f"two circuits on {positions} positions"
              + f", errors below {limit:g}" * (limit > 0.1 and enough)
              + ("" if enough else ", first steps only: more takes 80 steps, 8 "
                 f"channels and a best rule with errors below {limit / 2:g}")
              ) as check:
    for kind, how, *finite in first_steps:
        if how == "log-space":
            check(all(finite), (kind, how))
        elif kind != "random signs" and positions >= 256:
            check(not any(finite), (kind, how))
    if enough:
        for kind in kinds[:2]:
            check(trained[kind] < limit, kind)
        check(negative["signs allowed"], "negative weights are used")

# %% [markdown]
# ## Do probabilities cost rank?
#
# Weights on simplices, drawn modulo a prime: random rows, divided by their sums. The exact ranks are
# those of arbitrary weights.

# %%
field = Modular()
costs = []
for tree, rows in (
        (ModeTree.star(4, 3, 9), "left-right"),
        (ModeTree.perfect(4, 2, 3, (3, 2)), "even-odd"),
        (ModeTree.perfect(8, 2, 2, (2, 2, 3)), "even-odd"),
        (ModeTree.perfect(8, 2, 3, (5, 4, 6)), "left-right"),
        (ModeTree.perfect(16, 4, 2, (4, 3)), range(0, 16, 2))):
    for shared in (False, True):
        drawn = tree.random_weights(field, generator, shared)
        normed = {}
        for path, matrix in drawn.items():
            sums = field.reduce(matrix.sum(-1))
            inverse = torch.tensor([pow(int(s), -1, field.prime)
                                    for s in sums.flatten()]).double()
            normed[path] = field.reduce(
                matrix * inverse.reshape(sums.shape)[..., None])
        ranks = [exact_rank(matricize(coefficient_tensor(tree, w, field),
                                      rows), field.prime).rank
                 for w in (drawn, normed)]
        costs.append((str(tree), shared, *ranks))
table(costs, ["tree", "shared", "rank, arbitrary", "rank, sums 1"])

# %% tags=["hide-input"]
with checking("simplex-ranks", detail="{count} circuits") as check:
    for tree, shared, arbitrary, normed in costs:
        check(arbitrary == normed, (tree, shared))
    for tree in (ModeTree.perfect(8, 2, 2, (2, 2, 3)), ModeTree.star(4, 3, 9)):
        for rows in ("even-odd", "left-right"):
            positive = {
                path: torch.randint(1, 1000, shape, generator=generator)
                .double() for path, shape in tree.weight_shapes().items()}
            rank = exact_rank(matricize(coefficient_tensor(
                tree, positive, field), rows), field.prime).rank
            check(rank == tree.mincut(rows), (str(tree), rows))

# %% [markdown]
# ## A missing pixel is a one
#
# Four positions with three possible values each, a circuit with integer weights, and integer tables
# $f_d(x)$ in place of densities, with the same sum 60 for every $d$. For each of the 16 sets of
# missing positions: sum the output over all values of what is missing; or run the circuit once, with
# 60 in place of every $f_d$. All in integers.

# %%
def counts(shape, total):
    """Positive integers whose sums along the last axis are given."""
    parts = torch.rand(*shape, generator=generator) + 0.2
    parts = (parts / parts.sum(-1, keepdim=True) * total).floor().clamp(min=1)
    parts[..., 0] += total - parts.sum(-1)
    return parts.double()


def circuit(net, weights, tables, x, missing=()):
    """The output with the leaves of what is missing set to the sum."""
    leaves = torch.stack([tables[:, v] if i not in missing
                          else tables.sum(1) for i, v in enumerate(x)], 1)
    return int(ConvAC.from_weights(net, weights)(leaves[None]).item())


def brute_force(net, weights, tables, x, missing):
    """The output summed over all values of the missing positions."""
    total = 0
    for values in itertools.product(range(3), repeat=len(missing)):
        filled = list(x)
        for i, v in zip(missing, values):
            filled[i] = v
        total += circuit(net, weights, tables, filled)
    return total


def compare(net, weights, tables):
    subsets = [s for k in range(5) for s in itertools.combinations(range(4), k)]
    return [(s, brute_force(net, weights, tables, x, s),
             circuit(net, weights, tables, x, s))
            for s in subsets for x in ((0, 1, 2, 0), (2, 2, 1, 0))]


shape = Architecture((4,), 2, ((2, 2, 2), (2, 2, 2), (1, 1, 1)))
of_table, of_weights = 60, 10  # what they sum to
tables = counts((2, 3), of_table)
probabilities = [
    (counts((*s[:1], *s[2:], s[1]), of_weights).movedim(-1, 1), None)
    for s, _ in shape.weight_shapes()]
agreement = compare(shape, probabilities, tables)
table([(s or "none", summed, once, summed == once)
       for s, summed, once in agreement[::6]],
      ["missing", "summed", "one pass", "equal"])

# %% [markdown]
# It does not matter whether the weights are probabilities. It does matter that each position is read
# once. Let windows overlap, and the numbers differ as soon as a position in the middle is missing,
# which two windows read. Give the layers positive biases, and they differ whatever is missing.

# %%
def random_pairs(net, biases):
    return [(torch.randint(1, 5, w, generator=generator).double(),
             torch.randint(1, 5, b, generator=generator).double()
             if biases else None) for w, b in net.weight_shapes()]


valid = Architecture((4,), 2, ((2, 2, 2), (2, 2, 1)))
overlapping = Architecture((4,), 2, ((2, 1, 2), (3, 4, 1)))  # 01, 12, 23
small = counts((2, 3), 6)
cases = {
    "no overlap, any weights": compare(valid, random_pairs(valid, False),
                                       small),
    "no overlap, biases": compare(valid, random_pairs(valid, True), small),
    "overlap, no biases": compare(overlapping,
                                  random_pairs(overlapping, False), small),
}
share = {}
for name, rows in cases.items():
    for which in ("an end", "the middle"):
        some = [a == b for s, a, b in rows
                if s and (bool({1, 2} & set(s)) == (which == "the middle"))]
        share[name, which] = sum(some), len(some)
table([(name, which, f"{equal} of {number}")
       for (name, which), (equal, number) in share.items()],
      ["circuit", "missing", "equal"])

# %% tags=["hide-input"]
sums = [row for row in agreement + cases["no overlap, any weights"]
        if row[0]]  # something is missing
with checking("marginals-by-ones", detail=f"{len(sums)} sums over missing "
              "values, integers") as check:
    for s, summed, once in sums:
        check(summed == once, s)
    everything = [once for s, _, once in agreement if len(s) == 4]
    check(everything[0] == of_table**4 * of_weights**7,
          "probabilities add up to one")
low = overlapping.layers[0]
with checking("overlap-breaks-marginals", detail="windows "
              f"{low.window}/{low.stride}, and biases; integers") as check:
    for (name, which), (equal, number) in share.items():
        right = name == "no overlap, any weights" or (
            name == "overlap, no biases" and which == "an end")
        check(equal == (number if right else 0), (name, which))

# %% tags=["remove-cell"]
glue("05-overlap-cases", share["overlap, no biases", "the middle"][1])

# %% [markdown]
# A product is *decomposable* if its factors depend on different inputs. Count this on the windows. Then count on
# the running network how often an input is a factor of every term: doubling its features doubles the output
# once for each time.


# %%
def decomposable(net):
    """Does no window multiply two cells that see a common input?"""
    cells = [{v} for v in range(net.size[0])]
    for (window,), (stride,) in zip(net.windows, net.strides):
        above = []
        for v in range(0, len(cells), stride):
            factors = cells[v:v + window]
            if sum(map(len, factors)) > len(set().union(*factors)):
                return False
            above.append(set().union(*factors))
        cells = above
    return True


def times_read(net, position):
    """How often an input is a factor of every term of the output."""
    leaves = torch.randint(1, 5, (1, net.channels, net.size[0]),
                           generator=generator).double()
    doubled = leaves.clone()
    doubled[:, :, position] *= 2
    run = ConvAC.from_weights(net, random_pairs(net, False))
    ratio = (run(doubled) / run(leaves)).item()
    return int(math.log2(ratio)) if ratio >= 1 else 0


factored = {str(net): (decomposable(net),
                       [times_read(net, i) for i in range(net.size[0])])
            for net in (shape, valid, overlapping,
                        Architecture((6,), 2, ((3, 3, 2), (2, 2, 1))),
                        Architecture((6,), 2, ((2, 2, 2), (2, 1, 2),
                                               (2, 3, 1))))}
table([(name, *found) for name, found in factored.items()],
      ["network", "decomposable", "times read"])

# %% tags=["hide-input"]
with checking("circuit-sum-product", detail=f"{len(factored)} circuits"
              ) as check:
    for name, (disjoint, times) in factored.items():
        check(disjoint == (set(times) == {1}), name)
    check({disjoint for disjoint, _ in factored.values()} == {True, False},
          "both kinds occur")

# %% [markdown]
# ## When it is the best rule
#
# Three pixels with two values, two classes, and a joint distribution in integers. Pixels go missing in
# three ways: each with a coin toss; the third one whenever the first one shows 1; and the
# first one more often in class 0, whatever it shows. The marginal rule takes the class with the larger
# sum over the missing values. The best rule may look at everything, also at which pixels are missing.

# %%
joint = torch.randint(1, 40, (2, 2, 2, 2), generator=generator)  # y and x


def coins(y, x, s):
    return 1


def by_seen(y, x, s):  # s: which pixels are seen
    return int(s[0] and s[1] and s[2] == (x[0] == 0)) * 8


def by_class(y, x, s):
    hidden = 7 if y == 0 else 1
    return int(s[1] and s[2]) * ((8 - hidden) if s[0] else hidden)


def errors(way):
    """How often the marginal rule is wrong, and the best rule."""
    marginal = best = 0
    for s in itertools.product((False, True), repeat=3):
        for seen in itertools.product(*((0, 1) if k else (None,) for k in s)):
            fits = [x for x in itertools.product((0, 1), repeat=3)
                    if all(a is None or a == b for a, b in zip(seen, x))]
            plain = [sum(int(joint[(y, *x)]) for x in fits) for y in (0, 1)]
            true = [sum(int(joint[(y, *x)]) * way(y, x, s) for x in fits)
                    for y in (0, 1)]
            marginal += true[plain[1] > plain[0]]
            best += max(true)
    total = 8 * int(joint.sum())
    return Fraction(total - marginal, total), Fraction(total - best, total)


rules = {way.__name__: errors(way) for way in (coins, by_seen, by_class)}
table([(name.replace("_", " "), str(a), str(b), a == b)
       for name, (a, b) in rules.items()],
      ["missing", "error, marginal rule", "least error", "equal"])

# %% tags=["hide-input"]
with checking("missing-data-optimal",
              detail="{count} comparisons, fractions") as check:
    for _ in range(30):
        joint = torch.randint(1, 40, (2, 2, 2, 2), generator=generator)
        for way in (coins, by_seen):
            marginal, best = errors(way)
            check(marginal == best, way.__name__)
    check(rules["by_class"][0] > rules["by_class"][1], "by class")

# %% tags=["remove-cell"]
glue("05-class-marginal", str(rules["by_class"][0]))
glue("05-class-best", str(rules["by_class"][1]))

# %% [markdown]
# ## A photograph with missing pixels
#
# The photograph that Matplotlib ships, cut into tiles of 8 × 8 pixels that share no pixel. The class of
# a tile is the part of the picture that it comes from, one of nine. Three quarters of the tiles train
# a tensorial mixture model: normal densities of 2 × 2 patches, and a circuit with probabilities as
# weights above them. The loss is the cross entropy of the classes plus the negative log-likelihood for
# each number of a tile. Its rivals are imputation, in the same model, and logistic regression.

# %%
pixels = photograph().permute(2, 0, 1).float() / 255
rows, columns = 600 // 8, 512 // 8
tiles = pixels.unflatten(1, (rows, 8)).unflatten(3, (columns, 8))
tiles = tiles.permute(1, 3, 0, 2, 4).flatten(0, 1)  # (4800, 3, 8, 8)
place = 3 * (torch.arange(rows) * 3 // rows)[:, None] \
    + torch.arange(columns) * 3 // columns
mean, deviation = tiles.mean(), tiles.std()
tiles, black = (tiles - mean) / deviation, -mean / deviation
order = torch.randperm(len(tiles), generator=generator)
train, test = order[:3600], order[3600:]
place = place.flatten()

layers = ((2, 2, 16), (2, 2, 16), (1, 1, 9))
mixture = TensorialMixture(Architecture(4, 16, layers), tiles[train],
                           generator=generator)
logistic = torch.nn.Linear(3 * 8 * 8, 9)
torch.nn.init.zeros_(logistic.weight), torch.nn.init.zeros_(logistic.bias)


def fit(model, rate, likelihood):
    adam = torch.optim.Adam(model.parameters(), lr=rate)
    for step in range(300):
        batch = train[torch.randint(3600, (100,), generator=generator)]
        x = tiles[batch] if likelihood else tiles[batch].flatten(1)
        scores = model(x)
        own = scores.gather(1, place[batch, None]).mean()
        loss = cross_entropy(scores, place[batch]) - likelihood * own / 192
        adam.zero_grad()
        loss.backward()
        adam.step()


fit(mixture, 0.03, 1)
fit(logistic, 0.003, 0)
print(sum(p.numel() for p in mixture.parameters()), "parameters;",
      len(test), "tiles to test")

# %% [markdown]
# Now pixels go missing: one by one, or in squares of 4 × 4. Which method puts most tiles into the
# right part of the picture? (Chance is 11 %.)


# %%
def accuracies(seen):
    """The share of right answers of every method."""
    x, right = tiles[test], place[test]
    filled = {"zero": torch.where(seen[:, None], x, black),
              "mean": torch.where(seen[:, None], x, 0)}
    with torch.no_grad():
        scores = {"marginal": mixture(x, seen)}
        for name, images in filled.items():
            scores[f"{name} imputed"] = mixture(images)
            scores[f"logistic, {name} imputed"] = logistic(images.flatten(1))
    return {name: (s.argmax(1) == right).float().mean().item()
            for name, s in scores.items()}


shares = 0, 0.25, 0.5, 0.75, 0.9
lost = [f"{100 * share:g}% of pixels" for share in shares]
ways = {name: missing_pixels(len(test), (8, 8), share, generator)
        for name, share in zip(lost, shares)}
ways |= {f"{number} squares": missing_rectangles(len(test), (8, 8), number, 4,
                                                 generator)
         for number in (1, 2, 3)}
live = {name: accuracies(seen) for name, seen in ways.items()}
methods = list(next(iter(live.values())))
best = {name: max(row, key=row.get) for name, row in live.items()}
table([(name, best[name]) for name in live if name != "0% of pixels"],
      ["missing", "most often right"])

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-log-space-live", "caption": "Tiles of a photograph with pixels missing one by one: how often each method finds the part of the picture that a tile comes from. Dotted: chance."}, "image": {"alt": "Five curves against the share of missing pixels. Marginals start above one half, lose little until half of the pixels are missing, and end above one third with ninety percent missing. All four kinds of imputation fall to near chance, one ninth."}}
by_share = {100 * share: live[name] for share, name in zip(shares, lost)
            if name in live}
with style.figure(7, 3.6) as (drawing, axes):
    pictures.draw_accuracies(axes, {
        method: (list(by_share),
                 [100 * row[method] for row in by_share.values()], None)
        for method in methods}, "missing pixels, percent", 100 / 9)

# %% tags=["hide-input"]
with checking("missing-data-live", "trained", detail=f"{len(test):,} tiles of "
              f"a photograph, {sum(name != '0% of pixels' for name in live)} "
              "ways to lose pixels") as check:
    for name, row in live.items():
        if name != "0% of pixels":
            check(best[name] == "marginal", name)
    whole, half, most = (live.get(f"{share}% of pixels")
                         for share in (0, 50, 90))
    if whole:
        check(whole["marginal"] == whole["zero imputed"], "nothing missing")
        check(whole["marginal"] > 0.45, "about half of the whole tiles")
    if whole and half:
        check(half["marginal"] > whole["marginal"] - 0.1, "half missing")
    if half:
        check(max(half["zero imputed"], half["mean imputed"])
              < half["marginal"] - 0.2, "imputed")
    if most:
        check(most["marginal"] > 1 / 3, "nine tenths missing")

# %% [markdown]
# A few of the tiles, and what is left of them.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-log-space-tiles", "caption": "Eight tiles of the photograph, whole, with half of their pixels missing, and with three quarters missing."}, "image": {"alt": "Three rows of eight small color tiles. In the second and third row half and three quarters of the pixels are hatched gray."}}
pictured = [lost[len(lost) * k // 4] for k in (0, 2, 3)]
if not set(pictured) <= set(ways):  # ways of yours
    pictured = [*ways][:3]
with style.figure(7, 2.8, columns=8, rows=len(pictured)) as (drawing, axes):
    for row, name in zip(axes.reshape(-1, 8), pictured):
        for k, ax in enumerate(row):
            pictures.draw_tile(ax, tiles[test[k]] * deviation + mean,
                               ways[name][k])

# %% [markdown]
# ## The larger comparison, stored
#
# CIFAR-10 averaged to 16 × 16, 8,000 images to train, 1,000 to test, all classifiers trained on whole
# images in the same number of steps; one ConvNet more is trained on images with missing pixels and told
# which they are. `python -m lib.benchmarks.missing_data --output mine.jsonl` repeats it with the
# published images.

# %%
header, networks = pictures.stored_records()
settings = header["settings"]
models = list(dict.fromkeys(n["model"] for n in networks))
of = {m: [n for n in networks if n["model"] == m] for m in models}
trained_on = {m: sorted(round(100 * n["train_accuracy"]) for n in of[m])
              for m in models}
table([(m, of[m][0]["parameters"], len(of[m]),
        f"{trained_on[m][0]}–{trained_on[m][-1]} %") for m in models],
      ["model", "parameters", "seeds", "right on training images"])

# %% [markdown]
# Right answers on test images in percent, mean over the seeds and half the width of its 95 % interval.
# *Zero* is a black pixel, *mean* the mean of all pixels.


# %%
def stored(model, way, missing):
    return pictures.stored_accuracies(networks, model, way, missing)


compared = [("mixture", "marginal"), ("mixture", "zero"), ("mixture", "mean"),
            ("convnet-masked", "masked"), ("convnet", "zero"),
            ("convnet", "mean"), ("logistic", "zero"), ("logistic", "mean")]
names = list(networks[0]["accuracy"])
gone = {name: networks[0]["accuracy"][name]["missing"] for name in names}


def text(model, way, name):
    mean, half = stored(model, way, name)
    return f"{mean:.1f} ± {half:.1f}"


pixels = [name for name in names if name.startswith("pixels")]
table([(f"{model}, {way}", *(text(model, way, name) for name in pixels))
       for model, way in compared],
      ["pixels missing", *(f"{100 * float(name.split('-')[1]):.0f} %"
                           for name in pixels)])

# %%
squares = [name for name in names if name.startswith("squares")]
table([(f"{model}, {way}", *(text(model, way, name) for name in squares))
       for model, way in compared],
      ["squares of 7 × 7 missing", *(f"{name[-1]} ({gone[name]:.0%})"
                                     for name in squares)])

# %% [markdown]
# Two variants of the mixture: trained by cross entropy alone, and by likelihood alone.

# %%
variants = [m for m in models if m.startswith("mixture")]
table([(m, len(of[m]), *(text(m, "marginal", name) for name in pixels))
       for m in variants],
      ["marginals", "seeds", *(f"{100 * float(name.split('-')[1]):.0f} %"
                               for name in pixels)])

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-log-space-stored-live", "caption": "The stored comparison: right answers on 1,000 test images, mean over five seeds with 95 % intervals. Dotted: chance."}, "image": {"alt": "Two panels, pixels missing one by one and in squares. The mixture with marginals stays at 38 percent up to one half and falls to 33 at nine tenths. The ConvNet with means starts at 53 and meets it at one half. The ConvNet trained with holes starts at 47 and leads wherever a quarter or more is missing one by one. There imputation in the mixture falls to chance."}}
_ = pictures.BOOK_FIGURES["log-space-stored"]()

# %% tags=["hide-input"]


def above(one, other, name):
    """The interval of one method lies above that of the other."""
    (a, da), (b, db) = stored(*one, name), stored(*other, name)
    return a - da > b + db


mine, masked = compared[0], ("convnet-masked", "masked")
mean_convnet = ("convnet", "mean")
some_missing = names[1:]
seeds = f"{len(of['mixture'])} seeds"
with checking("missing-data-measured", "trained", detail="{count} comparisons "
              f"of intervals, {seeds}") as check:
    for name in some_missing:
        for way in ("zero", "mean"):  # in the same model
            check(above(mine, ("mixture", way), name), (way, name))
        check(above(masked, mine, name) or name in ("pixels-0.9", "squares-3"),
              ("trained with holes", name))
        check(stored(*masked, name)[0] > stored(*mine, name)[0], name)
    for name in ("pixels-0.75", "pixels-0.9"):
        check(above(mine, mean_convnet, name), name)
    for name in ("pixels-0.25", "squares-1", "squares-2"):
        check(stored(*mean_convnet, name)[0] > stored(*mine, name)[0], name)
    check(not above(mine, mean_convnet, "pixels-0.5"), "half")
    check(stored(*mine, "pixels-0.0")[0] - stored(*mine, "pixels-0.75")[0] < 3,
          "three quarters missing")
    for loss in ("ce", "likelihood"):
        other = f"mixture-{loss}", "marginal"
        check(above(mine, other, "pixels-0.9"), loss)
        check((stored(*other, names[0])[0] > stored(*mine, names[0])[0])
              == (loss == "ce"), loss)
with checking("few-parameters-measured", "trained",
              detail=f"whole images, {seeds}") as check:
    whole = names[0]
    check(above(mean_convnet, mine, whole), "ConvNet")
    check(stored("logistic", "mean", whole)[0] > stored(*mine, whole)[0],
          "logistic")
    check(of["convnet"][0]["parameters"] < of["mixture"][0]["parameters"],
          "parameters")

# %% tags=["remove-cell"]
for name, model, way in (("mixture", *mine), ("convnet", *mean_convnet),
                         ("masked", *masked), ("logistic", "logistic", "mean"),
                         ("zero", "mixture", "zero"),
                         ("mean", "mixture", "mean")):
    for missing in names:
        glue(f"05-stored-{name}-{missing}", text(model, way, missing))
for model in ("mixture", "convnet", "logistic"):
    glue(f"05-parameters-{model}", of[model][0]["parameters"])
glue("05-seeds", len(of["mixture"]))
for loss in ("ce", "likelihood"):
    for name, missing in (("whole", names[0]), ("tenth", "pixels-0.9")):
        glue(f"05-variant-{loss}-{name}",
             text(f"mixture-{loss}", "marginal", missing))

# %% [markdown]
# ## What to remember
#
# - In log-space products are sums and sums are MEX: a SimNet with one finite exponent $\beta\ne0$
#   is a circuit with positive weights, loses no rank for almost all of them, and has finite gradients at
#   any size.
# - MEX of MEX with one finite exponent is one MEX exactly if every number has the same weight.
# - Without overlap and biases a missing pixel is a 1. The marginal rule is best if the model is right and
#   pixels are missing at random; a trained ConvNet that has seen holes can still beat a trained mixture.
#
# **Try this.** Raise the likelihood weight of the photograph's mixture from 1 to 20. Hide the lower half of
# every tile instead of random pixels. Give `mex` your own numbers, and an exponent of $10^{-30}$.

# %% [markdown]
# ## Try it
#
# Write a few lines in place of `None` and run the cell. It says at once whether they are right; if
# not, it names the smallest input it knows on which they fail. All it needs is the set-up and the
# imports at the top. The first is for everyone, the last is hard; [the
# page](../book/log-space.md#exercises) has more.

# %% [markdown]
# ### A mean that never overflows
#
# The logarithm of the mean of the exponentials of some numbers, small or large, without `lib`.


# %% tags=["exercise"]
def stable_mex(values):
    """values: a list of floats, as [1000.0, 1001.0]."""
    return None


check_answer("05-stable", stable_mex)

# %% [markdown]
# ### Weights of a stride
#
# Windows of $R$ numbers with stride $S$ over $n$ numbers, only those that fit; a mean inside each,
# and the mean of the results. Which weight does each number have?


# %% tags=["exercise"]
def stride_weights(n, R, S):
    """A list of n floats or fractions."""
    return None


check_answer("05-weights", stride_weights)

# %% [markdown]
# ### A pixel is missing
#
# A mixture has components with probabilities `prior`; in component $z$ pixel $i$ has the value $x$
# with probability `tables[z][i][x]`. What is the probability of an image in which some pixels are
# `None`, that is, not known?


# %% tags=["exercise"]
def probability_of(prior, tables, image):
    """image: as (0, None, 1)."""
    return None


check_answer("05-marginal", probability_of)

# %% [markdown]
# ### A sum with signs
#
# Numbers that floats cannot hold, each given as its sign (1, −1 or 0) and the logarithm of its
# absolute value. Add two of them. Zero is `(0, -math.inf)`.


# %% tags=["exercise"]
def signed_sum(first, second):
    """first, second: as (-1, 5000.0); return such a pair."""
    return None


check_answer("05-signed", signed_sum)
