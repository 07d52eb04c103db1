"""Apply reports to the draft of the fleet: sightings, misses, findings, merges, removals."""
