# One Pollux cluster on this machine, for scripts: source this file, then call its functions.
#
#   cluster_init DIR [NODES]   makes DIR (sockets, configurations, output) and the data directories,
#                              and fixes the ports
#   cluster_switch_start       starts the switch;  cluster_switch COMMAND...  sends it one command
#   cluster_node_init ID       makes a node's data directory, CLUSTER_LOG_DIR/nodeID
#   cluster_node_start ID      starts a node;      cluster_node_signal ID SIGNAL   signals it
#   cluster_node_wait ID       waits until the killed or stopped node is gone; its status
#   cluster_start              switch and all nodes, until a leader serves
#   cluster_leader             prints the id of the leader (of the first shard); fails when a shard
#                              has none that serves
#   cluster_server ID          prints HOST:PORT where clients reach a node
#   cluster_drill COMMAND...   runs pollux-drill on the cluster
#   cluster_pollux COMMAND...  runs pollux on the cluster
#   cluster_nobody_leads       succeeds if nodes answer, and some shard has no leader
#   cluster_ends STATUS COMMAND...  runs a command; succeeds if that is its exit status. `!` takes
#                              any failure for the expected one, a missing program too
#   cluster_lacks PATTERN FILE...   succeeds if the files can be read and no line has the pattern
#   cluster_mark ID            from here on cluster_told looks at what the node writes
#   cluster_told ID PATTERN    succeeds if such a line is among it
#   cluster_end                cluster_stop; fails if something did not stop cleanly
#   cluster_stop               stops everything that was started, by process id; what did not stop
#                              cleanly is named in cluster_bad_exits
#
# Settings, read by cluster_init: CLUSTER_LOG_DIR (default DIR/logs), CLUSTER_LOG_SIZE (64MiB),
# CLUSTER_UDP_BASE (a free range), CLUSTER_SWITCH_OPTIONS (for pollux-switch), CLUSTER_NODE,
# CLUSTER_EXTRA and CLUSTER_LANE (lines for [node], [cluster] and [lane]), CLUSTER_SHARDS and
# CLUSTER_LANES (1 each), CLUSTER_MTU (of nodes and switch: 1500), CLUSTER_START_SECONDS (until a
# leader serves: 20; large logs take longer to make), CLUSTER_STOP_SECONDS (that a stop may take:
# 5), CLUSTER_IDLE (not empty: who has nothing to do sleeps soon and for longer; so a cluster that
# waits takes a sixth of a core and not a whole one, and answers a millisecond later).
# Nodes inherit the environment: PMEM2_FORCE_GRANULARITY=CACHE_LINE emulates persistent memory.
#
# POLLUX_BUILD is the build folder. cluster_servers is the list that clients take.

cluster_dir=
cluster_nodes=0
cluster_servers=
cluster_bad_exits=
cluster_locks=()
cluster_spawning=
declare -A cluster_pids=() cluster_marks=()

cluster_fail() {
    printf '%s\n' "$*" >&2
    return 1
}

# Sets cluster_udp_base to a range of UDP ports that nobody listens on. Between the choice and the
# start of the switch nobody does, so a lock keeps other clusters of this user off the range; it is
# held for as long as this script or a process of its cluster lives.
cluster_choose_base() {
    local base taken tries port is_free locks=${TMPDIR:-/tmp}/pollux-ports-$EUID
    local count=$((10 * ${CLUSTER_SHARDS:-1} + 10))
    mkdir -m 700 -p "$locks" || return 1
    for ((tries = 0; tries < 100; tries++)); do
        base=$((20000 + (RANDOM % 200) * 50))
        cluster_lock_base "$locks" "$base" $((base + count)) || continue
        taken=" $(awk 'NR > 1 {split($2, a, ":"); print a[2]}' /proc/net/udp | tr '\n' ' ')"
        is_free=1
        for ((port = base; port < base + count; port++)); do
            [[ $taken != *" $(printf '%04X' "$port") "* ]] || is_free=0
        done
        ((is_free)) && cluster_udp_base=$base && return
    done
    cluster_fail "no free range of UDP ports"
}

# Locks each 50 ports of FOLDER, FROM, TO; unlocks those of before.
cluster_lock_base() {
    local port lock
    for lock in "${cluster_locks[@]}"; do
        exec {lock}>&-
    done
    cluster_locks=()
    for ((port = $2; port < $3; port += 50)); do
        exec {lock}>"$1/$port"
        cluster_locks+=("$lock")
        flock -n "$lock" || return 1
    done
}

