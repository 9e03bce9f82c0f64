# shellcheck shell=sh disable=SC2015,SC2034,SC2154
# drop - a release that never went live: nothing that runs was touched. An unfinished one that was found stays
# on record as interrupted.

begin
if [ "$pending" = "$release" ] && [ "$by" = "$deploy" ]; then
    record_set "$release" state failed
    pending='' step='' by=''
    state_save
fi
