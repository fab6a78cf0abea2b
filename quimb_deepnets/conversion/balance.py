"""Coordinates in which all vectors that a recurrence can reach fill the unit ball.

A polynomial of degree n on R**R is dominated by the directions that its coordinates stretch most,
and the vectors that occur may lie in others. Each step therefore gets coordinates of its own, the
ellipsoid of least volume around what is reachable as the unit ball::

         .  *                     .-*-.
       .  *              frame   *     *        h --> frame h, |frame h| <= 1 to a few percent
     *  .                ----->   *   *
    *                             '-*-'
"""

import numpy as np

KEPT = 128  # reachable vectors that are followed: the outermost ones
ROUNDS = 32  # of the iteration for the ellipsoid


def frames(start, maps, steps, precision):
    """For each step the matrix into its coordinates and the one back.

    Parameters
    ----------
    start : numpy.ndarray, shape (R,)
    maps : numpy.ndarray, shape (M, R, R)
        What a step does to a vector, one matrix for each value of a site.
    steps : int
    precision : float
        Relative size below which a direction counts as unreachable.

    Returns
    -------
    there, back : numpy.ndarray, shape (steps + 1, R, R)
        Inverses of each other. A direction that is not reached is stretched up to
        ``1 / precision``.

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets.conversion.balance import frames
    >>> maps = np.array([[[1, 0], [0, 1e-3]], [[1, 0], [0, -1e-3]]])
    >>> there, back = (x[1] for x in frames(np.ones(2), maps, 1, 1e-12))
    >>> round(float(np.linalg.norm(there @ [1, 1e-3])), 6), np.allclose(there @ back, np.eye(2))
    (1.0, True)
    """
    points, found = start[None], []
    for step in range(steps + 1):
        points = points / (np.abs(points).max() or 1.0)
        there, back = ellipsoid(points, precision)
        found.append((there, back))
        if step < steps:
            far = np.linalg.norm(points @ there.T, axis=1)
            points = points[np.argsort(-far, kind="stable")[:KEPT]]
            points = np.concatenate([points @ matrix.T for matrix in maps])
    return tuple(np.stack(matrices) for matrices in zip(*found))


def ellipsoid(points, precision):
    """Coordinates in which the ellipsoid of least volume around ``(n, R)`` points is the unit ball.

    The multiplicative algorithm of Silvey, Titterington and Torsney, Commun. Stat. 7, 1379 (1978):
    the weight of each point is multiplied by its leverage score.
    """
    count, R = points.shape
    u, sizes, vh = np.linalg.svd(np.pad(points, ((0, R), (0, 0))), full_matrices=False)
    if not sizes[0]:
        return np.eye(R), np.eye(R)
    rank = int((sizes > precision * sizes[0]).sum())
    u, weights = u[:count, :rank], np.full(count, 1 / count)
    gram = lambda: (u.conj().T * weights) @ u
    for _ in range(ROUNDS):
        leverage = ((u @ np.linalg.inv(gram())) * u.conj()).sum(1).real
        weights = weights * leverage / rank
    half = np.eye(R, dtype=points.dtype)
    half[:rank, :rank] = np.linalg.cholesky(rank * gram())
    sizes = np.maximum(sizes, precision * sizes[0])
    there = np.linalg.inv(half).conj() @ (vh.conj() / sizes[:, None])
    return there, (vh.T * sizes) @ half.conj()
