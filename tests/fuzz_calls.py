"""What the fuzz calls, each beside the same from dense long doubles.

A call gets a `Trial` and asserts with `Trial.near`; a named error of the package is judged by
`tests.fuzz`.
"""

import copy
import functools
import itertools
import pickle
import tempfile

import numpy as np
import torch

import quimb_deepnets as qdn

from . import fuzz_specs

CALLS = {}
OF_WINDOWS = ("entropies", "two_subsystems", "density")


class Wrong(AssertionError):
    """A result that differs from the right one."""


class Trial:
    """A network, its right state, and random choices, for one call."""

    def __init__(self, spec):
        self.spec, self.rng = spec, np.random.default_rng([spec.seed, 1])
        self.plain = fuzz_specs.build(spec)
        if self.plain is None:
            return
        self.net = self.plain.to("torch") if spec.lib == "torch" else self.plain
        self.v, self.sizes = fuzz_specs.state_of(self.plain, spec)
        # sizes of zero are exact only where no long double was too small
        least = np.finfo(np.longdouble).tiny * 1e100
        exact = spec.kind not in ("tiny", "wide") or self.sizes.min() > least
        self.finite = bool(exact and np.isfinite(self.v).all() and np.isfinite(self.sizes).all())
        with np.errstate(all="ignore"):
            self.norm = np.sqrt((np.abs(self.v) ** 2).sum())
            self.bulk = np.sqrt((self.sizes**2).sum())
        self.small = spec.eps > 1e-12
        self.asked = [(self.v, self.sizes)]  # a call that changes the network adds its states

    @property
    def extreme(self):
        """Whether numbers leave what the dtype holds, or squares of them."""
        present = self.sizes[self.sizes > 0]
        if self.spec.kind in ("tiny", "huge", "wide") or not present.size:
            return True
        low, high = (1e-15, 1e15) if self.small else (1e-140, 1e140)
        moduli = np.abs(self.v[self.v != 0])
        return bool(present.max() > high or (moduli.size and moduli.min() < low))

    @property
    def leaves_range(self):
        """Whether an amplitude is outside the range of the dtype, or round-off that may be."""
        if self.spec.kind == "wide" and self.spec.call in OF_WINDOWS:
            return True  # one window tensor may span more than the dtype, and says so
        return any(self._outside(np.abs(v), sizes) for v, sizes in self.asked)

    def _outside(self, v, sizes):
        info, error = np.finfo(self.spec.dtype), 2e3 * self.spec.eps * sizes
        outside = (v > info.max / 10) | ((v < info.tiny * 10) & (error > 0))
        return bool((outside | ((v <= error) & (error > info.max))).any())

    @property
    def cancels(self):
        """Whether the whole state is round-off of larger terms."""
        return not self.norm > (1e-3 if self.small else 1e-7) * self.bulk

    @property
    def sites(self):
        return list(self.net.sites)

    def tensor(self):
        """The state of norm about 1 in double precision, one axis for each site."""
        v = self.v / self.norm if self.norm else self.v
        kind = np.complex128 if self.spec.is_complex else np.float64
        return v.astype(kind).reshape((self.net.phys_dim,) * self.net.nsites)

    def slack(self, factor=1.0):
        """Round-off relative to the norm of the state."""
        return float(3e3 * self.spec.eps * factor * (self.bulk / self.norm if self.norm else 1))

    def near(self, what, found, right, error):
        """Raise `Wrong` unless two results agree within an absolute error, entry by entry."""
        found = numpy_of(found)
        right = np.asarray(right)
        if found.shape != right.shape:
            raise Wrong(f"{what}: shape {found.shape}, right is {right.shape}")
        with np.errstate(all="ignore"):
            bad = ~(np.abs(found - right) <= error)
        if bad.any():
            i = tuple(np.argwhere(bad)[0]) if bad.ndim else ()
            raise Wrong(
                f"{what}: {found[i]!s}, right is {right[i]!s} (allowed error "
                f"{np.broadcast_to(error, right.shape)[i]:.1e}) at {tuple(map(int, i))}"
            )

    def configs(self, count=None, living=False):
        """Codes and configurations, in random order, with repeats; some of non-zero amplitude."""
        pool = np.arange(len(self.v))
        if living:
            pool = pool[np.abs(self.v) > (1e-3 if self.small else 1e-6) * self.sizes]
        if not len(pool):
            return pool, None
        codes = self.rng.choice(pool, count or int(self.rng.integers(1, 2 * len(pool) + 1)))
        return codes, self.spell(codes)

    def spell(self, codes):
        M, N = self.net.phys_dim, self.net.nsites
        digits = codes[:, None] // M ** np.arange(N)[::-1] % M
        return digits.reshape(len(codes), *self.net.geometry.shape)

    def subset(self, most=None):
        """Some sites in random order, as places."""
        N = self.net.nsites
        count = int(self.rng.integers(1, min(N, most or N) + 1))
        return tuple(int(i) for i in self.rng.permutation(N)[:count])


