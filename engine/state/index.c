/* The index on cds_lfht: see engine/state/index.h. */
#include "engine/state/index.h"

#include "base/check.h"

#include <urcu/urcu-qsbr.h>
#include <urcu/rculfhash.h>

#define BUCKETS_MIN 64
#define BUCKETS_MAX (1ul << 30)

static_assert(sizeof(((struct store_entry *)0)->link) == sizeof(struct cds_lfht_node),
              "the node fits the entry's room for it");
static_assert(offsetof(struct store_entry, link) % __alignof__(struct cds_lfht_node) == 0,
              "the node's low bits are flags: it is aligned");

struct index_key {
    const struct store *store;
    struct span key;
    uint64_t hash;
};

static inline struct cds_lfht_node *node_of(struct store_entry *entry)
{
    return (struct cds_lfht_node *)(void *)entry->link;
}

static inline struct store_entry *entry_of(struct cds_lfht_node *node)
{
    return (struct store_entry *)(void *)((uint8_t *)node - offsetof(struct store_entry, link));
}

/* The table takes its buckets from the low bits, which keys of one shard have in common. */
static inline unsigned long bucket_hash(uint64_t hash)
{
    return (hash >> 32) | (hash << 32);
}

static int is_match(struct cds_lfht_node *node, const void *context)
{
    const struct index_key *wanted = context;
    const struct store_entry *entry = entry_of(node);
    return store_has_key(wanted->store, entry, wanted->key) && entry->hash == wanted->hash;
}

/* For replace: the very entry that the iterator holds. */
static int is_same(struct cds_lfht_node *node, const void *context)
{
    return node == context;
}

size_t index_arena_bytes(uint32_t keys_max)
{
    return index_cache_arena_bytes(keys_max);
}

enum error index_init(struct index *index, struct arena *arena, struct store *store,
                      uint32_t keys_max)
{
    unsigned long buckets = BUCKETS_MIN;
    while (buckets < keys_max && buckets < BUCKETS_MAX)
        buckets *= 2;
    struct cds_lfht *table =
        cds_lfht_new_flavor(buckets, buckets, buckets, 0, &urcu_qsbr_flavor, NULL);
    if (table == NULL)
        return ERR_NO_MEMORY;
    *index = (struct index){.table = table, .store = store};
    index_cache_init(&index->cache, arena, store, keys_max);
    return OK;
}

void index_deinit(struct index *index)
{
    if (index->table == NULL)
        return;
    struct cds_lfht_iter iter;
    struct cds_lfht_node *node;
    cds_lfht_for_each(index->table, &iter, node) CHECK(cds_lfht_del(index->table, node) == 0);
    CHECK(cds_lfht_destroy(index->table, NULL) == 0);
    index->table = NULL;
}

struct store_entry *index_lookup(const struct index *index, struct span key, uint64_t hash)
{
    struct store_entry *entry = index_cache_lookup(&index->cache, key, hash);
    if (entry != NULL)
        return entry;
    struct index_key wanted = {.store = index->store, .key = key, .hash = hash};
    struct cds_lfht_iter iter;
    cds_lfht_lookup(index->table, bucket_hash(hash), is_match, &wanted, &iter);
    struct cds_lfht_node *node = cds_lfht_iter_get_node(&iter);
    return node == NULL ? NULL : entry_of(node);
}

void index_add(struct index *index, struct store_entry *entry)
{
    struct cds_lfht_node *node = node_of(entry);
    cds_lfht_node_init(node);
    cds_lfht_add(index->table, bucket_hash(entry->hash), node);
    index_cache_add(&index->cache, entry);
}

void index_replace(struct index *index, struct store_entry *old, struct store_entry *entry)
{
    struct cds_lfht_iter iter;
    struct cds_lfht_node *node = node_of(entry);
    cds_lfht_node_init(node);
    cds_lfht_lookup(index->table, bucket_hash(old->hash), is_same, node_of(old), &iter);
    CHECK(cds_lfht_iter_get_node(&iter) == node_of(old));
    CHECK(cds_lfht_replace(index->table, &iter, bucket_hash(entry->hash), is_same, node_of(old),
                           node) == 0);
    index_cache_replace(&index->cache, old, entry);
}

void index_remove(struct index *index, struct store_entry *entry)
{
    CHECK(cds_lfht_del(index->table, node_of(entry)) == 0);
    index_cache_replace(&index->cache, entry, NULL);
}

void index_walk(const struct index *index,
                void (*visit)(void *context, const struct store_entry *entry), void *context)
{
    struct cds_lfht_iter iter;
    struct cds_lfht_node *node;
    cds_lfht_for_each(index->table, &iter, node) visit(context, entry_of(node));
}
