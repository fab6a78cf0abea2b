"""Transfer matrices: ket and bra of chains with shared weights, summed site by site.

A chain of windows is a sum over channels of products along the chain. So is ket times bra, over
pairs of channels, and each pair is a matrix on the digits that later windows still read, with
``phys_dim`` entries in each row::

    pair (c, c')      s1 s2 ... --site s_w--> s2 ... s_w       F_c(s1 ... s_w) conj F_c'(s1 ... s_w)

    ring     sum over pairs of w_c conj w_c' trace T^N          squarings: log N products
    chain    a vector from each end, steps or squarings, whatever costs less
"""

import functools
import math
from typing import Any

import numpy as np
from autoray import do, get_dtype_name

from ..evaluation.machine import machine_of
from ..evaluation.window_tables import child_codes, folded_tables
from ..hyper.ranges import Contracted
from ..kernels.compiled import in_memory
from ..networks import ConvAC
from ..numerics.configs import identity
from ..numerics.scaled import Scaled, array_like, float_info, largest, look, modulus, take_rows
from .transfer_sites import RepeatedSites, repeated_sites

SPARE = 24  # bits of the range of floats that sums of products leave alone


class ChannelTables:
    """The windows that end at a site, multiplied: a row of all codes for each channel.

    Parameters
    ----------
    net : ConvAC
    sites : RepeatedSites
    which : int
        Which of the networks of the sites it is.
    """

    def __init__(self, net, sites, which):
        self.sites, self.which = sites, which
        short = ConvAC._of(sites.shorts[which], net.params)
        self.kinds = {kind[0]: table.even_out() for kind, table in folded_tables(short).items()}
        self.readout = rescaled(Scaled(net.readout, 0.0), 0)
        self._found: dict[Any, Scaled] = {}

    def at(self, ending):
        """The table ``(r, M**width)`` of what ends at a site, and an exponent ``(r,)``."""
        ending = ending[self.which]
        if ending not in self._found:
            self._found[ending] = self._product(ending)
        return self._found[ending]

    def _product(self, ending):
        M, width = self.sites.phys_dim, self.sites.width
        like, out, exponent = self.readout.mantissa, None, 0.0
        for kind, places in ending:
            data, bits = self.kinds[kind]
            if len(places) < width:
                data = take_rows(data, array_like(child_codes(width, places, M), data))
            out, exponent = data if out is None else out * data, exponent + bits
        out = do("ones_like", like)[None] * 1 if out is None else out
        if len(out) == 1:
            out = do("concatenate", (out,) * M**width, axis=0)
        return rescaled(Scaled(do("transpose", out, (1, 0)), exponent), 1)