def numpy_of(x):
    if isinstance(x, torch.Tensor):
        return x.detach().resolve_conj().resolve_neg().cpu().numpy()
    return np.asarray(x)


def call(function):
    CALLS[function.__name__] = function
    return function


def rho_of(x, places):
    m = np.moveaxis(x, places, range(len(places))).reshape(x.shape[0] ** len(places), -1)
    return m @ m.conj().T


def act(x, G, places):
    n, M = len(places), x.shape[0]
    out = np.tensordot(G.reshape((M,) * (2 * n)), x, axes=(range(n, 2 * n), places))
    return np.moveaxis(out, range(n), places)


# ---------------------------------------------------------------- networks


@call
def amplitudes(t):
    codes, configs = t.configs()
    chunk = [None, 1, 3, 7][t.rng.integers(4)]
    found = t.net.amplitudes(configs, chunk=chunk)
    t.near("amplitudes", found, t.v[codes], 2e3 * t.spec.eps * t.sizes[codes])
    one = t.net.amplitude(configs[0])
    t.near("amplitude", one, t.v[codes[0]], 2e3 * t.spec.eps * t.sizes[codes[0]])


def _logs(t, phase, logabs, codes):
    phase, logabs = numpy_of(phase), numpy_of(logabs)
    v, sizes = t.v[codes], t.sizes[codes]
    if (dead := sizes == 0).any() and not (np.isneginf(logabs[dead]) & (phase[dead] == 0)).all():
        raise Wrong(f"log_amplitudes of zeros: {phase[dead]}, {logabs[dead]}, right 0, -inf")
    with np.errstate(all="ignore"):
        error = 2e3 * t.spec.eps * np.where(dead, 1, sizes)
        live = np.abs(v) > 1e3 * error
        value = phase * np.exp(logabs.astype(np.longdouble) - np.log(np.where(live, np.abs(v), 1)))
        t.near(
            "log_amplitudes / right",
            value[live],
            (v / np.abs(v))[live],
            (error / np.abs(v) + 1e2 * t.spec.eps * np.abs(np.log(np.abs(v))))[live],
        )
        silent = ~live & ~dead
        if (logabs[silent] > np.log(2e3 * error[silent])).any():
            raise Wrong(f"log_amplitudes: {logabs[silent]} where the amplitude is round-off")


@call
def log_amplitudes(t):
    codes, configs = t.configs()
    phase, logabs = t.net.log_amplitudes(configs, chunk=[None, 1, 5][t.rng.integers(3)])
    _logs(t, phase, logabs, codes)


@call
def plans(t):
    if t.spec.family != "conv":
        return
    codes, configs = t.configs()
    level = int(t.rng.integers(0, t.net.depth + 1))
    group = None
    if level == t.net.depth:
        sizes = tuple(int(g) for g in t.rng.integers(1, 4, len(t.net.geometry.shape)))
        group = sizes if len(sizes) > 1 else sizes[0]
        group = None if t.rng.random() < 0.3 else group
    try:
        plan = t.net.plan(len(configs), level=level, group=group)
    except (qdn.OptionError, qdn.BudgetError):
        return  # no such level or group here
    _logs(t, *t.net.log_amplitudes(configs, plan=plan), codes)


