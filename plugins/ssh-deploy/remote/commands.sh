# shellcheck shell=sh disable=SC2015,SC2034,SC2154
# commands - a person's commands. Set: script, what (for the message).

begin
run_as "$release" "$script"
code=$?
[ "$code" -eq 0 ] || die "the $what ended with exit code $code"
