"""Claim 1: no tensor clones every vector, not the delta, not a random one, not a trained one."""

import numpy as np
import quimb.tensor as qtn
import torch

from examples.paper.common import Row, new_figure, save_figure
from quimb_deepnets.theory import cloning_failure


def trained(dim, positive, steps, worst, seed=0):
    """Train phi to clone random unit vectors; the loss, step by step, and phi.

    The loss is the root mean square of the residual over a fresh batch, or its maximum.
    """
    generator = torch.Generator().manual_seed(seed)
    options = {"dtype": torch.float64, "generator": generator}
    phi = (0.3 * torch.randn((dim,) * 3, **options)).requires_grad_()
    optimizer = torch.optim.Adam([phi], lr=0.03)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    history = []
    for _ in range(steps):
        v = torch.randn(256, dim, **options)
        v = torch.cat([v, torch.eye(dim, dtype=v.dtype), torch.ones(1, dim, dtype=v.dtype)])
        v = v.abs() if positive else torch.cat([v, -v])
        v = v / v.norm(dim=1, keepdim=True)
        made = torch.einsum("ijk,bi->bjk", phi, v)
        squares = (made - v[:, :, None] * v[:, None, :]).pow(2).sum((1, 2))
        loss = squares.max() if worst else squares.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        history.append(squares.max().sqrt().item())
    return phi.detach().numpy(), history


def random_networks(dim, count):
    """Tensors of order 3 that come out of random quimb networks with a loop and three legs."""
    for seed in range(count):
        ring = [
            qtn.rand_tensor((dim, 3, 3), (leg, f"b{i}", f"b{(i + 1) % 3}"), seed=3 * seed + i)
            for i, leg in enumerate("vjk")
        ]
        phi = qtn.TensorNetwork(ring).contract(output_inds=("v", "j", "k")).data
        yield phi * dim**0.5 / np.linalg.norm(phi)


def draw(out, histories, bounds):
    """The worst residual against the step of the training, and the two bounds."""
    figure, ax = new_figure(figsize=(8, 4.5))
    for positive, color in ((False, "tab:red"), (True, "tab:blue")):
        what = "any v without negative entries" if positive else "any v, trained on either residual"
        for worst, style in ((False, ":"), (True, "-")):
            line = histories[positive, worst]
            ax.plot(line, style, color=color, lw=1.2)
            if positive:  # those of any v end in one point, the bound
                goal = "largest" if worst else "mean"
                words = f"trained on the {goal} residual"
                ax.text(len(line) * 1.02, line[-1], words, color=color, va="center")
        bound = bounds[positive]
        ax.axhline(bound, ls="--", color=color, lw=1)
        ax.text(
            len(line) / 5, bound + (-0.12 if positive else 0.08), what, color=color, weight="bold"
        )
        words = f"proven: no tensor is below {bound:.2f}"
        ax.text(len(line) * 1.02, bound - 0.03, words, color=color, va="top")
    ax.set(
        xlabel="step of gradient descent (Adam)",
        ylabel="largest residual of a batch of v",
        ylim=(0, None),
    )
    ax.set(
        xlim=(-0.02 * len(line), 1.55 * len(line)), xticks=range(0, len(line) + 1, len(line) // 5)
    )
    ax.set_title(
        r"No tensor $\phi$ copies a vector: trained to make "
        r"$\|\phi v - v \otimes v\|$ small for $\|v\| = 1$"
    )
    return save_figure(figure, out, "claim_1.png")


def row(out, quick=False):
    """Search for a tensor that clones, and show the vector on which each candidate fails."""
    dim, steps, count = (3, 150, 50) if quick else (4, 1000, 1000)
    delta = np.zeros((dim,) * 3)
    delta[(range(dim),) * 3] = 1.0
    runs = {(p, w): trained(dim, p, steps, w) for p in (False, True) for w in (False, True)}
    pool = [delta, *random_networks(dim, count), *(phi for phi, _ in runs.values())]
    rng = np.random.default_rng(0)
    pool += [s * rng.normal(size=(dim,) * 3) for s in (0, 1e-2, 0.1, 1, 10) for _ in range(count)]
    failures = {p: [cloning_failure(phi, positive=p) for phi in pool] for p in (False, True)}
    bounds = {p: found[0].bound for p, found in failures.items()}
    least = {p: min(f.residual for f in found) for p, found in failures.items()}
    on_basis = max(np.linalg.norm(delta[i] - np.outer(e, e)) for i, e in enumerate(np.eye(dim)))
    on_ones = failures[True][0]
    best = {
        p: min(cloning_failure(runs[p, w][0], positive=p).residual for w in (False, True))
        for p in (False, True)
    }
    holds = on_basis == 0 and on_ones.residual > 0.5 and len(set(on_ones.vector)) == 1
    holds &= all(least[p] >= bounds[p] - 1e-12 and bounds[p] > 0 for p in least)
    return Row(
        claim="Claim 1",
        says="No tensor network duplicates a vector: the only candidate that clones the basis "
        "vectors is the delta tensor, and it fails on the vector of all ones.",
        computes=f"At P={dim} the delta clones all {dim} basis vectors exactly and misses the "
        f"normalised all-ones vector by {on_ones.residual:.3f}. Among {len(pool)} candidates "
        f"(random ones, rings of tensors, four trained by gradient descent) none fails by less "
        f"than {least[False]:.4f}, or {least[True]:.4f} if only vectors without negative "
        "entries are asked for; v (x) v itself has norm 1, so a failure of 1 is that of the "
        f"tensor of zeros. The best trained ones fail by {best[False]:.4f} and {best[True]:.4f}.",
        certified="A failing vector is constructed for each candidate (cloning_failure), with a "
        f"bound that follows from linearity: no residual can be below {bounds[False]:.0f} on both "
        f"v and -v, nor below {bounds[True]:.4f} on the basis vectors and their sums.",
        holds=bool(holds),
        numbers={
            "dim": dim,
            "candidates": len(pool),
            "delta_on_basis": float(on_basis),
            "delta_on_ones": on_ones.residual,
            "least_residual": [least[False], least[True]],
            "bound": [bounds[False], bounds[True]],
            "trained_residual": [best[False], best[True]],
        },
        pictures=[draw(out, {key: history for key, (_, history) in runs.items()}, bounds)],
    )
