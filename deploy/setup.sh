#!/bin/sh
# Makes .venv from the locked requirement files; safe to repeat, and to interrupt.
# Usage: deploy/setup.sh [run|test]      run: what the product needs; test: what its tests need too
# PACKAGES=apt takes Debian's packages instead of PyPI's, as on 32-bit ARM.
set -eu
cd "$(dirname "$0")/.."
venv=.venv/bin/python

refuse() {
    echo "$*" >&2
    exit 1
}

find_python() {
    for name in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    refuse "Python 3.11 or newer is needed: sudo apt install python3 python3-venv"
}

# False as well when it was left half made, or the system's Python has been upgraded since:
# then the pip that answers is the system's, or none.
venv_is_sound() {
    "$venv" -c '
import pip, sys
own = sys.prefix != sys.base_prefix and pip.__file__.startswith(sys.prefix)
sys.exit(not own or sys.version_info < (3, 11))' 2>/dev/null
}

make_venv() {
    python=$(find_python)
    "$python" -c 'import venv, ensurepip' 2>/dev/null ||
        refuse "$python cannot make virtual environments: sudo apt install $(basename "$python")-venv"
    # Debian's picamera2 brings libcamera, which PyPI does not have.
    system=
    if uses_apt; then
        system=--system-site-packages
    elif "$python" -c 'import importlib.util as i, sys; sys.exit(not i.find_spec("picamera2"))'; then
        system=--system-site-packages
    fi
    rm -f .venv/.installed .venv/.installed-dev
    "$python" -m venv --clear $system .venv
}

# PyPI has no wheels for 32-bit ARM, and compiling them takes hours.
uses_apt() {
    [ "${PACKAGES:-}" = apt ] || "$(find_python)" -c '
import platform, sys
sys.exit(sys.maxsize > 2**32 or not platform.machine().startswith(("arm", "aarch64")))'
}

# Only what apt does not have comes from PyPI. Refuses with the command that installs the rest.
install_beside_apt() {
    missing=$("$venv" -c '
import re, sys
from importlib.metadata import PackageNotFoundError, version
def numbers(text):
    return [int(number) for number in re.findall("[0-9]+", text)]
for line in sys.stdin:
    name, oldest, package = (line.split() + [""] * 3)[:3]
    if name.startswith("#"):
        continue
    try:
        is_there = numbers(version(name)) >= numbers(oldest)
    except PackageNotFoundError:
        is_there = False
    if not is_there:
        print(package)' <deploy/apt-packages.txt | xargs)
    [ -z "$missing" ] || refuse "These packages of Debian 13 or Raspberry Pi OS (Trixie) are missing or too old:
sudo apt install --no-install-recommends $missing
Then repeat the same command."
    "$venv" -m pip install -qq --disable-pip-version-check --require-hashes --no-deps \
        -r requirements-apt.txt || refuse "gunicorn and zxcvbn could not be installed
(the reason is above). Connect this machine to the internet, then repeat the same command."
}

# uv does not read pip's configuration: hand it over, so that a mirror, a proxy or a private
# certificate set up for pip serves here too. What is set for uv itself is left alone.
# Not the extra index: uv would prefer it to the main one, and an index that builds its own wheels
# (a Raspberry Pi is set up with one) has other hashes than the locks. Who needs it gets pip.
tell_uv_what_pip_knows() {
    pip_config=$("$venv" -m pip config list 2>/dev/null) || pip_config=
    hand_over UV_DEFAULT_INDEX "$(pip_option index-url)"
    hand_over UV_FIND_LINKS "$(pip_option find-links | tr ' ' ',')"
    hand_over UV_INSECURE_HOST "$(pip_option trusted-host)"
    hand_over SSL_CERT_FILE "$(pip_option cert)"
    hand_over ALL_PROXY "$(pip_option proxy)"
    hand_over UV_SYSTEM_CERTS true
}

# The value that wins in pip: the environment, then the file's [install], then its [global].
pip_option() {
    for section in :env: install global; do
        value=$(printf '%s\n' "$pip_config" |
            sed -n "s/^$section\.$1='\(.*\)'\$/\1/p" | sed 's/\\n/ /g; s/^ *//')
        if [ -n "$value" ]; then
            echo "$value"
            return
        fi
    done
}

hand_over() {
    eval "already=\${$1:-}"
    if [ -z "$already" ] && [ -n "$2" ]; then
        export "$1=$2"
    fi
}

# Usage: install -r FILE ...
install() {
    if [ "$has_uv" = yes ]; then
        if "$venv" -m uv pip install --quiet --python "$venv" --require-hashes "$@"; then
            return
        fi
        echo "uv could not install (its reason is above). Trying pip, which takes longer." >&2
    fi
    "$venv" -m pip install -qq --disable-pip-version-check --require-hashes "$@" ||
        refuse "The packages could not be installed (pip's reason is above). Connect this machine to
the internet, or name a mirror of PyPI that it reaches (pip config set global.index-url URL). Then
repeat the same command: it goes on where it stopped."
}

install_uv() {
    has_uv=yes
    "$venv" -m pip install -qq --disable-pip-version-check --require-hashes -r requirements-uv.txt ||
        has_uv=no
}

# These two are the live files: a running fleet must neither dirty the tree nor get committed.
keep_live_files_out_of_git() {
    for file in camera_database.json P2P1.xlsx; do
        if git ls-files --error-unmatch "$file" >/dev/null 2>&1; then
            git update-index --skip-worktree "$file"
        fi
    done
}

command -v make >/dev/null || refuse "make is needed: sudo apt install make"
echo "Installing Python packages into .venv ..."
venv_is_sound || make_venv
if [ "${1:-run}" = run ] && uses_apt; then
    install_beside_apt
    keep_live_files_out_of_git
    touch .venv/.installed
    exit
fi
install_uv
tell_uv_what_pip_knows
case ${1:-run} in
run)
    install -r requirements.txt
    keep_live_files_out_of_git
    touch .venv/.installed
    ;;
test)
    install -r requirements.txt -r requirements-scale.txt -r requirements-dev.txt
    touch .venv/.installed-dev
    ;;
*) refuse "Usage: deploy/setup.sh [run|test]" ;;
esac
