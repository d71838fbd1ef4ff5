/* The simulated medium; the model is told in medium_sim.h. */
#include "tests/sim/medium_sim.h"

#include "base/check.h"
#include "base/le.h"
#include "base/prng.h"
#include "tests/sim/sim_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct medium_sim {
    struct prng prng;
    struct medium_sim_options options;
    uint64_t now_ns;
    struct medium *open_media; /* newest first */
    struct medium_sim_watch watch;
    size_t file_end; /* no file has been at this place or behind it */
    struct sim_file files[MEDIUM_SIM_FILES_MAX];
};

struct medium {
    struct medium_sim *sim;
    struct sim_file *file; /* NULL once the process has died */
    uint8_t *data;         /* its own from then on, with what else is needed to give it back */
    size_t image_bytes;
    size_t high_bytes;
    size_t size_bytes;
    enum medium_granularity granularity;
    struct medium *next; /* of all that are open */
};

/* Which simulation medium_open serves. */
static struct medium_sim *current;

/* FNV-1a. */
static uint64_t path_hash(const char *path)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (const char *at = path; *at != '\0'; at++)
        hash = (hash ^ (uint8_t)*at) * UINT64_C(0x100000001b3);
    return hash;
}

static struct sim_file *file_find(const struct medium_sim *sim, const char *path)
{
    uint64_t hash = path_hash(path);
    for (size_t i = 0; i < sim->file_end; i++) {
        const struct sim_file *file = &sim->files[i];
        if (file->path_hash == hash && strcmp(file->path, path) == 0)
            return (struct sim_file *)file;
    }
    return NULL;
}

static void file_name(struct sim_file *file, const char *path)
{
    CHECK(path[0] != '\0' && strlen(path) < sizeof(file->path));
    memcpy(file->path, path, strlen(path) + 1);
    file->path_hash = path_hash(path);
}

static struct sim_file *file_of(const struct medium_sim *sim, const char *path)
{
    struct sim_file *file = file_find(sim, path);
    CHECK(path[0] != '\0');
    CHECK(file != NULL);
    return file;
}

struct medium_sim *medium_sim_create(const struct medium_sim_options *options)
{
    struct medium_sim *sim = sim_take(sizeof(*sim));
    CHECK(options->sync_delay_min_ns <= options->sync_delay_max_ns);
    prng_init(&sim->prng, options->seed);
    sim->options = *options;
    return sim;
}

void medium_sim_destroy(struct medium_sim *sim)
{
    CHECK(sim->open_media == NULL);
    for (size_t i = 0; i < sim->file_end; i++)
        sim_file_release(&sim->files[i]);
    if (current == sim)
        current = NULL;
    free(sim);
}

struct medium_sim *medium_sim_clone(const struct medium_sim *sim)
{
    struct medium_sim *clone = sim_take(sizeof(*clone));
    *clone = *sim;
    clone->open_media = NULL;
    for (size_t i = 0; i < clone->file_end; i++) {
        struct sim_file *file = &clone->files[i];
        const struct sim_file *from = &sim->files[i];
        if (from->path[0] == '\0')
            continue;
        file->visible = sim_image_take(from->image_bytes);
        file->persisted = sim_image_take(from->image_bytes);
        memcpy(file->visible, from->visible, from->high_bytes);
        memcpy(file->persisted, from->persisted, from->high_bytes);
        file->store_capacity = from->store_count + 64;
        file->stores = sim_take(file->store_capacity * sizeof(*file->stores));
        memcpy(file->stores, from->stores, from->store_count * sizeof(*file->stores));
        sim_file_forget_opener(file);
    }
    return clone;
}

void medium_sim_set_space(struct medium_sim *sim, size_t space_bytes)
{
    sim->options.space_bytes = space_bytes;
}

void medium_sim_use(struct medium_sim *sim)
{
    current = sim;
}

void medium_sim_set_now(struct medium_sim *sim, uint64_t now_ns)
{
    CHECK(now_ns >= sim->now_ns);
    sim->now_ns = now_ns;
    for (size_t i = 0; i < sim->file_end; i++)
        sim_file_sync_advance(&sim->files[i], &sim->prng, sim->now_ns);
}

