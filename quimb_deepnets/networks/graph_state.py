"""Graph states as deep networks: a ConvAC whose entanglement is maximal, and known exactly.

Every site n is joined to partners n + D by phases, so amplitudes have modulus 1. A node carries the
bit a of a site and the bit b of each partner, as the signs ``(-1)**(f a + g b)``: tap by tap the
partners move away::

    phase layer  o                   exp(i angle a b), a sum of the four signs
                 |
    layer 2     a,b                  the bits of sites n and n + 4
                 |`------.
    layer 1     a,b     a,b          the bits of sites n and n + 2, for K = 3:
                 |`------|`------.   a of tap 0, b of tap K - 1, the other taps contribute 1
    sites        0   1   2   3   4

So ``psi(s) = prod_n exp(i angle s_n s_{n + D})`` with ``D = (L - 1)(K - 1)``, the phase layer
included. Any function of m + 1 bits is a sum of their ``2**(m + 1)`` signs, which is what m
partners take. At an angle of pi amplitudes are +1 or -1: the saturating end of Theorem 1 of
arXiv:1803.09780 with all weights in closed form.
"""

import functools
import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import GeometryError, OptionError, check_option
from ..geometry.layers import as_sizes, broadcast, check_layers
from ..numerics.weights import check_budget, check_numpy_dtype
from .conv import ConvAC
from .graph_weights import count_moves, moves, moving_layer, phase_layer

MAX_PARTNERS = 7  # 2**8 channels


