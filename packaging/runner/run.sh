#!/bin/sh
# run.sh - serves the registration of this folder until that is over, as GitHub's script of this name does: what may go
# well the next time is tried again after five seconds, and all else ends with 0, so that supervisors leave it alone.
# Signals go to the listener. Another ostler than that of PATH: $OSTLER.
set -u

here=$(cd -P -- "$(dirname -- "$(readlink -f -- "$0")")" && pwd)
ostler=${OSTLER:-ostler}
pause=${OSTLER_RUN_PAUSE:-5} # seconds
listener=

[ "${1-}" != run ] || shift
[ ! -e "$here/.runner" ] || set -- "$here" "$@"

# The chart's githubServerTLS mounts an authority among those that this takes in; without it the runner goes on, as GitHub's does.
if [ -n "${RUNNER_UPDATE_CA_CERTS:-}" ]; then
    update=$(command -v update-ca-certificates || command -v update-ca-trust) || update=
    sudo=
    [ "$(id -u)" -eq 0 ] || sudo=sudo
    # shellcheck disable=SC2086 # no word at all where we are root
    { [ -n "$update" ] && $sudo "$update" >&2; } || echo "the store of certificates was not updated" >&2
fi

# The first second counts, too: docker may come up beside us.
for second in $(seq "${RUNNER_WAIT_FOR_DOCKER_IN_SECONDS:-0}"); do
    ! docker ps >/dev/null 2>&1 || break
    echo "waiting for Docker ($second)" >&2
    sleep 1
done

# What a shell starts beside itself ignores SIGINT: the other one means the same here.
stopped=
# shellcheck disable=SC2317 # the traps call it
forward() {
    stopped=1
    [ -z "$listener" ] || kill -s TERM "$listener" 2>/dev/null
}
trap forward TERM INT

while [ -z "$stopped" ]; do
    "$ostler" listen "$@" &
    listener=$!
    wait "$listener"
    code=$?
    # A signal ends a wait, not what it waits for.
    while kill -0 "$listener" 2>/dev/null; do
        wait "$listener"
        code=$?
    done
    listener=
    case $code in
    2) echo "the listener may do better when it is started again: in $pause seconds" >&2 ;;
    7) [ "${ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE:-}" != 1 ] || exit 7
        exit 0 ;;
    *) exit 0 ;;
    esac
    [ -n "$stopped" ] || sleep "$pause"
done
exit 0
