/*
 * A reader (pmem/file_reader.h) of a simulated medium that is open, as a tool reads the file of a
 * node that is running: with places that cannot be read, an end that was cut off, and a hook that
 * is called before each read, in which the node goes on.
 */
#ifndef POLLUX_TESTS_SIM_VIEW_READER_H
#define POLLUX_TESTS_SIM_VIEW_READER_H

#include "pmem/file_reader.h"
#include "pmem/medium.h"

#define VIEW_FINDINGS_MAX 64u

struct view_reader {
    struct file_reader reader;
    const uint8_t *data;
    size_t size_bytes;
    uint64_t bad_offset; /* of bytes that cannot be read */
    uint64_t bad_bytes;  /* 0: none */
    void (*before_read)(void *context);
    void *context;
    uint32_t reads;
};

/* The reader then stays where it is. */
void view_reader_init(struct view_reader *reader, const struct medium *medium);
void view_reader_init_bytes(struct view_reader *reader, const uint8_t *data, size_t size_bytes);
void view_reader_cut(struct view_reader *reader, size_t size_bytes);

/* What was found. */
struct view_findings {
    struct finding_sink sink;
    struct finding findings[VIEW_FINDINGS_MAX];
    uint32_t count;
};
void view_findings_init(struct view_findings *findings);
/* How many are damage. */
uint32_t view_findings_damage(const struct view_findings *findings);
/* The first of this kind; NULL: there is none. */
const struct finding *view_findings_of(const struct view_findings *findings,
                                       enum finding_kind kind);

#endif
