"""Method "approx": entropies from a reduced density matrix that is never written down.

rho is applied to vectors by contracting ket and bra with them. ``Tr f(rho)`` is exact on a small
space Q that holds the largest eigenvalues, and estimated on the rest from random vectors, each term
``v^dagger f(rho) v`` by Lanczos quadrature::

    rho v =  ket ---- bra ---- v

    Tr f(rho) = sum over q of  q^dagger f(rho) q   +   mean over z of  w^dagger f(rho) w
                                                       w = z - Q Q^dagger z

The means of ``w^dagger rho w`` and of ``w^dagger w`` are known, since rho has trace 1, and serve as
control variates: where the rest of the spectrum is flat, no noise is left. Quadrature: Ubaru, Chen
and Saad, SIAM J. Matrix Anal. Appl. 38, 1075 (2017); the split by Q: Meyer et al.,
arXiv:2010.09649.
"""

import math
import numbers

import cotengra as ctg
import numpy as np
from autoray import to_numpy
from quimb.tensor import Tensor
from tqdm import tqdm

from ...errors import BudgetError, MethodError, OptionError, RangeError
from ...evaluation.machine import machine_of
from ...hyper.search import BestOf
from ...numerics.scaled import binary
from ...numerics.sizes import check_norm
from ...numerics.traced import check_plain
from ...numerics.weights import make_rng
from ..registry import Method, add_method
from ..views import Cost

TOP, BLOCK = 64, 16  # dimension of Q; vectors that are applied at once
STEPS = 64  # of a quadrature, at most
MIN_PROBES = 32
PRODUCTS = 1024  # applications of the density matrix, as a rule
SAFETY = 1.5  # the error is itself estimated, and probes stop when it looks small
SMALLEST = 1e-6  # bits: of smaller entropies the error is ``tol`` times this
FLOOR = 1e-15  # eigenvalues below are round-off


