"""Leaving root behind: PostgreSQL refuses to run as root, so it runs as an ordinary user of the machine."""

import ctypes
import os
import pwd
import sys
from pathlib import Path

from axonize.embedded.datadir import DataDirectoryError

CANDIDATES = ("postgres", "nobody")

# linux/prctl.h and linux/capability.h
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522


def become(*, owner_of: list[Path], reaching: Path) -> None:
    """Turn this process from root into an ordinary user that owns the given directories.

    A checkout or data directory below a private home such as root's can't be entered by that user. Opening the home to
    everyone would be worse, so the process then keeps one capability, which is to pass closed directories (Linux).

    Args:
        owner_of: directories to hand over with all that is in them; they exist.
        reaching: a file that the user has to be able to read afterwards.

    Raises:
        DataDirectoryError: no such user exists, or it can't reach the files.

    """
    user = _ordinary_user()
    for directory in owner_of:
        _hand_over(directory, user)
    on_linux = sys.platform == "linux"
    if on_linux:
        _libc().prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
    os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    paths = [reaching, *owner_of]
    if on_linux and not _all_reachable(paths):
        _keep_capability(CAP_DAC_OVERRIDE)
    if not _all_reachable(paths):
        raise DataDirectoryError(
            f"PostgreSQL does not run as root, and the user {user.pw_name} can't reach {reaching.parent} and "
            f"{owner_of[0]}: let others pass the directories above them, or start as an ordinary user."
        )


def _ordinary_user() -> pwd.struct_passwd:
    for name in CANDIDATES:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise DataDirectoryError("PostgreSQL does not run as root: start as another user, or add a user named postgres.")


def _hand_over(directory: Path, user: pwd.struct_passwd) -> None:
    if directory.stat().st_uid == user.pw_uid:
        return
    for parent, _, files in os.walk(directory):
        for path in (parent, *(os.path.join(parent, name) for name in files)):  # noqa: PTH118 - walk gives strings
            os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)


def _all_reachable(paths: list[Path]) -> bool:
    try:
        for path in paths:
            path.stat()
    except PermissionError:
        return False
    return True


def _keep_capability(capability: int) -> None:
    """Keep one capability over the change of user and over ``exec``; capabilities(7), "Ambient capabilities"."""
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    mask = 1 << capability
    data = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)  # effective, permitted, inheritable, twice 32 bits
    if _libc().capset(header, data) == 0:
        _libc().prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
