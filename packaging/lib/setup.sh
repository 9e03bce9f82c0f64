# shellcheck shell=bash
# setup - what quickstart.sh and tests/run.sh share: find out what is missing, install it, build.
#
# To be sourced by bash with "set -euo pipefail". A need is written "TEST PACKAGE"; it is met when TEST
# holds, however the thing came to the machine, so that nothing is installed twice and other
# distributions work once their own packages are there. The tests:
#
#   cmd:NAME[>=VERSION]  a program in PATH; VERSION is held against its --version
#   all:NAME[>=VERSION]  the same, but one that every account of the machine finds and may start
#   pc:MODULE            what pkg-config knows
#   file:PATH            a file
#   lib:NAME             a static library that the compiler finds
#   deb:NAME             the Debian package itself, where nothing better tells

# What building takes. tests/house/ compares the pc: lines with what CMakeLists.txt asks for.
# shellcheck disable=SC2034 # for those who source this
BUILD_NEEDS=(
    'cmd:gcc gcc'
    'lib:libc.a libc6-dev'
    'cmd:musl-gcc musl-tools' # ostler-init
    'cmd:cmake>=3.25 cmake'
    'cmd:ninja ninja-build'
    'cmd:make make' # not ours: what cmake builds a plugin of your own with, unless told otherwise
    'cmd:pkg-config pkg-config'
    'cmd:git git'
    'pc:jansson libjansson-dev'
    'pc:yaml-0.1 libyaml-dev'
    'pc:libcrypto libssl-dev'
    'pc:libpcre2-8 libpcre2-dev'
    'pc:libmicrohttpd libmicrohttpd-dev'
    'pc:libarchive libarchive-dev'
    'pc:libcurl libcurl4-openssl-dev'
    'pc:expat libexpat1-dev'
    'pc:zlib zlib1g-dev'
)

# Where every account of a machine looks, and root beside them. The end-to-end tests run with it (tests/e2e/world.py).
COMMON_PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# Colours only where somebody looks, and only if they want them.
if [ -t 2 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
    SETUP_MARK=$'\e[1;36m==>\e[0m' SETUP_BAD=$'\e[1;31merror:\e[0m'
else
    SETUP_MARK='==>' SETUP_BAD='error:'
fi

# fold_to WIDTH: its input with no line longer than that, but for words that are.
fold_to() {
    fold -s -w "$1" | sed 's/ $//'
}

# say MESSAGE...: as narrow as the narrowest terminal.
say() {
    printf '%s %s\n' "$SETUP_MARK" "$(fold_to 75 <<<"$*" | sed '2,$s/^/    /')" >&2
}

# complain MESSAGE [LINE...]: the message, then what mends it.
complain() {
    printf '%s %s\n' "$SETUP_BAD" "$1" >&2
    shift
    [ $# -eq 0 ] || printf '  %s\n' "$@" >&2
}

# The two ends, with the exit codes of ostler itself: it went wrong; the machine lacks something.
die() {
    complain "$@"
    exit 1
}
lacking() {
    complain "$@"
    exit 4
}

# quietly LOG COMMAND...: runs COMMAND with its output in LOG, which is shown only when it failed.
quietly() {
    local log=$1 code=0 teller=

    shift
    if [ "${1-}" = --tell ]; then
        shift
        tell_progress "$log" &
        teller=$!
    fi
    "$@" >"$log" 2>&1 </dev/null || code=$?
    if [ -n "$teller" ]; then
        kill "$teller" 2>/dev/null || : # it has ended: no terminal
        wait "$teller" 2>/dev/null || :
        [ ! -t 2 ] || printf '\e[K' >&2
    fi
    if [ "$code" -ne 0 ]; then
        cat "$log" >&2
    fi
    return "$code"
}

# tell_progress LOG: shows somebody at a terminal how far ninja has come, "[37/1095]", as long as this script lives: what is
# started with & does not hear Ctrl-C.
tell_progress() {
    [ -t 2 ] && [ "${TERM:-dumb}" != dumb ] || return 0
    while kill -0 $$ 2>/dev/null && sleep 1; do
        tail -n 1 "$1" | sed -En 's/^(\[[0-9]+\/[0-9]+\]).*/    \1/p' | tr '\n' '\r' >&2
    done
}

# version_at_least HAVE WANT
version_at_least() {
    [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

# new_enough TEXT WANT: by the first version in what a program says of itself.
new_enough() {
    [[ $1 =~ [0-9]+(\.[0-9]+)+ ]] && version_at_least "${BASH_REMATCH[0]}" "$2"
}

# have_command NAME[>=VERSION]
have_command() {
    local name=${1%%>=*} want=${1#*>=} have

    command -v "$name" >/dev/null || return 1
    [ "$want" != "$1" ] || return 0
    have=$("$name" --version 2>/dev/null </dev/null) && new_enough "$have" "$want"
}

# as_anyone COMMAND...: with COMMON_PATH and, as root, without root's rights: what an ordinary user would get.
as_anyone() {
    local -a drop=()

    [ "$(id -u)" -ne 0 ] || drop=(setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all --)
    "${drop[@]}" env -i PATH="$COMMON_PATH" LC_ALL=C "$@" 2>/dev/null </dev/null
}

# all_have_command NAME[>=VERSION]
all_have_command() {
    local name=${1%%>=*} want=${1#*>=} have

    # shellcheck disable=SC2016 # the words are for the inner shell
    as_anyone sh -c 'command -v -- "$1"' sh "$name" >/dev/null || return 1
    [ "$want" != "$1" ] || return 0
    have=$(as_anyone "$name" --version) && new_enough "$have" "$want"
}

# have_library FILE: gcc prints the bare name back for what it does not find.
have_library() {
    local path

    path=$(gcc -print-file-name="$1" 2>/dev/null) && [ "$path" != "$1" ]
}

# have_package NAME
have_package() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

is_met() {
    case $1 in
    cmd:*) have_command "${1#cmd:}" ;;
    all:*) all_have_command "${1#all:}" ;;
    pc:*) pkg-config --exists "${1#pc:}" 2>/dev/null ;;
    file:*) [ -e "${1#file:}" ] ;;
    lib:*) have_library "${1#lib:}" ;;
    deb:*) have_package "${1#deb:}" ;;
    *) die "no such test: $1" ;;
    esac
}

