"""Which changes Metropolis chains propose, in a sector or not, and how a batch of them is drawn.

Whatever is proposed, the way back is as likely, so that no ratio of proposals is needed::

    ("flip", "many")     one site, or each with a probability from 1 / N to 1
    ("exchange",)        two sites of different digits: the number of ones stays
    ("flip", masks)      what arrays say, digits added modulo the local dimension, or taken away

Moves of many sites cost as much as they change sites, and are mostly rejected on large systems: a
sweep, as many proposals as sites, spends no more on ``many`` and ``shuffle`` than one of 16 sites,
and has as many of ``all``.

Compiled chains draw one change at a time, `kernels.proposals`; here is the version for batches.
"""

from typing import Any

import numpy as np

from ..errors import ConfigError, OptionError
from ..geometry.where import as_plain
from ..kernels.proposals import ALL, EXCHANGE, FLIP, MANY, MASKS, SHUFFLE, ChainMoves
from ..numerics.configs import check_configs

NAMES = {"flip": FLIP, "exchange": EXCHANGE, "many": MANY, "shuffle": SHUFFLE, "all": ALL}
WEIGHTS = np.array([0.5, 0.2, 0.25, 0.25, 0.05, 0.5])  # of each kind, in the order of the kinds
FEW, RARER = 16, np.array([0, 0, 2, 2, 1, 0])  # sites from which on they fall, by which power
DEFAULT, IN_A_SECTOR = ("flip", "exchange", "many", "all"), ("exchange", "shuffle", "all")


def check_sector(sector: Any, nsites: int, phys_dim: int) -> int | None:
    """The number of ones that ``sector`` is, or None.

    Raises
    ------
    OptionError
        If the sector does not exist.
    """
    if sector is None:
        return None
    sector = as_plain(sector)
    if not isinstance(sector, int) or isinstance(sector, bool):
        raise OptionError(f"sector={sector!r} is not a number of ones; give an int, or None.")
    if phys_dim != 2:
        raise OptionError(
            f"sector={sector} counts ones, and with phys_dim={phys_dim} sites have other digits "
            "too; leave it out, or give moves=('exchange',) and start=, which keep every digit."
        )
    if not 0 <= sector <= nsites:
        raise OptionError(
            f"sector={sector} is not a number of ones on {nsites} sites; use 0 to {nsites}."
        )
    return sector


def read_moves(
    moves: Any, shape: tuple[int, ...], phys_dim: int, sector: int | None
) -> tuple[ChainMoves, tuple[str, ...]]:
    """The moves that a user names or gives as masks, and what to call them.

    Parameters
    ----------
    moves : None, str, array or sequence of these
        Names are "flip", "exchange", "many", "shuffle" and "all"; arrays are masks, of shape
        ``(*shape)`` or ``(m, *shape)``.
    shape : tuple[int]
    phys_dim : int
    sector : int or None
        A number of ones that must not change.

    Raises
    ------
    OptionError
        If a name is not known, or a move always leaves the sector.
    ConfigError
        If masks do not fit the sites.

    Examples
    --------
    >>> from quimb_deepnets.sampling.moves import read_moves
    >>> read_moves(None, (4,), 2, None)[1], read_moves([[1, 1, 0, 0]], (4,), 2, 2)[1]
    (('flip', 'exchange', 'many', 'all'), ('1 masks',))
    """
    nsites = int(np.prod(shape))
    if moves is None:
        moves = DEFAULT if sector is None else IN_A_SECTOR[: 3 if 2 * sector == nsites else 2]
    if isinstance(moves, str) or hasattr(moves, "shape"):
        moves = (moves,)
    if not hasattr(moves, "__iter__"):
        raise OptionError(f"moves={moves!r} does not name moves; use some of {', '.join(NAMES)}.")
    weights, names, given = np.zeros(len(WEIGHTS)), [], [np.zeros((0, nsites), np.int64)]
    for move in moves:
        if isinstance(move, str):
            _check_name(move, sector, nsites)
            weights[NAMES[move]] = WEIGHTS[NAMES[move]]
            names.append(move)
        else:
            given.append(_read_masks(move, shape, phys_dim))
    masks = np.concatenate(given)
    if len(masks):
        weights[MASKS] = WEIGHTS[MASKS]
        names.append(f"{len(masks)} masks")
    if not weights.any():
        raise OptionError(f"moves={moves!r} is empty; use some of {', '.join(NAMES)}, or masks.")
    if sector is not None and (odd := masks.sum(1) % 2 == 1).any():
        raise ConfigError(
            f"mask {int(odd.argmax())} of moves changes an odd number of sites, which always "
            f"leaves sector={sector}; give masks of even numbers of sites."
        )
    weights *= min(1, FEW / nsites) ** RARER
    owners, sites = np.nonzero(masks)
    below = np.cumsum(weights) / weights.sum()
    below[np.flatnonzero(weights)[-1] :] = 1
    starts = np.searchsorted(owners, np.arange(len(masks) + 1))
    arrays = [x.astype(np.int32) for x in (starts, sites, masks[owners, sites])]
    return ChainMoves(below, arrays[0], arrays[1], arrays[2], sector is not None), tuple(names)


