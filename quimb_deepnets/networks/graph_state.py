"""Graph states as deep networks: a ConvAC whose entanglement is maximal, and known exactly.

Every site n is joined to its partner n + D by a sign, so amplitudes are +1 or -1. A node carries
two bits, a and b, as the four signs ``(-1)**(f a + g b)``: tap by tap the partner moves away::

    sign layer   o                   (-1)**(a b)
                 |
    layer 2     a,b                  the bits of sites n and n + 4
                 |`------.
    layer 1     a,b     a,b          the bits of sites n and n + 2, for K = 3:
                 |`------|`------.   a of tap 0, b of tap K - 1, the other taps contribute 1
    sites        0   1   2   3   4

So ``psi(s) = prod_n (-1)**(s_n s_{n + D})`` with ``D = (L - 1)(K - 1)``, the sign layer included.
This is the saturating end of Theorem 1 of arXiv:1803.09780 with all weights in closed form.
"""

import functools
import math
import operator
from typing import Any

import numpy as np

from ..errors import GeometryError, OptionError, check_option
from ..geometry.layers import as_sizes, broadcast, check_layers
from ..numerics.weights import check_budget, check_numpy_dtype
from .conv import ConvAC

BITS = np.array([[1, 1], [1, -1]])  # row f, column s: (-1)**(f s)
SIGN = np.array([0.5, 0.5, 0.5, -0.5])  # (-1)**(a b) from the four signs of a and b


