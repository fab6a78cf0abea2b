"""Methods "mps" and "to_mps": any subset of a chain, from the tensors of its MPS.

The sites of a subset come in runs. A run matters only through its two bonds, so each becomes one
leg, no larger than their product; the first and the last run of an open chain are isometries in
canonical form and drop out::

      B       A         B      A
    o-o-o---o-o-o-o---o-o-o---o-o         canonical: the two ends are isometries
          |         |       |
       l ---- X ------- Y ------ C r      X: (l, p, r), p at most l * r; C: the centre
              |         |
              A         B

"to_mps" first turns a deep network into an MPS, exactly, with bonds that are predicted.
"""

import functools
import itertools
import math

import numpy as np
from autoray import do, stop_gradient, to_numpy

from ...conversion.exact_mps import qr
from ...jobs.progress import progress
from ...numerics.scaled import Scaled
from ...numerics.sizes import check_norm
from ..registry import Method, add_method
from ..spectra import MAX_SVD, spectrum_of_matrix
from ..views import Cost, View, as_flops


class ChainView(View):
    """A chain of arrays ``(left, phys, right)``; the first left is the last right: 1 if open.

    Parameters
    ----------
    cost, make : callable
        See `View`.
    bonds : callable
        Without arguments, all ``N + 1`` bonds, as far as they are known before it is made.
    log2_norm : callable, optional
        Without arguments, the binary logarithm of the norm, where the arrays leave it out.
    """

    def __init__(self, cost, make, bonds, log2_norm=None):
        super().__init__(cost, make)
        self.bonds = functools.cache(bonds)
        self.log2_norm = log2_norm or (lambda: norm_of(self.value))


def site_arrays(mps):
    """The arrays ``(left, phys, right)`` of an MPS; None if its tensors are not a chain."""
    tensors, L = [], mps.L
    for site in range(L):
        tids = mps.tag_map.get(mps.site_tag(site), ())
        if len(tids) != 1:
            return None
        tensors.append(mps.tensor_map[next(iter(tids))])
    if mps.num_tensors != L or any(len(tids) > 2 for tids in mps.ind_map.values()):
        return None
    bonds = [tuple(a.bonds(b)) for a, b in itertools.pairwise(tensors)]
    wrap = tuple(tensors[-1].bonds(tensors[0])) if L > 2 else ()
    arrays = []
    for site, t in enumerate(tensors):
        left = bonds[site - 1] if site else wrap
        right = bonds[site] if site < L - 1 else wrap
        inds = (*left, mps.site_ind(site), *right)
        if set(inds) != set(t.inds) or len(inds) != t.ndim:
            return None
        data = t.transpose(*inds).data
        phys = t.ind_size(mps.site_ind(site))
        arrays.append(data.reshape(math.prod(map(t.ind_size, left)), phys, -1))
    return arrays


def runs_of(places, count):
    """Cut ``0..count - 1`` into runs that are all inside or all outside: (start, stop, inside)."""
    inside = set(places)
    found = []
    for kind, group in itertools.groupby(range(count), inside.__contains__):
        run = list(group)
        found.append((run[0], run[-1] + 1, kind))
    return found


# ---------------------------------------------------------------- what it costs


def cost(name, view, places, what="spectrum"):
    """From the bonds alone: canonical form, runs, and the singular values."""
    chain = view.views[name]
    made, bonds, dims = chain.cost, chain.bonds(), view.dims
    runs = runs_of(places, len(dims))
    canonical = sum(4.0 * d * l * r * max(l, r) for l, d, r in zip(bonds, dims, bonds[1:]))
    sides, largest, work = {True: 1, False: 1}, max(bonds) ** 2, canonical
    for i, (start, stop, kind) in enumerate(runs):
        l, r = bonds[start], bonds[stop]
        physical = math.prod(dims[start:stop])
        size = min(physical, l * r)
        if bonds[0] == 1 and i in (0, len(runs) - 1):
            size = r if i == 0 else l
        elif physical > l * r:
            inner = bonds[start : stop + 1]
            steps = list(zip(inner, dims[start:], inner[1:]))
            if what == "tail":
                work += sum(6.0 * d * l * a * (l * b) * min(l * b, d * l * a) for a, d, b in steps)
                largest = max(largest, *(3 * d * l * a * l * b for a, d, b in steps))
            else:
                work += sum(2.0 * d * l * l * a * b * max(a, b) for a, d, b in steps)
                work += 9.0 * (l * r) ** 3
                largest = max(largest, 3 * (l * max(inner)) ** 2)
        sides[kind] *= size
    a, b = sorted(sides.values())
    total = max(a * b * bonds[0] ** 2, largest) * 3
    last = as_flops((24 if what == "tail" and a > MAX_SVD else 6) * a * a * b)
    return Cost(made.bytes + total * view.itemsize, made.flops + work + last)