def _check_name(move, sector, nsites):
    """Refuse a name that is not known, or leaves the sector for sure."""
    if move not in NAMES:
        raise OptionError(
            f"moves={move!r} is not known; use some of {', '.join(map(repr, NAMES))}, or masks."
        )
    leaves = move in ("flip", "many") or (move == "all" and 2 * (sector or 0) != nsites)
    if sector is not None and leaves:
        raise OptionError(
            f"the move {move!r} leaves sector={sector} of {nsites} sites; use 'exchange', "
            "'shuffle', or masks of pairs of sites."
        )


def _read_masks(masks, shape, phys_dim):
    """Masks of any accepted form as digits ``(m, N)``, each of which changes something."""
    try:
        ndim = np.ndim(masks)
    except ValueError:
        ndim = 0  # ragged: refused below
    masks = np.asarray(check_configs([masks] if ndim == len(shape) else masks, shape, phys_dim))
    masks = masks.reshape(len(masks), -1).astype(np.int64)
    if not masks.any(1).all():
        raise ConfigError(
            f"mask {int((~masks.any(1)).argmax())} of moves changes no site; leave it out."
        )
    return masks


# ---------------------------------------------------------------- batches


def propose(
    digits: np.ndarray, moves: ChainMoves, phys_dim: int, rng: np.random.Generator
) -> np.ndarray:
    """Changed configurations, drawn so that the way back is as likely.

    Parameters
    ----------
    digits : numpy.ndarray of int, shape (B, N)
    moves : ChainMoves
    phys_dim : int
    rng : numpy.random.Generator

    Returns
    -------
    numpy.ndarray of int, shape (B, N)
        The same where a change would leave the sector, or there is none.
    """
    new = digits.copy()
    if phys_dim == 1:
        return new
    kinds = np.searchsorted(moves.below, rng.random(len(digits)), side="right")
    for kind in np.unique(kinds):
        here = np.flatnonzero(kinds == kind)
        x = digits[here]
        if kind == EXCHANGE:
            new[here] = _exchanged(x, rng)
        elif kind == SHUFFLE:
            new[here] = _shuffled(x, rng)
        else:
            new[here] = (x + _added(kind, x.shape, moves, phys_dim, rng)) % phys_dim
    if moves.fixed:
        left = new.sum(1) != digits.sum(1)
        new[left] = digits[left]
    return new


def _added(kind, shape, moves, phys_dim, rng):
    """What is added to each digit by moves that do not look at them."""
    B, N = shape
    shift = np.zeros(shape, np.int64)
    if kind == FLIP:
        shift[np.arange(B), rng.integers(N, size=B)] = rng.integers(1, phys_dim, size=B)
    elif kind == MANY:
        shift = _some(shape, rng) * rng.integers(1, phys_dim, size=shape)
    elif kind == ALL:
        shift += rng.integers(1, phys_dim, size=(B, 1))
    else:
        which = rng.integers(len(moves.starts) - 1, size=B)
        sign = np.where((phys_dim > 2) & (rng.random(B) < 0.5), -1, 1)
        for b, i in enumerate(which):
            entries = slice(moves.starts[i], moves.starts[i + 1])
            shift[b, moves.sites[entries]] = sign[b] * moves.added[entries]
    return shift


def _some(shape, rng):
    """Some sites of each configuration, each with a probability from 1 / N to 1."""
    rate = np.exp(rng.uniform(-np.log(shape[1]), 0, (shape[0], 1)))
    return rng.random(shape) < rate


def _exchanged(x, rng):
    """A random site and a random one of another digit, if there is one, exchanged."""
    rows = np.arange(len(x))
    i = rng.integers(x.shape[1], size=len(x))
    keys = np.where(x == x[rows, i][:, None], -1.0, rng.random(x.shape))
    j = np.where(keys.max(1) < 0, i, keys.argmax(1))
    new = x.copy()
    new[rows, i], new[rows, j] = x[rows, j], x[rows, i]
    return new


def _shuffled(x, rng):
    """The digits of some sites in random order."""
    some = _some(x.shape, rng)
    here = np.argsort(~some, axis=1, kind="stable")  # some sites first, in their order
    there = np.argsort(np.where(some, rng.random(x.shape), 2.0), axis=1, kind="stable")
    new = np.empty_like(x)
    np.put_along_axis(new, here, np.take_along_axis(x, there, 1), 1)
    return new