class GraphStateConvAC(ConvAC):
    """The graph state ``psi(s) = prod_n (-1)**(s_n s_{n + distance})`` of qubits, as a ConvAC.

    Parameters
    ----------
    shape : int or (int, int)
        Number of sites of a chain, or ``(Lx, Ly)`` of a lattice.
    distance : int or (int, int)
        Where the partner of a site stands: an int on a chain, a vector on a lattice. Components
        may be negative.
    kernel : int or (int, int)
        Size of the kernel of every layer. The number of layers is the smallest possible,
        ``1 + max ceil(|distance| / (kernel - 1))`` over the dimensions: partners must share a
        window of the layer below the last one. On a ring ``|distance|`` is the shorter way.
    boundary : {"periodic", "omit"}, optional
        Whether partners wrap around, or sites without a partner have none.
    dtype : str, optional

    Attributes
    ----------
    distance, kernel
        As given.
    edges : numpy.ndarray of int, shape (E, 2)
        The pairs of places that are joined.

    Notes
    -----
    The weights are read-only numpy arrays, also after copying and unpickling, so methods that rely
    on the graph can trust the class: networks with any other arrays (`from_params`, ``to`` of
    another backend, `rand`) are plain `ConvAC` networks.

    Raises
    ------
    GeometryError
        If the distance does not fit the shape, joins sites to themselves, or cannot be reached.
    OptionError
        If the boundary or dtype is not known.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> net = qdn.ConvAC.graph_state(6, distance=2, kernel=3)
    >>> net
    GraphStateConvAC(shape=6, distance=2, kernel=3, boundary='periodic', depth=2)
    >>> net.amplitudes([[1, 0, 1, 0, 0, 0], [1, 1, 0, 0, 0, 0]])
    array([-1.,  1.])
    """

    # with other weights it is not a graph state
    rand, from_params = ConvAC.rand, ConvAC.from_params  # type: ignore[assignment]

    def __init__(self, shape, distance, kernel, boundary="periodic", dtype="float64"):
        sizes = as_sizes("shape", shape)
        kernel = broadcast("kernel", as_sizes("kernel", kernel), len(sizes))
        if boundary in ("ones", "valid"):
            raise OptionError(
                f"boundary={boundary!r} is not a boundary of a graph state, whose sites need the "
                "factor 1 where they have no partner; use 'omit' (or 'periodic')."
            )
        check_option("boundary", boundary, ("periodic", "omit"))
        dtype = check_numpy_dtype(dtype)
        check_budget([(*kernel, 4, 4)], dtype)
        vector = _read_distance(distance, sizes)
        self._shift = _shortest(vector, sizes, boundary)
        steps = enumerate(_steps(self._shift, kernel))
        weights = [_moving_layer(kernel, step, first=l == 0) for l, step in steps]
        weights = [w.astype(dtype) for w in (*weights, _sign_layer(kernel))]
        readout = np.ones(1, dtype)
        super().__init__(shape, weights, readout, boundary=boundary, anchor="corner")
        self._distance = vector if len(sizes) > 1 else vector[0]

    def __reduce__(self):
        return type(self), (self.shape, self._distance, self.kernel, self.boundary, self.dtype)

    def __repr__(self):
        return (
            f"{type(self).__name__}(shape={self.shape}, distance={self._distance}, "
            f"kernel={self.kernel}, boundary={self.boundary!r}, depth={self.depth})"
        )

    @property
    def distance(self):
        """How far the sites are that it joins: an int, or a pair on a lattice.

        Called with another state it gives the distance to that, as the method of any network.
        """
        kind = _Pair if self.geometry.ndim > 1 else _Int
        distance: Any = kind(self._distance)
        distance.to_state = super().distance
        return distance

    @property
    def kernel(self):
        """Size of the kernel of every layer: an int, or a pair if its dimensions differ."""
        return self.layers[0].kernel

    @functools.cached_property
    def edges(self):
        """The joined pairs of places in the list of sites, ``(E, 2)``, the smaller one first.

        A pair that is joined twice (half way around a ring) is not joined: signs cancel.
        """
        sizes, grid = self.geometry.shape, np.indices(self.geometry.shape)
        ends = [x + d for x, d in zip(grid, self._shift)]
        inside = np.ones(sizes, bool)
        if self.boundary == "omit":
            for x, length in zip(ends, sizes):
                inside &= (x >= 0) & (x < length)
        both = tuple(grid), tuple(ends)
        places = [np.ravel_multi_index(x, sizes, "wrap")[inside] for x in both]
        pairs, counts = np.unique(np.sort(np.stack(places, 1), 1), axis=0, return_counts=True)
        pairs = pairs[counts % 2 == 1]
        pairs.flags.writeable = False
        return pairs

    def to(
        self,
        like: Any = None,
        *,
        backend: str | None = None,
        dtype: str | None = None,
        device: Any = None,
    ) -> Any:
        """The same network with weights of another backend, dtype or device, see `ConvAC.to`.

        Returns
        -------
        GraphStateConvAC or ConvAC
            A graph state if the weights are numpy arrays, which can be read-only; else a plain
            `ConvAC` of equal amplitudes.

        Examples
        --------
        >>> import quimb_deepnets as qdn
        >>> net = qdn.ConvAC.graph_state(6, distance=2, kernel=3)
        >>> type(net.to("torch")).__name__, type(net.to("numpy-float32")).__name__
        ('ConvAC', 'GraphStateConvAC')
        """
        plain = self.from_params(self.geometry, self.params)
        net = plain.to(like, backend=backend, dtype=dtype, device=device)
        if net.backend != "numpy":
            return net
        return type(self)(self.shape, self._distance, self.kernel, self.boundary, net.dtype)


class _ToState:
    """A number of sites that can be called as the method ``distance`` of every network."""

    to_state: Any

    def __call__(self, *args, **kwargs):
        return self.to_state(*args, **kwargs)

    def __reduce__(self):
        plain: Any = int if isinstance(self, int) else tuple
        return plain, (plain(self),)


class _Int(_ToState, int):
    pass


class _Pair(_ToState, tuple):
    pass


