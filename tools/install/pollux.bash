# bash completion of Pollux's commands. What there is to complete, --help of the command says.

_pollux() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} help words
    local command='' word at
    COMPREPLY=()
    help=$("${COMP_WORDS[0]}" --help 2>/dev/null) || return
    case $previous in
    --output | -o) words='plain table json' ;;
    --odd) words='refuse stop attach' ;;
    --format) words='rfc3339 integer' ;;
    --config | -c | --file | --key | --out | --root)
        compopt -o default
        return
        ;;
    esac
    if [[ -z ${words:-} && $current == -* ]]; then
        words=$(grep -oE -- '--[a-z][a-z-]*' <<<"$help" | sort -u)
    fi
    if [[ -z ${words:-} && ${COMP_WORDS[0]##*/} == pollux ]]; then
        # The first word that is no option, and not the value of one.
        for ((at = 1; at < COMP_CWORD; at++)); do
            word=${COMP_WORDS[at]}
            if [[ $word == -* ]]; then
                grep -qE -- "(^|[ ,])$word(, --[a-z-]+)? [^ ]" <<<"$help" && ((at++))
            elif [[ -z $command ]]; then
                command=$word
            else
                compopt -o default
                return
            fi
        done
        if [[ -z $command ]]; then
            words=$(sed -nE 's/^  ([a-z]+)( .*)?$/\1/p' <<<"$help" | sort -u)
        else
            words=$(sed -nE "s/^  $command ([a-z]+)( .*)?\$/\\1/p" <<<"$help" | sort -u)
        fi
    fi
    if [[ -z ${words:-} ]]; then
        compopt -o default
        return
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _pollux pollux polluxd pollux-dump pollux-switch