class GraphStateConvAC(ConvAC):
    """The state ``psi(s) = prod_n exp(i angle s_n s_{n + distance})`` of qubits, as a ConvAC.

    Parameters
    ----------
    shape : int or (int, int)
        Number of sites of a chain, or ``(Lx, Ly)`` of a lattice.
    distance : int or (int, int), or a sequence of them
        Where the partners of a site stand: an int on a chain, a vector on a lattice, or up to
        seven of them. Components may be negative.
    kernel : int or (int, int)
        Size of the kernel of every layer. The number of layers is the smallest possible for one
        distance, ``1 + max ceil(|distance| / (kernel - 1))`` over the dimensions: partners must
        share a window of the layer below the last one. On a ring ``|distance|`` is the shorter way.
    boundary : {"periodic", "omit"}, optional
        Whether partners wrap around, or sites without a partner have none.
    dtype : str, optional
        By default ``"float64"`` for the angle pi, else ``"complex128"``.
    angle : float, or array, optional
        Of the controlled phase gates: one for all, or ``(m,)`` for m distances, or one for each
        site that a gate starts from, ``(*shape,)`` or ``(m, *shape)``. The last layer shares its
        weights but for angles by site.

    Attributes
    ----------
    kernel, angle
        As given.
    distance
        As given, as one tuple if there are several.
    edges : numpy.ndarray of int, shape (E, 2)
        The pairs of places that are joined.
    edge_angles : numpy.ndarray of float, shape (E,)
        The phase of each.

    Notes
    -----
    The weights are read-only numpy arrays, also after copying and unpickling, so methods that rely
    on the graph can trust the class: networks with any other arrays (`from_params`, ``to`` of
    another backend, `rand`) are plain `ConvAC` networks.

    Raises
    ------
    GeometryError
        If a distance does not fit the shape, joins sites to themselves, or cannot be reached.
    OptionError
        If the boundary, dtype or angle is not understood.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> net = qdn.ConvAC.graph_state(6, distance=2, kernel=3)
    >>> net
    GraphStateConvAC(shape=6, distance=2, kernel=3, boundary='periodic', depth=2)
    >>> net.amplitudes([[1, 0, 1, 0, 0, 0], [1, 1, 0, 0, 0, 0]])
    array([-1.,  1.])

    The cluster state of a torus, with gates of an eighth of a turn:

    >>> net = qdn.ConvAC.graph_state((20, 20), [(0, 1), (1, 0)], kernel=2, angle=0.785)
    >>> print(f"{net.entropy([(3, 3)]):.4f} {net.entropy([(3, 3), (3, 4)]):.4f}")
    0.5726 0.9731
    """

    # with other weights it is not a graph state
    rand, from_params = ConvAC.rand, ConvAC.from_params  # type: ignore[assignment]

    def __init__(self, shape, distance, kernel, boundary="periodic", dtype=None, angle=math.pi):
        sizes = as_sizes("shape", shape)
        kernel = broadcast("kernel", as_sizes("kernel", kernel), len(sizes))
        if boundary in ("ones", "valid"):
            raise OptionError(
                f"boundary={boundary!r} is not a boundary of a graph state, whose sites need the "
                "factor 1 where they have no partner; use 'omit' (or 'periodic')."
            )
        check_option("boundary", boundary, ("periodic", "omit"))
        vectors, several = _read_distances(distance, sizes)
        angles = _read_angles(angle, len(vectors), sizes)
        dtype = _read_dtype(dtype, angles)
        self._shifts = [_shortest(vector, sizes, boundary) for vector in vectors]
        check_layers(1 + count_moves(self._shifts, kernel))
        layers = list(moves(self._shifts, kernel, boundary))
        channels, positions = 2 ** (len(vectors) + 1), angles.shape[1:]
        check_budget([(*kernel, channels, channels), (*positions, *kernel, channels)], dtype)
        weights = [moving_layer(kernel, taps, l == 0) for l, taps in enumerate(layers)]
        start = tuple(sum(taps[0][d] for taps in layers) for d in range(len(sizes)))
        weights = [*weights, phase_layer(kernel, angles, start)]
        weights = [(w if dtype.startswith("complex") else w.real).astype(dtype) for w in weights]
        super().__init__(shape, weights, np.ones(1, dtype), boundary=boundary, anchor="corner")
        given = vectors if len(sizes) > 1 else [vector[0] for vector in vectors]
        self._distance = tuple(given) if several else given[0]
        self._angles = angles

    def __reduce__(self):
        angle = self.angle if isinstance(self.angle, float) else self.angle.tolist()
        given = self.shape, self._distance, self.kernel, self.boundary, self.dtype, angle
        return type(self), given

    def __repr__(self):
        angle = self.angle if isinstance(self.angle, float) else f"array{self.angle.shape}"
        return (
            f"{type(self).__name__}(shape={self.shape}, distance={self._distance}, "
            f"kernel={self.kernel}, boundary={self.boundary!r}, depth={self.depth}"
            f"{'' if angle == math.pi else f', angle={angle}'}{self._arrays_in_words()})"
        )

    @property
    def angle(self):
        """The angle of all gates, or an array by distance and site."""
        first = self._angles.flat[0]
        if (self._angles == first).all():
            return float(first)
        return self._angles if len(self._angles) > 1 else self._angles[0]

    @property
    def distance(self):
        """How far the sites are that it joins: an int, a pair on a lattice, or a tuple of them.

        Called with another state it gives the distance to that, as the method of any network.
        """
        kind: Any = _Tuple if isinstance(self._distance, tuple) else _Int
        distance = kind(self._distance)
        distance.to_state = super().distance
        return distance

    @property
    def kernel(self):
        """Size of the kernel of every layer: an int, or a pair if its dimensions differ."""
        return self.layers[0].kernel

    @property
    def edges(self):
        """The joined pairs of places in the list of sites, ``(E, 2)``, the smaller one first.

        Angles of a pair that is joined twice (half way around a ring) add up; multiples of a turn
        do not join.
        """
        return self._graph[0]

    @property
    def edge_angles(self):
        """The angle of each of the pairs of `edges`, ``(E,)``."""
        return self._graph[1]

    @functools.cached_property
    def _graph(self):
        sizes, grid = self.geometry.shape, np.indices(self.geometry.shape)
        pairs, angles = [], []
        for shift, angle in zip(self._shifts, self._angles):
            ends = [x + d for x, d in zip(grid, shift)]
            inside = np.ones(sizes, bool)
            if self.boundary == "omit":
                for x, length in zip(ends, sizes):
                    inside &= (x >= 0) & (x < length)
            both = tuple(grid), tuple(ends)
            places = [np.ravel_multi_index(x, sizes, "wrap")[inside] for x in both]
            pairs.append(np.sort(np.stack(places, 1), 1))
            angles.append(np.broadcast_to(angle, sizes)[inside])
        edges, of_edge = np.unique(np.concatenate(pairs), axis=0, return_inverse=True)
        total = np.bincount(of_edge.ravel(), np.concatenate(angles), len(edges))
        joined = abs(np.exp(1j * total) - 1) > 1e-12
        graph = edges[joined], total[joined]
        for x in graph:
            x.flags.writeable = False
        return graph

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
        given = self.shape, self._distance, self.kernel, self.boundary, net.dtype, self.angle
        return type(self)(*given)


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