# ---------------------------------------------------------------- any subset


def spectrum(name, view, places, progbar=False):
    """The spectrum of the places, from one leg for each run."""
    return spectrum_of_matrix(_matrix(view.views[name].value, places, _one_leg), len(view.sites))


def tail(name, view, places, progbar=False):
    """The same without squares: each leg from QR decompositions."""
    x = _matrix(view.views[name].value, places, _fine_leg)
    return spectrum_of_matrix(x, len(view.sites), tail=True)


def _matrix(arrays, places, one_leg):
    """The state as a matrix of the legs of the places by those of the rest, up to isometries."""
    closed = arrays[0].shape[0] > 1
    if closed:
        arrays, places = _rotated(arrays, set(places))
    runs = runs_of(places, len(arrays))
    if closed:
        rights, gauge = _right_canonical(arrays)  # balanced bonds: _one_leg squares the tensors
        rights[-1] = do("tensordot", rights[-1], gauge, axes=1)
        lefts, gauge = _left_canonical(rights)
        parts = [*(one_leg(lefts[start:stop]) for start, stop, _ in runs), gauge]
    else:
        lefts, gauge = _left_canonical(arrays[: runs[-1][0]])
        gauge = gauge @ _right_canonical(arrays[runs[-1][0] :])[1]
        parts = [*(one_leg(lefts[start:stop]) for start, stop, _ in runs[1:-1]), gauge]
    psi = functools.reduce(lambda x, y: do("tensordot", x, y, axes=1), parts)
    if closed:
        left, *legs, right = psi.shape
        psi = do("einsum", "apa->p", psi.reshape(left, -1, right)).reshape(*legs)
    inside = [i for i, run in enumerate(runs) if run[2]]
    outside = [i for i, run in enumerate(runs) if not run[2]]
    size = math.prod(psi.shape[i] for i in inside)
    return do("transpose", psi, (*inside, *outside)).reshape(size, -1)


def log2_amplitudes(arrays, configs):
    """The binary logarithms of the moduli of some amplitudes, ``(B,)``, of a chain of arrays.

    Parameters
    ----------
    arrays : sequence of numpy.ndarray, shape (left, phys, right)
    configs : numpy.ndarray of int, shape (B, N)
    """
    first = np.eye(arrays[0].shape[0])
    rows, bits = np.broadcast_to(first, (len(configs), *first.shape)), np.zeros(len(configs))
    for x, digits in zip(arrays, configs.T):
        every = np.tensordot(rows, x, axes=1)  # (B, closed, phys, right): no matrix is gathered
        rows = every[np.arange(len(configs)), :, digits]
        size = abs(rows).max((1, 2))
        bits += np.log2(size)
        rows = rows / np.where(size > 0, size, 1)[:, None, None]
    return bits + np.log2(abs(np.trace(rows, axis1=1, axis2=2)))


def norm_of(arrays):
    """The binary logarithm of the norm of an open chain, stable however its parts cancel."""
    if arrays[0].shape[0] > 1:
        return None
    gauge, total = do("ones_like", arrays[0][:, 0, :1]), 0.0
    for x in arrays:
        x = do("tensordot", gauge, x, axes=1)
        gauge, shift = Scaled.of(qr(x.reshape(-1, x.shape[2]))[1])
        total += shift
    size = float(do("linalg.norm", gauge))
    return total + math.log2(size) if size else -math.inf


def _rotated(arrays, inside):
    """A closed chain turned so that its first site and its last are in different runs."""
    count = len(arrays)
    turn = next(n for n in range(count) if (n in inside) != ((n - 1) % count in inside))
    return arrays[turn:] + arrays[:turn], {(n - turn) % count for n in inside}


