/*
 * Random bytes that nobody can guess, from a seed: block n is the keyed BLAKE2b of n. A node draws
 * the seed from the operating system at its start; the simulator draws it from the seed of the run.
 * So the same seed gives the same run, and a polling thread makes no system call.
 *
 * Who learns the state later learns what was drawn before, too: it is for nonces and cookies, which
 * are no secrets for long. Secrets that last are drawn with secret_draw.
 *
 * Owner: one thread.
 */
#ifndef POLLUX_SECURITY_RANDOM_STREAM_H
#define POLLUX_SECURITY_RANDOM_STREAM_H

#include "security/secret.h"

struct random_stream {
    struct secret seed;
    uint64_t block_count; /* drawn so far */
};

void random_stream_init(struct random_stream *stream, const struct secret *seed);

/* 1 .. 64 bytes (CHECK), never the same ones twice. */
void random_stream_draw(struct random_stream *stream, uint8_t *ret_bytes, size_t size_bytes);

#endif
