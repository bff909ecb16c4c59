"""What the error pages of DEBUG keep to themselves beyond what Django hides: passwords inside URLs."""

import re
from typing import Any, Final

from django.views.debug import SafeExceptionReporterFilter

_PASSWORD: Final = re.compile(r"(?<=://)([^/?#@\s:]*):[^/?#@\s]*@|(?<=[?&]password=)[^&#\s]+")


class PasswordFilter(SafeExceptionReporterFilter):
    """Django hides a setting by its name; the stores' URLs stand in several whose names tell nothing."""

    def cleanse_setting(self, key: Any, value: Any) -> Any:
        cleansed = super().cleanse_setting(key, value)
        if isinstance(cleansed, str):
            return _PASSWORD.sub(lambda found: f"{found[1]}:***@" if found[1] is not None else "***", cleansed)
        return cleansed
