"""The entanglement of a block of neighbouring sites with the rest of a chain.

Windows that cross an end of the block are given to the rest. Seen from there the block is a channel
and its outermost sites, ``width - 1`` at each end; its own sum is a transfer matrix, so that its
Gram matrix has a small block for each choice of these sites::

    rest ... y | l ... interior ... r | x ... rest        k = (c, l, r): psi = sum_k A_k E_k
               `------- block -------'

    G_A[c l r, c' l r]     powers of the transfer matrix          sqrt(G_A) G_E sqrt(G_A): the
    G_E[c l r, c' l' r']   windows at the ends, the rest's sum    Schmidt values are its spectrum
"""

from typing import Any

import numpy as np
from autoray import stop_gradient, to_numpy

from ..errors import MethodError
from ..numerics.scaled import Scaled
from .transfer import Transfer


def block_of(sites: Any, places: Any) -> tuple[int, int]:
    """The first of some places and the one behind the last, if they are neighbours in a row.

    Of an open chain, the block or the rest that begins with the first site; of a ring, one with
    enough sites outside.

    Raises
    ------
    MethodError
        If they are not, or one side has fewer sites than windows reach over.
    """
    N, reach, inside = sites.length, sites.width - 1, set(places)
    starts = [n for n in inside if (n - 1) % N not in inside]
    if not sites.ring and {0, N - 1} <= inside:  # the rest is in one piece, if at all
        inside = set(range(N)) - inside
        starts = [n for n in inside if n - 1 not in inside]
    elif not sites.ring:
        starts = [n for n in inside if n - 1 not in inside]
        if N - 1 in inside:
            inside = set(range(N)) - inside
            starts = [0]
    contiguous = len(starts) == 1 and all((starts[0] + k) % N in inside for k in range(len(inside)))
    if not contiguous:
        raise MethodError(
            "the sites are not neighbours in a row, and transfer matrices see blocks; use "
            "method='reduced' or 'to_mps'."
        )
    rest = N - len(inside)
    if len(inside) < reach or (rest < reach and sites.ring):
        raise MethodError(
            f"windows of {sites.width} sites reach across a block of {len(inside)} or the {rest} "
            "sites of the rest; use method='reduced'."
        )
    return starts[0], starts[0] + len(inside)


def gram_size(sites: Any, channels: int, start: int) -> int:
    """The size of both Gram matrices."""
    ends = 1 if start == 0 and not sites.ring else 2
    return channels * sites.states**ends


def block_spectrum(transfer: Transfer, start: int, stop: int) -> np.ndarray:
    """The matrix whose eigenvalues are the Schmidt values of a block, of any scale.

    Parameters
    ----------
    transfer : Transfer
        Of one network.
    start, stop : int
        The block, as `block_of` gives it.

    Returns
    -------
    numpy.ndarray, shape (k, k)
        Hermitian.

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets import ConvAC
    >>> from quimb_deepnets.exact.transfer import Transfer
    >>> from quimb_deepnets.exact.transfer_blocks import block_spectrum
    >>> net = ConvAC.graph_state(10**4, distance=1, kernel=2)
    >>> values = np.linalg.eigvalsh(block_spectrum(Transfer(net), 5, 7000))
    >>> int((values > 1e-12 * values.max()).sum())  # two bits, one at each end
    4
    """
    sites, reach = transfer.sites, transfer.sites.width - 1
    from_left = start == 0 and not sites.ring
    if from_left:
        own = _full(transfer, transfer.through(transfer.start(), 0, stop))  # (r, r, R, 1)
    else:
        own = _full(transfer, transfer.through(transfer.eye, start + reach, stop))
    own = np.transpose(own, (3, 2, 0, 1))  # (l, r, c, c')
    rest = _rest(transfer, start, stop, from_left)  # (c, l, r, c', l', r')
    c, l, r = rest.shape[:3]
    root = _root(np.transpose(own, (0, 1, 3, 2)))  # of the transposed
    half = np.einsum("lrab,blrxyz->alrxyz", root, rest, optimize=True)
    both = np.einsum("alrbyz,yzbd->alrdyz", half, root, optimize=True)
    both = both.reshape(c * l * r, -1)
    return (both + both.conj().T) / 2


