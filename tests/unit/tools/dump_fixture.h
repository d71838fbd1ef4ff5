/*
 * A data directory that the code of the node has made, with every sort of file, and pollux-dump
 * over it. Its log has records 1 to 20, its journal four entries of which two are decided, and its
 * snapshots are of the records 5 and 10.
 */
#ifndef POLLUX_TESTS_UNIT_TOOLS_DUMP_FIXTURE_H
#define POLLUX_TESTS_UNIT_TOOLS_DUMP_FIXTURE_H

#include "tools/dump/dump.h"

#include <sys/types.h>

#define DUMP_FIXTURE_RECORDS 20u
#define DUMP_FIXTURE_KEYS    100u /* of a snapshot */
#define DUMP_FIXTURE_SECRET  "my-secret"
#define DUMP_FIXTURE_FILES   7u

struct dump_fixture {
    char directory[64];
    char path[128];
    struct dump_options options;
    char *text;
    size_t text_size;
    uint32_t damaged;
    uint32_t refused;
    char reason[VIEW_NOTE_BYTES];
};

extern const char *const dump_fixture_names[DUMP_FIXTURE_FILES];

int dump_fixture_setup(void **state);
int dump_fixture_teardown(void **state);

/* The path of a file, until the next call. */
const char *dump_fixture_path(struct dump_fixture *fixture, const char *name);
void dump_fixture_write(struct dump_fixture *fixture, const char *name, const void *bytes,
                        size_t size);
void dump_fixture_flip(struct dump_fixture *fixture, const char *name, off_t offset);
void dump_fixture_make_snapshots(struct dump_fixture *fixture, uint32_t version);

/* Dumps a directory or a file into fixture->text. */
bool dump_fixture_dump(struct dump_fixture *fixture, const char *path);
void dump_fixture_dump_all(struct dump_fixture *fixture);

/* Fails unless the text has these words; how often it has them. */
void dump_fixture_says(const struct dump_fixture *fixture, const char *words);
uint32_t dump_fixture_count(const struct dump_fixture *fixture, const char *words);

#endif