cluster_config() {
    local id=$1 peer
    cat <<INI
[node]
id = $id
directory = $cluster_log_dir/node$id
log_size = ${CLUSTER_LOG_SIZE:-64MiB}
${CLUSTER_NODE:-}
[cluster]
name = ${CLUSTER_NAME:-local}
shards = ${CLUSTER_SHARDS:-1}
$([[ ${CLUSTER_EXTRA:-} == *store_size* ]] || printf 'store_size = 128MiB\n')
${CLUSTER_EXTRA:-}
[peers]
INI
    for ((peer = 1; peer <= cluster_nodes; peer++)); do
        printf '%d = 10.77.0.%d:7400\n' "$peer" "$peer"
    done
    cat <<INI
[port]
device = net_memif0,role=client,id=0,socket=$cluster_dir/node$id.sock,socket-abstract=no
gateway = 10.77.0.254
mtu = ${CLUSTER_MTU:-1500}
[lane]
count = ${CLUSTER_LANES:-1}
$([[ -z ${CLUSTER_IDLE:-} ]] || printf 'idle_yield_turns = 200\nidle_sleep_max = 1ms\n')
${CLUSTER_LANE:-}
INI
}

# Where clients reach a node.
cluster_server() {
    printf '127.0.0.1:%d\n' $((cluster_udp_base + $1 * ${CLUSTER_SHARDS:-1}))
}

cluster_init() {
    cluster_dir=$1
    cluster_nodes=${2:-5}
    cluster_log_dir=${CLUSTER_LOG_DIR:-$cluster_dir/logs}
    mkdir -p "$cluster_dir" "$cluster_log_dir"
    cluster_udp_base=${CLUSTER_UDP_BASE:-}
    [[ -n $cluster_udp_base ]] || cluster_choose_base || return 1
    cluster_servers=
    local id
    for ((id = 1; id <= cluster_nodes; id++)); do
        cluster_config "$id" >"$cluster_dir/node$id.ini"
        cluster_node_init "$id" || return 1
        cluster_servers+="${cluster_servers:+,}$(cluster_server "$id")"
    done
}

cluster_node_init() {
    "$POLLUX_BUILD/tools/polluxd" --init --config "$cluster_dir/node$1.ini" \
        >>"$cluster_dir/init.out"
}

# Starts a program whose output goes to DIR/NAME.out, and remembers its process by NAME. All stay in
# one session: the kernel's autogroups make sched_yield give way only to processes of the same one,
# and pollers that share cores live from giving way.
cluster_spawn() {
    local name=$1
    shift
    cluster_spawning=$name
    "$@" >>"$cluster_dir/$name.out" 2>&1 </dev/null &
    cluster_pids[$name]=$!
    cluster_spawning=
    printf '%d\n' $! >"$cluster_dir/$name.pid"
}

cluster_is_running() {
    local pid=${cluster_pids[$1]:-}
    [[ -n $pid ]] && kill -0 "$pid" 2>/dev/null
}

# Runs a command again until it succeeds; fails after SECONDS.
cluster_until() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < deadline)) || return 1
        sleep 0.02
    done
}

cluster_switch_start() {
    cluster_spawn switch "$POLLUX_BUILD/tools/switch/pollux-switch" \
        --nodes "$cluster_nodes" --udp-base "$cluster_udp_base" \
        --shards "${CLUSTER_SHARDS:-1}" --queues "${CLUSTER_LANES:-1}" \
        --mtu "${CLUSTER_MTU:-1500}" ${CLUSTER_IDLE:+--yield-turns=128 --sleep-max-us=1000} \
        ${CLUSTER_SWITCH_OPTIONS:-} \
        "$cluster_dir"
    cluster_until 10 test -S "$cluster_dir/control.sock" || {
        cat "$cluster_dir/switch.out" >&2
        cluster_fail "the switch did not start"
    }
}

cluster_switch() {
    "$POLLUX_BUILD/tools/switch/pollux-switch" ctl "$cluster_dir" "$@"
}

cluster_node_start() {
    cluster_spawn "node$1" "$POLLUX_BUILD/tools/polluxd" --config "$cluster_dir/node$1.ini"
}

cluster_node_signal() {
    kill "-$2" "${cluster_pids[node$1]}"
}

cluster_node_wait() {
    local pid=${cluster_pids[node$1]:-} status=0
    [[ -n $pid ]] || return 0
    wait "$pid" 2>/dev/null || status=$?
    unset "cluster_pids[node$1]"
    rm -f "$cluster_dir/node$1.pid"
    return "$status"
}

