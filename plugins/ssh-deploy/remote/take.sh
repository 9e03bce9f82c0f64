# shellcheck shell=sh disable=SC2015,SC2034,SC2154
# take - a release that is there is to go live again: a rollback by hand.

begin
[ -d "$home/releases/$release" ] || die "release $release is not on the server any more"
if [ "$strategy" = release ] && [ ! -d "$folder/releases/$release" ]; then
    die "the files of release $release are not on the server any more"
fi
if [ -n "$pending" ] && [ "$pending" != "$release" ]; then
    record_set "$pending" state interrupted
fi
pending=$release step=preparing by=$deploy
state_save
