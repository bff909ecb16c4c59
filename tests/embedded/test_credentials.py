"""The admin that the first start makes."""

from pathlib import Path

import pytest
from django.contrib.auth import authenticate, get_user_model

from axonize.embedded.credentials import ensure_admin


@pytest.mark.django_db
def test_the_admin_is_made_once_with_a_password_in_a_private_file(tmp_path: Path) -> None:
    path = ensure_admin(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600
    password = path.read_text().strip()
    user = authenticate(username="admin", password=password)
    assert user is not None
    assert user.is_superuser
    assert user.is_staff
    get_user_model().objects.get(username="admin").delete()
    assert ensure_admin(tmp_path) == path
    assert not get_user_model().objects.exists()


@pytest.mark.django_db
def test_a_start_that_was_killed_before_the_password_had_its_name_is_made_good(tmp_path: Path) -> None:
    get_user_model().objects.create_user(username="admin")
    (tmp_path / "admin_password.new").write_text("half")
    password = ensure_admin(tmp_path).read_text().strip()
    assert authenticate(username="admin", password=password) is not None
