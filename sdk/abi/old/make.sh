#!/usr/bin/env bash
# make - builds the plugins that are kept as binaries, by the headers of now: run once when an SDK is released, never
# again for one that is. Each architecture's compiler is Debian's (gcc, gcc-aarch64-linux-gnu).
#
#   sdk/abi/old/make.sh 1.0
set -euo pipefail

cd "$(dirname "$0")/$1"
include=../../../../include
flags=(-std=c11 -Os -g0 -shared -fPIC -fvisibility=hidden -s "-Wl,-z,defs,-z,relro,-z,now,-z,noseparate-code"
    "-Wl,--build-id=none")

for pair in x86_64:x86_64-linux-gnu-gcc aarch64:aarch64-linux-gnu-gcc; do
    folder=${pair%%:*}
    mkdir -p "$folder"
    for source in *.c; do
        "${pair#*:}" "${flags[@]}" -I"$include" "$source" -o "$folder/${source%.c}.so"
    done
done
sha256sum ./*/*.so >SHA256SUMS
