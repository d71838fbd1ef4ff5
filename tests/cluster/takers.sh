# Takers of a growing log, for scripts: source this file behind tools/cluster.sh. The script sets
# `work`, where the log `grow.log` and everything of the takers lies, and `written`, the number of
# the last line, before it judges. A line is "STAMP line NUMBER end".
#
#   start NAME FUNCTION...     starts a process group;  stop NAME SIGNAL ends it
#   take NAME                  a taker with leases, for ever: keeps the lines of a lease in a file
#                              named after it, confirms the lease, and only then counts them
#   handed_out SERVER          true when the cursor is behind every line
#   nothing_kept               true when no lease is left unsettled
#   judge WHAT RUNS_MAX FILE.. every line exactly once, but for so many runs

declare -A groups=() # process groups that were started, by name

# start NAME FUNCTION...: a process group of its own.
start() {
    local name=$1
    shift
    set -m
    "$@" </dev/null 2>>"$work/$name.err" &
    set +m
    groups[$name]=$!
}

# A signal to all processes of a group, and the wait for its first.
stop() {
    kill "-$2" -- "-${groups[$1]}" 2>/dev/null
    wait "${groups[$1]}" 2>/dev/null
    unset "groups[$1]"
}

# confirm NAME ID: the lines kept under the id count, or are somebody else's.
confirm() {
    local status=0
    cluster_pollux --blocking logs confirm --server takers "$2" >/dev/null || status=$?
    case $status in
    0) mv "$work/$1/$2.kept" "$work/$1/$2.done" ;;
    1) rm "$work/$1/$2.kept" ;;
    *) printf 'confirm %s: status %d\n' "$2" "$status" >>"$work/doubts" ;;
    esac
}

take() {
    local name=$1 kept id
    mkdir -p "$work/$name"
    for kept in "$work/$name"/*.kept; do
        [[ -e $kept ]] && confirm "$name" "$(basename "$kept" .kept)"
    done
    while :; do
        cluster_pollux --blocking logs take --server takers --file "$work/grow.log" \
            --format integer --lease 1s >"$work/$name/lines" 2>"$work/$name/notes"
        id=$(sed -n 's/.*logs confirm //p' "$work/$name/notes")
        if [[ -n $id ]]; then
            mv "$work/$name/lines" "$work/$name/$id.kept"
            confirm "$name" "$id"
        else
            sleep 0.05
        fi
    done
}

# handed_out SERVER: true when the cursor is behind every line.
handed_out() {
    cluster_pollux -o json logs cursor --server "$1" >"$work/cursor" &&
        [[ $(<"$work/cursor") == *"\"handed_out\": $written,"*"\"lease\": null"* ]]
}

# judge WHAT RUNS_MAX FILE...: every number from 1 to the last exactly once; those that are missing
# are at most RUNS_MAX runs. A line that its taker did not print to the end was not handed out.
judge() {
    local what=$1 runs_max=$2
    shift 2
    awk -v what="$what" -v written="$written" -v runs_max="$runs_max" '
        $4 == "end" {count[$3]++; lines++}
        END {
            for (i = 1; i <= written; i++) {
                missing += !(i in count)
                runs += !(i in count) && (i == 1 || (i - 1) in count)
                double += (i in count) && count[i] > 1
            }
            printf "%s: written=%d handed_out=%d exactly_once=%d double=%d missing=%d " \
                "missing_runs=%d\n", what, written, lines, written - missing - double, double,
                missing, runs
            exit runs > runs_max || double > 0 || lines != written - missing
        }' "$@"
}

nothing_kept() {
    ! compgen -G "$work/taker?/*.kept" >/dev/null
}
