"""The database file: records, versions, and the store behind the tracker."""
