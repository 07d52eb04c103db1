#!/bin/sh
# Builds a bare Debian root and types only what a page says: is it enough there?
# Usage: deploy/bare.sh [run] [test]      both when nothing is named; needs root and debootstrap
# SUITE=trixie tries another release. The packages come from this machine's own mirrors.
# PAGE=pi64 and PAGE=pi32 type the commands of docs/raspberry-pi.md instead of README.md's, and run only;
# picamera2 is left out, as Debian does not have it.
set -eu
cd "$(dirname "$0")/.."
page=${PAGE:-readme}
suite=${SUITE:-bookworm}
steps=${*:-run test}
file=docs/raspberry-pi.md
packages=
case $page in
readme) file=README.md heading=Install ;;
pi64) heading=64-bit steps=run ;;
# Debian 13 has all the packages. On this processor they are chosen only when that is said.
pi32) heading=32-bit suite=trixie steps=run packages=apt ;;
*) echo "PAGE is readme, pi64 or pi32" >&2; exit 1 ;;
esac

refuse() {
    echo "$*" >&2
    exit 1
}

[ "$(id -u)" = 0 ] || refuse "Only root can build a Debian root: sudo make bare"
command -v debootstrap >/dev/null || refuse "debootstrap is missing: sudo apt install debootstrap"
command -v git >/dev/null || refuse "git is missing: sudo apt install git"
# In namespaces of its own, so that its mounts and every process that it started end with it.
[ "${BARE_NAMESPACE:-}" = 1 ] ||
    BARE_NAMESPACE=1 exec unshare --mount --pid --fork --kill-child sh deploy/bare.sh "$@"

root=$(mktemp -d /var/tmp/camera-monitor-bare.XXXXXX)
chmod 755 "$root"
trap 'umount -R "$root" 2>/dev/null || true; rm -rf --one-file-system "$root"' EXIT
trap 'exit 130' INT TERM
own_certificates=/etc/own-certificates.crt
began=$(date +%s)

since_start() {
    echo "$(($(date +%s) - began)) s"
}

# The mirror that this machine uses for the release, or Debian's own list of mirrors.
mirror() {
    # shellcheck disable=SC2016
    apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' 2>/dev/null |
        awk -v suite="$suite" '$2 == suite { print $1; exit }'
}

build_root() {
    # shellcheck disable=SC2046
    debootstrap --variant=minbase "$suite" "$root" $(mirror) >"$root.log" 2>&1 ||
        refuse "debootstrap could not build $suite: $(tail -n 3 "$root.log")"
    rm -f "$root.log"
    # A root that is no mount point could make no namespaces inside.
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    {
        apt-config dump Acquire::http Acquire::https 2>/dev/null || true
        echo 'APT::Get::Assume-Yes "true";' # who types says yes
    } >"$root/etc/apt/apt.conf.d/50bare"
    git clone --quiet --bare . "$root/srv/camera-monitor.git"
}

# How this machine reaches its package index, also behind a proxy with a certificate of its own.
write_pip_config() {
    {
        echo "[global]"
        for option in index-url proxy trusted-host; do
            value=$(pip_option "$option")
            [ -z "$value" ] || echo "$option = $value"
        done
        certificates=$(pip_option cert)
        if [ -f "${certificates:-}" ]; then
            cp "$certificates" "$root$own_certificates"
            echo "cert = $own_certificates"
        fi
    } >"$root/etc/pip.conf"
}

pip_option() {
    python3 -m pip config list 2>/dev/null | sed -n "s/^.*[.]$1='\(.*\)'\$/\1/p" | head -n 1
}

# The commands under the heading of the page, up to the one that starts it.
install_commands() {
    sed -n "/^## $heading/,/^## /s/^    //p" $file | sed '/^make run/,$d' |
        sed "s|<repository address>|/srv/camera-monitor.git|; s/sudo //g; s/ python3-picamera2//"
}

inside() {
    env -i NODE_EXTRA_CA_CERTS="$own_certificates" \
        PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 TERM=dumb "$@"
}

typed() {
    echo "\$ $1"
    inside CI=true DEBIAN_FRONTEND=noninteractive chroot "$root" sh -ec "cd /root; $2$1"
}

# Starts it, waits until a page is there, and stops it. Nothing is sent to any network.
try_run() {
    echo "\$ make run"
    port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
    inside PACKAGES=$packages HOST=127.0.0.1 PORT="$port" EASY_IP_TARGETS=127.0.0.1 EASY4IP_SERVER=127.0.0.1:9 \
        setsid chroot "$root" sh -ec 'echo $$ >/run/server; cd /root/camera-monitor; exec make run' &
    limit=$(($(date +%s) + 600))
    until python3 -c "import urllib.request as u; u.urlopen('http://127.0.0.1:$port/')" 2>/dev/null; do
        kill -0 "$!" 2>/dev/null || refuse "make run ended before a page was there"
        [ "$(date +%s)" -lt "$limit" ] || refuse "no page within 10 minutes"
        sleep 1
    done
    echo "The page answers after $(since_start)."
    group=$(cat "$root/run/server")
    kill -- "-$group"
    while kill -0 -- "-$group" 2>/dev/null; do sleep 0.2; done
    wait 2>/dev/null || true
}

echo "Building a bare Debian ($suite) ..."
build_root
write_pip_config
install_commands >"$root/commands"
[ -s "$root/commands" ] || refuse "$file has no commands under \"## $heading\""
echo "Built after $(since_start). Now what $file says:"
began=$(date +%s)
cp "$root/commands" "$root/root/install.sh"
sed 's/^/$ /' "$root/commands"
inside DEBIAN_FRONTEND=noninteractive chroot "$root" sh -exc 'cd /root; . ./install.sh' </dev/null >/dev/null
for step in $steps; do
    case $step in
    run) try_run ;;
    test) typed "make test" "cd camera-monitor; " ;;
    *) refuse "Usage: deploy/bare.sh [run] [test]" ;;
    esac
done
echo "A bare Debian ($suite) with the commands of $file ($heading) is enough: $steps, after $(since_start)."
