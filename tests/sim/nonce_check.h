/*
 * Judges the nonces of sealed packets: under one key each number is used once, and numbers rise
 * (security/seal.h). Two packets under one key and number give away the key of the tags, whoever
 * sealed them and however long ago. Every packet that a node or a client of the run seals is seen.
 */
#ifndef POLLUX_TESTS_SIM_NONCE_CHECK_H
#define POLLUX_TESTS_SIM_NONCE_CHECK_H

#include "tests/sim/verdict.h"

/* A run begins: what was sealed before was of another cluster. */
void nonce_check_begin(struct verdict *verdict);

#endif
