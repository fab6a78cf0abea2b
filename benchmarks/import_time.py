"""CPU seconds of a new process: package, first network, first amplitude, everything, and quimb.

Rows of the package are imported when they are first used, so the package alone says little; its
ratio to quimb's tensors is that of everything. Loops are compiled before, and read from the cache.
"""

import statistics

from common import REPEATS, STAGES, in_new_process, report

CLOCK = "import time; print(time.process_time())"
taken = {stage: [] for stage in STAGES}
for turn in range(REPEATS + 1):
    for stage, code in STAGES.items():
        seconds = float(in_new_process(f"{code}\n{CLOCK}"))
        if turn:  # the first one compiles
            taken[stage].append(seconds)
seconds = {stage: statistics.median(times) for stage, times in taken.items()}
nothing = seconds.pop("nothing")
over = {f"{stage}_seconds": x - nothing for stage, x in seconds.items()}
report(
    "import time of everything, over quimb.tensor",
    1.3,
    1.1,
    ratio=over["everything_seconds"] / over["quimb_seconds"],
    **over,
    lower_is_better=True,
)
