/*
 * The format: one number that stands for the versions of everything that nodes store and send. A
 * program knows some formats: the newest, and those before it. The format in force is part of a
 * shard's configuration (raft/configuration.h), and only an operator raises it, when every member
 * has said that it knows the next one: docs/upgrade.md.
 *
 * A new format is a further line of FORMAT_LIST. What a line says never changes once a release has
 * written it: tests/fixtures holds files of each.
 *
 * Pure; any thread.
 */
#ifndef POLLUX_BASE_FORMAT_H
#define POLLUX_BASE_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

/* X(format, packet, log, snapshot, configuration): a version of each. `packet` is what nodes say to
 * nodes; `log` is the header of a log and of a bank of a journal. Identities are of one version in
 * all formats, and so are backups: an older program restores what a newer one has made. */
#define FORMAT_LIST(X)                                                                             \
    X(0, 9, 2, 1, 3)                                                                               \
    X(1, 10, 3, 2, 4)

/* The newest format that this program knows. */
#define FORMAT_KNOWN 1u

/* From this format on, what relaxed writes are cancelled by has names that nobody can make collide:
 * engine/state/node_progress.h. */
#define FORMAT_CANCEL_NAMES 1u

/* From this format on, entries of a journal name the principal whose writes they are, and a forward
 * says which revocations its sender knows: docs/security.md, "Pending writes of who is revoked". */
#define FORMAT_PENDING_NAMES 1u

/* Packets to and from clients, in every format of the list: programs that are linked to an older
 * libpollux go on when the format rises. */
#define FORMAT_CLIENT_PACKET 9u

struct format_versions {
    uint8_t packet;
    uint32_t log;
    uint32_t snapshot;
    uint8_t configuration;
};

/* Of a format up to FORMAT_KNOWN (CHECK). */
const struct format_versions *format_versions(uint32_t format);

enum format_file { FORMAT_LOG, FORMAT_SNAPSHOT };

/* The lowest format that has this version of such a file's header. False: this program, if it knew
 * no format above `format_max`, would know none. */
bool format_of(enum format_file file, uint32_t version, uint32_t format_max, uint32_t *ret_format);

#endif
