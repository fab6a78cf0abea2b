"""A ground state whose samples are drawn on threads, MPI ranks or dask workers: the same digits.

    python examples/ground_state_on_many_machines.py                            # two threads
    mpiexec -n 5 python -m mpi4py.futures examples/ground_state_on_many_machines.py mpi 3600
    python examples/ground_state_on_many_machines.py scheduler.json 3600        # dask

Under SLURM see docs/scale_out.md. Submitted again, a job goes on from its checkpoint.
"""

import concurrent.futures
import sys

import quimb as qu
import quimb.operator
import quimb.tensor as qtn

import quimb_deepnets as qdn


def workers(kind):
    """An executor: threads, MPI ranks, or the workers of the scheduler in a file."""
    if kind == "threads":
        return concurrent.futures.ThreadPoolExecutor(2)
    if kind == "mpi":
        from mpi4py.futures import MPIPoolExecutor

        return MPIPoolExecutor()
    from dask.distributed import Client

    return Client(scheduler_file=kind)


def main(kind="threads", seconds=None):
    """Heisenberg on 6 x 6 sites; 256 chains are 8 shards, so that 8 workers are busy at most."""
    H = qu.operator.heisenberg_from_edges(qtn.edges_2d_square(6, 6, cyclic=True))
    start = {"boundary": "periodic", "dist": "uniform", "loc": 1, "scale": 0.05, "seed": 0}
    net = qdn.ConvAC.rand((6, 6), layers=[qdn.GCLayer(3, 4), qdn.GCLayer(2, 2)], **start)
    with workers(kind) as executor:
        gs = qdn.GroundState(
            net, H, sector=18, sign_rule="marshall", chains=256, executor=executor, seed=0
        )
        budget = {"seconds": float(seconds)} if seconds else {"steps": 3}
        gs.run(**budget, checkpoint="ground_state.npz", progbar=False)
        print(gs)
        assert gs.energy / 36 < -0.5  # the best product state; exact: -0.67887


if __name__ == "__main__":
    main(*sys.argv[1:])
