#!/usr/bin/env bash
# outside - installs BUILD into a prefix, moves that elsewhere, and builds a plugin that lies outside the tree against
# it: by CMake, by pkg-config and by bare lines, with gcc and clang; and the runner that was installed runs it, and a job.
#
#   sdk/outside/test.sh BUILD
set -euo pipefail

build=$(realpath "$1")
here=$(dirname "$(realpath "$0")")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export HOME=$scratch/home XDG_DATA_HOME=$scratch/data
mkdir -p "$HOME"
unset OSTLER_PLUGIN_PATH CMAKE_C_COMPILER_LAUNCHER

fail() {
    printf 'outside: %s\n' "$*" >&2
    exit 1
}

# quietly COMMAND...: says what it said only if it fails.
quietly() {
    "$@" >"$scratch/log" 2>&1 || {
        cat "$scratch/log" >&2
        fail "failed: $*"
    }
}

# ---- install, and move ----

DESTDIR=$scratch/stage quietly cmake --install "$build" --prefix /opt/ostler
prefix=$scratch/moved
mv "$scratch/stage/opt/ostler" "$prefix"
[ -z "$(find "$scratch/stage" -type f)" ] || fail "files outside the prefix: $(find "$scratch/stage" -type f)"
ostler=$prefix/bin/ostler
library=$(find "$prefix" -name libostler-test.a)
packages=$(dirname "$(find "$prefix" -name ostler-plugin.pc)")

# ---- what was installed works: the runner, its helpers and its plugins ----

"$ostler" plugin list | grep -q '^ostler/lint ' || fail 'the installed runner does not find its plugins'
[ -f "$prefix/share/bash-completion/completions/ostler" ] || fail 'no completion for bash'
mkdir -p "$scratch/repo/.github/workflows"
printf 'on: push\njobs: {j: {runs-on: x, steps: [{run: echo "it runs"}]}}\n' >"$scratch/repo/.github/workflows/w.yml"
(cd "$scratch/repo" && git init -q && "$ostler" run >"$scratch/log" 2>&1) || {
    cat "$scratch/log" >&2
    fail 'the installed runner does not run a job'
}

# ---- the library stands alone ----

foreign=$(nm -g --defined-only "$library" | awk 'NF == 3 && $3 !~ /^ost_test_/ { print $3 }')
[ -z "$foreign" ] || fail "libostler-test shows more than ost_test_*: $foreign"

# works FILE: the object is one that the runner takes, and runs.
works() {
    local said
    said=$("$ostler" plugin run "$1" --with who=Ada 2>&1) || fail "$1 does not run: $said"
    [ "$said" = 'greeting=Hello, Ada' ] || fail "$1 says: $said"
    nm -D --defined-only "$1" | awk '{ print $3 }' | grep -qx ostler_plugin_v1 || fail "$1 exports no plugin"
    [ "$(nm -D --defined-only "$1" | wc -l)" -eq 1 ] || fail "$1 exports more than its plugin"
}

# ---- CMake, with each compiler that is here ----

n=0
for compiler in gcc clang clang-14; do
    command -v "$compiler" >/dev/null || continue
    n=$((n + 1))
    quietly cmake -S "$here" -B "$scratch/$compiler" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$compiler"
    quietly cmake --build "$scratch/$compiler"
    quietly ctest --test-dir "$scratch/$compiler" --output-on-failure
    works "$scratch/$compiler/hello.so"
    quietly cmake --install "$scratch/$compiler" --prefix "$scratch/site-$compiler"
    OSTLER_PLUGIN_PATH=$scratch/site-$compiler/lib/ostler/plugins "$ostler" plugin info acme/hello >/dev/null ||
        fail "what CMake installed with $compiler is not found"
done
[ "$n" -gt 0 ] || fail 'no compiler here'

# ---- pkg-config ----

export PKG_CONFIG_PATH=$packages
[ "$(pkg-config --variable=abi ostler-plugin)" = 1 ] || fail 'pkg-config does not know the ABI'
[ -d "$(pkg-config --variable=plugindir ostler-plugin)" ] || fail 'pkg-config does not know where plugins go'
[ -z "$(pkg-config --libs ostler-plugin)" ] || fail 'a plugin is to link nothing'
# shellcheck disable=SC2046 # flags are words
quietly cc -shared -fPIC -fvisibility=hidden $(pkg-config --cflags ostler-plugin) "$here/hello.c" -o "$scratch/pc.so"
works "$scratch/pc.so"
# shellcheck disable=SC2046
quietly cc "$here/hello.c" "$here/test_hello.c" $(pkg-config --cflags --libs ostler-test) -o "$scratch/pc-test"
quietly "$scratch/pc-test"

# ---- bare lines ----

quietly cc -shared -fPIC -I"$prefix/include" "$here/hello.c" -o "$scratch/bare.so"
works "$scratch/bare.so"
quietly cc -I"$prefix/include" "$here/hello.c" "$here/test_hello.c" -L"$(dirname "$library")" -lostler-test \
    -o "$scratch/bare-test"
quietly "$scratch/bare-test"

# ---- C++ ----

quietly cc -c -I"$prefix/include" "$here/hello.c" -o "$scratch/hello.o"
for compiler in g++ clang++ clang++-14; do
    command -v "$compiler" >/dev/null || continue
    quietly "$compiler" -std=c++20 -Wall -Werror -I"$prefix/include" "$here/test_hello.cpp" "$scratch/hello.o" \
        -L"$(dirname "$library")" -lostler-test -o "$scratch/cpp-test"
    quietly "$scratch/cpp-test"
done

# ---- what a real run was answered, its test is answered, too ----

# replays SOURCE ARGUMENT...: a run of the plugin is recorded, and played back to a test of it.
replays() {
    local source=$1 object=$scratch/replay.so
    shift
    rm -rf "$scratch/record"
    quietly cc -shared -fPIC -fvisibility=hidden -I"$prefix/include" "$source" -o "$object"
    quietly "$ostler" plugin run "$object" "$@" --record "$scratch/record"
    ! grep -q s3cr3t "$scratch"/record/* || fail 'a secret is in the transcript'
    quietly cc -I"$prefix/include" "$source" "$here/test_replay.c" -L"$(dirname "$library")" -lostler-test \
        -o "$scratch/replay"
    quietly "$scratch/replay" "$scratch/record"
}
replays "$here/hello.c" --with who=Ada
replays "$here/../abi/old/1.0/every.c" --with text=some
sed -i 's/word/sword/g' "$scratch/record/main.jsonl"
! "$scratch/replay" "$scratch/record" 2>"$scratch/log" || fail 'a transcript of another run makes no difference'
grep -q 'what the transcript does not have' "$scratch/log" || fail "it fails otherwise: $(cat "$scratch/log")"

echo "outside: installed, moved, and built against with $n compilers by CMake, by pkg-config and by hand"
