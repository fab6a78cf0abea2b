"""Method "reduced": the density matrix of the smaller side, as one contraction.

::

    ket   o-o-o-o-o-o          k0 k1: kept, b0 b1: kept
          | | | | | |          the rest is summed
    bra   o-o-o-o-o-o          path: the best of several searches
"""

import math
from typing import NamedTuple

import numpy as np
from autoray import do
from quimb.tensor import Tensor
from quimb.tensor.tensor_core import rand_uuid

from ...hyper import HyperTensorNetwork
from ...hyper.search import BestOf
from ...numerics.scaled import decimal
from ..registry import Method, add_method
from ..spectra import spectrum_of_density
from ..views import Cost, as_flops


class KetNetwork(NamedTuple):
    """A state as a tensor network, and its outer indices in the order of the sites."""

    tn: HyperTensorNetwork
    inds: tuple

    def vector(self):
        """All entries of the state, scaled to size 1, as a flat array."""
        return self.scaled(self.tn, self.inds)[0]

    def doubled(self, places):
        """Ket and bra joined over all sites but these, and the legs of both."""
        kets = tuple(self.inds[i] for i in places)
        bras = tuple(rand_uuid("_bra") for _ in places)
        bra = self.tn.H
        bra.reindex_(dict(zip(kets, bras)))
        return self.tn | bra, kets, bras

    def density(self, places):
        """The density matrix of some sites, of any trace."""
        tn, kets, bras = self.doubled(places)
        rho = self.scaled(tn, (*kets, *bras))[0]
        size = math.prod(map(self.tn.ind_size, kets))
        return rho.reshape(size, size)

    def vector_cost(self):
        """Bytes and flops of `vector`."""
        return _cost_of(self.tn, self.inds)

    def density_cost(self, places):
        """Bytes and flops of `density`."""
        tn, kets, bras = self.doubled(places)
        return _cost_of(tn, (*kets, *bras))

    def applied_cost(self, places):
        """Bytes and flops of applying the density matrix to a vector."""
        tn, kets, bras = self.doubled(places)
        sizes = tuple(map(tn.ind_size, bras))
        return _cost_of(tn & Tensor(np.broadcast_to(0.0, sizes), bras), kets)

    @staticmethod
    def scaled(tn, output_inds):
        """A network contracted to an array, and the decimal exponent before it."""
        found = tn._contracted(output_inds, scaled=True, optimize=BestOf(math.inf))
        found.check_norm()
        return found.array, decimal(float(found.bits))


def _cost_of(tn, output_inds):
    size = math.prod(map(tn.ind_size, output_inds))
    itemsize = max(t.data.itemsize for t in tn)
    if size * itemsize > 2**50:  # no need to look for a path
        return Cost(size * itemsize, math.inf)
    tree = tn.contraction_tree(BestOf(math.inf), output_inds=output_inds)
    return Cost(round(itemsize * 2.0 ** tree.peak_size(log=2)), float(tree.contraction_cost()))


def cost(view, places, what="spectrum"):
    """What the contraction takes, and the eigenvalues."""
    places = view.smaller(places) if what == "spectrum" else places
    made = view.views["network"].value.density_cost(places)
    return Cost(made.bytes, made.flops + as_flops(4 * view.dim(places) ** 3))


def density(view, places, progbar=False):
    """The density matrix of the places."""
    return view.views["network"].value.density(places)


def spectrum(view, places, progbar=False):
    """The spectrum of the density matrix of the smaller side."""
    rho = density(view, view.smaller(places))
    return spectrum_of_density((rho + do("conj", do("transpose", rho, (1, 0)))) / 2)


add_method(
    Method("reduced", "network", cost, spectrum, density=density, searches=True, squares=True)
)