class EstimatedSpectrum:
    """A spectrum of which only entropies can be estimated.

    Parameters
    ----------
    apply : callable
        The density matrix, of trace 1, on an array of shape (dim, count).
    dim : int
    dtype : str
    tol : float
        Standard error of each entropy, relative to it.
    rng : numpy.random.Generator
    progbar : bool
    """

    def __init__(self, apply, dim, dtype, tol, rng, progbar=False):
        self.apply, self.dim, self.dtype = apply, dim, dtype
        self.tol, self.rng, self.progbar = tol, rng, progbar
        self.rounding = 5 * tol

    @property
    def values(self):
        """Not available: raises an error."""
        raise MethodError(
            "method='approx' estimates entropies and has no single Schmidt values; use another."
        )

    def gap(self):
        """Not available, as `values`."""
        return self.values

    def entropy(self):
        """The von Neumann entropy, to ``tol``."""
        logs = lambda p: -p * np.log2(np.where(p > 0, p, 1.0))
        return self._estimate(logs, lambda trace: trace, lambda trace: 1.0)

    def renyi(self, alpha):
        """The Renyi entropy of order ``alpha``, to ``tol``."""
        if alpha == 1:
            return self.entropy()
        if not 0 < alpha < math.inf:
            raise OptionError(f"alpha={alpha} cannot be estimated; use a finite order above 0.")
        lost = self.dim * FLOOR**alpha
        if alpha < 1 and lost > self.tol / 10:
            raise MethodError(
                f"eigenvalues below {FLOOR:.0e} are round-off to method='approx', and "
                f"{self.dim} of them may change the sum of p**{alpha:g} by {lost:.1e}; use "
                "another method, or a larger order."
            )
        powers = lambda p: np.where(p > 0, p, 0.0) ** alpha
        bits = lambda trace: math.log2(trace) / (1 - alpha) if trace > 0 else 0.0
        slope = lambda trace: 1 / (max(trace, 1e-300) * math.log(2) * abs(1 - alpha))
        return self._estimate(powers, bits, slope)

    def _estimate(self, function, bits, slope):
        """``bits(Tr function(rho))``, with random vectors until its error is ``tol``."""
        with tqdm(total=PRODUCTS, disable=not self.progbar, unit=" products") as bar:

            def _apply(vectors):
                bar.update(vectors.shape[1])
                return self.apply(vectors)

            exactly = self.tol / 20
            space = self._top_space(_apply)
            top = quadrature(_apply, space, function, exactly).sum(1)
            if self.dim == space.shape[1]:
                _check_trace(top[1] - 1, self.tol / 10)
                return max(0.0, bits(top[0]))
            known = 1 - top[1], self.dim - top[2]  # of the rest: its trace, and its dimension
            seen = np.empty((0, 3))
            for _ in range(-(-self._most() // BLOCK)):
                rest = self._probes(space)
                seen = np.concatenate((seen, quadrature(_apply, rest, function, exactly).T))
                trace, error = _regressed(seen, known)
                found, error = bits(top[0] + trace), error * slope(top[0] + trace)
                bar.set_postfix_str(f"{found:.4g} +- {error:.1g} bits")
                enough = SAFETY * error <= self.tol * max(found, SMALLEST)
                if enough and len(seen) >= MIN_PROBES:
                    spread = 6 * seen[:, 1].std(ddof=1) / math.sqrt(len(seen))
                    _check_trace(seen[:, 1].mean() - known[0], self.tol / 10 + spread)
                    return max(0.0, found)
        raise BudgetError(
            f"{len(seen)} random vectors gave {found:.4g} +- {error:.1g} bits, which is not to "
            f"tol={self.tol}; use a larger tol, or an exact method."
        )

    def _most(self):
        """Random vectors that are always enough for a sum of powers: Q holds the largest terms."""
        return max(4 * MIN_PROBES, math.ceil(8 * SAFETY**2 / (TOP * self.tol**2)))

    def _random(self, count):
        """Vectors of random signs; of random powers of i where the state is complex."""
        shape, signs = (self.dim, count), np.array([1, -1, 1j, -1j])
        real = not self.dtype.startswith("complex")
        return (signs[:2].real if real else signs)[self.rng.integers(2 if real else 4, size=shape)]

    def _top_space(self, apply):
        """Orthonormal columns that nearly span the eigenvectors of the largest eigenvalues."""
        if self.dim <= TOP:
            return np.eye(self.dim)
        space = self._random(TOP)
        for _ in range(2):
            space = np.linalg.qr(_in_blocks(apply, space))[0]
        return space

    def _probes(self, space):
        """Random vectors projected onto the complement of a space."""
        rest = self._random(BLOCK)
        return rest - space @ (space.conj().T @ rest)


def _check_trace(off, allowed):
    """Refuse a density matrix that does not have the trace which it was scaled to."""
    if not abs(off) <= allowed:
        raise RangeError(
            f"the density matrix has a trace that is {off:.1g} off 1, because the parts of the "
            "state cancel and their squares lose it; use another method=."
        )


def _in_blocks(apply, vectors):
    starts = range(0, vectors.shape[1], BLOCK)
    return np.concatenate([apply(vectors[:, i : i + BLOCK]) for i in starts], axis=1)


def _regressed(seen, known):
    """The mean of the first of three columns, by the known means of the others; and its error."""
    values, others = seen[:, 0], seen[:, 1:] - known
    scale = np.abs(others).max(0)
    others = others[:, scale > 1e-9 * np.abs(seen[:, 1:]).max(0)]
    design = np.column_stack((np.ones(len(values)), others))
    fit, *_ = np.linalg.lstsq(design / np.abs(design).max(0), values, rcond=1e-9)
    spread = values - design / np.abs(design).max(0) @ fit
    free = len(values) - design.shape[1]
    return float(fit[0]), math.sqrt(float(spread @ spread) / free / len(values))


def quadrature(apply, vectors, function, weight):
    """``v^dagger f(rho) v``, ``v^dagger rho v`` and ``v^dagger v`` for each column v.

    The Lanczos recurrence needs no orthogonalisation for this: copies of an eigenvalue, due to
    rounding, share its weight.

    Parameters
    ----------
    apply : callable
        rho on an array of columns.
    vectors : array, shape (dim, count)
    function : callable
        f, elementwise.
    weight : float
        The accuracy asked for, relative to the sum over all columns.

    Returns
    -------
    numpy.ndarray, shape (3, count)
    """
    if vectors.shape[1] > BLOCK:
        starts = range(0, vectors.shape[1], BLOCK)
        parts = [quadrature(apply, vectors[:, i : i + BLOCK], function, weight) for i in starts]
        return np.concatenate(parts, axis=1)
    norms = np.linalg.norm(vectors, axis=0)
    v, before, beta = vectors / np.where(norms > 0, norms, 1.0), 0.0, np.zeros(len(norms))
    diagonal, beside, last = [], [], None
    for _ in range(min(STEPS, len(vectors))):
        w = apply(v) - beta * before
        alpha = (v.conj() * w).sum(0).real
        w -= alpha * v
        beta = np.linalg.norm(w, axis=0)
        diagonal.append(alpha)
        beside.append(beta)
        beta = np.where(beta > FLOOR * np.abs(diagonal).max(0) * len(diagonal), beta, 0.0)
        before, v = v, w / np.where(beta > 0, beta, math.inf)
        found = norms**2 * _ritz_sum(np.array(diagonal), np.array(beside)[:-1], function)
        if not beta.any() or _settled(found, last, weight):
            break
        last = found
    return np.stack((found, norms**2 * diagonal[0], norms**2))


def _settled(found, last, weight):
    """Whether one more step changed next to nothing."""
    return last is not None and np.abs(found - last).sum() <= weight * np.abs(found).sum()


def _ritz_sum(diagonal, beside, function):
    """``e1^T f(T) e1`` for tridiagonal matrices T, diagonals of shape (steps, count)."""
    steps, count = diagonal.shape
    T = np.zeros((count, steps, steps))
    i = np.arange(steps)
    T[:, i, i] = diagonal.T
    T[:, i[1:], i[:-1]] = T[:, i[:-1], i[1:]] = beside.T
    values, vectors = np.linalg.eigh(T)
    values = np.where(values > FLOOR, values, 0.0)
    return (vectors[:, 0] ** 2 * function(values)).sum(1)


# ---------------------------------------------------------------- the density matrix


def cost(view, places, what="spectrum"):
    """For the default ``tol``: `PRODUCTS` applications, with the overhead of their array calls."""
    places = view.smaller(places)
    dim = view.dim(places)
    if dim > 2**40:
        return Cost(16 * dim * TOP, math.inf)
    made = view.views["network"].value.applied_cost(places)
    machine = machine_of(view.like)
    calls = 2 * view.views["network"].value.tn.num_tensors * machine.call / machine.flop
    memory = made.bytes * BLOCK + 16 * dim * (2 * TOP + 4 * BLOCK)
    return Cost(memory, PRODUCTS * (made.flops + calls / BLOCK + 10.0 * dim))


def spectrum(view, places, progbar=False, tol=1e-2, seed=None):
    """The spectrum of the smaller side, of which functions can be estimated.

    Parameters
    ----------
    view : StateView
    places : tuple[int]
    progbar : bool, optional
        Show a progress bar over the applications of the density matrix, with the estimate and its
        error; the total is what it takes as a rule.
    tol : float, optional
        Standard error of the entropies, relative to them.
    seed : int or numpy.random.Generator, optional
    """
    if isinstance(tol, bool) or not (isinstance(tol, numbers.Real) and 0 < tol < 1):  # type: ignore[operator]
        raise OptionError(f"tol={tol!r} is not a relative error; use a float between 0 and 1.")
    places = view.smaller(places)
    tn, kets, bras = view.views["network"].value.doubled(places)
    if any(getattr(t.data, "requires_grad", False) for t in tn):
        raise MethodError(
            "method='approx' has no gradient, and the state asks for one; use another method, or "
            "detach the arrays."
        )
    check_plain((t.data for t in tn), "method='approx'")
    tn.apply_to_arrays(lambda x: to_numpy(x).astype(np.result_type(to_numpy(x), "float64")))
    dtype = np.result_type(*(t.data for t in tn)).name
    return EstimatedSpectrum(
        _apply(tn, kets, bras), view.dim(places), dtype, tol, make_rng(seed), progbar
    )


def _apply(tn, kets, bras):
    """The density matrix as a function of columns; what does not depend on them comes first."""
    shape, expressions = tuple(map(tn.ind_size, bras)), {}
    joined = tn & Tensor(np.broadcast_to(0.0, shape), bras, tags="_VECTOR")
    joined = joined._prepared(kets)
    tensors = sorted(joined, key=lambda t: "_VECTOR" in t.tags)
    arrays = _of_trace_one(tn, kets, bras, tensors[:-1], float(joined.exponent))
    inputs, sizes = [t.inds for t in tensors], {}
    for t in tensors:
        sizes.update(zip(t.inds, t.shape))
    # a batch index would mislead the search
    path = BestOf().search(inputs, kets, sizes).get_path()

    def _apply(vectors):
        count = vectors.shape[1]
        if count not in expressions:
            expressions[count] = ctg.array_contract_expression(
                [*inputs[:-1], (*inputs[-1], "_batch")],
                (*kets, "_batch"),
                {**sizes, "_batch": count},
                optimize=path,
                constants=dict(enumerate(arrays)),
                implementation="cotengra",
            )
        return expressions[count](vectors.reshape(*shape, count)).reshape(-1, count)

    return _apply


def _of_trace_one(tn, kets, bras, tensors, exponent):
    """The arrays of tensors that are the same network, scaled so that its trace is 1."""
    traced = tn.reindex(dict(zip(bras, kets)))
    trace, total = traced.contract(output_inds=(), optimize=BestOf(), strip_exponent=True)
    check_norm(float(np.real(trace)))
    sizes = [float(np.linalg.norm(t.data)) for t in tensors]
    logs = sum(map(math.log2, sizes)) - math.log2(float(np.real(trace)))
    spread = 2.0 ** ((logs + binary(exponent - float(total))) / len(sizes))
    return [t.data * (spread / size) for t, size in zip(tensors, sizes)]


add_method(Method("approx", "network", cost, spectrum, searches=True, exact=False))
