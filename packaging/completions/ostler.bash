# shellcheck shell=bash
# ostler.bash - completion for bash: "ostler complete" knows what may stand where, out of the program's own tables.
#
# Installed as /usr/share/bash-completion/completions/ostler; to try it: source this file.

_ostler() {
    local line

    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
        :files) compopt -o default ;; # where no word fits
        :folders) compopt -o dirnames ;;
        *)
            COMPREPLY+=("${line%%$'\t'*}")
            [[ $line != *=$'\t'* ]] || compopt -o nospace # a value follows at once
            ;;
        esac
    done < <("$1" complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}

complete -F _ostler ostler