void medium_sim_set_watch(struct medium_sim *sim, struct medium_sim_watch watch)
{
    sim->watch = watch;
}

uint64_t medium_sim_deadline_ns(const struct medium_sim *sim, const char *path)
{
    const struct sim_file *file = file_find(sim, path);
    return file != NULL && file->is_syncing && !file->is_failed ? file->sync_due_ns : UINT64_MAX;
}

void medium_sim_set_delay(struct medium_sim *sim, const char *path, uint64_t min_ns,
                          uint64_t max_ns)
{
    struct sim_file *file = file_of(sim, path);
    CHECK(min_ns <= max_ns);
    file->delay_min_ns = min_ns;
    file->delay_max_ns = max_ns;
    if (!file->is_syncing)
        return;
    file->sync_due_ns = max_ns == MEDIUM_SIM_STALLED
                            ? UINT64_MAX
                            : sim->now_ns + prng_range(&sim->prng, min_ns, max_ns);
}

void medium_sim_fail_sync(struct medium_sim *sim, const char *path)
{
    file_of(sim, path)->is_sync_failing = true;
}

void medium_sim_flip_bit(struct medium_sim *sim, const char *path, size_t offset, uint32_t bit)
{
    struct sim_file *file = file_of(sim, path);
    CHECK(offset < file->size_bytes);
    CHECK(bit < 8);
    file->visible[offset] ^= (uint8_t)(1u << bit);
    file->persisted[offset] ^= (uint8_t)(1u << bit);
    if (offset + 1 > file->high_bytes)
        file->high_bytes = offset + 1;
}

void medium_sim_zero_page(struct medium_sim *sim, const char *path, size_t offset)
{
    struct sim_file *file = file_of(sim, path);
    size_t begin = offset / 4096 * 4096;
    CHECK(begin + 4096 <= file->size_bytes);
    memset(file->visible + begin, 0, 4096);
    memset(file->persisted + begin, 0, 4096);
}

void medium_sim_spoil_page(struct medium_sim *sim, const char *path, size_t offset)
{
    struct sim_file *file = file_of(sim, path);
    medium_sim_zero_page(sim, path, offset);
    file->is_unreadable = true;
    file->unreadable_offset = offset / 4096 * 4096;
}

void medium_sim_cut(struct medium_sim *sim, const char *path, size_t size_bytes)
{
    struct sim_file *file = file_of(sim, path);
    CHECK(!file->is_open);
    CHECK(size_bytes <= file->size_bytes);
    file->size_bytes = size_bytes;
    file->store_count = 0;
    file->has_orphans = false;
}

/* Whoever has the file open keeps the memory it reads, and reaches the file no more. */
static void file_detach(struct medium_sim *sim, struct sim_file *file)
{
    for (struct medium *medium = sim->open_media; medium != NULL; medium = medium->next) {
        if (medium->file != file)
            continue;
        file->visible = sim_image_take(file->image_bytes);
        memcpy(file->visible, medium->data, file->high_bytes);
        medium->file = NULL;
        medium->high_bytes = file->high_bytes;
    }
    sim_file_forget_opener(file);
}

void medium_sim_remove(struct medium_sim *sim, const char *path)
{
    struct sim_file *file = file_of(sim, path);
    file_detach(sim, file);
    sim_file_release(file);
}

void medium_sim_save(const struct medium_sim *sim, const char *path,
                     struct medium_sim_image *ret_image)
{
    const struct sim_file *file = file_of(sim, path);
    *ret_image = (struct medium_sim_image){.bytes = sim_take(file->high_bytes + 1),
                                           .size_bytes = file->high_bytes};
    memcpy(ret_image->bytes, file->persisted, file->high_bytes);
}

