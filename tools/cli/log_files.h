/*
 * Files of one log, read behind each other as a stream (client/logs_stream.h). They are opened anew
 * whenever the stream begins. The cursor's mark tells where the last hand-out ended, and the stream
 * begins there. That is in one of the files given, or in the newest file beside the last of them
 * that has the name of a rotated log, such as log.1. A file that does not exist is empty.
 */
#ifndef POLLUX_TOOLS_CLI_LOG_FILES_H
#define POLLUX_TOOLS_CLI_LOG_FILES_H

#include "client/logs_stream.h"
#include "tools/cli/cli_arguments.h"
#include "tools/cli/log_spool.h"

/* The begin of a line comes with so many bytes at least, if the line has them. */
#define LOG_FILES_TIMESTAMP_BYTES 128

struct log_file {
    const char *path;
    int fd;
    uint64_t device;
    uint64_t inode;
    uint64_t size_bytes;   /* when it was opened: no more is read */
    uint64_t begin_bytes;  /* from here on it is read */
    uint64_t stream_bytes; /* of the stream, before it */
    struct logs_mark seen; /* its end, when it was looked at last; file 0: it was not */
    bool is_piped;         /* standard input, kept in a file: it has no mark */
};

struct log_files {
    const struct cli_arguments *arguments;
    struct log_file files[CLI_FILES_MAX + 1];
    int count;
    int at;                /* the file that is read */
    uint64_t offset_bytes; /* in it, read so far */
    uint64_t stream_bytes; /* given so far */
    char *buffer;
    size_t given;   /* of the buffer */
    size_t carried; /* behind that: the begin of a line, whose timestamp may be cut */
    char last;      /* byte given */
    uint8_t checked[LOGS_MARK_CHECKED_BYTES]; /* the last bytes read of this file */
    size_t checked_size;
    FILE *input;      /* what standard input had */
    char beside[512]; /* path of a file that was found beside the last one */
    struct log_spool spool;
    struct logs_mark begun_at; /* in the first file; file 0: at its begin */
    /* Of a follower: it goes on from a place of its own, and the files stay open. */
    bool has_place;
    struct logs_mark place; /* in the first file */
    uint64_t end_bytes;     /* of the stream, walked last, */
    struct logs_mark end;   /* and where that is */
};

/* False: a message is on standard error. */
bool log_files_init(struct log_files *files, const struct cli_arguments *arguments);
void log_files_deinit(struct log_files *files);
struct logs_stream log_files_stream(struct log_files *files);

/* The file that the offset of the stream lies in, and the offset there. */
const struct log_file *log_files_locate(const struct log_files *files, uint64_t stream_bytes,
                                        uint64_t *ret_offset_bytes);
/* The number of the line that begins at the offset, from 1; 0: it cannot be told. */
uint64_t log_files_line(const struct log_file *file, uint64_t offset_bytes);

/* The bytes before the offset are those of the mark. */
bool log_file_has(int fd, const struct logs_mark *mark);
/* The mark of a place in a file. False: it has been cut. */
bool log_file_mark(const struct log_file *file, uint64_t offset_bytes, struct logs_mark *ret_mark);

/* Opens `path` as the file number `at`. False: there is none (`ret_fault` PLX_LOGS_VALID), or a
 * message is on standard error. */
bool log_file_open(struct log_file *file, const char *path, enum plx_logs_fault *ret_fault);

/* ---- log_beside.c ---- */

/* Looks beside `path` for a file that has the mark, and that no other one follows but those given.
 * False: there is none. */
bool log_beside_find(const struct log_files *files, const char *path, const struct logs_mark *mark,
                     char *ret_path, size_t path_size);

/* No file beside `path` is newer than the file `fd`, but those given. */
bool log_beside_is_none(const struct log_files *files, const char *path, int fd);

#endif
