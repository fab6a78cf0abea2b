"""Memory of a new process: package, first network, first amplitude, everything, and quimb."""

from common import STAGES, in_new_process, report

RESIDENT = "import psutil; print(psutil.Process().memory_info().rss / 2**20)"
held = {stage: float(in_new_process(f"{code}\n{RESIDENT}")) for stage, code in STAGES.items()}
report(
    "memory after import of everything, over quimb.tensor",
    1.3,
    1.1,
    ratio=held["everything"] / held["quimb"],
    **{f"{stage}_mebibytes": x for stage, x in held.items()},
    lower_is_better=True,
)
