"""Schmidt values from the Gram matrices of two halves, which are contracted with their conjugates.

::

    L--c--R        G_L = L^dagger L   (c*, c)      G_R = R R^dagger   (c, c*)
    |     |
    A     B        Schmidt values: eigenvalues of C^dagger G_R C, with G_L = C C^dagger

Neither half is ever written as a matrix. A Gram matrix is diagonal in the indices of the cut that
are sites of its own side, so it is made and decomposed in blocks. What is lost by squaring is
known afterwards: eigenvalues below ``eps |G_L| |G_R|``, with the indices of the cut scaled so that
the diagonals of both are equal.
"""

import math
from typing import NamedTuple

import numpy as np
from autoray import do, get_dtype_name, infer_backend, stop_gradient
from cotengra.contract import einsum as numpy_einsum
from quimb.tensor.tensor_core import rand_uuid

from ...hyper import HyperTensorNetwork
from ...hyper.names import SWITCH, plain_name
from ...hyper.search import BestOf
from ...numerics.scaled import Scaled, array_like
from ...numerics.sizes import check_norm, epsilon
from ..spectra import Spectrum
from ..views import Cost, as_flops


class GramPlan(NamedTuple):
    """The Gram matrices of a pair of halves: what they cost, and what they give.

    Attributes
    ----------
    tn : HyperTensorNetwork
        For a plan, anything with its ``tensor_map``, ``ind_map`` and ``ind_size``.
    pair : tuple[Half, Half]
        The half with the smaller blocks first.
    """

    tn: HyperTensorNetwork
    pair: tuple

    @classmethod
    def of(cls, tn, pair):
        """The plan of a pair of halves in any order."""
        width = lambda half: math.prod(map(tn.ind_size, half.open))
        return cls(tn, tuple(sorted(pair, key=width)))

    def sizes(self):
        """The dimensions of the cut: sites of the first half, of the second, and all others."""
        first, second = self.pair
        shared = {*first.shared, *second.shared}
        rest = (ix for ix in first.open if ix not in shared)
        return tuple(
            math.prod(map(self.tn.ind_size, inds)) for inds in (first.shared, second.shared, rest)
        )

    def cost(self):
        """What both contractions and the eigenvalues take."""
        a, b, c = self.sizes()
        itemsize = max(t.data.itemsize for t in self.tn)
        size = (a * b * c) ** 2
        least = Cost(4 * size * itemsize, as_flops(4 * (a * b * c) ** 3 + 2 * size * b * c))
        if size * itemsize > 2**50:
            return least._replace(flops=math.inf)
        trees = [doubled_tree(self.tn, half) for half in self.pair]
        peak = max(2.0 ** tree.peak_size(log=2) for tree in trees)
        flops = sum(float(tree.contraction_cost()) for tree in trees)
        return Cost(max(least.bytes, round(itemsize * peak)), least.flops + flops)

    def written(self):
        """Numbers in the largest array, and in all that are made."""
        a, b, c = self.sizes()
        trees, square = [doubled_tree(self.tn, half) for half in self.pair], (a * b * c) ** 2
        most = max(square, *(int(tree.max_size()) for tree in trees))
        return most, sum(int(tree.total_write()) for tree in trees) + 2 * square

    def spectrum(self):
        """The Schmidt values, and the fraction of the largest below which they are lost."""
        x, y = (gram(self.tn, half) for half in self.pair)
        return spectrum_of_grams(x, y, self.sizes(), len(self.tn.tensor_map))


def _bras(tn, half):
    """What the conjugate of a half calls its inner indices, and the output indices of both."""
    joined = {*half.own, *half.shared}
    inner = {ix for inds in half.legs(tn) for ix in inds if ix not in joined}
    bras = {ix: rand_uuid("_bra") for ix in sorted(inner)}
    return bras, (*half.shared, *half.open, *(bras[ix] for ix in half.open))


def doubled(tn, half):
    """A half with its conjugate, and the output indices: shared, open, open of the conjugate."""
    bras, output = _bras(tn, half)
    tensors = half.tensors(tn)
    tensors += [t.conj().reindex(bras) for t in tensors]
    return HyperTensorNetwork(tensors), output


def doubled_tree(tn, half):
    """How that is contracted, a `cotengra.ContractionTree`, from its indices alone."""
    bras, output = _bras(tn, half)
    kets = half.legs(tn)
    inputs = [*kets, *(tuple(bras.get(ix, ix) for ix in inds) for inds in kets)]
    sizes = {ix: tn.ind_size(ix) for inds in kets for ix in inds}
    sizes |= {bra: sizes[ix] for ix, bra in bras.items()}
    return BestOf(math.inf).search(inputs, output, sizes)


