"""Names of authors without an account, as events and the audit log have them."""

LOCAL = "local"
"""Anyone on this server until the first account exists."""
COMMAND_LINE = "command line"
AUTO_SCAN_AUTHOR = "auto-scan"
"""The author of scans only; the audit log has no entries of it."""
NOBODY = "nobody"
"""A request without a valid login."""
NOT_USERS = (LOCAL, COMMAND_LINE, AUTO_SCAN_AUTHOR, NOBODY)
"""No account can have one of these names."""
