/* See copier.h. */
#include "tests/sim/copier.h"

#include "base/check.h"
#include "base/le.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define POLL_NS          UINT64_C(50000000)
#define LAST_PATIENCE_NS UINT64_C(30000000000)

/* ---- what surrounds the command, in place of cli_backup_host.c ---- */

static const struct verdict *listener;

uint64_t backup_clock_ns(void)
{
    return clock_monotonic_ns();
}

bool backup_is_interrupted(void)
{
    return false;
}

void backup_tell(const char *format, ...)
{
    char text[VERDICT_TEXT_SIZE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (size > 0 && (size_t)size < sizeof(text))
        text[size - 1] = '\0'; /* the newline */
    verdict_say(listener, "backup: %s", text);
}

/* ---- life ---- */

void copier_init(struct copier *copier, struct client *client, const struct draw *draw)
{
    copier->client = client;
    copier->left = (uint32_t)draw->backups;
    CHECK(copier->left < COPIER_BACKUPS_MAX); /* and the last one */
}

static void copy_close(struct copier *copier)
{
    if (!copier->is_open)
        return;
    backup_judge_deinit(&copier->copy.judge);
    close(copier->copy.writer.fd);
    copier->is_open = false;
}

void copier_deinit(struct copier *copier)
{
    copy_close(copier);
    for (uint32_t i = 0; i < copier->count; i++)
        close(copier->fds[i]);
    copier->count = 0;
}

size_t copier_giver(const struct copier *copier)
{
    bool is_copying = copier->is_open && copier->copy.judge.current >= 0;
    return is_copying ? copier->copy.endpoint : PLX_ENDPOINTS_MAX;
}

/* ---- reading it again ---- */

struct reading {
    const struct copier *copier;
    struct copied *copied;
    struct backup_judge judge;
};

static struct verdict *verdict_of(const struct reading *reading)
{
    return reading->copier->client->world->verdict;
}

/* The number of a key of the workload; HISTORY_KEYS_MAX: another one. */
static uint32_t key_number(const struct client_world *world, struct span key)
{
    for (uint32_t i = 0; i < world->draw->keys; i++) {
        if (world->key_sizes_bytes[i] == key.size_bytes &&
            memcmp(world->keys[i], key.data, key.size_bytes) == 0)
            return i;
    }
    return HISTORY_KEYS_MAX;
}

/* What came of a copy that was dropped does not count. */
static void forget_keys(struct reading *reading)
{
    const struct client_world *world = reading->copier->client->world;
    for (uint32_t key = 0; key < world->draw->keys; key++) {
        if (world->key_shards[key] == (uint32_t)reading->judge.current)
            reading->copied->keys[key] = (struct copied_key){0};
    }
}

static enum error take_item(void *context, enum snapshot_item type, struct span body)
{
    struct reading *reading = context;
    const struct client_world *world = reading->copier->client->world;
    if (type == SNAPSHOT_HEAD)
        forget_keys(reading);
    if (type != SNAPSHOT_ENTRY)
        return OK;
    size_t key_size = le16_load(body.data + 12);
    size_t begin = SNAPSHOT_ENTRY_BYTES + key_size;
    struct span value = span_of(body.data + begin, body.size_bytes - begin);
    uint32_t key = key_number(world, span_of(body.data + SNAPSHOT_ENTRY_BYTES, key_size));
    if (key == HISTORY_KEYS_MAX)
        return OK; /* of takers of logs */
    uint64_t name = value_name(world->draw, value, value.size_bytes);
    if (name == 0 || reading->copied->keys[key].version != 0 ||
        world->key_shards[key] != (uint32_t)reading->judge.current)
        verdict_break(verdict_of(reading), RULE_BACKUP,
                      "shard %d of a backup has key %u twice, or of another shard, or with a value "
                      "that nobody wrote",
                      reading->judge.current, key);
    reading->copied->keys[key] = (struct copied_key){name, le64_load(body.data)};
    return OK;
}

/* Endpoints are named by their addresses. */
static void take_note(struct reading *reading, const struct backup_frame *frame)
{
    struct backup_node told;
    struct plx_client *handle = reading->copier->copy.client;
    CHECK(backup_node_decode(frame->body, &told) == OK);
    for (uint32_t node = 0; node < reading->copied->node_count; node++) {
        if (strcmp(plx_endpoint_name(handle, node), told.endpoint) != 0)
            continue;
        reading->copied->shards[frame->shard].notes[node] = (struct copied_note){
            .is_told = true, .is_silent = told.node == 0, .pending = told.pending};
    }
}

static enum error read_notes(struct reading *reading, int fd)
{
    struct backup_reader reader;
    struct backup_frame frame;
    CHECK(lseek(fd, 0, SEEK_SET) == 0);
    enum error error = backup_read_begin(&reader, fd);
    while (error == OK) { /* a frame each */
        error = backup_read_frame(&reader, &frame);
        if (error == OK && frame.kind == BACKUP_NODE)
            take_note(reading, &frame);
    }
    backup_read_deinit(&reader);
    return error == ERR_NOT_FOUND ? OK : error;
}

static void describe(const struct copier *copier, const struct backup_judge *judge,
                     struct copied *ret_copied)
{
    const struct client_world *world = copier->client->world;
    ret_copied->node_count = (uint32_t)world->draw->nodes;
    ret_copied->shard_count = (uint32_t)world->draw->shards;
    ret_copied->key_count = (uint32_t)world->draw->keys;
    memcpy(ret_copied->key_shards, world->key_shards, sizeof(ret_copied->key_shards));
    for (uint32_t shard = 0; shard < ret_copied->shard_count; shard++) {
        ret_copied->shards[shard].begun_ns = copier->begun_ns[shard];
        ret_copied->shards[shard].index = judge->shards[shard].index;
        ret_copied->shards[shard].cluster = judge->shards[shard].cluster;
        world->tally->backup_blocks += judge->shards[shard].block_count;
    }
}

/* As `pollux backup verify` does. */
static void read_again(struct copier *copier, int fd, struct copied *ret_copied)
{
    char text[256] = "";
    struct backup_reader reader;
    struct reading reading = {.copier = copier, .copied = ret_copied};
    const struct backup_visitor visitor = {.visit = take_item, .context = &reading};
    CHECK(lseek(fd, 0, SEEK_SET) == 0);
    *ret_copied = (struct copied){0};
    enum error error = backup_read_begin(&reader, fd);
    CHECK(backup_judge_init(&reading.judge, reader.head.shard_count, &visitor));
    if (error == OK)
        error = backup_verify(&reader, &reading.judge, text, sizeof(text));
    backup_read_deinit(&reader);
    describe(copier, &reading.judge, ret_copied);
    if (error == OK)
        error = read_notes(&reading, fd);
    if (error != OK)
        verdict_break(verdict_of(&reading), RULE_BACKUP, "a backup is told to be whole: %s: %s",
                      error_name(error), text);
    backup_judge_deinit(&reading.judge);
}

/* ---- a backup ---- */

static void copy_open(struct copier *copier, uint64_t patience_ns, uint16_t shard_count)
{
    struct client *client = copier->client;
    const struct draw *draw = client->world->draw;
    static char name[] = "backup";
    static char *operands[] = {name};
    copier->arguments = (struct cli_arguments){.operands = operands,
                                               .operand_count = 1,
                                               .cluster = "simulated",
                                               .timeout_ns = patience_ns};
    memset(&copier->copy, 0, sizeof(copier->copy));
    copier->copy.client = client->handle;
    copier->copy.arguments = &copier->arguments;
    copier->copy.rate_bytes = draw->backup_rate;
    copier->copy.begun_ns = backup_clock_ns();
    copier->copy.writer.fd = memfd_create("backup", MFD_CLOEXEC);
    copier->copy.writer.is_file = prng_chance(&client->prng, 500000); /* or as to a pipe */
    CHECK(copier->copy.writer.fd >= 0);
    CHECK(backup_judge_init(&copier->copy.judge, shard_count, NULL));
    copier->is_open = true;
}

/* As cli_backup.c does with a file that is new. The exit code. */
static int copy_all(struct copier *copier)
{
    struct backup_copy *copy = &copier->copy;
    struct client *client = copier->client;
    struct backup_head head = {.id = prng_next(&client->prng),
                               .created_s = clock_realtime_us() / 1000000,
                               .shard_count = copy->judge.shard_count};
    snprintf(head.cluster, sizeof(head.cluster), "%s", copier->arguments.cluster);
    CHECK(backup_write_head(&copy->writer, &head) == OK);
    int code = 0;
    for (uint16_t shard = 0; shard < copy->judge.shard_count && code == 0; shard++) {
        copier->begun_ns[shard] = client_now_ns(client);
        code = backup_copy_shard(copy, shard);
    }
    if (code == 0)
        CHECK(backup_write_end(&copy->writer, backup_judge_keys(&copy->judge)) == OK);
    return code;
}

/* The files are memory: only what nodes gave can be wrong. */
static void judge_failure(struct copier *copier, int code, bool is_last)
{
    struct client_world *world = copier->client->world;
    world->tally->backups_given_up++;
    if (code == plx_outcome_exit_code(PLX_E_IO))
        verdict_break(world->verdict, RULE_BACKUP, "what nodes gave is not a state");
    else if (is_last)
        verdict_break(world->verdict, RULE_BACKUP,
                      "once all is healed, a backup is given up with exit code %d", code);
}

static void make_backup(struct copier *copier, bool is_last)
{
    struct client *client = copier->client;
    struct client_world *world = client->world;
    uint64_t patience_ns = is_last ? LAST_PATIENCE_NS : world->draw->backup_patience_ns;
    copier->arguments.timeout_ns = patience_ns;
    copier->copy.client = client->handle;
    copier->copy.arguments = &copier->arguments;
    uint16_t shard_count = backup_shard_count(&copier->copy);
    int code = -1;
    if (shard_count != 0) {
        copy_open(copier, patience_ns, shard_count);
        code = copy_all(copier);
    }
    verdict_say(world->verdict, "c%u ends a backup: %d", client->number, code);
    if (code != 0) {
        judge_failure(copier, code, is_last);
    } else {
        copier->fds[copier->count] = dup(copier->copy.writer.fd);
        CHECK(copier->fds[copier->count] >= 0);
        read_again(copier, copier->copy.writer.fd, &copier->backups[copier->count++]);
        world->tally->backups++;
    }
    copy_close(copier);
}

static void rest(struct client *client)
{
    uint64_t until_ns = client_now_ns(client) +
                        prng_range(&client->prng, 0, 2 * client->world->draw->backup_pause_ns);
    while (client_now_ns(client) < until_ns && !client->world->is_winding_down)
        (void)plx_poll(client->handle, POLL_NS);
}

void copier_run(struct client *client)
{
    struct copier *copier = client->copier;
    listener = client->world->verdict;
    copy_close(copier); /* of a process that has died */
    client_open(client);
    rest(client);
    while (copier->left > 0 && !client->world->is_winding_down) {
        copier->left--;
        make_backup(copier, false);
        rest(client);
    }
    client_close(client);
}

static void program_of_last_backup(void *argument)
{
    struct client *client = argument;
    listener = client->world->verdict;
    copy_close(client->copier);
    client_open(client);
    make_backup(client->copier, true);
    client_close(client);
}

void copier_begin_last(struct copier *copier)
{
    client_start(copier->client, program_of_last_backup);
}
