# shellcheck shell=sh disable=SC2015,SC2034,SC2154
# release - gives the lock back, if it is ours.

if [ "$(sed -n 's/^token=//p' "$home/owner" 2>/dev/null)" = "$token" ]; then
    pid=$(sed -n 's/^pid=//p' "$home/owner")
    rm -f "$home/owner"
    kill "$pid"
fi
