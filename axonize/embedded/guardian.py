"""The guardian of a parent's processes: when the parent is gone without a word, it ends them, then itself.

Run as a script, so that it stays small; its argument is how many seconds after it asked it kills. Each line on
standard input is ``+ GROUP SIGNAL`` (a process group was started, this signal asks it to stop) or ``- GROUP`` (it
ended); the end of the input is the end of the parent.
"""

import os
import signal
import sys
import time

POLL_SECONDS = 0.05


def main() -> None:
    """Keep the list, and act on it once."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: dict[int, int] = {}
    for line in sys.stdin:
        word, group, *stop_signal = line.split()
        if word == "+":
            groups[int(group)] = int(stop_signal[0])
        else:
            groups.pop(int(group), None)
    for group, asked in groups.items():
        send(group, asked)
    until = time.monotonic() + float(sys.argv[1])
    while any(send(group, 0) for group in groups) and time.monotonic() < until:
        time.sleep(POLL_SECONDS)
    for group in groups:
        send(group, signal.SIGKILL)


def send(group: int, number: int) -> bool:
    """Signal a process group; return whether it exists."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS answers EPERM where only zombies are left
        return False
    return True


if __name__ == "__main__":
    main()
