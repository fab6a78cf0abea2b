"""NetKet's restricted Boltzmann machine as a rival, where it is installed."""

import os

from common import configs, medians

os.environ["XLA_FLAGS"] = (
    "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"  # one thread, as ours
)


def against_rbm(net, batch, bar, aim):
    """Our rate over that of NetKet's RBM (alpha=4, float64, compiled) on as many sites."""
    try:
        import jax
        import netket as nk
    except ImportError:
        return {"rbm": "netket is not installed"}
    jax.config.update("jax_enable_x64", True)
    x = configs(net, batch)
    spins = jax.numpy.asarray(2.0 * x - 1.0)
    model = nk.models.RBM(alpha=4, param_dtype=float)
    params = model.init(jax.random.PRNGKey(0), spins[:1])
    apply = jax.jit(model.apply)
    mine, theirs = medians(
        lambda: net.log_amplitudes(x), lambda: apply(params, spins).block_until_ready()
    )
    return {"rbm_per_s": batch / theirs, "ratio_rbm": theirs / mine, "bar_rbm": bar, "aim_rbm": aim}
