#!/usr/bin/env python
"""Django's command line for the Axonize server."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "axonize.settings")
    if sys.argv[1:2] == ["health"]:  # asked every few seconds in every container: without Django it takes a tenth
        from axonize.health.command import main as health

        sys.exit(health(sys.argv[2:]))
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