# unmet NEED...: prints those that do not hold, one a line.
unmet() {
    local need

    for need in "$@"; do
        is_met "${need% *}" || printf '%s\n' "$need"
    done
}

# Prints the words that must stand before a command to run it as root; fails where there are none.
# Asks for a password only where there is somebody to ask.
root_prefix() {
    if [ "$(id -u)" -eq 0 ]; then
        return 0
    fi
    command -v sudo >/dev/null || return 1
    if sudo -n true 2>/dev/null; then
        echo 'sudo -n'
    elif [ -t 0 ] && sudo -v; then
        echo 'sudo'
    else
        return 1
    fi
}

# apt_words PACKAGE...: the command that installs them, to be copied.
apt_words() {
    fold_to 70 <<<"apt-get update && apt-get install --no-install-recommends $*" |
        sed '$!s/$/ \\/; s/^/      /; 1s/^    //'
}

# apt_install PACKAGE...
apt_install() {
    local prefix log
    local -a as_root=() apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300)

    command -v apt-get >/dev/null ||
        lacking 'this machine has no apt-get, and something is missing' \
            'Debian calls it:' "$(fold_to 70 <<<"$*" | sed 's/^/    /; 1s/^  //')" \
            'Install the same with the package manager of this machine, then come back.'
    prefix=$(root_prefix) ||
        lacking 'packages are missing, and only root can install them' \
            'Neither are you root nor can sudo be used here. Ask somebody who is to run' \
            "$(apt_words "$@")" 'and then come back.'
    read -ra as_root <<<"$prefix"

    say "installing $*"
    log=$(mktemp)
    quietly "$log" "${as_root[@]}" "${apt[@]}" update ||
        say 'apt-get update failed; trying with the package lists that are there'
    quietly "$log" "${as_root[@]}" "${apt[@]}" install -y --no-install-recommends "$@" ||
        lacking 'apt-get could not install what is missing' 'Its own words are above.'
    rm -f "$log"
}

# provide NEED...: sees to it that each need is met, or ends with what is lacking.
provide() {
    local need missing
    local -a packages=()

    missing=$(unmet "$@")
    [ -n "$missing" ] || return 0
    while read -r need; do
        packages+=("${need##* }")
    done <<<"$missing"
    mapfile -t packages < <(printf '%s\n' "${packages[@]}" | sort -u)
    apt_install "${packages[@]}"

    missing=$(unmet "$@")
    [ -z "$missing" ] ||
        lacking 'something is still missing after installing' \
            "$(sed 's/ /  from package /; 2,$s/^/  /' <<<"$missing")" \
            'A program that is there but too old is the usual reason' \
            '(cmake: "pipx install cmake"), or one that only you can start.'
}

# build_preset NAME [TARGET...]: configures and builds into build/NAME below the working directory.
build_preset() {
    local preset=$1 log=build/$1.log jobs

    shift
    mkdir -p build
    jobs=$(nproc)
    say "building build/$preset (minutes, the first time; log: $log)"
    quietly "$log" cmake --preset "$preset" ||
        die "cannot configure the preset '$preset'" 'The reason is above.'
    quietly "$log" --tell cmake --build "build/$preset" -j "$jobs" ${1+--target "$@"} ||
        die "cannot build the preset '$preset'" "The reason is above, and in $log."
}
