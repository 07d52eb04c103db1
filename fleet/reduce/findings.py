"""Apply findings: what is wrong with a device that answers, raised once and cleared once."""

from dataclasses import replace

from fleet import labels, status
from fleet.model import Device, Fault, Finding
from fleet.reduce.draft import Draft

UNKNOWN = "unknown"
"""The evidence of a finding that is cleared because nobody tells of it any more."""


def apply(draft: Draft, finding: Finding) -> Device | None:
    device = draft.find(finding.identity, finding.site)
    if device is None:
        return None
    same = [fault for fault in device.findings if _is_same(fault, finding)]
    if same and status.is_older(finding.at, same[0].since, draft.now):
        return None
    if finding.cleared:
        if same:
            rest = tuple(fault for fault in device.findings if fault not in same)
            draft.put(replace(device, findings=rest))
            ended = "no longer known" if finding.evidence.get(UNKNOWN) else "resolved"
            text = f"{labels.name(device)}: {ended}: {same[0].text}"
            draft.add_event("finding.cleared", device, text, {"kind": finding.kind})
        return device
    if same and same[0].text == finding.text:
        return device
    since = same[0].since if same else finding.at
    fault = Fault(finding.kind, since, finding.text, finding.source, finding.evidence)
    fault = replace(fault, extra=same[0].extra) if same else fault
    rest = tuple(fault for fault in device.findings if fault not in same)
    draft.put(replace(device, findings=(*rest, fault)))
    text = f"{labels.name(device)}: {finding.text}"
    draft.add_event(
        "finding.raised", device, text, after={"kind": finding.kind, **finding.evidence}
    )
    return device


def _is_same(fault: Fault, finding: Finding) -> bool:
    return (fault.source, fault.kind) == (finding.source, finding.kind)
