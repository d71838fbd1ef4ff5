"""The goals, each with an id that stays. A goal that nothing measures yet keeps null."""

GOALS = [{"id": name, "target": target} for name, target in (
    ("set-1op", "100 times etcd on tmpfs in the same run; ten times one unreplicated Redis"),
    ("set-16op", "ahead of one unreplicated Redis with a pipeline of 16"),
    ("set-disk", "50 times etcd on the same disk"),
    ("steps", "every set of 2500, 5000, 10000 offered in its own second, p99 under 1 ms"),
    ("latency-1", "p50 and p99 at most a twentieth of etcd's on tmpfs; a tenth, disk beside disk"),
    ("relaxed-get", "100 times etcd's serializable gets"),
    ("relaxed-get-lane", "over 10 million a second inside one lane, 1 M keys"),
    ("failover", "p99 under 20 ms with timeouts of 5 to 10 ms on the shared cores"),
    ("elections", "at or below the thesis at every range, 1000 trials each in the simulation"),
    ("packets", "least six without pre-vote; clusters at multiples of eight"),
    ("idle-cpu", "under 2 % of a core; p50 of a single set under twice that of a busy node"),
    ("seal-cost", "sets a second with authenticated packets at least 0.95 of those without"),
    ("leader-cpu", "one consistent set at the leader, five nodes, batch of 32, under 1 us of CPU"),
    ("snapshot-pause", "a lane pauses under 100 us while a snapshot of 1 M keys is taken"),
    ("restart", "restart with 1 M keys of 64 bytes under 1 s"),
)]
