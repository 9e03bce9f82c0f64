# ostler.fish - completion for fish: "ostler complete" knows what may stand where, out of the program's own tables.
#
# Installed as /usr/share/fish/vendor_completions.d/ostler.fish; to try it: source this file.

function __ostler_complete
    set -l words (commandline -opc)
    set -l last (commandline -ct)

    for line in ($words[1] complete $words[2..-1] "$last" 2>/dev/null)
        switch $line
            case :files
                __fish_complete_path "$last"
            case :folders
                __fish_complete_directories "$last"
            case '*'
                echo $line
        end
    end
end

complete -c ostler -f -a '(__ostler_complete)'
