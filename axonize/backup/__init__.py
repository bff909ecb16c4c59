"""Backup and restore: both databases as of one moment, as files with a manifest, through their ordinary clients."""
