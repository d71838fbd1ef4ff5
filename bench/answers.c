/*
 * What Pollux answers to swaps, sets and gets in one state of the cluster, and what had become of
 * them: for bench/beside, the twin of bench/peers/etcd/answers.go with the same words and files.
 *
 * The calls of each kind are made evenly over the window, whatever becomes of those before. Each
 * has a key of its own, which holds "old" before, and writes a value of its own.
 */
#include "tools/drill/batch.h"

#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HANDLES      3 /* of each kind: their windows hold all calls that can be in flight */
#define COUNT_MAX    (HANDLES * PLX_WINDOW_MAX)
#define KEY_BYTES    64
#define STATES_MAX   16
#define EXIT_USAGE   2
#define REASON_BYTES 256
#define NS_PER_MS    UINT64_C(1000000)

static const char usage[] =
    "usage: pollux-answers --endpoints HOST:PORT,... --cluster NAME [OPTIONS] COMMAND\n"
    "\n"
    "  prepare STATE...      stores \"old\" under each key\n"
    "  ask STATE RECORD      makes the calls; a line of RECORD for each answer\n"
    "  resolve RECORD TO     what was unknown in RECORD, resolved: a line of TO for each\n"
    "  truth STATE... TRUTH  what each key holds now\n"
    "\n"
    "  --count=N             calls of each kind (default 200)\n"
    "  --window-ms=N         over which they are made (default 2000)\n"
    "  --timeout-ms=N        of a call (default 1000)\n"
    "\n"
    "exit status: 0 done; 1 not; 2 usage\n";

enum kind { SWAP, SET, GET, SET_RELAXED, GET_RELAXED, KINDS };

static const char *const kind_names[KINDS] = {
    [SWAP] = "swap",
    [SET] = "set",
    [GET] = "get",
    [SET_RELAXED] = "set-relaxed",
    [GET_RELAXED] = "get-relaxed",
};

struct arguments {
    struct plx_options options;
    uint32_t count;
    uint64_t window_ns;
    char **words; /* behind the command */
    int word_count;
};

struct ask;

struct question {
    struct ask *ask;
    enum kind kind;
    uint32_t number;
    uint64_t issued_us;
    char key[KEY_BYTES];
    char value[KEY_BYTES + 8];
};

struct ask {
    const struct arguments *arguments;
    const char *state;
    FILE *record;
    struct plx_client *clients[KINDS * HANDLES];
    struct question questions[KINDS * COUNT_MAX];
    uint32_t asked_count; /* of each kind */
    uint32_t ended_count; /* of all */
};

/* The keys of some states, numbered through. */
struct keys {
    const struct arguments *arguments;
    FILE *to;
    bool is_good;
};

