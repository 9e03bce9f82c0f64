#!/usr/bin/env bash
# old - plugins that were built by every released SDK are kept as binaries, and today's host runs those that this
# machine can: ABI v1 is served for as long as there is Ostler.
#
#   sdk/abi/old/test.sh OSTLER
set -euo pipefail

ostler=$(realpath "$1")
cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
ran=0

fail() {
    printf 'old: %s\n' "$*" >&2
    exit 1
}

# runs RELEASE OBJECT: its phases say what they said, and the plan is what it was.
runs() {
    local name
    name=$(basename "$2" .so)
    "$ostler" plugin run "$2" --with text=some >"$scratch/out" 2>"$scratch/err" || {
        cat "$scratch/err" >&2
        fail "$2, of SDK $1, does not run any more"
    }
    diff "$1/$name.out" "$scratch/out" >&2 || fail "$2, of SDK $1, says something else"
    "$ostler" plugin run "$2" --with text=some --plan >"$scratch/out" 2>"$scratch/err" || fail "$2 makes no plan"
    diff "$1/$name.plan" "$scratch/out" >&2 || fail "$2, of SDK $1, has another plan"
    ran=$((ran + 1))
}

for release in [0-9]*/; do
    release=${release%/}
    (cd "$release" && sha256sum --quiet -c SHA256SUMS) || fail "the binaries of SDK $release were touched"
    for folder in "$release"/*/; do
        if [ "$(basename "$folder")" != "$(uname -m)" ]; then
            echo "old: SDK $release for $(basename "$folder") is not run here"
            continue
        fi
        for object in "$folder"*.so; do
            runs "$release" "$object"
        done
    done
done
[ "$ran" -gt 0 ] || fail "there is no old plugin for $(uname -m)"
echo "old: $ran plugins of old SDKs run"
