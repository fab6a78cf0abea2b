"""The memory that a process may still take: of the machine, of its container, and of its own limit.

::

    machine     what nothing uses                            |
    container   limit - what its processes hold, each level  |  the least of them
    process     address space allowed - address space taken  |

Linux tells the limits of containers (control groups, both versions) in files; other systems have
no such files, and their machine alone counts.
"""

import math
from pathlib import Path

import psutil

ROOT, OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
# the limit, what is held of it, and which part of that is only a cache of files
FILES = {
    "": ("memory.max", "memory.current", "inactive_file"),
    "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def free_memory() -> float:
    """Bytes that this process may still take.

    Examples
    --------
    >>> from quimb_deepnets.hyper.free_memory import free_memory
    >>> free_memory() > 2**20
    True
    """
    return min(psutil.virtual_memory().available, _left_in_groups(), _left_in_process())


def _left_in_process():
    """What the limit of the address space leaves, of systems that have one."""
    try:
        import resource
    except ImportError:
        return math.inf
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return math.inf
    return max(0, limit - psutil.Process().memory_info().vms)


def _left_in_groups(root=ROOT, own=OWN):
    """What the control groups of this process leave, and those that hold them."""
    return min((_left_in(*group) for group in _groups(root, own)), default=math.inf)


def _groups(root, own):
    """The folders of all groups that limit this process, and the names of their files."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        number, _, rest = line.partition(":")
        kinds, _, path = rest.partition(":")
        if not number.isdigit() or (kinds and "memory" not in kinds.split(",")):
            continue
        top = root / ("memory" if kinds else "")
        folder = top / path.lstrip("/")
        for each in (folder, *folder.parents):  # a container may see its own group as the top
            yield each, FILES["memory" if kinds else ""]
            if each == top:
                break


def _left_in(folder, names):
    """What one group leaves, infinite where it sets no limit or does not tell."""
    limit, held, cache = names
    try:
        if (most := (folder / limit).read_text().strip()) == "max":
            return math.inf
        used = int((folder / held).read_text())
        lines = (line.split() for line in (folder / "memory.stat").read_text().splitlines())
        files = next((int(n) for name, n in lines if name == cache), 0)
        return max(0, int(most) - used + files)
    except (OSError, ValueError):
        return math.inf
