#!/bin/sh
# config.sh - registers this folder as a runner, or with "remove" ends that, as GitHub's script of this name does.
# The options are the same; "ostler register --help" tells them. Another ostler than that of PATH: $OSTLER.
set -eu

here=$(cd -P -- "$(dirname -- "$(readlink -f -- "$0")")" && pwd)
ostler=${OSTLER:-ostler}

case ${1-} in
remove | Remove | REMOVE)
    shift
    if [ -e "$here/.service" ]; then
        echo "this runner is a service: ./svc.sh uninstall comes first" >&2
        exit 1
    fi
    exec "$ostler" unregister --dir "$here" "$@"
    ;;
configure)
    shift
    ;;
--version)
    exec "$ostler" --version
    ;;
esac
exec "$ostler" register --dir "$here" "$@"
