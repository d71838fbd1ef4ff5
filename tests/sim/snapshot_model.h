/*
 * Snapshots on the simulated medium, and what must be found of them: shared by the crash states and
 * the unit tests. The bytes of a snapshot follow from its id, so that any mixture shows.
 * Owner: one thread.
 */
#ifndef POLLUX_TESTS_SIM_SNAPSHOT_MODEL_H
#define POLLUX_TESTS_SIM_SNAPSHOT_MODEL_H

#include "pmem/snapshots.h"
#include "tests/sim/medium_sim.h"

#define SNAPSHOT_MODEL_PATH    "/media/snapshot"
#define SNAPSHOT_MODEL_FILE_0  SNAPSHOT_MODEL_PATH "-0"
#define SNAPSHOT_MODEL_FILE_1  SNAPSHOT_MODEL_PATH "-1"
#define SNAPSHOT_MODEL_BLOCKS  3u
#define SNAPSHOT_MODEL_BYTES   (2u * SNAPSHOT_BLOCK_BYTES + 500u) /* of an ordinary stream */
#define SNAPSHOT_MODEL_POLLS   400u                               /* more than any snapshot takes */
#define SNAPSHOT_MODEL_POLL_NS 40u

struct snapshot_subject {
    struct medium_sim *sim;
    uint64_t now_ns; /* of the simulation */
    struct arena arena;
    struct snapshots *snapshots;
    struct snapshots_recovery recovery;
    struct snapshots_options options;
};

void snapshot_subject_init(struct snapshot_subject *subject, struct medium_sim *sim);
/* Opens, in place of what was opened before. */
MUST_USE enum error snapshot_subject_open(struct snapshot_subject *subject);
void snapshot_subject_close(struct snapshot_subject *subject);
/* Frees what remains. */
void snapshot_subject_deinit(struct snapshot_subject *subject);

/* Snapshot number n: its label. */
struct snapshot_label snapshot_model_label(uint64_t number);
/* Byte `offset` of the stream with this id: every second block can be compressed. */
uint8_t snapshot_model_byte(uint64_t id, uint64_t offset);
void snapshot_model_fill(uint64_t id, uint64_t offset, uint8_t *bytes, size_t size_bytes);
/* What snapshots_install_begin is told about snapshot n of this size. */
struct snapshot_info snapshot_model_info(uint64_t number, uint64_t stream_bytes);

/* Polls once, with time passing. */
struct snapshots_progress snapshot_subject_poll(struct snapshot_subject *subject);
/* Polls until it is no longer busy. */
struct snapshots_progress snapshot_subject_await(struct snapshot_subject *subject);
/* Writes snapshot n whole. */
struct snapshots_progress snapshot_subject_write(struct snapshot_subject *subject, uint64_t number,
                                                 uint64_t stream_bytes);

/* Reads all blocks of a snapshot. NULL: they are those of its id. Otherwise what is wrong. */
const char *snapshot_subject_read(struct snapshot_subject *subject,
                                  const struct snapshot_info *info);

#endif