def _left_canonical(arrays):
    """Left-canonical arrays, and the matrix behind them."""
    lefts, gauge = [], None
    for x in arrays:
        x = x if gauge is None else do("tensordot", gauge, x, axes=1)
        q, r = qr(x.reshape(-1, x.shape[2]))
        lefts.append(q.reshape(*x.shape[:2], -1))
        gauge, _ = Scaled.of(r)
    return lefts, gauge


def _right_canonical(arrays):
    """Right-canonical arrays, and the matrix before them."""
    rights, gauge = [], None
    for x in reversed(arrays):
        x = x if gauge is None else do("tensordot", x, gauge, axes=1)
        left = x.shape[0]
        q, r = qr(do("transpose", x.reshape(left, -1), (1, 0)))
        rights.append(do("transpose", q, (1, 0)).reshape(-1, *x.shape[1:]))
        gauge, _ = Scaled.of(do("transpose", r, (1, 0)))
    return rights[::-1], gauge


def _one_leg(arrays):
    """A run as ``(left, leg, right)``, up to an isometry on its sites."""
    left, right = arrays[0].shape[0], arrays[-1].shape[2]
    if math.prod(x.shape[1] for x in arrays) <= left * right:
        x = functools.reduce(lambda x, y: do("tensordot", x, y, axes=1), arrays)
        return x.reshape(left, -1, right)
    gram = do("einsum", "lpc,mpd->lmcd", do("conj", arrays[0]), arrays[0])
    for x in arrays[1:]:
        gram = do("tensordot", gram, x, axes=1)  # (l, m, c, p, d')
        gram = do("tensordot", gram, do("conj", x), axes=((2, 3), (0, 1)))  # (l, m, d', c')
        gram = do("transpose", gram, (0, 1, 3, 2))
    gram = do("transpose", gram, (0, 2, 1, 3)).reshape(left * right, left * right)
    gram, _ = Scaled.of(gram)
    check_norm(float(do("max", do("abs", stop_gradient(gram)))))
    size, vectors = do("linalg.eigh", gram)
    kept = to_numpy(stop_gradient(size)) > 1e-15 * float(stop_gradient(size[-1]))
    size, vectors = size[kept], vectors[:, kept]
    leg = do("sqrt", size)[:, None] * do("conj", do("transpose", vectors, (1, 0)))
    return do("transpose", leg.reshape(-1, left, right), (1, 0, 2))


def _fine_leg(arrays):
    """The same, the sites taken in one by one, so that nothing is squared."""
    leg, left = None, arrays[0].shape[0]
    for x in arrays:
        leg = x if leg is None else do("tensordot", leg, x, axes=1)
        leg = leg.reshape(left, -1, x.shape[2])
        if leg.shape[1] > left * x.shape[2]:
            flat = do("transpose", leg, (1, 0, 2)).reshape(leg.shape[1], -1)
            leg, _ = Scaled.of(qr(flat)[1])
            leg = do("transpose", leg.reshape(-1, left, x.shape[2]), (1, 0, 2))
    return leg


# ---------------------------------------------------------------- all cuts


def sweep(name, view, cuts, progbar=False):
    """The spectra of all cuts of an open chain: a QR sweep to the left, and one back."""
    arrays = view.views[name].value
    if arrays[0].shape[0] > 1:
        return [spectrum(name, view, tuple(range(cut))) for cut in cuts]
    rights, gauge = _right_canonical(arrays[1:])
    x, found = do("tensordot", arrays[0], gauge, axes=1), {}
    following = [*rights, None][: max(cuts)]
    for n, right in enumerate(progress(following, progbar), 1):
        _, r = qr(x.reshape(-1, x.shape[2]))
        r, _ = Scaled.of(r)
        if n in cuts:
            found[n] = spectrum_of_matrix(r, len(arrays))
        if right is not None:
            x = do("tensordot", r, right, axes=1)
    return [found[cut] for cut in cuts]


for _name in ("mps", "to_mps"):
    _cost, _spectrum, _sweep, _tail = (
        functools.partial(f, _name) for f in (cost, spectrum, sweep, tail)
    )
    add_method(Method(_name, _name, _cost, _spectrum, _sweep, tail=_tail))
