"""One sliced contraction on threads, processes, dask, ray or MPI: the same number everywhere.

    python examples/one_norm_on_many_machines.py                                # two threads
    python examples/one_norm_on_many_machines.py processes
    python examples/one_norm_on_many_machines.py dask tcp://scheduler:8786
    python examples/one_norm_on_many_machines.py ray
    mpiexec -n 4 python -m mpi4py.futures examples/one_norm_on_many_machines.py mpi

docs/scale_out.md has the same under SLURM.
"""

import concurrent.futures
import contextlib
import math
import sys

import quimb_deepnets as qdn


@contextlib.contextmanager
def workers(kind, *address):
    """An executor of the kind asked for."""
    if kind == "threads":
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            yield pool
    elif kind == "processes":
        with concurrent.futures.ProcessPoolExecutor(2) as pool:
            yield pool
    elif kind == "dask":
        from dask.distributed import Client

        with Client(*address) as client:  # without an address a cluster on this machine
            yield client
    elif kind == "mpi":
        from mpi4py.futures import MPIPoolExecutor

        with MPIPoolExecutor() as pool:
            yield pool
    else:
        yield kind  # a word that cotengra knows, such as "ray" or "loky"


def main(kind="threads", *address):
    """Contract ket and bra of a torus, slice by slice."""
    net = qdn.ConvAC.rand((5, 5), 2, 3, 4, boundary="periodic", dist="uniform", loc=1.0, seed=0)
    report = qdn.path_report(net, "norm", "collapsed", optimize="quick", target_size=2**22)
    print(report)
    info = {}
    with workers(kind, *address) as executor:
        mantissa, exponent = qdn.contract_sliced(
            net,
            "norm",
            executor,
            target_size=2**22,
            strip_exponent=True,
            progbar=True,
            info=info,  # add checkpoint="norm.npz" to go on after a crash
        )
    print(f"norm {mantissa:.12f} * 10**{exponent:.6f} by {kind}: {info}")
    assert info["slices"] > 1 and math.isfinite(mantissa)


if __name__ == "__main__":
    main(*sys.argv[1:])
