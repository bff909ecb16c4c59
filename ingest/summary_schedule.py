"""When the summaries of traces are brought up to date: so soon that lists show new spans within three seconds."""

from typing import Final

from ingest.summaries import summarize_all, summarize_changes
from ingest.upkeep import Rest, Upkeep

SUMMARIES: Final = Upkeep(
    "summaries",
    generation="0068",
    changes=lambda of_last_ms: summarize_changes(of_last_ms=of_last_ms),
    everything=summarize_all,
    rest=Rest(factor=10, shortest_ms=100, longest_ms=500),
)
