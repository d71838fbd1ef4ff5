"""Where a rule does not apply, and why. An entry that is no longer needed is itself a violation."""

EXCEPTIONS = {
    ("banned", "pmem/file_reader.c"):
        "nothing tells a reader that the process that writes the file has gone on",
    ("banned", "server/idle.c"):
        "the one place where an idle polling thread sleeps, with a deadline",
    ("by-name", "base/regular_file.c"):
        "it is the one place",
    ("by-name", "pmem/lock_holder.c"):
        "a file of proc(5)",
    ("by-name", "server/host_card.c"):
        "a device of vfio or uio: only opening it tells whether it is free",
    ("by-name", "tools/dump/main.c"):
        "a file of proc(5)",
    ("by-name", "tools/cli/pollux.c"):
        "a value may come from a pipe, so the command waits for it as cat(1) does",
    ("by-name", "tools/switch/capture.c"):
        "a capture may go into a pipe",
    ("impure", "engine/state/rcu_qsbr.c"):
        "liburcu's grace-period state is allocated once at start, before any arena is sealed",
    ("parameters", "tests/cluster/bad_pages.c"):
        "takes the place of mmap, which has six",
    ("parameters", "tests/unit/dataplane/card_test.c"):
        "it stands in for rte_pktmbuf_pool_create, which has six",
    ("parameters", "tests/unit/pmem/medium_map_test.c"):
        "it stands in for mmap, which has six",
    ("parameters", "tests/unit/security/fork_guard_test.c"):
        "it stands in for mmap, which has six",
    ("posix", "dataplane/gone_peer.c"):
        "it defines sendmsg for the whole process, so that a driver outlives a peer that is gone",
    ("posix", "dataplane/unmap_guard.c"):
        "it defines munmap for the whole process, so that no burst loses the memory that it reads",
}
