/*
 * The log file of one server as it grows: lines with timestamps, many of them equal, that appear
 * one after the other. The payload of a line is its number, from 0.
 */
#ifndef POLLUX_TESTS_SIM_LOG_FILE_H
#define POLLUX_TESTS_SIM_LOG_FILE_H

#include "client/include/pollux_logs.h"

struct log_line {
    uint64_t number;
    uint64_t appears_ns;
};

struct log_file {
    struct plx_log *logs;
    struct log_line *lines;
    uint32_t count;
};

/* `count` lines, spread over the time up to `until_ns`. */
void log_file_init(struct log_file *file, uint64_t seed, uint32_t count, uint64_t until_ns);
void log_file_deinit(struct log_file *file);

/* Lines that have appeared by now. */
uint32_t log_file_length(const struct log_file *file, uint64_t now_ns);

/* Lines [from, to) as text; returns the size. */
size_t log_file_text_size(const struct log_file *file, uint32_t from, uint32_t to);
void log_file_text_write(const struct log_file *file, uint32_t from, uint32_t to, char *to_text);

#endif
