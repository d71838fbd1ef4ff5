/* Sizes that cannot be, or are not in force: see check.h. */
#include "server/check_internal.h"

#include "server/file_sizes.h"
#include "server/mount_point.h"

#include <inttypes.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)

/* A fifo, a folder, a device. False: it was told. */
static bool check_kind(struct check *check, const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0 || S_ISREG(status.st_mode))
        return true;
    check_wrong(check, path,
                "not a regular file: a start refuses it; move it away, and bring back the file "
                "that was there");
    return false;
}

/* Bytes of the files that a start would make. */
static uint64_t missing_files(struct check *check)
{
    uint64_t missing_bytes = 0;
    for (uint16_t shard = 0; shard < check->config->shard_count; shard++) {
        struct file_size sizes[FILES_OF_REPLICA];
        uint32_t count = file_sizes(&check->options->replicas[shard], sizes);
        (void)check_kind(check, check->options->replicas[shard].identity_path);
        for (uint32_t i = 0; i < count; i++) {
            if (!check_kind(check, sizes[i].path))
                continue;
            if (sizes[i].found_bytes == 0)
                missing_bytes += sizes[i].wanted_bytes;
            if (file_size_is_overruling(&sizes[i]))
                check_wrong(check, sizes[i].path,
                            "has %" PRIu64 " bytes and keeps them; %s asks for %" PRIu64
                            ": set it as the file is, or %s",
                            sizes[i].found_bytes, sizes[i].setting, sizes[i].wanted_bytes,
                            sizes[i].way_out);
        }
    }
    return missing_bytes;
}

static void check_files_room(struct check *check, uint64_t missing_bytes)
{
    struct statvfs status;
    char place[512];
    if (statvfs(check->config->directory, &status) != 0)
        return; /* what is wrong with the directory was told */
    uint64_t room_bytes = (uint64_t)status.f_bavail * status.f_frsize;
    mount_point_describe(check->config->directory, place, sizeof(place));
    if (room_bytes < missing_bytes)
        check_wrong(check, "[node] log_size, relaxed_size, store_capacity",
                    "the files to be made take "
                    "%" PRIu64 "MiB, and there is room for %" PRIu64 "MiB (%s): free space, or "
                    "choose smaller sizes",
                    missing_bytes / MIB, room_bytes / MIB, place);
    else
        check_good(check, "files", "%" PRIu64 "MiB to be made, room for %" PRIu64 "MiB (%s)",
                   missing_bytes / MIB, room_bytes / MIB, place);
}

void check_memory(struct check *check)
{
    const struct config *config = check->config;
    uint64_t needed_bytes = config_packet_bytes(config);
    uint64_t memory_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    for (uint16_t shard = 0; shard < config->shard_count; shard++)
        needed_bytes += replica_arena_bytes(&check->options->replicas[shard]);
    if (needed_bytes > memory_bytes)
        check_wrong(check, "[node] store_capacity, keys_capacity, sessions_capacity",
                    "the node takes %" PRIu64 "MiB of memory, and the machine has %" PRIu64
                    "MiB: choose smaller ones, or smaller limits in [cluster]",
                    needed_bytes / MIB, memory_bytes / MIB);
    else
        check_good(check, "memory", "%" PRIu64 "MiB, the machine has %" PRIu64 "MiB",
                   needed_bytes / MIB, memory_bytes / MIB);
}

void check_files(struct check *check)
{
    check_files_room(check, missing_files(check));
}
