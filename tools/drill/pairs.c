/* Reading, storing and comparing pairs. */
#include "tools/drill/pairs.h"

#include "tools/drill/batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RELAXED_TIMEOUT_NS                                                                         \
    1000000000 /* a node that is there answers at once, unless it is starved */

static bool split_pair(struct pairs *pairs, const char *path)
{
    char *line = pairs->text;
    while (*line != '\0') {
        char *end = line + strcspn(line, "\n");
        char *tab = memchr(line, '\t', (size_t)(end - line));
        if (tab == NULL || tab == line || pairs->count == PAIRS_MAX) {
            fprintf(stderr, "%s:%u: expected KEY, a tab and VALUE, %d lines at most\n", path,
                    pairs->count + 1, PAIRS_MAX);
            return false;
        }
        pairs->keys[pairs->count] = (struct plx_bytes){line, (size_t)(tab - line)};
        pairs->values[pairs->count] = (struct plx_bytes){tab + 1, (size_t)(end - tab - 1)};
        pairs->count++;
        line = *end == '\0' ? end : end + 1;
    }
    return true;
}

struct pairs *pairs_read(const char *path)
{
    struct pairs *pairs = calloc(1, sizeof(*pairs));
    FILE *file = fopen(path, "re");
    if (pairs == NULL || file == NULL) {
        perror(path);
        goto out;
    }
    pairs->text = malloc(PAIRS_FILE_BYTES_MAX + 1);
    if (pairs->text == NULL) {
        perror(path);
        goto out;
    }
    size_t size_bytes = fread(pairs->text, 1, PAIRS_FILE_BYTES_MAX, file);
    pairs->text[size_bytes] = '\0';
    if (feof(file) == 0) {
        fprintf(stderr, "%s: cannot be read, or larger than 32 MiB\n", path);
        goto out;
    }
    if (split_pair(pairs, path)) {
        fclose(file);
        return pairs;
    }
out:
    if (file != NULL)
        fclose(file);
    pairs_free(pairs);
    return NULL;
}

void pairs_free(struct pairs *pairs)
{
    if (pairs != NULL)
        free(pairs->text);
    free(pairs);
}

static void prepare_set(void *context, struct batch_slot *slot, struct plx_op *op)
{
    const struct pairs *pairs = context;
    op->type = PLX_OP_SET;
    op->key = pairs->keys[slot->number];
    op->value = pairs->values[slot->number];
    op->call.is_blocking = true;
}

static void judge_set(void *context, uint64_t number, const struct plx_response *response)
{
    struct pairs *pairs = context;
    (void)number;
    pairs->wrong_count += response->outcome != PLX_OK;
}

static void prepare_get(void *context, struct batch_slot *slot, struct plx_op *op)
{
    const struct pairs *pairs = context;
    op->type = PLX_OP_GET;
    op->key = pairs->keys[slot->number];
    op->call.is_blocking = true;
}

static void prepare_relaxed_get(void *context, struct batch_slot *slot, struct plx_op *op)
{
    prepare_get(context, slot, op);
    op->call.is_relaxed = true;
    op->call.is_blocking = false;
    op->call.timeout_ns = RELAXED_TIMEOUT_NS;
}

static void judge_get(void *context, uint64_t number, const struct plx_response *response)
{
    struct pairs *pairs = context;
    const struct plx_bytes *value = &pairs->values[number];
    bool is_equal = response->outcome == PLX_OK &&
                    response->value.size_bytes == value->size_bytes &&
                    (value->size_bytes == 0 ||
                     memcmp(response->value.data, value->data, value->size_bytes) == 0);
    pairs->wrong_count += !is_equal;
}

bool pairs_store(struct pairs *pairs, struct plx_client *client)
{
    static struct batch batch;
    batch = (struct batch){.client = client,
                           .count = pairs->count,
                           .prepare = prepare_set,
                           .judge = judge_set,
                           .context = pairs};
    pairs->wrong_count = 0;
    return batch_run(&batch);
}

bool pairs_compare(struct pairs *pairs, struct plx_client *client, bool is_relaxed)
{
    static struct batch batch;
    batch = (struct batch){.client = client,
                           .count = pairs->count,
                           .prepare = is_relaxed ? prepare_relaxed_get : prepare_get,
                           .judge = judge_get,
                           .context = pairs};
    pairs->wrong_count = 0;
    return batch_run(&batch);
}