def gram(tn, half):
    """The Gram matrix of a half as an array ``(shared, open, open*)``, of any scale."""
    network, output = doubled(tn, half)
    sums = any(plain_name(ix) == SWITCH for ix in network.ind_map)
    found = network._contracted(output, scaled=sums, optimize=BestOf(math.inf))
    found.check_norm()
    size = math.prod(map(tn.ind_size, half.open))
    return Scaled.of(found.array.reshape(-1, size, size)).mantissa


def spectrum_of_grams(x, y, sizes, tensors=0):
    """The spectrum of a state from the Gram matrices of its two halves.

    Parameters
    ----------
    x : array, shape (a, b * c, b * c)
        Of the half whose sites are ``a``: the sum of ``L[.., c] conj(L[.., c'])``.
    y : array, shape (b, a * c, a * c)
        Of the other half.
    sizes : tuple[int, int, int]
        Dimensions of the cut: sites of the first half, of the second, and all others: a, b, c.
    tensors : int, optional
        How many tensors they were made of; each adds its round-off.

    Returns
    -------
    Spectrum
    """
    a, b, c = sizes
    x, y = balanced(x, y, a, b, c)
    dim, eps = a * b * c, epsilon(x)
    lower = do("linalg.cholesky", _shifted(do("transpose", x, (0, 2, 1)), eps))  # (a, b c, i)
    step = einsum("kaxbz,bkzj->kaxbj", y.reshape(b, a, c, a, c), lower.reshape(a, b, c, -1))
    hermitian = einsum("akxi,kaxbj->aibj", do("conj", lower).reshape(a, b, c, -1), step)
    hermitian = hermitian.reshape(dim, dim)
    adjoint = do("conj", do("transpose", hermitian, (1, 0)))
    values = do("flip", do("linalg.eigvalsh", (hermitian + adjoint) / 2), (0,))
    check_norm(top := float(stop_gradient(values[0])))
    loss = (8 * math.sqrt(dim) + tensors) * eps * _size(x) * _size(y)
    return Spectrum(values, loss / top, squared=True)


def balanced(x, y, a, b, c):
    """Gram matrices with the indices of the cut scaled so that both have the same diagonal."""
    diagonals = do("einsum", "kii->ki", x), do("einsum", "kii->ki", y)
    first = do("abs", stop_gradient(diagonals[0])).reshape(a, b, c)
    second = do("transpose", do("abs", stop_gradient(diagonals[1])).reshape(b, a, c), (1, 0, 2))
    there = (first > 0) & (second > 0)
    one = do("ones_like", first)
    ratio = do("where", there, second, one) / do("where", there, first, one)
    power = do("round", do("log2", ratio) / 4)
    scale = do("where", there, do("exp2", power), 0 * one)
    inverse = do("where", there, do("exp2", -power), 0 * one)
    scale = scale.reshape(a, -1)
    inverse = do("transpose", inverse, (1, 0, 2)).reshape(b, -1)
    x = x * scale[:, :, None] * scale[:, None, :]
    y = y * inverse[:, :, None] * inverse[:, None, :]
    return Scaled.of(x).mantissa, Scaled.of(y).mantissa


def _shifted(x, eps):
    """Hermitian blocks that are positive definite, moved by no more than their round-off."""
    size = do("sqrt", do("sum", do("abs", stop_gradient(x)) ** 2, (1, 2)))
    size = do("where", size > 0, size, do("ones_like", size))
    shift = 4 * math.sqrt(x.shape[1]) * eps * size
    eye = array_like(np.eye(x.shape[1], dtype=get_dtype_name(x)), x)
    adjoint = do("conj", do("transpose", x, (0, 2, 1)))
    return (x + adjoint) / 2 + shift[:, None, None] * eye


def _size(x):
    """The Frobenius norm of blocks, at least the spectral norm of each."""
    return float(do("max", do("sum", do("abs", stop_gradient(x)) ** 2, (1, 2)))) ** 0.5


def einsum(eq, *arrays):
    """An einsum, of two arrays by matrix products."""
    if infer_backend(arrays[0]) == "numpy" and len(arrays) == 2:
        return numpy_einsum(eq, *arrays)
    return do("einsum", eq, *arrays)
