"""Random networks of the fuzz, rebuilt from a few words, and their states from nested loops.

::

    Spec --build--> ConvAC, RAC, RBM --state_of--> values, sizes      by `tests/reference.py`
      '--simpler--> smaller Specs

Loops run in long doubles, whose exponents reach 10**4932, once with the weights and once with
their moduli: an error far above the round-off of the second is a fault.
"""

import dataclasses
import itertools

import numpy as np

import quimb_deepnets as qdn

from . import reference

KINDS = ("normal", "near ones", "integers", "signs", "sparse", "tiny", "huge", "wide")
BOUNDARIES = ("periodic", "ones", "omit", "valid")
LONG = {False: np.longdouble, True: np.clongdouble}


@dataclasses.dataclass(frozen=True)
class Spec:
    """One input of the fuzz: a network in a few words, and a call."""

    family: str  # conv, rac or rbm
    shape: tuple
    layers: tuple = ()  # of a ConvAC: (kernel, bond_dim, stride); of a RAC: bond_dims
    boundary: str = "periodic"
    anchor: str = "center"
    shared: bool = True
    phys_dim: int = 2
    kind: str = "normal"
    dtype: str = "float64"
    lib: str = "numpy"
    seed: int = 0
    call: str = "amplitudes"

    @property
    def nsites(self):
        return int(np.prod(self.shape))

    @property
    def eps(self):
        return 6e-8 if self.dtype in ("float32", "complex64") else 1.2e-16

    @property
    def is_complex(self):
        return self.dtype.startswith("complex")


def random_spec(rng, calls):
    """A random spec, small enough for nested loops."""
    family = str(rng.choice(["conv", "conv", "conv", "conv", "rac", "rac", "rbm"]))
    lattice = family != "rac" and rng.random() < 0.3
    phys_dim = 2 if family == "rbm" else int(rng.choice([2, 2, 3]))
    most = 7 if phys_dim == 2 else 4
    shape = (int(rng.integers(1, most + 1)),)
    if lattice:
        shape = (int(rng.integers(1, 4)), int(rng.integers(1, 4 if phys_dim == 2 else 3)))
    if np.prod(shape) > (8 if phys_dim == 2 else 4):
        shape = (2, 2)
    depth = int(rng.choice([1, 2, 2, 3, 3, 4]))
    layers = tuple(_random_layer(rng, len(shape)) for _ in range(depth))
    if family == "rac":
        layers = tuple(int(rng.integers(1, 5)) for _ in range(min(depth, 3)))
    if family == "rbm":
        layers = (int(rng.integers(1, 4)),)
    return Spec(
        family=family,
        shape=shape,
        layers=layers,
        boundary=str(rng.choice(BOUNDARIES)),
        anchor=str(rng.choice(["center", "corner"])),
        shared=bool(rng.random() < 0.6),
        phys_dim=phys_dim,
        kind=str(rng.choice(KINDS, p=[0.3, 0.1, 0.15, 0.1, 0.15, 0.07, 0.07, 0.06])),
        dtype=str(rng.choice(["float64", "float64", "complex128", "float32", "complex64"])),
        lib=str(rng.choice(["numpy", "torch"])),
        seed=int(rng.integers(2**31)),
        call=str(rng.choice(calls)),
    )


def _random_layer(rng, ndim):
    kernel = tuple(int(k) for k in rng.integers(1, 4, ndim))
    stride = tuple(1 if rng.random() < 0.7 else int(rng.integers(1, k + 1)) for k in kernel)
    return kernel, int(rng.integers(1, 5)), stride


def draw(shape, rng, spec):
    """An array of weights of the kind and dtype of a spec."""
    small = spec.eps > 1e-12
    x = rng.normal(size=shape)
    if spec.kind == "near ones":
        x = 1 + 0.2 * x
    elif spec.kind == "integers":
        x = rng.integers(-2, 3, shape).astype(float)
    elif spec.kind == "signs":
        x = np.sign(x)
    elif spec.kind == "sparse":
        x = x * (rng.random(shape) < 0.5)
    elif spec.kind in ("tiny", "huge"):
        x = x * 10.0 ** ((4 if small else 50) * (-1 if spec.kind == "tiny" else 1))
    elif spec.kind == "wide":
        x = x * 10.0 ** rng.integers(*((-4, 5) if small else (-40, 41)), shape)
    if spec.is_complex:
        phase = rng.choice([1, 1j, -1, -1j], shape)
        x = x * (
            phase if spec.kind in ("integers", "signs") else np.exp(2j * rng.normal(size=shape))
        )
    return x.astype(spec.dtype)