class _Tuple(_ToState, tuple):
    pass


def graph_state(
    shape: int | tuple[int, ...],
    distance: int | Sequence[Any],
    kernel: int | tuple[int, ...],
    boundary: str = "periodic",
    dtype: str | None = None,
    angle: Any = math.pi,
) -> GraphStateConvAC:
    """The graph state that joins every site to the one ``distance`` away, as a ConvAC.

    Its amplitudes ``prod_n (-1)**(s_n s_{n + distance})`` are exactly +1 or -1, and the entropy of
    any subset is exact at any size: a rank over GF(2). With ``depth`` layers it reaches the
    volume law of Theorem 1 of arXiv:1803.09780. Several distances, and gates of any ``angle``, make
    weighted graph states: amplitudes keep their modulus of 1, and entropies of small blocks are
    exact at any size.

    Parameters
    ----------
    shape, distance, kernel, boundary, dtype, angle
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
    return GraphStateConvAC(shape, distance, kernel, boundary, dtype, angle)


def _read_distances(distance, sizes):
    """The distances as tuples of one int per dimension, and whether several were given."""
    try:
        several = np.ndim(distance) > (len(sizes) > 1)
    except ValueError:
        several = True
    found = [_read_distance(x, sizes) for x in (distance if several else [distance])]
    if not 1 <= len(found) <= MAX_PARTNERS:
        raise GeometryError(
            f"distance={distance!r} gives {len(found)} partners to each site, and a node has 2 "
            f"channels for each of its bits; give 1 to {MAX_PARTNERS} distances."
        )
    return found, len(found) > 1


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


def _read_angles(angle, count, sizes):
    """The angles as an array ``(count,)`` or ``(count, *shape)``."""
    try:
        given = np.asarray(angle, float)
    except (TypeError, ValueError) as error:
        raise OptionError(f"angle={angle!r} is not a number or an array of numbers.") from error
    shapes: dict[Any, Any] = {(): (1,), (count,): (count,), (count, *sizes): (count, *sizes)}
    if count == 1:
        shapes[sizes] = (1, *sizes)
    if given.shape not in shapes or not np.isfinite(given).all():
        raise OptionError(
            f"angle of shape {given.shape} does not fit {count} distance(s) on shape {sizes}; give "
            f"one finite number, or an array of shape {' or '.join(map(str, list(shapes)[1:]))}."
        )
    given = given.reshape(shapes[given.shape])
    found = np.broadcast_to(given, (count, *given.shape[1:])).copy()
    found.flags.writeable = False
    return found


def _read_dtype(dtype, angles):
    """The dtype that was given, or the one that the angles need."""
    real = bool((abs(np.sin(angles)) < 1e-12).all())
    dtype = check_numpy_dtype(dtype or ("float64" if real else "complex128"))
    if not real and not dtype.startswith("complex"):
        raise OptionError(
            f"dtype={dtype!r} holds signs alone, and the angles are not all multiples of pi; use a "
            "complex dtype."
        )
    return dtype


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
