# shellcheck shell=sh disable=SC2015,SC2034,SC2154
# commit - the release is the live one; what is not kept goes. Set: keep, prune.

begin
if [ "$release" != "$current" ]; then
    before=$current
    if [ "$release" -lt "${current:-0}" ]; then # a rollback by hand: before it comes what came before it then
        before=$(record "$release" previous)
        [ -d "$home/releases/$before" ] || before=''
    fi
    previous=$before
fi
current=$release pending='' step='' by=''
record_set "$release" state live
record_set "$release" finished "$(date +%s)"
state_save
tell previous "$previous"

kept=0
(cd "$home/releases" && printf '%s\n' [0-9]*) | sort -rn | while read -r n; do
    kept=$((kept + 1))
    if [ "$kept" -le "$keep" ] || [ "$n" = "$current" ] || [ "$n" = "$previous" ]; then
        continue
    fi
    if [ "$prune" = true ] && [ -f "$home/releases/$n/images" ]; then
        while read -r name id; do # one that another release or container has stays
            grep -qs " $id\$" "$home/releases/$current/images" "$home/releases/${previous:-none}/images" ||
                docker image rm "$name" >/dev/null 2>&1
        done <"$home/releases/$n/images"
    fi
    rm -rf "$home/releases/$n"
    [ "$strategy" != release ] || rm -rf "$folder/releases/$n"
done
exit 0