# pollux-drill on this cluster.
cluster_pollux() {
    "$POLLUX_BUILD/tools/pollux" --endpoints "$cluster_servers" \
        --cluster "${CLUSTER_NAME:-local}" "$@"
}

cluster_drill() {
    "$POLLUX_BUILD/tools/drill/pollux-drill" --servers "$cluster_servers" \
        --cluster "${CLUSTER_NAME:-local}" "$@"
}

# The node that a majority follows and that has a fresh quorum, in the first shard: prints its id.
# Fails while a shard has none.
cluster_leader() {
    cluster_drill leader
}

cluster_start() {
    local id
    cluster_switch_start || return 1
    for ((id = 1; id <= cluster_nodes; id++)); do
        cluster_node_start "$id"
    done
    cluster_until "${CLUSTER_START_SECONDS:-20}" cluster_leader || {
        tail -n 3 "$cluster_dir"/node*.out >&2
        cluster_leader >&2
        cluster_fail "no leader within ${CLUSTER_START_SECONDS:-20} s"
    }
}

cluster_ends() {
    local status=0 wanted=$1
    shift
    "$@" || status=$?
    ((status == wanted))
}

cluster_lacks() {
    cluster_ends 1 grep -q -- "$@"
}

cluster_mark() {
    cluster_marks[$1]=$(wc -l <"$cluster_dir/node$1.out")
}

cluster_told() {
    tail -n +$((${cluster_marks[$1]:-0} + 1)) "$cluster_dir/node$1.out" | grep -- "$2" >/dev/null
}

# Nodes that are too busy to answer are asked again.
cluster_nobody_leads() {
    local status=3 end=$((SECONDS + 10))
    while ((status == 3 && SECONDS < end)); do
        status=0
        cluster_leader >/dev/null || status=$?
    done
    ((status == 1)) && return
    printf 'cluster_nobody_leads: pollux-drill leader ends with %d\n' "$status" >&2
    return 1
}

cluster_end() {
    cluster_stop
    [[ -z $cluster_bad_exits ]]
}

# Whether a node waits for signals, or is gone: one that was only just started dies of them. While
# its main thread waits the kernel does not show them as blocked there, but in the other threads. A
# `return` without a status would give, in a trap, the one from before the trap.
cluster_heeds_signals() {
    local set
    cluster_is_gone "$1" && return 0
    while read -r set; do
        ((0x$set & 1 << 14)) && return 0
    done < <(awk '/^Sig(Cgt|Blk):/ {print $2}' /proc/"$1"/task/*/status 2>/dev/null)
    return 1
}

# Nodes first, with a chance to stop cleanly; then the switch. A trap may have come between the
# start of a process and the note of it.
cluster_stop() {
    local name
    [[ -z $cluster_spawning || " ${cluster_pids[*]} " == *" ${!:-} "* ]] ||
        cluster_pids[$cluster_spawning]=$!
    for name in "${!cluster_pids[@]}"; do
        [[ $name != switch ]] || continue
        cluster_until 5 cluster_heeds_signals "${cluster_pids[$name]}" ||
            cluster_bad_exits+="${cluster_bad_exits:+, }$name: deaf to signals for 5 s"
        kill -TERM "${cluster_pids[$name]}" 2>/dev/null || :
        kill -CONT "${cluster_pids[$name]}" 2>/dev/null || :
    done
    for name in "${!cluster_pids[@]}"; do
        [[ $name == switch ]] || cluster_reap "$name"
    done
    [[ -z ${cluster_pids[switch]:-} ]] || {
        kill -TERM "${cluster_pids[switch]}" 2>/dev/null || :
        cluster_reap switch
    }
}

# Waits for a process that was asked to end, and insists when it takes too long.
cluster_reap() {
    local pid=${cluster_pids[$1]}
    cluster_until "${CLUSTER_STOP_SECONDS:-10}" cluster_is_gone "$pid" ||
        kill -KILL "$pid" 2>/dev/null || :
    wait "$pid" 2>/dev/null || cluster_bad_exits+="${cluster_bad_exits:+, }$1: status $?"
    unset "cluster_pids[$1]"
    rm -f "$cluster_dir/$1.pid"
}

cluster_is_gone() {
    # Also gone: a process that the shell waits for between the two looks.
    ! kill -0 "$1" 2>/dev/null || [[ $(awk '{print $3}' "/proc/$1/stat" 2>/dev/null) =~ ^Z?$ ]]
}