def _rest(transfer, start, stop, from_left):
    """The Gram matrix of the rest, ``(c, l, r, c', l', r')``, with the read-out."""
    sites, reach = transfer.sites, transfer.sites.width - 1
    N, D = sites.length, sites.states
    beyond = min(reach, N - stop) if not sites.ring else reach
    right = _bridges(transfer, stop, stop + beyond)  # (c, x, r)
    if beyond < reach:  # states behind still hold sites of the block: new ones alone count
        new = sites.phys_dim**beyond
        right = right.reshape(len(right), D // new, new, D).sum(1)
    if sites.ring:
        left = _bridges(transfer, start, start + reach)  # (c, l, y)
        middle = _full(transfer, transfer.through(transfer.eye, stop + reach, start + N))
        half = np.einsum("abyx,axr,bxs->abyrs", middle, right, right.conj(), optimize=True)
        found = np.einsum("abyrs,aly,bmy->alrbms", half, left, left.conj(), optimize=True)
    else:
        behind = np.ones((len(right),) * 2 + (right.shape[1],))
        if beyond == reach:
            behind = _full(transfer, transfer.back(transfer.end(), N, stop + reach))
        ends = np.einsum("abx,axr,bxs->abrs", behind, right, right.conj(), optimize=True)
        if from_left:
            found = np.transpose(ends, (0, 2, 1, 3))[:, None, :, :, None]
        else:
            before = _full(transfer, transfer.through(transfer.start(), 0, start))[..., 0]
            left = _bridges(transfer, start, start + reach)
            begins = np.einsum("aby,aly,bmy->ablm", before, left, left.conj(), optimize=True)
            found = np.einsum("ablm,abrs->alrbms", begins, ends, optimize=True)
    w = transfer.tables[0].readout
    w = _numbers(w.mantissa) * np.exp2(w.exponent - np.max(w.exponent))
    return found * w[:, None, None, None, None, None] * w.conj()[None, None, None, :, None, None]


def _bridges(transfer, start, stop):
    """What the windows that end at sites do, by channel, ``(c, after, before)``."""
    x = transfer.eye
    for n in range(start, stop):
        x = transfer.step(x, transfer.tables[0].at(transfer.sites.at(n)))
    shift = np.broadcast_to(x.exponent, len(x.mantissa)) - np.max(x.exponent)
    one = _numbers(x.mantissa)
    one = np.broadcast_to(one, (len(transfer.tables[0].readout.mantissa), *one.shape[1:]))
    return one * np.exp2(shift)[:, None, None]


def _full(transfer, x: Scaled):
    """Numbers of pairs of channels for all of these, ``(c, c', ...)``, of any scale."""
    i, j = transfer.pairs
    exponent = np.broadcast_to(x.exponent, len(i))
    numbers = _numbers(x.mantissa)
    numbers = np.broadcast_to(numbers, (len(i), *numbers.shape[1:]))
    numbers = numbers * np.exp2(exponent - exponent.max()).reshape(-1, *[1] * (numbers.ndim - 1))
    r = int(max(i)) + 1
    full = np.zeros((r, r, *numbers.shape[1:]), numbers.dtype)
    full[j, i] = numbers.conj()
    full[i, j] = numbers
    return full


def _numbers(x):
    return to_numpy(stop_gradient(x)).astype(np.result_type(to_numpy(stop_gradient(x)), float))


def _root(x):
    """The square roots of positive matrices, the last two axes of an array."""
    values, vectors = np.linalg.eigh(x)
    values = np.sqrt(values.clip(0))
    return (vectors * values[..., None, :]) @ vectors.conj().swapaxes(-1, -2)
