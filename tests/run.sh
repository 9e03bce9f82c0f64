#!/usr/bin/env bash
# run - the whole test suite, from a bare clone: installs what is missing, builds, tests, counts.
#
#   tests/run.sh [--quick | --thorough] [--fuzz SECONDS] [NAME...]
#   tests/run.sh --conformance [DIR]
#
# --quick          under two minutes: without release build, network and fuzzing
# --thorough       every end-to-end case as root and as an ordinary user, with both builds; else it runs with
#                  both, as root with the one and as the user with the other, in turn; long ones with one build.
#                  And what is real only at a price: a Gitea, which takes minutes to build the first time, and the
#                  packages on a Debian and under a systemd of their own
# --fuzz SECONDS   how long a processor has each fuzz target, beside all else (default 10; 0: not at all)
# --conformance    only the conformance suite, over DIR (default ../shared/conformance)
# NAME             only this kind (house, unit, plugin, conformance, e2e, fuzz), or KIND/PATTERN:
#                  unit/lang, e2e/secrets, house/includes_point_downwards
#
# The last line is always "N passed, N failed". Exit code 0: all passed; 1: not; 2: wrong usage; 4: this
# machine lacks something that could not be installed.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
# shellcheck source=packaging/lib/setup.sh
. packaging/lib/setup.sh
# shellcheck source=tests/fetch.sh
. tests/fetch.sh

# What testing takes beyond building: by ordinary users, too, who do not see what lies in root's HOME. Python is the system's
# own, since only that one knows the packages of the system.
TEST_NEEDS=(
    'all:/usr/bin/python3>=3.9 python3'
    'all:python python-is-python3'
    'deb:python3-venv python3-venv'
    'pc:criterion libcriterion-dev'
    'cmd:clang-14 clang-14'
    'cmd:clang-format-14 clang-format-14'
    'cmd:shellcheck shellcheck'
    'cmd:yamllint yamllint'
    'cmd:cppcheck cppcheck'
    'all:cc gcc'
    'all:cmake cmake'
    'all:pkg-config pkg-config'
    'all:git git'
    'all:newuidmap uidmap'
    'all:setpriv util-linux'
    'all:openssl openssl'
    'all:strace strace'
    'file:/usr/lib/python3/dist-packages/jsonschema python3-jsonschema'
    'all:useradd passwd'
    'all:rsync rsync'
    'all:flock util-linux'
    'all:mandoc mandoc'
    'all:zsh zsh'
    'all:fish fish'
    'all:systemd-analyze systemd'
    'file:/usr/share/zoneinfo/UTC tzdata'
)
# A real container engine; the end-to-end tests start it, unless the machine's own answers.
# And what else is real there: an SSH server, Git LFS, a mail server.
ENGINE_NEEDS=(
    'all:docker docker.io'
    'all:dockerd docker.io'
    'all:iptables iptables'
    'all:ip iproute2'
    'file:/bin/busybox busybox-static'
    'all:docker-registry docker-registry'
    'all:skopeo skopeo'
    'all:podman podman'
    'all:runc runc'
    'file:/usr/lib/cni/bridge containernetworking-plugins'
    'all:debootstrap debootstrap'
    'file:/usr/sbin/sshd openssh-server'
    'all:docker-compose docker-compose'
    'all:git-lfs git-lfs'
    'file:/usr/lib/python3/dist-packages/aiosmtpd python3-aiosmtpd'
)
# What ostler/build builds with, ostler/test tests, and the databases that ostler/backup backs up.
STAGE_NEEDS=(
    'deb:postgresql postgresql'
    'all:mariadbd mariadb-server-core'
    'all:mariadb-dump mariadb-client'
    'all:go golang-go'
    'all:buildah buildah'
    'deb:python3-pip python3-pip'
    'deb:python3-setuptools python3-setuptools'
    'deb:python3-wheel python3-wheel'
)
# What new plugins are built with, in each language.
PLUGIN_NEEDS=(
    'all:g++ g++'
    'all:clang++-14 clang-14'
    'all:rustc rustc'
    'all:cargo cargo'
)
# Packages, and what has something to say of them.
PACKAGE_NEEDS=(
    'all:dpkg-shlibdeps dpkg-dev'
    'all:lintian lintian'
)
FUZZ_NEEDS=('deb:libclang-rt-14-dev libclang-rt-14-dev')

usage() {
    complain "$1" 'tests/run.sh [--quick | --thorough] [--fuzz SECONDS] [NAME...] | --conformance [DIR]'
    exit 2
}

quick=false thorough=false fuzz=10 conformance_only=false conformance=../shared/conformance
names=()
while [ $# -gt 0 ]; do
    case $1 in
    --quick) quick=true fuzz=0 ;;
    --thorough) thorough=true ;;
    --fuzz)
        [[ ${2-} =~ ^[0-9]+$ ]] || usage '--fuzz wants a number of seconds'
        fuzz=$2
        shift
        ;;
    --conformance)
        conformance_only=true
        if [ $# -gt 1 ] && [[ $2 != -* ]]; then
            conformance=$2
            shift
        fi
        ;;
    -h | --help)
        sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
        exit 0
        ;;
    -*) usage "unknown option '$1'" ;;
    *) names+=("$1") ;;
    esac
    shift
done

# What is read from the last line must be true as well when nothing could be tested.
gathering=
ended() {
    local code=$?

    [ -z "$gathering" ] || kill "$gathering" 2>/dev/null || :
    [ $code -eq 0 ] || echo '0 passed, 1 failed'
}
trap ended EXIT

# wanted KIND: whether it is to run at all.
wanted() {
    local name

    if $conformance_only; then
        [ "$1" = conformance ]
        return
    fi
    [ ${#names[@]} -gt 0 ] || return 0
    for name in "${names[@]}"; do
        [ "${name%%/*}" != "$1" ] || return 0
    done
    return 1
}

if $conformance_only; then
    provide "${BUILD_NEEDS[@]}" 'pc:criterion libcriterion-dev' 'cmd:python3>=3.9 python3'
    build_preset dev conformance
    exec python3 -B tests/suite.py --conformance "$conformance" conformance
fi

# What the end-to-end tests take beside the build comes while the compilers run: most of that is waiting.
gather() {
    provide "${ENGINE_NEEDS[@]}" "${STAGE_NEEDS[@]}" "${PLUGIN_NEEDS[@]}"
    fetch_node
    fetch_toolkit
    fetch_test_runners
    fetch_seaweed
    fetch_compose
    fetch_services
    if $thorough; then
        provide "${PACKAGE_NEEDS[@]}"
        fetch_gitea
    fi
}

fuzzing=false
! wanted fuzz || [ "$fuzz" -eq 0 ] || fuzzing=true
! $fuzzing || TEST_NEEDS+=("${FUZZ_NEEDS[@]}")
provide "${BUILD_NEEDS[@]}" "${TEST_NEEDS[@]}"
if wanted e2e && ! $quick; then
    mkdir -p build
    gather &
    gathering=$!
fi
build_preset dev
[ -z "$gathering" ] || build_preset release
! $fuzzing || build_preset fuzz fuzz
[ -z "$gathering" ] || wait "$gathering" || exit
$quick && set -- --quick
$thorough && set -- "$@" --thorough
exec /usr/bin/python3 -B tests/suite.py "$@" --fuzz "$fuzz" --conformance "$conformance" "${names[@]}"