def graph_state(
    shape: int | tuple[int, ...],
    distance: int | tuple[int, ...],
    kernel: int | tuple[int, ...],
    boundary: str = "periodic",
    dtype: str = "float64",
) -> GraphStateConvAC:
    """The graph state that joins every site to the one ``distance`` away, as a ConvAC.

    Its amplitudes ``prod_n (-1)**(s_n s_{n + distance})`` are exactly +1 or -1, and the entropy of
    any subset is exact at any size: a rank over GF(2). With ``depth`` layers it reaches the
    volume law of Theorem 1 of arXiv:1803.09780.

    Parameters
    ----------
    shape, distance, kernel, boundary, dtype
        See `GraphStateConvAC`.

    Returns
    -------
    GraphStateConvAC

    Raises
    ------
    GeometryError, OptionError
        See `GraphStateConvAC`.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> qdn.ConvAC.graph_state((100, 100), distance=(0, 25), kernel=5).depth
    8
    """
    return GraphStateConvAC(shape, distance, kernel, boundary, dtype)


def _read_distance(distance, sizes):
    """The distance as one int per dimension."""
    try:
        parts = tuple(map(operator.index, np.atleast_1d(distance)))
    except (TypeError, ValueError) as error:
        raise GeometryError(
            f"distance={distance!r} does not count sites; give whole numbers."
        ) from error
    if len(parts) != len(sizes):
        form = "a pair such as (0, 1)" if len(sizes) > 1 else "an int"
        raise GeometryError(
            f"distance={distance!r} has {len(parts)} component(s) on a lattice of shape {sizes}, "
            f"which has {len(sizes)} dimension(s); give {form}."
        )
    return parts


def _shortest(vector, sizes, boundary):
    """The distance along each dimension, the shorter way around if there are two."""
    if boundary == "periodic":
        shortest = tuple((d + n // 2) % n - n // 2 for d, n in zip(vector, sizes))
    else:
        shortest = vector
        if any(abs(d) >= n for d, n in zip(vector, sizes)):
            raise GeometryError(
                f"distance={vector} leads from every site of shape {sizes} to the outside; use "
                "components smaller than the lengths, or boundary='periodic'."
            )
    if not any(shortest):
        raise GeometryError(
            f"distance={vector} joins every site of shape {sizes} to itself, and no sites to one "
            "another; use one that is not a multiple of the lengths."
        )
    return shortest


def _steps(distance, kernel):
    """How far the partners move apart in each layer, per dimension, signed."""
    for d, k in zip(distance, kernel):
        if d and k == 1:
            raise GeometryError(
                f"kernel={kernel} never moves along a dimension of kernel 1, but distance="
                f"{distance} does; use a kernel of at least 2 there."
            )
    moves = max(math.ceil(abs(d) / (k - 1)) for d, k in zip(distance, kernel) if d)
    check_layers(moves + 1)
    for l in range(moves):
        sizes = (min(k - 1, max(0, abs(d) - l * (k - 1))) for d, k in zip(distance, kernel))
        yield tuple(size if d > 0 else -size for size, d in zip(sizes, distance))


def _moving_layer(kernel, step, first):
    """Weights ``(*kernel, 4, in)`` that read a from one tap and b from another, ``step`` away.

    Channel ``2 f + g`` is ``(-1)**(f a + g b)``. The first layer makes the signs of both bits from
    one-hot sites; the others select the channels (f, 0) of one tap and (0, g) of the other. All
    other taps read 1. A bit that is missing counts as 0.
    """
    if first:
        weights, of_a, of_b = np.ones((*kernel, 4, 2)), BITS, BITS
    else:
        weights = np.zeros((*kernel, 4, 4))
        weights[..., 0] = 1
        of_a, of_b = np.eye(4)[[0, 2]], np.eye(4)[[0, 1]]
    weights[tuple(max(0, -s) for s in step)] = np.repeat(of_a, 2, axis=0)
    weights[tuple(max(0, s) for s in step)] = np.tile(of_b, (2, 1))
    return weights


def _sign_layer(kernel):
    """Weights ``(*kernel, 1, 4)`` of the last layer: ``(-1)**(a b)`` at tap 0, 1 elsewhere."""
    weights = np.zeros((*kernel, 1, 4))
    weights[..., 0] = 1
    weights[(0,) * len(kernel)] = SIGN
    return weights
