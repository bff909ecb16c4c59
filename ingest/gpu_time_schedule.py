"""When the time of GPUs is shared out: seldom, for what comes meanwhile falls into the same minutes."""

from typing import Final

import redis

from ingest.gpu_time import share_out_all, share_out_changes
from ingest.summary_schedule import SUMMARIES
from ingest.upkeep import Rest, Upkeep

GPU_TIME: Final = Upkeep(
    "gpu-time",
    generation="0088",
    changes=lambda of_last_ms: share_out_changes(of_last_ms=of_last_ms),
    everything=share_out_all,
    rest=Rest(factor=20, shortest_ms=5_000, longest_ms=60_000),
)


def keep_up(client: redis.Redis) -> bool:
    """Share out what is due, and have the summaries of its traces follow; as of Upkeep.keep_up."""
    if not GPU_TIME.is_due(client):
        return False
    with SUMMARIES.written(client, GPU_TIME.name):
        return GPU_TIME.keep_up(client)
