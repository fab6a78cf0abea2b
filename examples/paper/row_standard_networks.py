"""Figs. 1(a), 2(a): standard networks of the same form, ReLU and tanh, beside arithmetic ones."""

import itertools

import numpy as np
import torch

import quimb_deepnets as qdn
from examples.paper.common import Row, new_figure, save_figure
from quimb_deepnets.theory import rank_bound

KERNEL, DEPTH, BOND_DIM = 3, 2, 4
STYLES = {"CNN, ReLU": "o-C0", "ConvAC": "s--C2", "RNN, tanh": "o-C1", "RAC": "s--C3"}
LABELS = {  # which value a label stands at, and where
    "CNN, ReLU": (10, (38, -4), "left"),
    "ConvAC": (16, (8, 0), "left"),
    "RNN, tanh": (60, (0, -18), "center"),
    "RAC": (60, (0, 9), "center"),
}


class CNN(torch.nn.Module):
    """A ReLU network of Fig. 1(a) with global pooling; the dense layer gives log psi."""

    def __init__(self, channels, depth, kernel):
        super().__init__()
        sizes = [2] + [channels] * depth
        self.layers = torch.nn.Sequential(
            *(
                torch.nn.Sequential(
                    torch.nn.Conv1d(a, b, kernel, padding=kernel // 2), torch.nn.ReLU()
                )
                for a, b in itertools.pairwise(sizes)
            )
        )
        self.readout = torch.nn.Linear(channels, 2, bias=False)

    def forward(self, configs):
        """Amplitudes exp(a + ib) of configurations."""
        x = torch.nn.functional.one_hot(configs, 2).double().transpose(1, 2)
        return torch.view_as_complex(self.readout(self.layers(x).sum(2))).exp()


class RNN(torch.nn.Module):
    """A tanh network of Fig. 2(a): its output y is the amplitude."""

    def __init__(self, channels, depth):
        super().__init__()
        self.layers = torch.nn.RNN(2, channels, depth, batch_first=True)
        self.readout = torch.nn.Linear(channels, 2, bias=False)

    def forward(self, configs):
        """Amplitudes, the output at the last step."""
        x = torch.nn.functional.one_hot(configs, 2).double()
        return torch.view_as_complex(self.readout(self.layers(x)[0][:, -1].contiguous()))


def standard_state(network, sites, seed):
    """All amplitudes of a torch network with normal weights, in the order of quimb's sites."""
    generator = torch.Generator().manual_seed(seed)
    network.double()
    with torch.no_grad():
        for w in network.parameters():
            w.copy_(torch.randn(w.shape, generator=generator, dtype=w.dtype))
        configs = torch.tensor(list(itertools.product((0, 1), repeat=sites)))
        psi = network(configs).numpy()
    return psi / np.linalg.norm(psi)


def entropy(p):
    """In bits, of the squares of Schmidt values."""
    p = p[p > 0]
    return float(-(p * np.log2(p)).sum())


def spectra(sites, seed):
    """Squared Schmidt values at the middle of the four networks, and the two circuits."""
    sizes = {"depth": DEPTH, "bond_dim": BOND_DIM, "dtype": "complex128", "seed": seed}
    circuits = {
        "ConvAC": qdn.ConvAC.rand(sites, kernel=KERNEL, dist="entangled", **sizes),
        "RAC": qdn.RAC.rand(sites, dist="entangled", **sizes),
    }
    states = {
        "CNN, ReLU": standard_state(CNN(BOND_DIM, DEPTH, KERNEL), sites, seed),
        "RNN, tanh": standard_state(RNN(BOND_DIM, DEPTH), sites, seed),
    } | {name: net.to_dense().reshape(-1) for name, net in circuits.items()}
    dims, half = [2] * sites, range(sites // 2)
    found = {n: qdn.schmidt_values(states[n], half, dims=dims) for n in STYLES}
    return {name: np.sort(p)[::-1] for name, p in found.items()}, circuits


def draw(out, values, laws, sites):
    """The four spectra of the first seed."""
    figure, ax = new_figure(figsize=(7.5, 4.5))
    for name, style in STYLES.items():
        p = np.maximum(values[name], 1e-40) ** 0.5
        ax.semilogy(range(1, len(p) + 1), p, style, ms=4, lw=1)
        at, place, ha = LABELS[name]
        at = min(at, len(p))
        words = f"{name}: {entropy(values[name]):.1f} bits"
        ax.annotate(
            words, (at, p[at - 1]), place, textcoords="offset points", ha=ha, color=style[-2:]
        )
    for name, law in laws.items():
        ax.axvline(law + 0.5, color=STYLES[name][-2:], ls=":")
        ha, shift = ("left", 2) if law < 2 ** (sites // 2) else ("right", -1)
        words = f"no {name} of this size has\nmore than {law} Schmidt values"
        ax.text(law + shift, 1e-14, words, ha=ha, color=STYLES[name][-2:])
    ax.set(
        xlabel="number of the Schmidt value, the largest first",
        ylabel="Schmidt value",
        ylim=(1e-18, 2),
    )
    ax.set_title(
        f"Schmidt values and entropies of random networks of {sites} sites,\n"
        f"cut in the middle; all of {DEPTH} layers of {BOND_DIM} channels"
    )
    return save_figure(figure, out, "standard_networks.png")


def row(out, quick=False):
    """Entropies and numerical ranks over a few seeds."""
    sites, seeds = (10, 2) if quick else (14, 10)
    runs = [spectra(sites, seed) for seed in range(seeds)]
    circuits = runs[0][1]
    laws = {n: rank_bound(net.geometry, range(sites // 2)) for n, net in circuits.items()}
    exact = {n: int(qdn.schmidt_rank(net, range(sites // 2))) for n, net in circuits.items()}
    ranks = {n: [int((v[n] > 1e-26 * v[n][0]).sum()) for v, _ in runs] for n in STYLES}
    bits = {n: [entropy(v[n]) for v, _ in runs] for n in STYLES}
    mean = {n: float(np.mean(b)) for n, b in bits.items()}
    window = 2 ** min(DEPTH * (KERNEL - 1), sites // 2)
    holds = all(set(ranks[n]) == {law} for n, law in laws.items())
    holds &= exact == laws and all(mean[n] > 0.01 and max(ranks[n]) > 1 for n in STYLES)
    holds &= max(ranks["CNN, ReLU"]) <= window
    text = ", ".join(f"{mean[n]:.2f} ({n})" for n in STYLES)
    return Row(
        claim="Figs. 1(a), 2(a)",
        says="CACs and RACs share the architecture of common convolutional and recurrent networks "
        "and differ in the function that each layer computes.",
        computes=f"Mean entropies at the middle of {sites} sites, over {seeds} random networks of "
        'each kind (circuits with `dist="entangled"`, flat moduli; the others with normal '
        f"weights), are {text} bits of at most {sites // 2}. The circuits have the Schmidt ranks "
        f"of the exact law, {laws['ConvAC']} and {laws['RAC']}; the "
        f"ReLU network has up to {max(ranks['CNN, ReLU'])}, the tanh network up to "
        f"{max(ranks['RNN, tanh'])} above rounding, out of {2 ** (sites // 2)}.",
        certified="Numerical ranks of the circuits equal theory.rank_bound for all seeds, and "
        "so do their generic ranks in exact arithmetic. The "
        "theorems do not cover ReLU and tanh networks, whose numbers are observations on "
        "random weights; only this is exact: a network with global sum pooling and an exponential "
        f"is a product over windows, here of {1 + DEPTH * (KERNEL - 1)} sites, so its rank is at "
        f"most {window}.",
        holds=bool(holds),
        numbers={"sites": sites, "entropies": bits, "ranks": ranks, "laws": laws, "exact": exact},
        pictures=[draw(out, runs[0][0], laws, sites)],
    )
