"""The settings as a process with given variables would see them, read in this process and left alone by Django."""

import os
import runpy
from collections.abc import Mapping
from typing import Any
from unittest import mock

from axonize.environment import Environment
from tests.processes import ROOT

SETTINGS = ROOT / "axonize" / "settings.py"


def read_settings(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the names of the settings module; SystemExit where a setting is wrong."""
    with mock.patch.dict(os.environ, environ, clear=True):
        return runpy.run_path(str(SETTINGS))


def environment() -> Environment:
    """Return the settings as they are where no variable is set."""
    env = read_settings({})["env"]
    assert isinstance(env, Environment)
    return env