def build(spec):
    """The network of a spec, its arrays of numpy, or None where the words do not fit."""
    rng = np.random.default_rng(spec.seed)
    shape = spec.shape if len(spec.shape) > 1 else spec.shape[0]
    if spec.family == "rbm":
        hidden, sites = spec.layers[0], spec.nsites
        scale = 0.5 if spec.kind in KINDS[:5] else 0.0  # exponents of exponents leave any range
        arrays = [
            (draw(size, rng, dataclasses.replace(spec, kind=KINDS[0])) * scale).astype(spec.dtype)
            for size in ((sites,), (hidden,), (hidden, sites))
        ]
        return qdn.RBM(shape, *arrays)
    try:
        if spec.family == "rac":
            plain = qdn.RAC.rand(spec.nsites, len(spec.layers), list(spec.layers), spec.phys_dim)
        else:
            layers = [
                qdn.GCLayer(
                    *(
                        x if len(spec.shape) > 1 else x[0] if isinstance(x, tuple) else x
                        for x in layer
                    )
                )
                for layer in spec.layers
            ]
            plain = qdn.ConvAC.rand(
                shape,
                layers=layers,
                phys_dim=spec.phys_dim,
                boundary=spec.boundary,
                anchor=spec.anchor,
                shared=spec.shared,
                seed=0,
            )
        if plain.geometry.num_tensors() > 300:
            return None
        params = {name: draw(x.shape, rng, spec) for name, x in plain.params.items()}
        return type(plain).from_params(plain.geometry, params)
    except (qdn.GeometryError, qdn.WeightError):  # does not fit, or zeros where none may be
        return None


# ---------------------------------------------------------------- what is right


def values(net, params, one=np.longdouble):
    """All amplitudes by the formulas of `tests/reference.py`, last site fastest, never rounded
    below long doubles.

    params: arrays by name as in ``net.params``; they may be any numbers that multiply.
    """
    shape, M = net.geometry.shape, net.phys_dim
    digits = np.indices((M,) * net.nsites).reshape(net.nsites, -1)
    if isinstance(net, qdn.RBM):
        x = [list(params["VISIBLE"]), list(params["HIDDEN"]), list(map(list, params["WEIGHTS"]))]
        return reference.rbm_amplitude(list(digits), *x)
    if isinstance(net, qdn.RAC):
        depth = net.depth
        hidden = [params[f"WH{l}"] for l in range(1, depth + 1)]
        inputs = [params[f"WI{l}"] for l in range(1, depth + 1)]
        initial = [params[f"H0{l}"] for l in range(1, depth + 1)]
        ones = np.ones(digits.shape[1], one)
        initial = [[x * ones for x in h] for h in initial]
        out = reference.rac_amplitude(list(digits), hidden, inputs, initial, params["READOUT"], M)
        return out * ones

    weight = lambda l, position, tap: params[_name(net, l, position, tap)]
    ndim = len(shape)
    kernels = [w.shape[-2 - ndim : -2] for w in net.weights]
    strides = [s if isinstance(s, tuple) else (s,) * ndim for s in net.strides]
    config = dict(zip(itertools.product(*map(range, shape)), digits))
    out = reference.conv_amplitude(
        config, shape, kernels, strides, weight, params["READOUT"], M, net.boundary, net.anchor
    )
    return out * np.ones(digits.shape[1], one)


def _name(net, l, position, tap):
    """The name of a weight: ``W{l},{tap}``, or, one set per position, ``W{l},{pos},{tap}``."""
    text = lambda x: ",".join(map(str, x))
    name = f"W{l},{text(tap)}"
    return f"W{l},{text(position)},{text(tap)}" if name not in net.params else name


def long(params, is_complex):
    return {name: np.asarray(x).astype(LONG[is_complex]) for name, x in params.items()}