void medium_sim_restore(struct medium_sim *sim, const char *path,
                        const struct medium_sim_image *image)
{
    struct sim_file *file = file_of(sim, path);
    CHECK(image->size_bytes <= file->image_bytes);
    file_detach(sim, file);
    file->store_count = 0;
    file->has_orphans = false;
    if (file->high_bytes < image->size_bytes)
        file->high_bytes = image->size_bytes;
    memset(file->persisted, 0, file->high_bytes);
    memcpy(file->persisted, image->bytes, image->size_bytes);
    memcpy(file->visible, file->persisted, file->high_bytes);
}

void medium_sim_image_free(struct medium_sim_image *image)
{
    free(image->bytes);
    *image = (struct medium_sim_image){0};
}

void medium_sim_lose_power_but(struct medium_sim *sim, const char *path, const uint64_t *survivors)
{
    struct sim_file *file = file_find(sim, path);
    if (file == NULL)
        return;
    file_detach(sim, file);
    for (size_t i = 0; i < file->store_count; i++)
        if ((survivors[i / 64] >> (i % 64) & 1) != 0)
            sim_file_apply(file, &file->stores[i]);
    file->store_count = 0;
    file->has_orphans = false;
    memcpy(file->visible, file->persisted, file->high_bytes);
}

void medium_sim_lose_power(struct medium_sim *sim, const char *path, uint32_t survive_per_million)
{
    struct sim_file *file = file_find(sim, path);
    if (file == NULL)
        return;
    uint64_t *survivors = sim_take((file->store_count / 64 + 1) * sizeof(*survivors));
    for (size_t i = 0; i < file->store_count; i++)
        if (prng_chance(&sim->prng, survive_per_million))
            survivors[i / 64] |= UINT64_C(1) << (i % 64);
    medium_sim_lose_power_but(sim, path, survivors);
    free(survivors);
}

void medium_sim_kill(struct medium_sim *sim, const char *path)
{
    struct sim_file *file = file_find(sim, path);
    if (file == NULL)
        return;
    file_detach(sim, file);
    if (file->granularity != MEDIUM_PAGE)
        sim_file_orphan(file, file->store_count);
}

bool medium_sim_exists(const struct medium_sim *sim, const char *path)
{
    return file_find(sim, path) != NULL;
}

size_t medium_sim_written_bytes(const struct medium_sim *sim, const char *path)
{
    return file_of(sim, path)->high_bytes;
}

size_t medium_sim_pending_count(const struct medium_sim *sim, const char *path)
{
    return file_of(sim, path)->store_count;
}

const uint8_t *medium_sim_persisted(const struct medium_sim *sim, const char *path)
{
    return file_of(sim, path)->persisted;
}

static size_t space_used_bytes(const struct medium_sim *sim)
{
    size_t used_bytes = 0;
    for (size_t i = 0; i < sim->file_end; i++)
        used_bytes += sim->files[i].size_bytes;
    return used_bytes;
}

/* A place for a file. */
static struct sim_file *place_take(struct medium_sim *sim)
{
    size_t place = 0;
    while (place < sim->file_end && sim->files[place].path[0] != '\0')
        place++;
    CHECK(place < MEDIUM_SIM_FILES_MAX);
    if (place == sim->file_end)
        sim->file_end++;
    return &sim->files[place];
}

static enum error file_create(struct medium_sim *sim, const struct medium_options *options,
                              struct sim_file **ret_file)
{
    if (sim->options.space_bytes != 0 &&
        space_used_bytes(sim) + options->size_bytes > sim->options.space_bytes)
        return ERR_NO_SPACE;
    struct sim_file *file = place_take(sim);
    file_name(file, options->path);
    file->granularity = sim->options.granularity;
    file->size_bytes = options->size_bytes;
    file->image_bytes = options->size_bytes;
    file->visible = sim_image_take(options->size_bytes);
    file->persisted = sim_image_take(options->size_bytes);
    file->delay_min_ns = sim->options.sync_delay_min_ns;
    file->delay_max_ns = sim->options.sync_delay_max_ns;
    file->sync_due_ns = UINT64_MAX;
    *ret_file = file;
    return OK;
}