@call
def to_dense(t):
    t.near("to_dense", t.net.to_dense(), t.v[:, None], 2e3 * t.spec.eps * t.sizes[:, None])


def _some_entries(t, count=4):
    for name in t.rng.permutation(list(t.plain.params))[:3]:
        size = t.plain.params[name].size
        for entry in t.rng.permutation(size)[:count]:
            yield str(name), int(entry)


def _columns(t):
    """The first column of each parameter in ``log_derivatives``."""
    ends = np.cumsum([x.size for x in t.plain.params.values()])
    return dict(zip(t.plain.params, [0, *ends]))


@call
def log_derivatives(t):
    codes, configs = t.configs(int(t.rng.integers(1, 12)), living=True)
    if not len(codes):
        return
    found = numpy_of(t.net.log_derivatives(configs, chunk=[None, 1, 3][t.rng.integers(3)]))
    v, sizes, first = t.v[codes], t.sizes[codes], _columns(t)
    for name, entry in _some_entries(t):
        exact = fuzz_specs.derivative(t.plain, t.spec, name, entry)[codes] / v
        terms = fuzz_specs.terms_of_derivative(t.plain, t.spec, name, entry)[codes]
        if t.spec.family == "rbm":
            terms = np.abs(exact * v)
        if not (np.isfinite(exact).all() and np.isfinite(terms).all()):
            continue
        scale = fuzz_specs.scale_of(t.plain.params[name], entry)
        error = (
            terms / np.abs(v) + np.abs(exact) * sizes / np.abs(v) + 0.1 * sizes / np.abs(v) / scale
        )
        exact = exact if t.spec.is_complex else exact.real
        t.near(
            f"log_derivatives by {name}[{entry}]",
            found[:, first[name] + entry],
            exact,
            5e3 * t.spec.eps * error + (1e-12 * np.abs(exact)),
        )