static uint64_t clock_ns(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static bool is_text(const struct plx_response *response, const char *text)
{
    return response->has_value && response->value.size_bytes == strlen(text) &&
           memcmp(response->value.data, text, strlen(text)) == 0;
}

static FILE *file_create(const char *path)
{
    FILE *file = fopen(path, "we");
    if (file == NULL)
        perror(path);
    return file;
}

static int file_finish(FILE *file, bool is_good)
{
    return fclose(file) == 0 && is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- ask ---- */

static void on_done(void *context, const struct plx_response *response)
{
    const struct question *question = context;
    struct ask *ask = question->ask;
    bool is_get = question->kind == GET || question->kind == GET_RELAXED;
    char token[PLX_TOKEN_TEXT_SIZE] = "-";
    const char *answer = plx_outcome_name(response->outcome);
    if (is_get && response->outcome == PLX_OK && !is_text(response, "old"))
        answer = "wrong value";
    if (response->outcome == PLX_UNKNOWN && response->token.session != 0)
        plx_token_format(&response->token, token);
    fprintf(ask->record, "%s\t%s\t%u\t%" PRIu64 "\t%" PRIu64 "\t%s\t%s\n", ask->state,
            kind_names[question->kind], question->number, question->issued_us,
            clock_ns(CLOCK_REALTIME) / 1000, answer, token);
    ask->ended_count++;
}

static bool submit(struct ask *ask, enum kind kind, uint32_t number)
{
    struct question *question = &ask->questions[kind * COUNT_MAX + number];
    struct plx_op op = {.type = PLX_OP_SET, .done = on_done, .context = question};
    *question = (struct question){
        .ask = ask, .kind = kind, .number = number, .issued_us = clock_ns(CLOCK_REALTIME) / 1000};
    snprintf(question->key, sizeof(question->key), "%s/%s/%u", ask->state, kind_names[kind],
             number);
    snprintf(question->value, sizeof(question->value), "new %s/%s/%u", ask->state, kind_names[kind],
             number);
    op.key = plx_text(question->key);
    op.value = plx_text(question->value);
    op.call.is_relaxed = kind == SET_RELAXED || kind == GET_RELAXED;
    if (kind == SWAP) {
        op.type = PLX_OP_SWAP;
        op.old_value = plx_text("old");
    } else if (kind == GET || kind == GET_RELAXED) {
        op.type = PLX_OP_GET;
        op.value = PLX_ABSENT;
    }
    struct plx_client *client = ask->clients[kind * HANDLES + number % HANDLES];
    enum plx_outcome outcome = plx_submit(client, &op);
    plx_flush(client);
    if (outcome != PLX_OK)
        fprintf(stderr, "pollux-answers: %s is refused: %s\n", question->key,
                plx_outcome_text(outcome));
    return outcome == PLX_OK;
}

/* Makes the calls that are due. */
static bool submit_due(struct ask *ask, uint64_t elapsed_ns)
{
    uint32_t count = ask->arguments->count;
    uint64_t each_ns = ask->arguments->window_ns / count;
    bool is_good = true;
    for (; ask->asked_count < count && ask->asked_count * each_ns <= elapsed_ns;
         ask->asked_count++) {
        for (int kind = 0; kind < KINDS; kind++)
            is_good = submit(ask, (enum kind)kind, ask->asked_count) && is_good;
    }
    return is_good;
}

static bool ask_all(struct ask *ask)
{
    struct pollfd descriptors[KINDS * HANDLES];
    const struct timespec turn = {.tv_nsec = (long)NS_PER_MS};
    uint64_t begin_ns = clock_ns(CLOCK_MONOTONIC);
    bool is_good = true;
    for (int i = 0; i < KINDS * HANDLES; i++)
        descriptors[i] = (struct pollfd){.fd = plx_descriptor(ask->clients[i]), .events = POLLIN};
    while (is_good && ask->ended_count < KINDS * ask->arguments->count) {
        (void)ppoll(descriptors, KINDS * HANDLES, &turn, NULL);
        is_good = submit_due(ask, clock_ns(CLOCK_MONOTONIC) - begin_ns);
        for (int i = 0; i < KINDS * HANDLES; i++)
            (void)plx_poll(ask->clients[i], 0);
    }
    return is_good;
}

static int run_ask(const struct arguments *arguments, struct plx_client *client)
{
    static struct ask ask;
    char reason[REASON_BYTES];
    (void)client;
    ask = (struct ask){.arguments = arguments, .state = arguments->words[0]};
    ask.record = file_create(arguments->words[1]);
    if (ask.record == NULL)
        return EXIT_FAILURE;
    bool is_good = true;
    for (int i = 0; i < KINDS * HANDLES && is_good; i++)
        is_good = plx_open(&arguments->options, &ask.clients[i], reason, sizeof(reason)) == PLX_OK;
    is_good = is_good && ask_all(&ask);
    for (int i = 0; i < KINDS * HANDLES; i++)
        plx_close(ask.clients[i]);
    return file_finish(ask.record, is_good);
}

/* ---- resolve ---- */

static int run_resolve(const struct arguments *arguments, struct plx_client *client)
{
    FILE *record = fopen(arguments->words[0], "re");
    FILE *to = record == NULL ? NULL : file_create(arguments->words[1]);
    const struct plx_call call = {.is_blocking = true};
    char line[512];
    if (to == NULL) {
        perror(arguments->words[0]);
        return EXIT_FAILURE;
    }
    while (fgets(line, sizeof(line), record) != NULL) {
        struct plx_token token;
        char *text = strrchr(line, '\t');
        line[strcspn(line, "\n")] = '\0';
        if (text == NULL || !plx_token_parse(text + 1, &token))
            continue;
        struct plx_response response = plx_resolve(client, &token, &call);
        *text = '\0';
        fprintf(to, "%s\t%s\n", line, plx_outcome_name(response.outcome));
    }
    fclose(record);
    return file_finish(to, true);
}

/* ---- prepare, truth ---- */

static int key_of(const struct keys *keys, uint64_t number, char key[PLX_KEY_SIZE_BYTES_MAX],
                  const char *separator)
{
    uint32_t count = keys->arguments->count;
    return snprintf(key, PLX_KEY_SIZE_BYTES_MAX, "%s%s%s%s%u",
                    keys->arguments->words[number / count / KINDS], separator,
                    kind_names[number / count % KINDS], separator, (uint32_t)(number % count));
}

static void prepare_key(void *context, struct batch_slot *slot, struct plx_op *op)
{
    const struct keys *keys = context;
    int length = key_of(keys, slot->number, slot->key, "/");
    op->type = keys->to == NULL ? PLX_OP_SET : PLX_OP_GET;
    op->key = (struct plx_bytes){slot->key, (size_t)length};
    op->value = keys->to == NULL ? plx_text("old") : PLX_ABSENT;
    op->call.is_blocking = true;
}

static void judge_set(void *context, uint64_t number, const struct plx_response *response)
{
    struct keys *keys = context;
    (void)number;
    keys->is_good = keys->is_good && response->outcome == PLX_OK;
}

static void judge_truth(void *context, uint64_t number, const struct plx_response *response)
{
    const struct keys *keys = context;
    char key[PLX_KEY_SIZE_BYTES_MAX];
    char written[PLX_KEY_SIZE_BYTES_MAX + 4];
    key_of(keys, number, key, "/");
    snprintf(written, sizeof(written), "new %s", key);
    key_of(keys, number, key, "\t");
    fprintf(keys->to, "%s\t%s\t-\n", key,
            is_text(response, "old")     ? "old"
            : is_text(response, written) ? "new"
                                         : "other");
}

static bool keys_run(struct keys *keys, struct plx_client *client, int state_count)
{
    static struct batch batch;
    batch = (struct batch){.client = client,
                           .count = (uint64_t)state_count * KINDS * keys->arguments->count,
                           .prepare = prepare_key,
                           .judge = keys->to == NULL ? judge_set : judge_truth,
                           .context = keys};
    return batch_run(&batch) && keys->is_good;
}

static int run_prepare(const struct arguments *arguments, struct plx_client *client)
{
    struct keys keys = {.arguments = arguments, .is_good = true};
    return keys_run(&keys, client, arguments->word_count) ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run_truth(const struct arguments *arguments, struct plx_client *client)
{
    struct keys keys = {.arguments = arguments, .is_good = true};
    keys.to = file_create(arguments->words[arguments->word_count - 1]);
    if (keys.to == NULL)
        return EXIT_FAILURE;
    return file_finish(keys.to, keys_run(&keys, client, arguments->word_count - 1));
}

/* ---- the command line ---- */

static const struct command {
    const char *name;
    int words_min;
    int words_max;
    int (*run)(const struct arguments *arguments, struct plx_client *client);
} commands[] = {
    {"prepare", 1, STATES_MAX, run_prepare},
    {"ask", 2, 2, run_ask},
    {"resolve", 2, 2, run_resolve},
    {"truth", 2, STATES_MAX + 1, run_truth},
};

static bool number_store(int id, const char *text, struct arguments *arguments)
{
    char *end = NULL;
    unsigned long long number = text[0] >= '0' && text[0] <= '9' ? strtoull(text, &end, 10) : 0;
    if (number < 1 || number > 600000 || *end != '\0' || (id == 'n' && number > COUNT_MAX))
        return false;
    if (id == 'n')
        arguments->count = (uint32_t)number;
    else if (id == 'w')
        arguments->window_ns = number * NS_PER_MS;
    else
        arguments->options.timeout_ns = number * NS_PER_MS;
    return true;
}

static const struct command *parse(int argc, char **argv, struct arguments *arguments)
{
    static const struct option options[] = {
        {"endpoints", required_argument, NULL, 'e'},  {"cluster", required_argument, NULL, 'c'},
        {"count", required_argument, NULL, 'n'},      {"window-ms", required_argument, NULL, 'w'},
        {"timeout-ms", required_argument, NULL, 't'}, {NULL, 0, NULL, 0}};
    int id;
    while ((id = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (id == 'e')
            arguments->options.endpoints = optarg;
        else if (id == 'c')
            arguments->options.cluster = optarg;
        else if (id == '?' || !number_store(id, optarg, arguments))
            return NULL;
    }
    for (size_t i = 0; optind < argc && i < sizeof(commands) / sizeof(commands[0]); i++) {
        arguments->words = argv + optind + 1;
        arguments->word_count = argc - optind - 1;
        if (strcmp(commands[i].name, argv[optind]) == 0)
            return arguments->word_count >= commands[i].words_min &&
                           arguments->word_count <= commands[i].words_max
                       ? &commands[i]
                       : NULL;
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.count = 200, .window_ns = 2000 * NS_PER_MS};
    struct plx_client *client;
    char reason[REASON_BYTES];
    plx_options_init(&arguments.options);
    arguments.options.timeout_ns = 1000 * NS_PER_MS;
    const struct command *command = parse(argc, argv, &arguments);
    if (command == NULL) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    if (plx_open(&arguments.options, &client, reason, sizeof(reason)) != PLX_OK) {
        fprintf(stderr, "pollux-answers: %s\n", reason);
        return EXIT_USAGE;
    }
    int status = command->run(&arguments, client);
    plx_close(client);
    return status;
}
