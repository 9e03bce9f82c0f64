# shellcheck shell=sh disable=SC2015,SC2034,SC2154
# rollback - back to the release that was live before: its files, variables and images. Volumes are never
# touched. Set: script (commands afterwards). Tells target, "" when there is none.

begin
target=$current
[ -d "$home/releases/$target" ] || target=''

back_compose() {
    if [ -z "$target" ]; then
        compose_of "$release" stop
        return
    fi
    restore_images "$target"
    known=" $(compose_of "$target" config --services 2>/dev/null | tr '\n' ' ') "
    for service in $(compose_of "$release" config --services 2>/dev/null); do
        case $known in
        *" $service "*) ;;
        *) compose_of "$release" rm -f -s "$service" ;; # only the failed release has it
        esac
    done
    services=$(words service "$target")
    touched=$(words service "$release")
    if [ -z "$services" ] || [ -z "$touched" ]; then
        services=''
    else
        for service in $touched; do
            case $known in *" $service "*) services="$services $service" ;; esac
        done
    fi
    rm -f "$home/releases/$target/containers"
    # shellcheck disable=SC2086
    compose_of "$target" up -d $services
}

back_release() {
    if [ -z "$target" ]; then
        rm -f "$folder/current"
        return
    fi
    rm -f "$folder/current.new"
    ln -s "releases/$target" "$folder/current.new" && mv -fT "$folder/current.new" "$folder/current"
}

case $strategy in
compose) back_compose || die "compose could not start release ${target:-$release} again" ;;
release) back_release || die "cannot put the link '$folder/current' back" ;;
esac
if [ -n "$script" ] && { [ -n "$target" ] || [ "$strategy" = command ]; }; then
    run_as "${target:-$release}" "$script"
    code=$?
    [ "$code" -eq 0 ] || die "the commands after the rollback ended with exit code $code"
fi
record_set "$release" state rolled-back
pending='' step='' by=''
state_save
tell target "$target"
