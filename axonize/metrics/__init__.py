"""What is counted and timed in every process, and the one page on which a scraper finds all of it.

Each process counts in prometheus_client's registry. Its reporter writes what it has, every few seconds and at its end,
into one hash in Redis; whoever answers a scrape adds the processes up (docs/decisions/0020-one-scrape-for-all.md).
"""
