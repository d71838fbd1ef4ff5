# A cluster under load while something is done to its nodes, for scripts: source this file behind
# tools/cluster.sh. Two loads run: one client that has always one consistent set under way (the
# watch), and others beside it. The script sets `work` and CLUSTER_LOG_DIR.
#
#   each_settles          waits until every node has applied the first record
#   watch_begin RATE      starts both loads, RATE writes a second of the others;  watch_pid takes
#                         SIGUSR1 where something is done
#   watch_end             ends them; fails the script if a call failed, or a write was lost or twice
#   watch_figures WORDS   p50, p99 and maximum of the gaps between answers, from mark to mark

watch_pid=
load_pid=

finish() {
    local pid
    for pid in $watch_pid $load_pid; do
        kill -KILL "$pid" 2>/dev/null
    done
    cluster_stop
    [[ -n ${kept:-} ]] || rm -rf "$work" "$CLUSTER_LOG_DIR"
}

give_up() {
    kept=1
    printf '%s: %s; everything is kept in %s and %s\n' "$CLUSTER_NAME" "$1" "$work" \
        "$CLUSTER_LOG_DIR" >&2
    exit 1
}

field() {
    local word
    for word in $2; do
        [[ $word != "$1="* ]] || printf '%s\n' "${word#*=}"
    done
}

has_leader() {
    leader=$(cluster_leader)
}

has_other_leader() {
    has_leader && [[ $leader != "$1" ]]
}

has_applied() {
    local line
    line=$(cluster_drill nodes | grep " node=$1 ")
    [[ -n $line ]] && (($(field applied "$line") >= $2))
}

# Sets `commit` to the commit index of node ID. Fails when the node does not tell it.
knows_commit() {
    commit=$(field commit "$(cluster_drill nodes | grep " node=$1 ")")
    [[ -n $commit ]]
}

each_settles() {
    local id
    for ((id = 1; id <= cluster_nodes; id++)); do
        cluster_until 20 has_applied "$id" 1 || give_up "node $id does not settle"
    done
}

# A load has a handler of the signal that marks; before that the signal would end it.
marks() {
    [[ $(<"/proc/$1/comm") == pollux-drill ]] &&
        ((0x$(awk '/^SigCgt:/ {print $2}' "/proc/$1/status") >> 9 & 1))
}

watch_begin() {
    local drill=("$POLLUX_BUILD/tools/drill/pollux-drill" --servers "$cluster_servers"
        --cluster "$CLUSTER_NAME")
    "${drill[@]}" --workers=1 --rate=1000000 steady watch "$work/watch.journal" \
        >"$work/watch.out" &
    watch_pid=$!
    "${drill[@]}" --workers=16 --rate="$1" steady load "$work/load.journal" >"$work/load.out" &
    load_pid=$!
    cluster_until 20 marks "$watch_pid" || give_up "the load does not start"
    cluster_until 20 marks "$load_pid" || give_up "the load does not start"
}

# Ends a load, by its process id and its name: no call of it failed.
load_end() {
    local line
    kill -TERM "$1"
    wait "$1" || give_up "a write met a value that nobody acknowledged"
    line=$(<"$work/$2.out")
    [[ $(field unknown "$line")$(field timeouts "$line")$(field errors "$line") == 000 ]] ||
        give_up "a call failed: $(cut -c 1-200 <<<"$line")"
    cluster_drill verify "$work/$2.journal" >"$work/$2.verdict" ||
        give_up "writes were lost or applied twice: $(<"$work/$2.verdict")"
}

watch_end() {
    load_end "$watch_pid" watch
    watch_pid=
    load_end "$load_pid" load
    load_pid=
}

watch_figures() {
    field outages_ms "$(<"$work/watch.out")" | tr ',' '\n' | sort -n >"$work/gaps"
    awk -v words="$1" -v acknowledged="$(field acknowledged "$(<"$work/watch.out")")" '
        {value[NR] = $1}
        END {printf "%s failed_calls=0 answered=%d", words, acknowledged
            printf " without_service_ms: p50=%.1f p99=%.1f max=%.1f\n", value[int((NR + 1) / 2)],
                value[int(NR * 0.99 + 0.999)], value[NR]}' "$work/gaps"
}
