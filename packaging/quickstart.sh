#!/usr/bin/env bash
# quickstart - from a clone to a first workflow: installs what building takes (apt, only what is
# missing), builds the release, runs pipelines/hello.yml. To be run again at any time.
#
# As root, or as an ordinary user with sudo; needs neither once the packages are there.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
# shellcheck source=packaging/lib/setup.sh
. packaging/lib/setup.sh

provide "${BUILD_NEEDS[@]}"
build_preset release
say 'build/release/ostler run pipelines/hello.yml'
build/release/ostler run pipelines/hello.yml </dev/null
say "next, in a repository of yours: $PWD/build/release/ostler run"
