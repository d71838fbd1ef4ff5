/*
 * What the parts of pollux-dump share. Each shows the files of one sort, through the views of pmem/
 * (pmem/file_reader.h): nothing is locked and nothing is written.
 *
 * Owner: one thread.
 */
#ifndef POLLUX_TOOLS_DUMP_DUMP_H
#define POLLUX_TOOLS_DUMP_DUMP_H

#include "pmem/identity.h"
#include "pmem/journal_view.h"
#include "pmem/node_identity.h"
#include "pmem/snapshot_view.h"
#include "raft/configuration.h"
#include "tools/dump/decided.h"
#include "tools/dump/options.h"

/* A path to a file of the node, with its end. */
#define DUMP_PATH_BYTES 4352

struct dump {
    const struct dump_options *options;
    struct output output;
    uint32_t damaged; /* places that are damaged, or may be */
    uint32_t refused; /* files that could not be shown */
};

/* What is learned of a shard on the way. */
struct dump_shard {
    const struct log_identity *owner; /* whose the files should be; NULL: not known */
    struct decided decided;           /* relaxed writes whose fate this node's files know */
    uint64_t applied_index;           /* up to which `decided` is */
    bool is_unmade;                   /* no start has made its files yet */
};

/* Whether any of the parts is asked for. */
bool dump_has(const struct dump *dump, uint32_t parts);

/* Until dump_unmute, nothing is printed unless one of the parts is asked for. */
void dump_mute_unless(struct dump *dump, uint32_t parts);
void dump_unmute_unless(struct dump *dump, uint32_t parts);

/* The object that was begun is of this file, and so are the lines to come; until dump_file_end,
 * which ends the object. */
void dump_file(struct dump *dump, const char *path);
void dump_file_end(struct dump *dump);

/* The fields of an object whose file could not be opened or read. */
void dump_refuse(struct dump *dump, enum error error, const char *note);
/* The same of a file of this shard: where no start has made it yet, nothing is wrong. */
void dump_refuse_of(struct dump *dump, const struct dump_shard *shard, enum error error,
                    const char *note);

/* findings.c: a sink whose findings become rows of the list that is open. */
struct finding_sink dump_finding_sink(struct dump *dump);
void dump_finding(struct dump *dump, const struct finding *finding);

/* show_identity.c. False: no copy is whole. */
bool dump_node_identity(struct dump *dump, const char *path, struct node_identity *ret_identity);
void dump_storage_identity(struct dump *dump, const char *path, const struct log_identity *owner);

/* show_configuration.c: an encoded one. `source` is where it was found, and `index` of its
 * record. */
void dump_configuration(struct dump *dump, const char *source, uint64_t index, struct span bytes);

/* show_log.c */
void dump_log(struct dump *dump, const char *path, struct dump_shard *shard);

/* show_record.c: fields of a row, then what the record or request has. */
void dump_record(struct dump *dump, const struct log_record *record);
void dump_request(struct dump *dump, struct span bytes);

/* show_journal.c: both banks. */
void dump_journal(struct dump *dump, const char *const paths[JOURNAL_BANKS],
                  const struct dump_shard *shard);

/* show_snapshot.c: one file. */
void dump_snapshot(struct dump *dump, const char *path, struct dump_shard *shard);

/* directory.c: all files of a node, or one file of any sort. False: there is nothing to show, and
 * `ret_reason` says why. */
bool dump_path(struct dump *dump, const char *path, char *ret_reason, size_t reason_size);

#endif
