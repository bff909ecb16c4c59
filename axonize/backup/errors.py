"""What keeps a backup from being made or restored, in a sentence for whoever asked for it."""


class BackupError(Exception):
    """The backup is not made, or not restored; the message says why and what to do."""
