/*
 * The one error enum of Pollux. Every fallible function returns `enum error`; outputs come last and
 * are untouched on failure. Names and texts come from one X-macro so that they cannot drift apart.
 */
#ifndef POLLUX_BASE_ERROR_H
#define POLLUX_BASE_ERROR_H

#define ERROR_LIST(X)                                                                              \
    X(OK, "success")                                                                               \
    X(ERR_ARGUMENT, "invalid argument")                                                            \
    X(ERR_NO_MEMORY, "out of memory")                                                              \
    X(ERR_FULL, "no room")                                                                         \
    X(ERR_NOT_YET, "no room at the moment")                                                        \
    X(ERR_NOT_FOUND, "not found")                                                                  \
    X(ERR_EXISTS, "already exists")                                                                \
    X(ERR_BUSY, "in use by another process")                                                       \
    X(ERR_IO, "input or output failed")                                                            \
    X(ERR_NO_SPACE, "no space left on the medium")                                                 \
    X(ERR_PERMISSION, "permission denied")                                                         \
    X(ERR_SHORT, "ends too early")                                                                 \
    X(ERR_TRAILING, "has bytes after its end")                                                     \
    X(ERR_TOO_LARGE, "larger than its limit")                                                      \
    X(ERR_MAGIC, "not a Pollux format")                                                            \
    X(ERR_VERSION, "of an unknown version")                                                        \
    X(ERR_CHECKSUM, "checksum mismatch")                                                           \
    X(ERR_CLUSTER, "of another cluster")                                                           \
    X(ERR_NODE, "of another node")                                                                 \
    X(ERR_STORAGE, "of another storage")                                                           \
    X(ERR_SHARD, "of another shard")                                                               \
    X(ERR_KEY, "of another key")                                                                   \
    X(ERR_SNAPSHOT, "of another snapshot")                                                         \
    X(ERR_TYPE, "unknown type")                                                                    \
    X(ERR_RESERVED, "reserved bytes are not zero")                                                 \
    X(ERR_RANGE, "value out of its range")                                                         \
    X(ERR_REPLAYED, "seen before")                                                                 \
    X(ERR_FORGED, "not authentic")                                                                 \
    X(ERR_OUTDATED, "of a state that is over")                                                     \
    X(ERR_CORRUPT, "contents contradict each other")                                               \
    X(ERR_SYNC, "a sync of the medium failed")                                                     \
    X(ERR_NOT_LEADER, "not the leader")                                                            \
    X(ERR_TIMEOUT, "timed out")                                                                    \
    X(ERR_SYNTAX, "syntax error")                                                                  \
    X(ERR_UNSUPPORTED, "not supported")

enum error {
#define X(name, text) name,
    ERROR_LIST(X)
#undef X
        ERROR_COUNT
};

#define MUST_USE __attribute__((warn_unused_result))

/* Name of the enumerator ("ERR_FULL"); any thread; never NULL: "ERR_?" outside the enum. */
const char *error_name(enum error error);

/* Short lower-case text for a person ("no room"); any thread; never NULL. */
const char *error_text(enum error error);

#endif
