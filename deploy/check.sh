#!/bin/sh
# Checks what deploys the product: the Dockerfile, the systemd unit and the shell scripts.
set -eu
cd "$(dirname "$0")/.."

# At home a tool that is not there is said and passed over; in CI it is a failure.
missing() {
    echo "$1 is not here, so $2 was not checked: sudo apt install $3" >&2
    [ "${CI:-}" != true ]
}

.venv/bin/hadolint Dockerfile

for script in deploy/*.sh tests/*.sh .ci/run; do
    bash -n "$script"
done

if command -v systemd-analyze >/dev/null; then
    # It insists that what the unit starts exists: check a copy that points here.
    copy=$(mktemp -d)
    trap 'rm -rf "$copy"' EXIT
    sed "s|/opt/camera-monitor|$PWD|g" deploy/camera-monitor.service >"$copy/camera-monitor.service"
    systemd-analyze verify "$copy/camera-monitor.service"
else
    missing systemd-analyze deploy/camera-monitor.service systemd
fi
