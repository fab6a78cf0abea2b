"""Any state as tensors over the sites of a network, and as all of its amplitudes.

::

    MPS, PEPS, ...      its tensors           |
    a deep network      its windows           +--> tensors whose legs are the sites of the network
    a dense vector      one tensor            |
"""

import functools
import hashlib
import math
from typing import Any

import numpy as np
from autoray import stop_gradient, to_numpy
from quimb.tensor import TensorNetworkGenVector

from ..errors import BudgetError, OptionError, RangeError, SitesError
from ..geometry.expansion import leaf_ind
from ..hyper.operands import common_dtype
from ..networks import DeepNetwork
from ..numerics.traced import check_constant
from ..numerics.weights import MAX_BYTES
from ..tensors.amplitudes import StateAmplitudes
from ..tensors.collapsed import collapsed_tensors
from .chain import phases, sector_radius
from .orders import Tensors, cheapest
from .signs import sites_of_rule

DENSE = 2**24  # amplitudes that are listed
INNER = "inner "  # before names of legs that are not sites


class Target:
    """A state on the sites of a network.

    Parameters
    ----------
    state : DeepNetwork, quimb.tensor.TensorNetworkGenVector or array_like
        A network of ours is read in the basis of a sign rule, as the network beside it; tensor
        networks and vectors are read as they are.
    net : DeepNetwork
        The network that it is compared with.
    sign_rule : None or sequence of sites, optional
        The basis of the network: ``(-1)**(sum of digits on these sites) |s>``.

    Raises
    ------
    SitesError
        If it is on other sites.
    OptionError
        If it is of another kind or local dimension.
    RangeError
        If it vanishes, or holds nan or inf.
    """

    def __init__(self, state: Any, net: Any, sign_rule: Any = None) -> None:
        held = state._held_network() if isinstance(state, StateAmplitudes) else None
        state = state if held is None else held
        self.sites, self.phys_dim, self.shape = tuple(net.sites), net.phys_dim, net.geometry.shape
        self.signs = set() if sign_rule is None else sites_of_rule(self.sites, sign_rule)
        if held is not None or isinstance(state, DeepNetwork):
            self.signs = self.signs if held is not None else set()
            check_constant(state.params.leaves.values(), "the target of a fit")
            self.state = state._bare()
            self._check_sites(self.state.sites)
            self._check_dim(self.state.phys_dim)
        elif isinstance(state, TensorNetworkGenVector) and not hasattr(state, "upper_ind_id"):
            self._check_sites(state.sites)
            self._check_dim(*{state.ind_size(state.site_ind(site)) for site in state.sites})
            check_constant((t.data for t in state), "the target of a fit")
            self.state = state.astype(common_dtype(np.zeros(0), *(t.data for t in state)))
        else:
            self.state = self._vector(state)

    def _check_sites(self, sites):
        if set(sites) != set(self.sites):
            raise SitesError(
                f"the state is on {len(sites)} sites, {sites[0]!r} to {sites[-1]!r}, and the "
                f"network on {len(self.sites)}, {self.sites[0]!r} to {self.sites[-1]!r}; give a "
                "state on the same sites."
            )

    def _check_dim(self, *dims):
        if set(dims) != {self.phys_dim}:
            raise OptionError(
                f"the state has local dimensions {sorted(dims)}, and the network "
                f"phys_dim={self.phys_dim}; give a state of the same dimensions."
            )

    def _vector(self, state):
        sparse = hasattr(state, "toarray") or "sparse" in str(getattr(state, "layout", ""))
        if isinstance(getattr(state, "shape", None), tuple) and not (
            sparse or hasattr(state, "as_network")
        ):
            check_constant([state], "the target of a fit")
        try:
            vector = np.asarray(to_numpy(stop_gradient(state)))
        except (TypeError, ValueError, AttributeError, ImportError, RuntimeError):
            vector = np.zeros(0)
        if vector.size != self.phys_dim ** len(self.sites) or vector.dtype.kind not in "fciub":
            raise OptionError(
                f"a {type(state).__name__} is not a state of {len(self.sites)} sites of dimension "
                f"{self.phys_dim}; give a network, a quimb vector such as a MatrixProductState, "
                f"or {self.phys_dim}**{len(self.sites)} amplitudes."
            )
        vector = vector.reshape(-1).astype(common_dtype(vector, np.zeros(0)))
        return vector / largest_modulus(vector)

    @functools.cached_property
    def digest(self) -> str:
        """A name for the state: a hash of its numbers, and of how they are joined."""
        if isinstance(self.state, DeepNetwork):
            arrays = [to_numpy(self.state.vector)]
            joined = f"{type(self.state).__name__} {self.state.geometry!r}"
        else:
            arrays, legs = map(list, zip(*self._pieces))
            number: dict[str, int] = {}  # names of inner legs are random
            joined = repr([[number.setdefault(ix, len(number)) for ix in each] for each in legs])
            joined += repr([number.get(leaf_ind(site)) for site in self.sites])
        digest = hashlib.sha256(f"{sorted(self.signs)} {joined}".encode())
        for x in arrays:
            digest.update(repr((x.shape, x.dtype)).encode())
            digest.update(np.ascontiguousarray(x).tobytes())
        return digest.hexdigest()[:16]

    # ------------------------------------------------------------ tensors

    @functools.cached_property
    def _pieces(self) -> list[tuple[Any, tuple[str, ...]]]:
        """Arrays of the complex conjugate, and their legs: sites by name, others marked."""
        name = leaf_ind
        if isinstance(self.state, np.ndarray):
            shaped = self.state.reshape((self.phys_dim,) * len(self.sites))
            pieces = [(shaped, tuple(map(leaf_ind, self.sites)))]
        elif isinstance(self.state, DeepNetwork):
            pieces = [(t.data, t.inds) for t in collapsed_tensors(self.state, MAX_BYTES)[0]]
        else:
            pieces, name = [(t.data, t.inds) for t in self.state], self.state.site_ind
        names = {name(site): leaf_ind(site) for site in self.sites}
        legs = [tuple(names.get(ix, INNER + ix) for ix in inds) for _, inds in pieces]
        arrays = [to_numpy(stop_gradient(x)).conj() for x, _ in pieces]
        for n in self.signs:
            ix = leaf_ind(self.sites[n])
            i = next(i for i, inds in enumerate(legs) if ix in inds)
            shape = [self.phys_dim if leg == ix else 1 for leg in legs[i]]
            arrays[i] = arrays[i] * ((-1.0) ** np.arange(self.phys_dim)).reshape(shape)
        return list(zip(arrays, legs))

    @functools.cached_property
    def arrays(self) -> dict[Any, np.ndarray]:
        """The arrays of the complex conjugate by key."""
        return {("target", i): x for i, (x, _) in enumerate(self._pieces)}

    @functools.cached_property
    def tensors(self) -> Tensors:
        """The complex conjugate as tensors with the sites of the network as open legs."""
        place = {leaf_ind(site): n for n, site in enumerate(self.sites)}
        legs = [inds for _, inds in self._pieces]
        first = [next((place[ix] for ix in inds if ix in place), None) for inds in legs]
        where = lambda n: None if n is None else tuple(map(int, np.unravel_index(n, self.shape)))
        shapes = [x.shape for x, _ in self._pieces]
        return Tensors(list(self.arrays), legs, shapes, list(map(where, first)))

    def log2_norm(self, sector: int | None = None) -> float:
        """The logarithm of the norm of the tensors, to the base 2.

        Parameters
        ----------
        sector : int, optional
            Of the part with so many ones.

        Raises
        ------
        RangeError
            If the state vanishes, or (almost) none of it is in the sector.
        BudgetError
            If the contraction is too dear.
        """
        one = self.tensors
        other = [tuple(f"{ix}*" if ix.startswith(INNER) else ix for ix in x) for x in one.legs]
        mirrored = [("mirror", *key[1:]) for key in one.keys]
        both = Tensors([*one.keys, *mirrored], [*one.legs, *other], 2 * one.shapes, 2 * one.at)
        recipe, numbers = cheapest(both, [{}], MAX_BYTES / 16)
        if recipe is None:
            raise BudgetError("the norm of the state takes too much memory; give a smaller one.")
        mirror = {("mirror", *key[1:]): x.conj() for key, x in self.arrays.items()}
        run = lambda turn: recipe.run(self._turned(turn) | mirror)
        base = run(1.0).exponents[numbers[0]]

        def total(turn):
            found = run(turn)
            unit = float(np.ldexp(1.0, found.exponents[numbers[0]] - base))
            return complex(found.values[numbers[0]]) * unit

        radius = sector_radius(total, len(self.sites), sector)
        turns = phases(len(self.sites), sector, radius)
        norm = sum((back * total(turn)).real for turn, back in turns)
        if not norm > 0:
            raise RangeError("the state vanishes: its norm is zero; give another one.")
        return (math.log2(norm) + base) / 2

    def _turned(self, turn):
        """The arrays with a factor for each one."""
        arrays, left = dict(self.arrays), set(map(leaf_ind, self.sites)) if turn != 1 else set()
        for key, legs in zip(self.tensors.keys, self.tensors.legs):
            for axis, ix in enumerate(legs):
                if ix in left:
                    left.remove(ix)
                    shape = [self.phys_dim if k == axis else 1 for k in range(len(legs))]
                    arrays[key] = arrays[key] * (turn ** np.arange(self.phys_dim)).reshape(shape)
        return arrays

    # ------------------------------------------------------------ amplitudes

    def amplitudes(self, operator: Any) -> np.ndarray:
        """All amplitudes of the sector of a `FullOperator`, normalised there, ``(count,)``.

        Raises
        ------
        BudgetError
            If there are too many.
        RangeError
            If the state vanishes there.
        """
        configs = operator.configs
        if isinstance(self.state, DeepNetwork):
            psi = to_numpy(operator.amplitudes(self.state))
        else:
            if (count := self.phys_dim ** len(self.sites)) > DENSE:
                raise BudgetError(
                    f"{count:.3g} amplitudes are more than the {DENSE} that are listed; use "
                    "method='exact'."
                )
            psi = self.state
            if not isinstance(psi, np.ndarray):
                psi = to_numpy(psi.to_dense(list(map(psi.site_ind, self.sites))))
            weights = self.phys_dim ** np.arange(len(self.sites))[::-1]
            psi = psi.reshape(-1)[configs.astype(np.int64) @ weights]
        if self.signs:
            psi = psi * (-1.0) ** configs[:, sorted(self.signs)].sum(1)
        psi = psi / largest_modulus(psi)
        return psi / np.linalg.norm(psi)


def largest_modulus(psi: np.ndarray) -> float:
    """The largest modulus of numbers whose squares may leave the range of floats.

    Parameters
    ----------
    psi : numpy.ndarray

    Raises
    ------
    RangeError
        If they are zero, or hold nan or inf.
    """
    top = float(abs(psi).max())
    if not math.isfinite(top):
        raise RangeError("the state holds nan or inf; give finite numbers.")
    if not top:
        raise RangeError("the state vanishes: all its numbers are zero; give another one.")
    return top