def state_of(net, spec):
    """Amplitudes ``(M**N,)`` in long doubles, and how large their terms are."""
    exact = long(net.params, spec.is_complex)
    with np.errstate(all="ignore"):
        v = values(net, exact)
        sizes = values(net, {name: np.abs(x) for name, x in exact.items()})
        if isinstance(net, qdn.RBM):
            sizes = np.abs(v)
    return v, np.abs(sizes)


ROUND_OFF = 5e3  # eps of the dtype that a derivative may err at least, of the sizes of its terms


def scale_of(x, entry):
    """How far one entry of an array moves: its modulus, or, of a zero, a tenth of the largest."""
    moduli = np.abs(x).reshape(-1).astype(np.longdouble)
    return moduli[entry] or moduli.max() / 10 or np.longdouble(1)


def derivative(net, spec, name, entry):
    """d psi / d one entry, of all amplitudes: four points of a circle, exact to fourth order."""
    return _on_a_circle(net, long(net.params, True), name, entry, 3e-5)


def terms_of_derivative(net, spec, name, entry):
    """The sizes of the terms of `derivative`, of which ``ROUND_OFF * spec.eps`` may be wrong.

    That is the derivative of a network of absolute values, and what four points leave out there:
    it is all that there is at zero of a fifth power.
    """
    params = {k: np.abs(x).astype(np.clongdouble) for k, x in long(net.params, True).items()}
    wide, near = (_on_a_circle(net, params, name, entry, step) for step in (3e-5, 1.5e-5))
    return np.abs(wide) + 2 * np.abs(wide - near) / (ROUND_OFF * spec.eps)


def _on_a_circle(net, params, name, entry, step):
    """The derivative by four points around an entry, ``step`` times its scale away."""
    step, total = scale_of(params[name], entry) * np.longdouble(step), 0
    for phase in (1, 1j, -1, -1j):
        moved = params[name].copy()
        moved.reshape(-1)[entry] += step * phase
        total = total + values(net, {**params, name: moved}, np.clongdouble) / phase
    return total / (4 * step)


# ---------------------------------------------------------------- shrinking


def simpler(spec):
    """Specs that are a little simpler, the boldest first."""
    change = lambda **words: dataclasses.replace(spec, **words)
    if spec.lib != "numpy":
        yield change(lib="numpy")
    if spec.dtype != "float64":
        yield change(dtype="float64")
        yield change(
            dtype={"complex64": "complex128", "float32": "float64"}.get(spec.dtype, "float64")
        )
    if len(spec.shape) > 1 and spec.family == "conv":
        layers = tuple((k[:1], r, s[:1]) for k, r, s in spec.layers)
        yield change(shape=spec.shape[1:], layers=layers)
    for n in range(len(spec.layers) if len(spec.layers) > 1 else 0):
        yield change(layers=spec.layers[:n] + spec.layers[n + 1 :])
    for d, size in enumerate(spec.shape):
        if size > 1:
            yield change(shape=(*spec.shape[:d], size - 1, *spec.shape[d + 1 :]))
    if spec.phys_dim > 2:
        yield change(phys_dim=2)
    for n, layer in enumerate(spec.layers):
        for less in _less(layer):
            yield change(layers=(*spec.layers[:n], less, *spec.layers[n + 1 :]))
    for word, best in (("boundary", "periodic"), ("anchor", "center"), ("shared", True)):
        if getattr(spec, word) != best:
            yield change(**{word: best})
    for kind in ("signs", "integers", "near ones", "normal"):
        if kind == spec.kind:
            break
        yield change(kind=kind)
    for seed in range(4):
        if seed < spec.seed:
            yield change(seed=seed)


def _less(layer):
    if not isinstance(layer, tuple):
        return [layer - 1] if layer > 1 else []
    kernel, bond, stride = layer
    found = [(kernel, bond - 1, stride)] if bond > 1 else []
    for d in range(len(kernel)):
        if stride[d] > 1:
            found.append((kernel, bond, (*stride[:d], 1, *stride[d + 1 :])))
        if kernel[d] > max(1, stride[d]):
            found.append(((*kernel[:d], kernel[d] - 1, *kernel[d + 1 :]), bond, stride))
    return found
