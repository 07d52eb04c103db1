"""The entry of the audit log as a value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the log. `before` and `after` hold what changed, secrets as `***`."""

    at: datetime
    who: str
    address: str
    action: str
    about: str
    text: str
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    id: int = 0