void medium_sim_copy(struct medium_sim *sim, const char *path, const char *new_path)
{
    const struct sim_file *from = file_of(sim, path);
    const struct medium_options options = {.path = new_path, .size_bytes = from->image_bytes};
    struct sim_file *file = NULL;
    CHECK(file_create(sim, &options, &file) == OK);
    file->size_bytes = from->size_bytes;
    file->granularity = from->granularity;
    file->high_bytes = from->high_bytes;
    memcpy(file->persisted, from->persisted, from->high_bytes);
    memcpy(file->visible, from->persisted, from->high_bytes);
}

static enum error file_obtain(const struct medium_options *options, struct sim_file **ret_file)
{
    struct sim_file *file = file_find(current, options->path);
    if (file != NULL) {
        if (file->is_open)
            return ERR_BUSY;
        *ret_file = file;
        return file->size_bytes < 4096 ? ERR_SHORT : OK;
    }
    return options->is_created ? file_create(current, options, ret_file) : ERR_NOT_FOUND;
}

enum error medium_open(const struct medium_options *options, struct medium **ret_medium,
                       char *ret_reason, size_t reason_size)
{
    struct sim_file *file = NULL;
    CHECK(current != NULL);
    CHECK(options->path[0] != '\0');
    enum error error = file_obtain(options, &file);
    if (error != OK) {
        snprintf(ret_reason, reason_size, "%.140s: %s", options->path, error_text(error));
        return error;
    }
    struct medium *medium = sim_take(sizeof(*medium));
    file->is_open = true;
    *medium = (struct medium){.sim = current,
                              .file = file,
                              .data = file->visible,
                              .image_bytes = file->image_bytes,
                              .size_bytes = file->size_bytes / 4096 * 4096,
                              .granularity = file->granularity,
                              .next = current->open_media};
    current->open_media = medium;
    *ret_medium = medium;
    return OK;
}

size_t medium_file_size_bytes(const char *path)
{
    CHECK(current != NULL);
    const struct sim_file *file = file_find(current, path);
    return file != NULL ? file->size_bytes : 0;
}

enum error medium_move(const char *path, const char *new_path, char *ret_reason, size_t reason_size)
{
    struct sim_file *file = file_of(current, path);
    CHECK(!file->is_open && reason_size > 0);
    if (file_find(current, new_path) != NULL)
        sim_file_release(file_find(current, new_path));
    file_name(file, new_path);
    ret_reason[0] = '\0';
    return OK;
}

/* A process that ends in good order: the same as one that is killed. */
void medium_close(struct medium *medium)
{
    struct medium **link = &medium->sim->open_media;
    while (*link != medium)
        link = &(*link)->next;
    *link = medium->next;
    if (medium->file == NULL) {
        sim_image_give(medium->data, medium->image_bytes, medium->high_bytes);
    } else {
        sim_file_forget_opener(medium->file);
        if (medium->granularity != MEDIUM_PAGE)
            sim_file_orphan(medium->file, medium->file->store_count);
    }
    free(medium);
}

enum medium_granularity medium_granularity(const struct medium *medium)
{
    return medium->granularity;
}

bool medium_is_emulated(const struct medium *medium)
{
    (void)medium;
    return true;
}

bool medium_is_volatile(const struct medium *medium)
{
    (void)medium;
    return false;
}

const uint8_t *medium_data(const struct medium *medium)
{
    return medium->data;
}

size_t medium_size_bytes(const struct medium *medium)
{
    return medium->size_bytes;
}

static void watch_store(struct medium *medium)
{
    const struct medium_sim_watch *watch = &medium->sim->watch;
    if (medium->file != NULL && watch->before_store != NULL)
        watch->before_store(watch->context, medium->file->path);
}

/* A store of a process that has died reaches its own memory only. */
static void write_detached(struct medium *medium, size_t offset, const void *data,
                           size_t size_bytes)
{
    memcpy(medium->data + offset, data, size_bytes);
    if (offset + size_bytes > medium->high_bytes)
        medium->high_bytes = offset + size_bytes;
}

