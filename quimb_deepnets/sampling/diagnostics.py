"""How well chains mixed: whether they agree, and how many of their draws are independent.

::

    draws (draws, chains)    chain 0   a a b a | b a a b     halves agree: split R-hat near 1
                             chain 1   b b b b | b b b b     a chain that stands apart: far above 1
"""

import numpy as np

MAX_RHAT = 1.05
MIN_ACCEPTANCE, MIN_MOVED = 1e-3, 0.5  # below, chains practically stand still


def split_rhat(draws):
    """How far chains disagree: the split R-hat, 1 where they sample the same distribution.

    Every chain is cut into halves, and the variance between halves is compared with that inside
    them (Gelman and Rubin 1992; split form: Eqs. (1) to (4) of Vehtari et al., arXiv:1903.08008).

    Parameters
    ----------
    draws : array_like, shape (draws, chains)
        A real quantity along the chains, at least 4 draws.

    Returns
    -------
    float
        ``inf`` if chains stand still at different values, 1 if nothing ever changes.

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets.sampling.diagnostics import split_rhat
    >>> x = np.random.default_rng(0).normal(size=(500, 8))
    >>> split_rhat(x) < 1.01, split_rhat(x + np.arange(8)) > 2
    (True, True)
    """
    draws = np.asarray(draws, dtype=float)
    half = len(draws) // 2
    halves = np.concatenate((draws[:half], draws[-half:]), axis=1)
    return float(rhat_of(half, halves.mean(0), halves.var(0, ddof=1)))


def rhat_of(count, means, variances):
    """R-hat from the means and variances of pieces of ``count`` draws, shape (pieces, ...)."""
    between, within = count * means.var(0, ddof=1), variances.mean(0)
    still = within <= 1e-24 * (1 + (means**2).mean(0))
    ratio = between / np.where(still, 1.0, within)
    rhat = np.sqrt((count - 1) / count + ratio / count)
    moved = between > 1e-24 * (1 + (means**2).mean(0))
    return np.where(still, np.where(moved, np.inf, 1.0), rhat)


def autocorrelation_time(draws):
    """How many draws are worth one independent draw: ``1 + 2 sum_t rho(t)``.

    Parameters
    ----------
    draws : array_like, shape (draws, chains)
        A real quantity along the chains.

    Returns
    -------
    float
        At least 1, in units of draws. Correlations are averaged over chains (Eq. (10) of
        arXiv:1903.08008) and summed up to the first window of five times the result (Sokal).

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets.sampling.diagnostics import autocorrelation_time
    >>> x = np.random.default_rng(0).normal(size=(500, 8))
    >>> autocorrelation_time(x) < 1.3, autocorrelation_time(np.repeat(x, 10, axis=0)) > 8
    (True, True)
    """
    draws = np.asarray(draws, dtype=float)
    count = len(draws)
    centred = draws - draws.mean()
    spectrum = np.fft.rfft(centred, 2 * count, axis=0)
    covariance = np.fft.irfft(abs(spectrum) ** 2, axis=0)[:count].mean(1) / count
    if covariance[0] <= 1e-24 * (1 + (draws**2).mean()):
        return 1.0
    times = 2 * np.cumsum(covariance / covariance[0]) - 1
    inside = np.arange(count) >= 5 * times
    return float(max(1.0, times[inside.argmax() if inside.any() else -1]))


def why_doubtful(rhat, acceptance, moved, sweeps, max_rhat=MAX_RHAT):
    """What chains do that makes their draws doubtful, in words, or None.

    Parameters
    ----------
    rhat : float
        The largest R-hat of what they sampled.
    acceptance : float
        The share of proposals that were accepted, of those that change something.
    moved : float
        The share of chains that left where they were.
    sweeps : int
        In how many sweeps.
    max_rhat : float, optional

    Returns
    -------
    str or None

    Examples
    --------
    >>> from quimb_deepnets.sampling.diagnostics import why_doubtful
    >>> why_doubtful(1.4, 0.3, 1.0, 100)
    'the chains did not mix: R-hat is 1.400, above 1.05, so what they estimate may be wrong'
    """
    if moved == 0:
        return (
            "no chain ever moved, so the estimate knows one configuration of each chain: this may "
            "be a state of one configuration, or modes that are out of reach of each other"
        )
    if moved < MIN_MOVED or acceptance < MIN_ACCEPTANCE:
        return (
            f"the chains practically stand still: in {sweeps} sweeps {moved:.0%} of the chains "
            f"moved at all, and {acceptance:.1e} of the proposals were accepted, so that other "
            "modes may be missed"
        )
    if not rhat <= max_rhat:
        return (
            f"the chains did not mix: R-hat is {rhat:.3f}, above {max_rhat}, so what they "
            "estimate may be wrong"
        )
    return None