@call
def flip_ratios(t):
    codes, configs = t.configs(int(t.rng.integers(1, 12)), living=True)
    if not len(codes):
        return
    found = numpy_of(t.net.flip_ratios(configs, chunk=[None, 1, 3][t.rng.integers(3)]))
    M, N = t.net.phys_dim, t.net.nsites
    for n, m in itertools.product(range(N), range(M)):
        power = M ** (N - 1 - n)
        to = codes + (m - codes // power % M) * power
        v = t.v[codes]
        exact = t.v[to] / v
        error = t.sizes[to] / np.abs(v) + np.abs(exact) * t.sizes[codes] / np.abs(v)
        bound = 3e3 * t.spec.eps * error + np.finfo(t.spec.dtype).tiny  # 0 below the range
        t.near(f"flip_ratios of site {n} to {m}", found[:, n, m], exact, bound)


@call
def copies(t):
    with tempfile.TemporaryDirectory() as folder:
        qdn.save(t.net, f"{folder}/net.npz")
        found = {
            "pickle": pickle.loads(pickle.dumps(t.net)),
            "deepcopy": copy.deepcopy(t.net),
            "copy": copy.copy(t.net),
            "save and load": qdn.load(f"{folder}/net.npz"),
            "from_params": type(t.net).from_params(t.net.geometry, t.net.params),
            "to there and back": t.net.to("torch").to("numpy"),
            "double": t.net.to(dtype="complex128" if t.spec.is_complex else "float64"),
            "complex": t.net.to(dtype="complex64" if t.small else "complex128"),
        }
    codes, configs = t.configs()
    for what, net in found.items():
        _logs_of(t, what, net, codes, configs)


def _logs_of(t, what, net, codes, configs):
    try:
        _logs(t, *net.log_amplitudes(configs), codes)
    except Wrong as error:
        raise Wrong(f"after {what}: {error}") from error


@call
def writes(t):
    """One weight gets another value: every form of the network sees it, and no copy does."""
    name = str(t.rng.choice(list(t.plain.params)))
    entry = int(t.rng.integers(t.plain.params[name].size))
    params = {key: x.copy() for key, x in t.plain.params.items()}
    params[name].reshape(-1)[entry] = 1.25
    exact = type(t.plain).from_params(t.plain.geometry, params)
    v, sizes = fuzz_specs.state_of(exact, t.spec)
    t.asked.append((v, sizes))
    net = [t.net, copy.deepcopy(t.net), pickle.loads(pickle.dumps(t.net))][t.rng.integers(3)]
    net.amplitudes(t.configs()[1])  # so that what is kept between calls is there
    other = copy.deepcopy(net)
    if t.spec.lib == "torch":
        net.params[name][np.unravel_index(entry, params[name].shape)] = 1.25
    else:
        net = net.with_params({name: params[name]})
    error, before = 2e3 * t.spec.eps * sizes, 2e3 * t.spec.eps * t.sizes
    codes, configs = t.configs()
    t.near("to_dense after a write", net.to_dense()[:, 0], v, error)
    t.near("amplitudes after a write", net.amplitudes(configs), v[codes], error[codes])
    t.near("amplitudes of a copy", other.amplitudes(configs), t.v[codes], before[codes])
    if not t.extreme:
        found = net.to_tensor_network().to_dense(optimize="greedy")[:, 0]
        t.near("tensor network after a write", found, v, 10 * error)


# ---------------------------------------------------------------- tensor networks


def _network_calls(t, make):
    """Every exact tool of quimb on a tensor network of the state."""
    if t.extreme:
        return
    psi, x, sites = make(), t.tensor(), t.sites
    M, N, slack, rng = t.net.phys_dim, t.net.nsites, t.slack(), t.rng
    scale, bulk = t.norm, t.bulk
    dense = lambda p: numpy_of(p.to_dense(optimize="greedy")).reshape(-1)
    state = t.v
    error = 5e3 * t.spec.eps * bulk
    which = int(rng.integers(11))
    if which == 0:
        t.near("to_dense", dense(psi), state, error)
    elif which == 1:
        t.near("norm", psi.norm(), scale, 5 * error + np.sqrt(t.spec.eps) * bulk * t.cancels)
    elif which == 2:
        other = fuzz_specs.build(fuzz_specs.dataclasses.replace(t.spec, seed=t.spec.seed + 1))
        if other is None:
            return
        w, sizes = fuzz_specs.state_of(other, t.spec)
        other = other.to("torch") if t.spec.lib == "torch" else other
        bound = 5e3 * t.spec.eps * (t.sizes * sizes).sum()
        phi = (
            other.to_tensor_network()
            if rng.random() < 0.5 or t.spec.family == "rbm"
            else other.collapse()
        )
        if rng.random() < 0.5:
            t.near("overlap", psi.overlap(phi), (w.conj() * state).sum(), 3 * bound)
        elif rng.random() < 0.5:
            t.near("sum", dense(psi + phi), state + w, error + 5e3 * t.spec.eps * sizes)
        else:
            t.near("difference", dense(psi - phi), state - w, error + 5e3 * t.spec.eps * sizes)
    elif which == 3:
        t.near("psi - psi", dense(psi - psi), 0 * state, error)
        if bulk:
            t.near("norm of psi - psi", (psi - psi).norm(), 0.0, 30 * np.sqrt(t.spec.eps) * bulk)
    elif which == 4:
        value = int(rng.integers(M))
        place = int(rng.integers(N))
        found = numpy_of(psi.isel({psi.site_ind(sites[place]): value}).to_dense()).reshape(-1)
        right = np.take(state.reshape((M,) * N), value, axis=place).reshape(-1)
        t.near(f"isel site {place} to {value}", found, right, error)
    elif which == 5 and scale:
        places = t.subset(2)
        G = rng.normal(size=(M ** len(places),) * 2)
        G = G.astype("float32" if t.small else "float64")
        G = torch.tensor(G) if t.spec.lib == "torch" else G
        if t.spec.is_complex and t.spec.lib == "torch":
            G = G.to(torch.complex64 if t.small else torch.complex128)
        contract = [True, False][rng.integers(2)]
        found = dense(psi.gate(G, [sites[i] for i in places], contract=contract))
        right = act(x, numpy_of(G).astype(x.dtype), places).reshape(-1)
        t.near(f"gate on {places}", found, right * scale, 30 * slack * scale)
    elif which == 6:
        codes, configs = t.configs(3)
        found = psi.amplitude(configs[0], optimize="greedy") if hasattr(psi, "amplitude") else None
        if found is not None:
            t.near("amplitude by contraction", found, state[codes[0]], 5 * error)
    elif which == 7:
        t.near("psi * 2 + psi", dense(psi * 2 + psi), 3 * state, 4 * error)
        t.near("distance to 2 psi", psi.distance(psi * 2), scale, 1e2 * np.sqrt(t.spec.eps) * bulk)
    elif t.cancels:
        return
    elif which == 8:
        places = t.subset(3)
        found = psi.partial_trace_exact([sites[i] for i in places])
        t.near(f"partial_trace_exact of {places}", found, rho_of(x, places), 10 * slack)
    elif which == 9:
        places = t.subset(2)
        G = rng.normal(size=(M ** len(places),) * 2)
        right = np.trace(G @ rho_of(x, places))
        G = _like(t, G)
        found = psi.local_expectation_exact(G, [sites[i] for i in places])
        t.near(f"local_expectation_exact on {places}", found, right, 1e2 * slack)
    else:
        new = psi.normalize()
        t.near("normalize", dense(new), x.reshape(-1), 10 * slack)


def _like(t, G):
    """An operator of the library and dtype of the state."""
    G = G.astype(t.spec.dtype)
    return torch.tensor(G) if t.spec.lib == "torch" else G


@call
def expanded(t):
    _network_calls(t, t.net.to_tensor_network)


@call
def dense_nodes(t):
    if t.spec.family != "rbm":
        _network_calls(t, lambda: t.net.to_tensor_network(nodes="dense"))


@call
def collapsed(t):
    if t.spec.family != "rbm":
        _network_calls(t, t.net.collapse)


@call
def collapsed_network(t):
    if t.spec.family != "rbm":
        _network_calls(t, lambda: t.net.to_tensor_network().collapse())


@call
def dup_modes(t):
    if t.extreme:
        return
    psi = t.net.to_tensor_network()
    mode = ["tree", "mps", "dense"][t.rng.integers(3)]
    try:
        new = psi.hyperinds_resolve(mode)
    except qdn.BudgetError:
        return
    if new.contraction_width(optimize="greedy") > 24:  # seconds, or gigabytes
        return
    found = numpy_of(new.to_dense(optimize="greedy")).reshape(-1)
    t.near(f"hyperinds_resolve({mode!r})", found, t.v, 5e3 * t.spec.eps * t.bulk)


@call
def many_regions(t):
    if t.spec.family == "rbm" or t.extreme or t.cancels:
        return
    phi, x, sites = t.net.collapse(), t.tensor(), t.sites
    regions = [t.subset(3) for _ in range(4)]
    found = phi.partial_traces_exact([[sites[i] for i in places] for places in regions])
    for places, rho in zip(regions, found):
        t.near(f"partial_traces_exact of {places}", rho, rho_of(x, places), 10 * t.slack())


@call
def to_mps(t):
    if t.spec.family == "rbm" or len(t.spec.shape) > 1 or t.extreme or t.cancels or t.small:
        return
    mps, x, N = t.net.to_mps(), t.tensor(), t.net.nsites
    found = numpy_of(mps.to_dense()).reshape(-1)
    slack = 1e-11 + 10 * t.slack()
    t.near("to_mps", found / t.norm, (x * 1.0).reshape(-1), slack)
    t.near("norm of to_mps", mps.norm() / t.norm, 1.0, slack)
    if N > 1:
        mps.normalize()
        cut = int(t.rng.integers(1, N))
        t.near(f"entropy({cut}) of to_mps", mps.entropy(cut), _bits(x, range(cut)), 1e-6)


# ---------------------------------------------------------------- entanglement


def _schmidt(x, places):
    m = np.moveaxis(x, places, range(len(places))).reshape(x.shape[0] ** len(places), -1)
    p = np.linalg.svd(m, compute_uv=False) ** 2
    return p / p.sum()


def _bits(x, places):
    p = _schmidt(x, places)
    p = p[p > 0]
    return float(-(p * np.log2(p)).sum())


def _methods(t, places):
    """The methods that apply to a subsystem."""
    plan = qdn.entanglement_plan(t.net, [t.sites[i] for i in places])
    names = [row["method"] for row in plan.rows if row["flops"] is not None]
    return [name for name in ("auto", *names) if name not in ("approx",)]


def _entropy_error(t):
    slack = t.slack()
    return 1e2 * slack * max(1, -np.log2(slack)) + (1e-4 if t.small else 1e-8)


@call
def entropies(t):
    if t.net.nsites < 2 or t.cancels:
        return
    places = t.subset(t.net.nsites - 1)
    x, where = t.tensor(), [t.sites[i] for i in places]
    method = str(t.rng.choice(_methods(t, places)))
    error = _entropy_error(t)
    what = f"(where={where}, method={method!r})"
    which = int(t.rng.integers(5))
    p = _schmidt(x, places)
    if which == 0:
        t.near(f"entropy{what}", t.net.entropy(where, method=method), _bits(x, places), error)
    elif which == 1:
        alpha = [1, 2, 3, np.inf][t.rng.integers(4)]
        right = (
            _bits(x, places)
            if alpha == 1
            else -np.log2(p[0])
            if alpha == np.inf
            else np.log2((p**alpha).sum()) / (1 - alpha)
        )
        found = t.net.renyi_entropy(where, alpha, method=method)
        t.near(f"renyi_entropy{what}, alpha={alpha}", found, right, error)
    elif which == 2:
        found = numpy_of(t.net.schmidt_values(where, method=method))
        size = max(len(found), len(p))
        pad = lambda y: np.pad(y, (0, size - len(y)))
        t.near(f"schmidt_values{what}", pad(found), pad(p), error)
    elif which == 3:
        gap = p[0] - (p[1] if len(p) > 1 else 0)
        t.near(f"schmidt_gap{what}", t.net.schmidt_gap(where, method=method), gap, error)
    else:
        found = t.net.entropies(method="auto")
        right = [_bits(x, range(cut)) for cut in range(1, t.net.nsites)]
        t.near("entropies()", found, right, error)


@call
def two_subsystems(t):
    N = t.net.nsites
    if N < 2 or t.cancels:
        return
    places = t.subset(4)
    if len(places) < 2:
        return
    cut = int(t.rng.integers(1, len(places)))
    a, b, x, M = places[:cut], places[cut:], t.tensor(), t.net.phys_dim
    sysa, sysb = ([t.sites[i] for i in part] for part in (a, b))
    error = _entropy_error(t)
    if t.rng.random() < 0.5:
        right = _bits(x, a) + _bits(x, b) - (_bits(x, places) if len(places) < N else 0.0)
        t.near(f"mutinf_subsys({sysa}, {sysb})", t.net.mutinf_subsys(sysa, sysb), right, 3 * error)
    else:
        da, db = M ** len(a), M ** len(b)
        rho = rho_of(x, places).reshape(da, db, da, db).transpose(2, 1, 0, 3).reshape(da * db, -1)
        right = np.log2(np.abs(np.linalg.eigvalsh(rho)).sum())
        found = t.net.logneg_subsys(sysa, sysb)
        bound = 1e3 * np.sqrt(t.slack()) if len(places) == N else 3 * error
        t.near(f"logneg_subsys({sysa}, {sysb})", found, right, bound)


@call
def density(t):
    if t.cancels:
        return
    places = t.subset(3)
    where = [t.sites[i] for i in places]
    found = t.net.partial_trace_exact(where)
    t.near(f"net.partial_trace_exact({where})", found, rho_of(t.tensor(), places), 30 * t.slack())


# ---------------------------------------------------------------- gradients


def _trainable(t):
    params = {name: torch.tensor(x).requires_grad_() for name, x in t.plain.params.items()}
    return params, type(t.plain).from_params(t.plain.geometry, params)


def _check_gradients(t, params, value, right):
    """Gradients of a real value, beside ``right(name, entry) = d value / d entry, error``."""
    value.backward()
    for name, entry in _some_entries(t):
        grad = params[name].grad
        found = 0.0 if grad is None else numpy_of(grad.reshape(-1)[entry])
        exact, error = right(name, entry)
        if not (np.isfinite(exact) and np.isfinite(error)):
            continue
        exact = np.conj(exact) if t.spec.is_complex else exact.real
        t.near(f"gradient by {name}[{entry}]", found, exact, error)


@call
def gradients(t):
    """Of a weighted sum of amplitudes, by the network or one of its tensor networks."""
    if t.extreme:
        return
    codes, configs = t.configs()
    form = ["amplitudes", "to_dense", "expanded", "collapsed"][t.rng.integers(4)]
    if t.spec.family == "rbm" and form == "collapsed":
        return
    params, net = _trainable(t)
    if form == "amplitudes":
        weights = t.rng.normal(size=len(codes))
        found = net.amplitudes(configs)
    else:
        weights, codes = t.rng.normal(size=len(t.v)), np.arange(len(t.v))
        if form == "to_dense":
            found = net.to_dense()[:, 0]
        else:
            psi = net.to_tensor_network() if form == "expanded" else net.collapse()
            found = psi.to_dense(optimize="greedy").reshape(-1)
    like = torch.tensor(weights.astype(t.spec.dtype))
    value = (found * like).sum()
    value = value.real if value.is_complex() else value

    def right(name, entry):
        d = fuzz_specs.derivative(t.plain, t.spec, name, entry)[codes]
        size = fuzz_specs.terms_of_derivative(t.plain, t.spec, name, entry)[codes]
        if t.spec.family == "rbm":
            size = np.abs(d)
        scale = fuzz_specs.scale_of(t.plain.params[name], entry)
        bound = size.sum() + 0.1 * t.sizes[codes].sum() / scale
        return (weights * d).sum(), 1e4 * t.spec.eps * np.abs(weights).max() * bound

    _check_gradients(t, params, value, right)


@call
def log_gradients(t):
    """Of a weighted sum of log|psi|."""
    codes, configs = t.configs(living=True)
    if not len(codes) or t.spec.kind in ("tiny", "huge", "wide"):
        return
    params, net = _trainable(t)
    weights = t.rng.normal(size=len(codes))
    logabs = net.log_amplitudes(configs)[1]
    value = (logabs * torch.tensor(weights.astype("float32" if t.small else "float64"))).sum()

    def right(name, entry):
        v, sizes = t.v[codes], t.sizes[codes]
        d = fuzz_specs.derivative(t.plain, t.spec, name, entry)[codes] / v
        size = fuzz_specs.terms_of_derivative(t.plain, t.spec, name, entry)[codes]
        if t.spec.family == "rbm":
            size = np.abs(d * v)
        scale = fuzz_specs.scale_of(t.plain.params[name], entry)
        bound = (size + np.abs(d) * sizes + 0.1 * sizes / scale) / np.abs(v)
        return (weights * d).sum(), 1e4 * t.spec.eps * (np.abs(weights) * bound).sum()

    _check_gradients(t, params, value, right)


@call
def norm_gradients(t):
    """Of the squared norm, contracted from a tensor network."""
    if t.extreme or t.cancels:
        return
    params, net = _trainable(t)
    psi = (
        net.to_tensor_network()
        if t.rng.random() < 0.5 or t.spec.family == "rbm"
        else net.collapse()
    )
    value = psi.norm() ** 2
    value = value.real if value.is_complex() else value

    def right(name, entry):
        d = fuzz_specs.derivative(t.plain, t.spec, name, entry)
        size = fuzz_specs.terms_of_derivative(t.plain, t.spec, name, entry)
        if t.spec.family == "rbm":
            size = np.abs(d)
        scale = fuzz_specs.scale_of(t.plain.params[name], entry)
        bound = (t.sizes * size).sum() + 0.1 * (t.sizes**2).sum() / scale
        return 2 * (t.v.conj() * d).sum(), 4e4 * t.spec.eps * bound

    _check_gradients(t, params, value, right)


names = functools.partial(sorted, CALLS)
