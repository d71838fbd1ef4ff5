/*
 * Frames written to a file as they arrive at the switch, before any fault: pcap with nanoseconds
 * (draft-ietf-opsawg-pcap), link type Ethernet. The file stops growing at its limit, and says so in
 * the counters. Owner: the switch's thread.
 */
#ifndef POLLUX_TOOLS_SWITCH_CAPTURE_H
#define POLLUX_TOOLS_SWITCH_CAPTURE_H

#include "base/error.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define CAPTURE_FRAME_BYTES_MAX 65535

struct capture {
    FILE *file; /* NULL: off */
    uint64_t limit_bytes;
    uint64_t written_bytes;
    uint64_t written_packets;
    uint64_t skipped_packets; /* limit reached or the write failed */
    uint64_t epoch_ns;        /* real time minus the monotonic clock */
};

/* Begins a new file, closing the one before. `epoch_ns`: real time at monotonic 0. ERR_IO. */
MUST_USE enum error capture_open(struct capture *capture, const char *path, uint64_t limit_bytes,
                                 uint64_t epoch_ns);

/* One frame that arrived at `now_ns` of the monotonic clock. */
void capture_write(struct capture *capture, uint64_t now_ns, struct span frame);

/* Flushes and closes. ERR_IO when bytes could not be written. No file: OK. */
enum error capture_close(struct capture *capture);

#endif
