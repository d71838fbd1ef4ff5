/* The identities of a node and of a storage. See dump.h. */
#include "tools/dump/dump.h"

#include "pmem/lock_holder.h"

static const char *const copy_names[] = {"first copy", "second copy"};

/* A file that is one page. False: it could not be read, and that was told. */
static bool read_page(struct dump *dump, const char *path, uint8_t *page, size_t *ret_size_bytes,
                      long *ret_holder)
{
    struct file_reader reader;
    char note[VIEW_NOTE_BYTES];
    dump_file(dump, path);
    enum error error = file_reader_open(path, &reader, note, sizeof(note));
    if (error != OK) {
        dump_refuse(dump, error, note);
        return false;
    }
    ssize_t got_bytes = file_reader_fill(&reader, page, NODE_IDENTITY_FILE_BYTES, 0);
    *ret_holder = lock_holder(reader.fd);
    file_reader_close(&reader);
    if (got_bytes < 0) {
        dump_refuse(dump, ERR_IO, "offset 0: the medium cannot read the file");
        return false;
    }
    *ret_size_bytes = (size_t)got_bytes;
    return true;
}

static void show_copy(struct dump *dump, enum error error, uint32_t number, uint32_t offset)
{
    struct finding finding = {.kind = error == ERR_SHORT ? FINDING_CUT_OFF : FINDING_DAMAGED,
                              .offset = offset,
                              .size_bytes = NODE_IDENTITY_FILE_BYTES / 2,
                              .what = copy_names[number]};
    if (error != OK)
        dump_finding(dump, &finding);
}

/* Another version is no damage, and nothing else is known of the file. */
static bool is_other_version(struct dump *dump, enum error error, uint32_t version, uint32_t known)
{
    char note[VIEW_NOTE_BYTES];
    if (error != ERR_VERSION)
        return false;
    snprintf(note, sizeof(note),
             "offset 8: format version %u, this program knows %u; use the program that belongs to "
             "the file",
             version, known);
    dump_refuse(dump, ERR_VERSION, note);
    return true;
}

static void show_node(struct dump *dump, const struct node_identity *identity, long holder)
{
    struct output *output = &dump->output;
    output_text(output, "cluster", identity->cluster);
    output_name(output, "cluster_id", identity->cluster_id);
    output_number(output, "node", identity->node);
    output_number(output, "shards", identity->shard_count);
    output_text(output, "medium", medium_kind_name(identity->medium));
    if (holder > 0)
        output_number(output, "used_by_process", (uint64_t)holder);
}

bool dump_node_identity(struct dump *dump, const char *path, struct node_identity *ret_identity)
{
    struct output *output = &dump->output;
    uint8_t page[NODE_IDENTITY_FILE_BYTES] = {0};
    size_t size_bytes = 0;
    long holder = 0;
    uint32_t version = 0;
    enum error errors[NODE_IDENTITY_COPIES];
    bool is_good = false;
    output_object(output, "identity");
    if (read_page(dump, path, page, &size_bytes, &holder)) {
        for (uint32_t i = 0; i < NODE_IDENTITY_COPIES; i++)
            errors[i] = node_identity_check(page, size_bytes, i, &version);
        enum error error = errors[0] == OK ? OK : errors[1];
        is_good = node_identity_decode(page, sizeof(page), ret_identity) == OK;
        if (is_good)
            show_node(dump, ret_identity, holder);
        if (is_good || !is_other_version(dump, error, version, NODE_IDENTITY_VERSION)) {
            output_list(output, "findings");
            for (uint32_t i = 0; i < NODE_IDENTITY_COPIES; i++)
                show_copy(dump, errors[i], i, node_identity_copy_offset(i));
            output_end(output);
        }
    }
    dump_file_end(dump);
    return is_good;
}

static void show_storage(struct dump *dump, const struct identity_contents *contents)
{
    struct output *output = &dump->output;
    output_number(output, "version", contents->version);
    output_name(output, "of_cluster", contents->owner.cluster_id);
    output_number(output, "of_node", contents->owner.node);
    output_number(output, "of_shard", contents->owner.shard);
    output_number(output, "births_noted", contents->count);
    output_name(output, "formed", contents->births.formed);
    output_list(output, "births");
    for (uint32_t i = 0; i < IDENTITY_BIRTHS_MAX && contents->births.births[i] != 0; i++) {
        output_row(output, "birth");
        output_name(output, "birth", contents->births.births[i]);
        output_end(output);
    }
    output_end(output);
}

static bool is_of_owner(const struct log_identity *found, const struct log_identity *owner)
{
    return owner == NULL || (found->cluster_id == owner->cluster_id && found->node == owner->node &&
                             found->shard == owner->shard);
}

void dump_storage_identity(struct dump *dump, const char *path, const struct log_identity *owner)
{
    struct output *output = &dump->output;
    struct identity_contents contents;
    uint8_t page[NODE_IDENTITY_FILE_BYTES] = {0};
    size_t size_bytes = 0;
    long holder = 0;
    output_object(output, "storage");
    if (read_page(dump, path, page, &size_bytes, &holder)) {
        enum error error = identity_decode(page, size_bytes, &contents);
        if (!is_other_version(dump, error, contents.version, IDENTITY_VERSION)) {
            if (error == OK && contents.version != 0 && !is_of_owner(&contents.owner, owner))
                dump_refuse(dump, ERR_NODE, "the file of another node, cluster or shard");
            if (error == OK)
                show_storage(dump, &contents);
            output_list(output, "findings");
            for (uint32_t i = 0; i < IDENTITY_COPIES; i++)
                show_copy(dump, contents.copies[i] == ERR_NOT_FOUND ? OK : contents.copies[i], i,
                          identity_copy_offset(i));
            output_end(output);
        }
    }
    dump_file_end(dump);
}
