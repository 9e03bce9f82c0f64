# shellcheck shell=bash
# ostler.bash - completion for bash. Commands and options come from the program's own --help, so this file
# knows nothing that could be out of date, but for the values of a few options.
#
# Installed as /usr/share/bash-completion/completions/ostler; to try it: source this file.

# Words of --help: options, or the commands that it lists.
_ostler_options() {
    "$@" --help 2>/dev/null | grep -Eo -- '(^|[ ,[])--?[a-z][a-z-]*' | tr -d ' ,['
}
_ostler_commands() {
    "$1" --help 2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p'
}
_ostler_plugins() {
    "$1" plugin list --json 2>/dev/null | grep -Eo '"id": *"[^"]*"' | cut -d'"' -f4
}

_ostler() {
    local program=$1 word=$2 before=$3 command=${COMP_WORDS[1]-} choice=() one

    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t choice < <(_ostler_commands "$program")
    else
        case $before in
        --event) choice=(push pull_request workflow_dispatch schedule release issues) ;;
        --isolation) choice=(sandbox host) ;;
        --phase) choice=(pre main post) ;;
        --format) choice=(text yaml json) ;;
        --log) choice=(text json) ;;
        --lang) choice=(c cpp rust) ;;
        --ignore) mapfile -t choice < <("$program" check --rules 2>/dev/null | cut -d' ' -f1) ;;
        --event-file | --secret-file | --context | --changed | --changed-file | --config | --plugin-policy | --key | --token-file | --pat-file | --import)
            compopt -o default
            return
            ;;
        --to | --from | --dir | --workspace | --work)
            compopt -o dirnames
            return
            ;;
        --type) [ "$command" = register ] && choice=(github gitea forgejo) || choice=(opened synchronize reopened closed labeled edited created published completed) ;;
        --at) choice=(now) ;;
        --graph) choice=(mermaid dot ascii) ;;
        --limit) choice=(memory= cpus= processes=) ;;
        --ref | --base | --before) mapfile -t choice < <(git for-each-ref --format='%(refname:short)' refs/heads refs/tags 2>/dev/null) ;;
        *)
            if [[ $word == -* ]]; then
                mapfile -t choice < <(_ostler_options "$program" "$command")
            elif [ "$command" = plugin ] && [ "$COMP_CWORD" -eq 2 ]; then
                choice=(list info new check install remove run sign)
            elif [ "$command" = plugin ]; then
                mapfile -t choice < <(_ostler_plugins "$program")
                compopt -o default
            else
                compopt -o default
            fi
            ;;
        esac
    fi
    # Not compgen -W: it expands its words, and a branch may be called $(something).
    for one in "${choice[@]}"; do
        [[ $one != "$word"* ]] || COMPREPLY+=("$one")
    done
}

complete -F _ostler ostler
