#!/bin/sh
# Runs the tests where no packet can leave this machine: in a network namespace with only loopback.
# Usage: tests/run.sh [pytest arguments]     everything but the torture, unless they say -m torture
set -eu
cd "$(dirname "$0")/.."

missing_packages() {
    command -v ip >/dev/null || echo iproute2
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || echo postgresql
    command -v chromium >/dev/null || echo chromium fonts-dejavu-core
    command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || echo nginx
    command -v openssl >/dev/null || echo openssl
}

# The tests start a cluster and an nginx of their own; the packages shall not start one beside them,
# neither now nor when the machine starts.
install_packages() {
    no_cluster=/etc/postgresql-common/createcluster.d/camera-monitor-tests.conf
    $sudo mkdir -p "$(dirname $no_cluster)"
    echo "create_main_cluster = false" | $sudo tee $no_cluster >/dev/null
    no_start=/usr/sbin/policy-rc.d
    if [ -e $no_start ]; then
        no_start=
    else
        printf '#!/bin/sh\nexit 101\n' | $sudo tee $no_start >/dev/null
        $sudo chmod 755 $no_start
    fi
    trap '$sudo rm -f $no_cluster $no_start; exit 130' INT TERM
    $sudo apt-get update -qq
    $sudo env DEBIAN_FRONTEND=noninteractive \
        apt-get install -qq -y --no-install-recommends "$@" >/dev/null ||
        echo "apt could not install $* (its reason is above)." >&2
    $sudo rm -f $no_cluster $no_start
    trap - INT TERM
    case " $* " in
        *" nginx "*) $sudo systemctl disable --quiet nginx 2>/dev/null || true ;;
    esac
}

packages=$(missing_packages | xargs)
if [ -n "$packages" ]; then
    if [ "$(id -u)" = 0 ]; then sudo=; else sudo="sudo -n"; fi
    if command -v apt-get >/dev/null && $sudo true 2>/dev/null; then
        # shellcheck disable=SC2086
        install_packages $packages
    else
        echo "Some tests will be skipped. For all of them: sudo apt install $packages" >&2
    fi
fi

# Root keeps its powers in the namespace; anyone else gets the same over a namespace of their own,
# under their own name, because PostgreSQL refuses to be run by root.
if [ "$(id -u)" = 0 ]; then
    namespace="unshare --net --mount"
else
    namespace="unshare --map-current-user --keep-caps --net --mount"
fi
if $namespace ip link set lo up 2>/dev/null; then
    export IN_NETNS=1
else
    echo "No network namespace can be made here: the tests that need one are skipped." >&2
    unset IN_NETNS
    namespace=
fi

# Further namespaces are named under /run/netns: on a file system of our own the names vanish
# with us.
# shellcheck disable=SC2016
enter='
if [ -n "${IN_NETNS:-}" ]; then
    ip link set lo up
    mkdir -p /run/netns 2>/dev/null || mount -t tmpfs tmpfs /run && mkdir -p /run/netns
    mount -t tmpfs tmpfs /run/netns
fi
exec "$@"'
exec $namespace sh -euc "$enter" sh \
    .venv/bin/python -m pytest -n 2 --timeout 120 -m "not torture" "$@"
