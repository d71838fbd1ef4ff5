/*
 * Which keys are stored: in their order, over all shards, page by page. `pollux list` and `pollux
 * export` are such programs.
 *
 *     void *memory = malloc(plx_list_size());
 *     struct plx_list *list;
 *     struct plx_list_query query = {.prefix = plx_text("user/"), .after = plx_text("")};
 *     struct plx_list_entry entry;
 *     enum plx_outcome outcome = plx_list_begin(memory, plx_list_size(), &query, &list);
 *     while (outcome == PLX_OK && (outcome = plx_list(client, list, NULL, &entry)) == PLX_OK)
 *         use(entry.key);
 *     free(memory);                          // PLX_NOT_FOUND: that was the last one
 *
 * The order is that of the bytes as unsigned numbers; a key comes before every longer one that
 * begins with it. Keys that the cluster keeps for itself, which begin with "\0pollux", are left
 * out.
 *
 * The keys come in pages: each is what one shard stores behind the last key of the page before.
 * - Consistent: a page is the state of its shard at one index of its log (`index`), which was
 *   current at some moment of the call that got it. So within a page nothing is missing, nothing is
 *   there twice, and no two entries are of different moments.
 * - Relaxed: a page is what one node shows at one moment, with or without a quorum: its pending
 *   relaxed writes, else what it has applied (`index`). It is what relaxed gets at this node, of
 *   all these keys at once, would have said.
 * Different pages are of different moments: a key that is stored, or deleted, while the list is
 * walked may be in it or not. A key that is there all the time is in it exactly once. For the state
 * of a shard at one index as a whole there is the backup: pollux_backup.h.
 *
 * A list keeps one page of each shard in the memory of its caller, and nothing on the nodes. It may
 * be given up at any time, and may wait for any time.
 */
#ifndef POLLUX_LIST_H
#define POLLUX_LIST_H

#include "pollux.h"

#ifdef __cplusplus
extern "C" {
#endif

struct plx_list_query {
    struct plx_bytes prefix; /* keys that begin with it; without data or of size 0: all */
    struct plx_bytes after;  /* keys behind this one; without data or of size 0: from the first */
    bool has_values;         /* small values come with their keys */
};

struct plx_list_entry {
    struct plx_bytes key;    /* valid until the next call with this list, as `value` is */
    bool has_value;          /* `value` is the whole value. Else values were not asked for, or this
                                one is too large for a page: plx_get has it */
    bool is_pending;         /* relaxed: a write that only the answering node has */
    struct plx_bytes value;  /* without data unless has_value */
    size_t value_size_bytes; /* of the whole value */
    uint64_t version;        /* as in plx_response */
    uint16_t shard;          /* of the key */
    uint64_t index;          /* of the shard's log, applied at the answering node: of its page */
    uint16_t node;           /* the node that answered */
    uint64_t incarnation;    /* of that node */
    uint64_t contact_age_ns; /* since that node's last contact with a quorum; UINT64_MAX: never */
};

/* A list that is walked. */
struct plx_list;

/* Bytes of memory that a list takes; they are touched as pages come, a few KiB for each shard. Any
 * thread. */
PLX_API size_t plx_list_size(void);

/*
 * Begins a list in the memory, which has to be aligned as that of malloc and lives as long as the
 * list is used; nothing else is to be given back. Sends nothing. The query is copied. Returns
 * PLX_OK, PLX_E_ARGUMENT (too little memory) or PLX_E_TOO_LARGE (prefix or after), then *ret_list
 * is NULL. Any thread.
 */
PLX_API enum plx_outcome plx_list_begin(void *memory, size_t memory_size_bytes,
                                        const struct plx_list_query *query,
                                        struct plx_list **ret_list);

/*
 * The next key. Asks for another page of each shard whose page is used up, and waits for it. Of the
 * call, is_relaxed, is_blocking, timeout_ns and max_age_ns count, for the pages that it asks for;
 * min_index, which would be of one shard, must be 0. A handle with read_your_writes gets no relaxed
 * page that lacks its own writes.
 * - PLX_OK: *ret_entry is the next one.
 * - PLX_NOT_FOUND: there are no more.
 * - PLX_TIMEOUT: a page did not come in time, or plx_cancel came. Nothing is lost: the next call
 *   goes on.
 * - PLX_E_TOO_STALE: the node cannot promise a page that fresh. The next call asks again.
 * - PLX_E_UNSUPPORTED: the node runs a program of before there were lists.
 * - PLX_E_ARGUMENT: min_index, or from a callback; PLX_E_FORKED.
 * Unless PLX_OK, *ret_entry is all zero. One thread uses a list at a time; threads of the handle as
 * plx_get.
 */
PLX_API enum plx_outcome plx_list(struct plx_client *client, struct plx_list *list,
                                  const struct plx_call *call, struct plx_list_entry *ret_entry);

#ifdef __cplusplus
}
#endif

#endif