class Transfer:
    """Sums over all configurations of a chain of ket times conjugate bra.

    Parameters
    ----------
    ket : ConvAC
        On a chain, of shared weights.
    bra : ConvAC, optional
        On the same sites; by default the ket.
    width : int, optional
        Let a table see so many sites at least.
    endless : bool, optional
        Of an infinite chain, see `repeated_sites`.

    Raises
    ------
    MethodError
        If the windows do not repeat along a chain.

    Examples
    --------
    >>> from quimb_deepnets import ConvAC
    >>> from quimb_deepnets.exact.transfer import Transfer
    >>> net = ConvAC.graph_state(1000, distance=3, kernel=4)
    >>> norm = Transfer(net).total
    >>> round(float(norm.array), 9), norm.bits
    (2.0, 999.0)
    """

    def __init__(self, ket: Any, bra: Any = None, width: int = 1, endless: bool = False) -> None:
        self.symmetric = bra is None
        nets = (ket,) if bra is None else (ket, bra)
        self.sites: RepeatedSites = repeated_sites(
            tuple(net.geometry for net in nets), width, endless
        )
        self.tables = [ChannelTables(net, self.sites, i) for i, net in enumerate(nets)]
        self.like = ket._like
        r, q = (len(table.readout.mantissa) for table in (self.tables[0], self.tables[-1]))
        pairs = np.triu_indices(r) if self.symmetric else np.indices((r, q)).reshape(2, -1)
        self.pairs = pairs
        self.i, self.j = (array_like(index, self.like) for index in pairs)
        self.weights = self._weights(pairs)
        self._steps: dict[Any, Any] = {}
        self._squares: list[Scaled] = []

    def _weights(self, pairs):
        """What each pair of channels counts, ``w_i conj(w_j)``; half of it on the diagonal."""
        ket, bra = self.tables[0].readout, self.tables[-1].readout
        half = self.symmetric & (pairs[0] == pairs[1])
        factor = self.number(np.where(half, 0.5, 1.0))
        mantissa = rows(ket.mantissa, self.i) * do("conj", rows(bra.mantissa, self.j)) * factor
        return Scaled(mantissa, ket.exponent[pairs[0]] + bra.exponent[pairs[1]])

    # ------------------------------------------------------------ single sites

    def table(self, n: int, codes: Any = None, factors: Any = None) -> Scaled:
        """What site ``n`` multiplies: ``(pairs, M**width)``, or that for each of a batch.

        Parameters
        ----------
        n : int
        codes : numpy.ndarray of int, shape (B, M**width), optional
            For each code of the ket that of the bra.
        factors : numpy.ndarray, shape (B, M**width), optional
            What each entry is multiplied by.
        """
        ending = self.sites.at(n)
        plain = codes is None and factors is None
        if plain and ending in self._steps:
            return self._steps[ending]
        ket, bra = (table.at(ending) for table in (self.tables[0], self.tables[-1]))
        below = do("conj", rows(bra.mantissa, self.j))
        if codes is not None:
            index = array_like(codes.reshape(-1), self.like)
            below = do("take", below, index, axis=1).reshape(-1, *codes.shape)
            below = do("transpose", below, (1, 0, 2))
        both = rows(ket.mantissa, self.i) * below
        if factors is not None:
            both = both * self.number(factors)[:, None]
        i, j = self.pairs
        found = Scaled(both, ket.exponent[i] + bra.exponent[j])
        if plain:
            self._steps[ending] = found
        return found

    @functools.cached_property
    def room(self):
        """How many sites may be passed before a rescale."""
        lowest = 0.0
        for ending in {*self.sites.head, *self.sites.block, *self.sites.tail}:
            for table in (self.tables[0], self.tables[-1]):
                size = abs(look(table.at(ending).mantissa))
                lowest = min(lowest, 2 * math.log2(size[size > 0].min(initial=1.0)))
        bits = max(math.log2(self.sites.phys_dim), -lowest)
        return max(1, int((float_info(self.like).maxexp - SPARE) / bits))

    def step(self, x: Scaled, table: Scaled) -> Scaled:
        """Columns of states ``(..., pairs, D, columns)`` one site further."""
        M, D = self.sites.phys_dim, self.sites.states
        exponent = x.exponent + table.exponent
        if D == 1:
            return Scaled(
                x.mantissa * do("sum", table.mantissa, axis=-1)[..., None, None], exponent
            )
        *lead, _, columns = x.mantissa.shape
        old = x.mantissa.reshape(*lead, M, D // M, 1, columns)
        new = table.mantissa.reshape(*table.mantissa.shape[:-1], M, D // M, M, 1)
        out: Any = None
        for digit in range(M):  # of the site that no later window reads
            part = old[..., digit, :, :, :] * new[..., digit, :, :, :]
            out = part if out is None else out + part
        return Scaled(out.reshape(*out.shape[:-3], D, columns), exponent)

    def step_back(self, y: Scaled, table: Scaled) -> Scaled:
        """What the sites behind make of states, ``(..., pairs, D)``, from before one more site."""
        M, D = self.sites.phys_dim, self.sites.states
        exponent = y.exponent + table.exponent
        if D == 1:
            return Scaled(y.mantissa * do("sum", table.mantissa, axis=-1)[..., None], exponent)
        old = y.mantissa.reshape(*y.mantissa.shape[:-1], 1, D // M, M)
        new = table.mantissa.reshape(*table.mantissa.shape[:-1], M, D // M, M)
        out = do("sum", old * new, axis=-1)
        return Scaled(out.reshape(*out.shape[:-2], D), exponent)

    def number(self, x: np.ndarray) -> Any:
        """A numpy array of factors, complex only if it is, in the precision of the weights."""
        real = get_dtype_name(do("real", self.like))
        kind = {"float32": "complex64"}.get(real, "complex128") if np.iscomplexobj(x) else real
        return array_like(x.astype(kind), self.like)

    # ------------------------------------------------------------ many sites

    @functools.cached_property
    def eye(self):
        """Every state to itself, ``(1, D, D)``."""
        one = identity(self.sites.states, self.like)[None]
        return Scaled(one, np.zeros(1))

    @functools.cached_property
    def _first(self):
        """The one state before an open chain, ``(1, D, 1)``."""
        one = np.eye(self.sites.states, 1, dtype=get_dtype_name(self.like))
        return array_like(one[None], self.like)

    def start(self) -> Scaled:
        """Before the first site: each state of a ring, or the one state of an open chain."""
        return self.eye if self.sites.ring else self._for_pairs(self._first)

    def end(self) -> Scaled:
        """Behind the last site of an open chain, ``(pairs, D)``."""
        return self._for_pairs(do("ones_like", self._first[:, :, 0]))

    def _for_pairs(self, x):
        return Scaled(do("concatenate", (x,) * len(self.i), axis=0), np.zeros(len(self.i)))

    def square(self, k: int) -> Scaled:
        """The matrices ``(pairs, D, D)`` of ``2**k`` blocks, from states before to those behind."""
        while len(self._squares) <= k:
            if not self._squares:
                first = self.sites.inside[0]
                x = self._walk(self.eye, first, first + len(self.sites.block))
                self._squares.append(rescaled(x))
            else:
                x = self._squares[-1]
                self._squares.append(_product(x, x))
        return self._squares[k]

    def _walk(self, x, start, stop):
        """States through sites ``start .. stop - 1``, one by one."""
        for count, n in enumerate(range(start, stop), 1):
            x = self.step(x, self.table(n))
            if count % self.room == 0:
                x = rescaled(x)
        return x

    def through(self, x: Scaled, start: int, stop: int) -> Scaled:
        """States through sites ``start .. stop - 1``, by steps or by squarings."""
        here, blocks = self._blocks(start, stop)
        if not blocks or not self._by_squares(x.mantissa.shape[-1], blocks):
            return self._walk(x, start, stop)
        x = self._walk(x, start, here)
        for k in range(blocks.bit_length()):
            if blocks >> k & 1:
                square = self.square(k)
                x = square if x is self.eye else _product(square, x)
        return self._walk(x, here + blocks * len(self.sites.block), stop)

    def back(self, y: Scaled, stop: int, start: int) -> Scaled:
        """Columns behind site ``stop - 1`` to before site ``start``, the same way."""
        here, blocks = self._blocks(start, stop)
        if not blocks or not self._by_squares(1, blocks):
            return self._walk_back(y, stop, start)
        y = self._walk_back(y, stop, here + blocks * len(self.sites.block))
        for k in range(blocks.bit_length()):
            if blocks >> k & 1:
                square = self.square(k)
                row = y.mantissa[..., None, :] @ square.mantissa
                y = rescaled(Scaled(row[..., 0, :], square.exponent + y.exponent), 1)
        return self._walk_back(y, here, start)

    def _walk_back(self, y, stop, start):
        for count, n in enumerate(range(stop - 1, start - 1, -1), 1):
            y = self.step_back(y, self.table(n))
            if count % self.room == 0:
                y = rescaled(y, 1)
        return y

    def _blocks(self, start, stop):
        """The first whole block within ``start .. stop - 1``, and how many there are."""
        first, behind = self.sites.inside
        size = len(self.sites.block)
        here = start if self.sites.ring else max(start, first)
        here += -(here - first) % size
        last = stop if self.sites.ring else min(stop, behind)
        return here, max(0, (last - here) // size)

    def _by_squares(self, columns, blocks):
        """Whether squarings cost less than steps."""
        return squares_cost(self.sites, len(self.i), columns, blocks, self.like) < steps_cost(
            self.sites, len(self.i), columns, blocks, self.like
        )

    # ------------------------------------------------------------ sums

    def around(self, start: int, stop: int) -> tuple[Scaled, Scaled | None]:
        """What stands before site ``start`` and, of an open chain, behind site ``stop - 1``.

        Of a ring it is one matrix from the states behind to those before.
        """
        N = self.sites.length
        if self.sites.ring:
            return self.through(self.eye, stop, start + N), None
        return self.through(self.start(), 0, start), self.back(self.end(), N, stop)

    def closed(self, x: Scaled, behind: Scaled | None) -> Scaled:
        """The numbers ``(..., pairs)`` of states ``(..., pairs, D, columns)`` at a stop."""
        if behind is None:
            return Scaled(do("einsum", "...aa->...", x.mantissa), x.exponent)
        sums = do("sum", x.mantissa[..., 0] * behind.mantissa, axis=-1)
        return Scaled(sums, x.exponent + behind.exponent)

    def over_pairs(self, values: Scaled) -> Contracted:
        """The sum over pairs of channels; of one network the half that the adjoint completes."""
        terms = values.mantissa * self.weights.mantissa
        exponent = values.exponent + self.weights.exponent
        size = modulus(look(terms))
        with np.errstate(divide="ignore"):
            sizes = np.log2(size) + exponent
        top = float(np.max(sizes, initial=-math.inf))
        if not math.isfinite(top):
            return Contracted(do("sum", terms, axis=-1), 0.0)
        bits = float(np.round(top))
        factor = np.exp2(np.minimum(exponent - bits, float_info(self.like).maxexp - 1))
        return Contracted(do("sum", terms * self.number(factor), axis=-1), bits, top)

    @functools.cached_property
    def total(self) -> Contracted:
        """The overlap of ket and bra; of one network its squared norm, real."""
        found = self.over_pairs(self.closed(*self._whole()))
        return found.map(lambda x: 2 * do("real", x)) if self.symmetric else found

    def _whole(self):
        if self.sites.ring:
            return self.through(self.eye, 0, self.sites.length), None
        return self.through(self.start(), 0, self.sites.length), self.end()


def _product(x, y):
    """The product of scaled matrices."""
    return rescaled(Scaled(x.mantissa @ y.mantissa, x.exponent + y.exponent))


def rows(x, index):
    """Some rows of an array, by the gather whose gradient is the cheapest."""
    return do("take", x, index, axis=0)


def rescaled(x, axes=2):
    """The same numbers with the largest of each group of size 1/2 to 1, exponents in numpy.

    Exponents have no gradient, and there are few of them: they stay where they are quickly added.
    """
    if in_memory(x.mantissa):  # a view: numpy calls are the cheaper ones
        numbers = look(x.mantissa)
        size = modulus(numbers).max(axis=tuple(range(-axes, 0))) if axes else modulus(numbers)
    else:
        size = look(largest(x.mantissa, axes))
    info = float_info(size)
    shift = np.frexp(size)[1].clip(info.minexp + 2, info.maxexp - 2)
    factor = array_like(np.ldexp(np.ones((), size.dtype), -shift), x.mantissa)
    return Scaled(x.mantissa * factor[(..., *[None] * axes)], x.exponent + shift)


def steps_cost(sites, pairs, columns, blocks, like):
    """Nanoseconds to take columns of states through blocks site by site."""
    machine = machine_of(like)
    each = 3 * machine.element * pairs * columns * sites.states * sites.phys_dim
    return blocks * len(sites.block) * (each + 6 * sites.phys_dim * machine.call)


def squares_cost(sites, pairs, columns, blocks, like):
    """Nanoseconds to take them through by squarings of the blocks."""
    machine, D, count = machine_of(like), sites.states, blocks.bit_length()
    ones = blocks.bit_count()
    products = 2 * machine.flop * pairs * D**2 * (count * D + ones * columns)
    first = steps_cost(sites, pairs, D, 1, like)
    return first + products + (count + ones) * 8 * machine.call
