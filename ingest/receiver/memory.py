"""The memory of this process: how much it has, and that it frees and gives back what it can."""

import ctypes
import gc
import mmap
import sys
from pathlib import Path
from typing import Final

# mallopt(3): from this size on each buffer is a mapping of its own, which goes back to the system when it is freed.
M_MMAP_THRESHOLD: Final = -3
OWN_MAPPING_BYTES: Final = 256 * 1024

_STATM: Final = Path("/proc/self/statm")


def give_back_what_is_freed() -> None:
    """Keep glibc from raising the size from which buffers are mapped; it would, with the first large one freed.

    Elsewhere than on glibc this does nothing.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(M_MMAP_THRESHOLD, OWN_MAPPING_BYTES)


def make_collections_quick() -> None:
    """Leave what is there now out of all later garbage collections: it stays for as long as the process does."""
    gc.collect()
    gc.freeze()


def collect_garbage() -> None:
    """Free what only refers to itself: a finished call of gRPC is that, and may hold a large request.

    Python counts objects and not bytes, so by itself it may leave hundreds of such calls.
    """
    gc.collect()


def resident_bytes() -> int:
    """Return the resident set (proc_pid_statm(5)); 0 where the system doesn't tell, as on macOS."""
    try:
        return int(_STATM.read_bytes().split()[1]) * mmap.PAGESIZE
    except FileNotFoundError:
        return 0
