"""Entropies of states of your own: a type known by its amplitudes, and a method of your own."""

import numpy as np

import quimb_deepnets as qdn
from quimb_deepnets import entanglement as ent

FREE = ent.Cost(0, 0.0)


def dense_entropy(state, where):
    """From the whole vector, one amplitude after the other."""
    phase, log = state.log_amplitudes(np.indices((2,) * state.N).reshape(state.N, -1).T)
    return qdn.entropy(phase * np.exp(log), where, dims=(2,) * state.N)


# ---- a Jastrow state, psi(s) = exp(sum_ij v_ij s_i s_j): all that it has are its amplitudes
class Jastrow:
    def __init__(self, v):
        self.v, self.N = v, len(v)

    def log_amplitudes(self, configs):
        log = np.einsum("bi,ij,bj->b", 1.0 - 2 * configs, self.v, 1.0 - 2 * configs)
        return np.exp(1j * log.imag), log.real


@ent.view_of.register
def view_of_jastrow(state: Jastrow, dims=None):
    digest = lambda: state.v.tobytes().hex()  # for checkpoints: no other state has it
    amplitudes = ent.Amplitudes(state.log_amplitudes, 2.0 * state.N**2, digest)
    views = {"amplitudes": ent.View(lambda: FREE, lambda: amplitudes)}
    return ent.StateView(tuple(range(state.N)), (2,) * state.N, state.v, "Jastrow", views)


rng = np.random.default_rng(0)
jastrow = Jastrow(rng.normal(scale=0.3, size=(10, 10)) + 1j * rng.normal(size=(10, 10)))
print(qdn.entanglement_plan(jastrow, 5))
streamed, plain = qdn.entropy(jastrow, [0, 2, 7]), dense_entropy(jastrow, [0, 2, 7])
print(f"Jastrow state, sites 0, 2, 7: {streamed:.6f} bits, from the dense vector {plain:.6f}")
assert abs(streamed - plain) < 1e-10


# ---- a product of Bell pairs: the entropy of any subset is the number of pairs that it cuts
class BellPairs:
    def __init__(self, pairs):
        self.pairs, self.N = pairs, 2 * len(pairs)

    def log_amplitudes(self, configs):
        equal = np.all([configs[:, i] == configs[:, j] for i, j in self.pairs], axis=0)
        return equal * 1.0, np.where(equal, -np.log(2) * self.N / 4, -np.inf)


@ent.view_of.register
def view_of_pairs(state: BellPairs, dims=None):
    amplitudes = ent.Amplitudes(state.log_amplitudes, 1.0 * state.N, lambda: str(state.pairs))
    views = {
        "amplitudes": ent.View(lambda: FREE, lambda: amplitudes),
        "pairs": ent.View(lambda: FREE, lambda: state.pairs),  # a view that nobody knows but us
    }
    return ent.StateView(tuple(range(state.N)), (2,) * state.N, np.ones(1), "BellPairs", views)


def cut_pairs(view, places, progbar=False):
    inside, pairs = set(places), view.views["pairs"].value
    return ent.FlatSpectrum(sum((i in inside) != (j in inside) for i, j in pairs))


cost = lambda view, places, what="spectrum": ent.Cost(0, float(len(view.sites)))
ent.add_method(ent.Method("pairs", "pairs", cost, cut_pairs))

small = BellPairs([(i, 9 - i) for i in range(5)])
assert qdn.entanglement_plan(small, 5).chosen == "pairs"
for where in (5, [0, 9], [1, 3, 8]):
    found = {method: qdn.entropy(small, where, method=method) for method in ("pairs", "gram")}
    found["dense"] = dense_entropy(small, where)
    print("Bell pairs,", where, {name: round(float(bits), 9) for name, bits in found.items()})
    assert np.ptp(list(found.values())) < 1e-9
large = BellPairs([(i, 9999 - i) for i in range(5000)])
assert qdn.entropy(large, 5000) == 5000