void medium_write(struct medium *medium, size_t offset, const void *data, size_t size_bytes)
{
    const uint8_t *bytes = data;
    CHECK(size_bytes <= medium->size_bytes);
    CHECK(offset <= medium->size_bytes - size_bytes);
    watch_store(medium);
    struct sim_file *file = medium->file;
    if (file == NULL) {
        write_detached(medium, offset, data, size_bytes);
        return;
    }
    for (size_t done = 0; done < size_bytes;) {
        size_t word_offset = (offset + done) / SIM_WORD_BYTES * SIM_WORD_BYTES;
        size_t skip = offset + done - word_offset;
        size_t part = SIM_WORD_BYTES - skip;
        uint64_t value;
        if (part > size_bytes - done)
            part = size_bytes - done;
        memcpy(&value, file->visible + word_offset, SIM_WORD_BYTES);
        memcpy((uint8_t *)&value + skip, bytes + done, part);
        sim_file_store_word(file, word_offset, value);
        done += part;
    }
}

void medium_write_word(struct medium *medium, size_t offset, uint64_t word)
{
    uint64_t value = htole64(word);
    CHECK(offset % SIM_WORD_BYTES == 0);
    CHECK(offset <= medium->size_bytes - SIM_WORD_BYTES);
    watch_store(medium);
    if (medium->file != NULL)
        sim_file_store_word(medium->file, offset, value);
    else
        write_detached(medium, offset, &value, sizeof(value));
}

uint64_t medium_persist(struct medium *medium)
{
    struct sim_file *file = medium->file;
    if (file == NULL)
        return UINT64_MAX;
    file->requested++;
    if (file->granularity != MEDIUM_PAGE) {
        sim_file_persist(file, file->store_count);
        file->completed = file->requested;
    } else if (!file->is_syncing && !file->is_failed) {
        sim_file_sync_begin(file, &medium->sim->prng, medium->sim->now_ns);
    }
    return file->requested;
}

bool medium_is_unreadable(const struct medium *medium, size_t *ret_offset)
{
    bool is_unreadable = medium->file != NULL && medium->file->is_unreadable;
    if (is_unreadable)
        *ret_offset = medium->file->unreadable_offset;
    return is_unreadable;
}

enum error medium_map_again(struct medium *medium)
{
    if (medium->file != NULL)
        medium->file->is_unreadable = false;
    return OK;
}

/* Why nothing becomes durable any more. */
static enum error failure_of(const struct medium *medium)
{
    size_t offset;
    if (medium->file == NULL || medium->file->is_failed)
        return ERR_SYNC;
    return medium_is_unreadable(medium, &offset) ? ERR_IO : OK;
}

enum error medium_persisted(struct medium *medium, uint64_t *ret_ticket)
{
    struct sim_file *file = medium->file;
    if (file == NULL)
        return ERR_SYNC;
    sim_file_sync_advance(file, &medium->sim->prng, medium->sim->now_ns);
    enum error error = failure_of(medium);
    if (error == OK)
        *ret_ticket = file->completed;
    return error;
}

/* Waits in no time: whatever the delay, the syncs end now. */
enum error medium_await(struct medium *medium, uint64_t ticket)
{
    struct sim_file *file = medium->file;
    if (file == NULL)
        return ERR_SYNC;
    while (!file->is_failed && file->completed < ticket && file->is_syncing)
        sim_file_sync_end(file, &medium->sim->prng, medium->sim->now_ns);
    return failure_of(medium);
}

enum error medium_persist_wait(struct medium *medium)
{
    return medium->file == NULL ? ERR_SYNC : medium_await(medium, medium_persist(medium));
}

/* Nothing cuts off a simulated file. */
enum error medium_restore_size(struct medium *medium)
{
    return medium_size_bytes(medium) > 0 ? OK : ERR_IO;
}

/* Rot is shown at once: nothing is cached. */
void medium_drop_cache(struct medium *medium)
{
    (void)medium;
}

enum error medium_fetch(struct medium *medium, size_t offset, size_t size_bytes)
{
    CHECK(offset <= medium->size_bytes && size_bytes <= medium->size_bytes - offset);
    return OK;
}
