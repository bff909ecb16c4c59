"""What the first start makes up for a newcomer: Django's secret key, and an admin with a password to find in a file."""

import secrets
from pathlib import Path

from django.contrib.auth import get_user_model

ADMIN = "admin"


def secret_key(data_dir: Path) -> str:
    """Return the secret key that is kept in the data directory, made on the first call."""
    path = data_dir / "secret_key"
    if not path.exists():
        _write_private(path, secrets.token_urlsafe(50))
    return path.read_text().strip()


def ensure_admin(data_dir: Path) -> Path:
    """Make the superuser ``admin``, unless that was done before, and return the file that its password is in.

    The file gets its name when the user exists, so a start that was killed in between does this again, and one that
    comes later leaves alone what people changed.
    """
    path = data_dir / "admin_password"
    if not path.exists():
        password = secrets.token_urlsafe(12)
        unfinished = path.with_suffix(".new")
        _write_private(unfinished, password)
        user, _ = get_user_model().objects.get_or_create(
            username=ADMIN, defaults={"is_staff": True, "is_superuser": True}
        )
        user.set_password(password)
        user.save()
        unfinished.rename(path)
    return path


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(text + "\n")
