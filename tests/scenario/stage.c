/* See stage.h. A handler returns false when its arguments make no sense. */
#include "tests/scenario/stage.h"

#include "base/check.h"
#include "tests/scenario/trace_lines.h"
#include "tests/unit/raft/members.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct words {
    char *at[STAGE_WORDS_MAX];
    uint32_t count;
};

static bool number(const struct words *words, uint32_t at, uint64_t *ret_value)
{
    char *end;
    if (at >= words->count || words->at[at][0] < '0' || words->at[at][0] > '9')
        return false;
    *ret_value = strtoull(words->at[at], &end, 10);
    return *end == '\0';
}

static bool is_word(const struct words *words, uint32_t at, const char *expected)
{
    return at < words->count && strcmp(words->at[at], expected) == 0;
}

static bool node(const struct stage *stage, const struct words *words, uint16_t *ret_id)
{
    uint64_t id;
    if (!number(words, 1, &id) || id < 1 || id > stage->cluster->node_count)
        return false;
    *ret_id = (uint16_t)id;
    return true;
}

static bool live_node(const struct stage *stage, const struct words *words, uint16_t *ret_id)
{
    return node(stage, words, ret_id) && stage->cluster->nodes[*ret_id].is_alive;
}

static bool told(struct stage *stage, enum error error)
{
    if (error != OK) {
        stage->narrator.lines++;
        fprintf(stage->narrator.out, "  refused: %s\n", error_name(error));
    }
    return true;
}

static void start(struct stage *stage, uint16_t id, bool is_suspect)
{
    struct cluster *cluster = stage->cluster;
    cluster_start(cluster, id, is_suspect);
    narrator_forget(&stage->narrator, id);
    if (stage->trace == NULL)
        return;
    const struct cluster_image *image = cluster->nodes[id].durable;
    const struct raft_transition state = {
        .node = id,
        .now_ns = cluster->now_ns,
        .role = RAFT_FOLLOWER,
        .term = image->hard_state.term,
        .vote = image->hard_state.vote,
        .last_index = image->last,
        .last_term = image->last > 0 ? image->log[image->last].term : 0,
        .durable_index = image->last,
    };
    trace_lines_start(stage->trace, &state);
}

/* What follows `cluster COUNT`:
 * [voters COUNT] [suspect] [entries MAX] [inflight MAX] [timeouts MS...] */
struct cluster_words {
    bool is_suspect;
    uint64_t voter_count;
    uint64_t entries_max; /* 0: the harness's own */
    uint64_t inflight_max;
    uint32_t timeouts_at; /* 0: the harness's own */
};

static bool cluster_words_parse(const struct words *words, uint64_t node_count,
                                struct cluster_words *ret_words)
{
    *ret_words = (struct cluster_words){.voter_count = node_count};
    for (uint32_t i = 2; i < words->count; i++) {
        if (is_word(words, i, "suspect")) {
            ret_words->is_suspect = true;
        } else if (is_word(words, i, "voters")) {
            if (!number(words, ++i, &ret_words->voter_count))
                return false;
        } else if (is_word(words, i, "entries")) {
            if (!number(words, ++i, &ret_words->entries_max))
                return false;
        } else if (is_word(words, i, "inflight")) {
            if (!number(words, ++i, &ret_words->inflight_max))
                return false;
        } else {
            ret_words->timeouts_at = i + 1;
            return is_word(words, i, "timeouts") && words->count == i + 1 + node_count;
        }
    }
    return true;
}

static bool node_options(struct stage *stage, const struct words *words,
                         const struct cluster_words *given, struct raft_options *options)
{
    uint64_t timeout_ms = options->election_timeout_min_ns / MS;
    if (given->timeouts_at != 0 &&
        !number(words, given->timeouts_at + options->self.id - 1, &timeout_ms))
        return false;
    options->election_timeout_min_ns = timeout_ms * MS;
    options->election_timeout_max_ns = timeout_ms * MS;
    if (given->entries_max != 0)
        options->append_entries_max = (uint32_t)given->entries_max;
    if (given->inflight_max != 0)
        options->inflight_max = (uint32_t)given->inflight_max;
    options->trace = stage->trace != NULL ? trace_lines_write : NULL;
    options->trace_context = stage->trace;
    return true;
}

static bool do_cluster(struct stage *stage, const struct words *words)
{
    uint64_t count;
    struct cluster_words given;
    if (stage->cluster != NULL || !number(words, 1, &count) || count < 1 || count > NODES_MAX ||
        !cluster_words_parse(words, count, &given) || given.voter_count > count)
        return false;
    struct cluster *cluster = cluster_new_of((uint32_t)count, (uint32_t)given.voter_count);
    stage->cluster = cluster;
    stage->narrator.cluster = cluster;
    cluster->watch = narrator_watch;
    cluster->watch_context = &stage->narrator;
    for (uint16_t id = 1; id <= cluster->node_count; id++) {
        if (!node_options(stage, words, &given, &cluster->nodes[id].options))
            return false;
        cluster_crash(cluster, id);
        start(stage, id, given.is_suspect);
    }
    return true;
}

/* log ID term TERM vote ID terms [TERM...] */
static bool do_log(struct stage *stage, const struct words *words)
{
    uint16_t id;
    uint64_t term;
    uint64_t vote;
    uint64_t terms[STAGE_WORDS_MAX] = {0};
    if (!node(stage, words, &id) || !is_word(words, 2, "term") || !number(words, 3, &term) ||
        !is_word(words, 4, "vote") || !number(words, 5, &vote) || !is_word(words, 6, "terms"))
        return false;
    for (uint32_t i = 7; i < words->count; i++) {
        if (!number(words, i, &terms[i - 7]) || terms[i - 7] == 0)
            return false;
    }
    if (stage->cluster->nodes[id].is_alive)
        cluster_crash(stage->cluster, id);
    cluster_write(stage->cluster, id, (struct raft_hard_state){.term = term, .vote = vote}, terms);
    start(stage, id, false);
    return true;
}

static bool do_timeout(struct stage *stage, const struct words *words)
{
    uint16_t id;
    if (!live_node(stage, words, &id))
        return false;
    uint64_t deadline_ns = raft_deadline_ns(stage->cluster->nodes[id].raft);
    if (deadline_ns > stage->cluster->now_ns)
        stage->cluster->now_ns = deadline_ns;
    return told(stage, cluster_tick(stage->cluster, id));
}

static bool do_tick(struct stage *stage, const struct words *words)
{
    uint16_t id;
    return live_node(stage, words, &id) && told(stage, cluster_tick(stage->cluster, id));
}

static bool do_advance(struct stage *stage, const struct words *words)
{
    uint64_t ms;
    if (!number(words, 1, &ms))
        return false;
    stage->cluster->now_ns += ms * MS;
    return true;
}

static bool do_run(struct stage *stage, const struct words *words)
{
    uint64_t ms;
    if (!number(words, 1, &ms))
        return false;
    stage->narrator.is_brief = true;
    cluster_run(stage->cluster, ms * MS);
    stage->narrator.is_brief = false;
    return true;
}

static bool do_settle(struct stage *stage, const struct words *words)
{
    (void)words;
    stage->narrator.is_brief = true;
    cluster_settle(stage->cluster);
    stage->narrator.is_brief = false;
    return true;
}

/* ID [COUNT] */
static bool do_propose(struct stage *stage, const struct words *words)
{
    uint16_t id;
    uint64_t count = 1;
    if (!live_node(stage, words, &id) || (words->count > 2 && !number(words, 2, &count)))
        return false;
    for (uint64_t i = 0; i < count; i++)
        (void)told(stage, cluster_propose(stage->cluster, id));
    return true;
}

static bool do_read(struct stage *stage, const struct words *words)
{
    uint16_t id;
    uint64_t read_id;
    return live_node(stage, words, &id) && number(words, 2, &read_id) &&
           told(stage, cluster_read(stage->cluster, id, read_id));
}

static bool do_transfer(struct stage *stage, const struct words *words)
{
    uint16_t id;
    uint64_t to;
    return live_node(stage, words, &id) && number(words, 2, &to) &&
           told(stage, cluster_transfer(stage->cluster, id, (uint16_t)to));
}

static bool do_step_down(struct stage *stage, const struct words *words)
{
    uint16_t id;
    const struct raft_event event = {.type = RAFT_EVENT_STEP_DOWN};
    return live_node(stage, words, &id) && told(stage, cluster_step(stage->cluster, id, event));
}

/* sync ID manual|auto */
static bool do_sync(struct stage *stage, const struct words *words)
{
    uint16_t id;
    if (!node(stage, words, &id) || (!is_word(words, 2, "manual") && !is_word(words, 2, "auto")))
        return false;
    stage->cluster->nodes[id].is_manual = is_word(words, 2, "manual");
    return true;
}

/* durable ID [INDEX]: everything written, or only the word that records up to INDEX are. */
static bool do_durable(struct stage *stage, const struct words *words)
{
    uint16_t id;
    struct raft_event event = {.type = RAFT_EVENT_DURABLE};
    if (!live_node(stage, words, &id))
        return false;
    if (words->count > 2)
        return number(words, 2, &event.durable.index) &&
               told(stage, cluster_step(stage->cluster, id, event));
    const struct cluster_node *at = &stage->cluster->nodes[id];
    for (uint32_t i = 0; i < at->after_count; i++) {
        stage->narrator.lines++;
        fprintf(stage->narrator.out, "  sent  ");
        narrator_message(stage->narrator.out, &at->after[i].message);
    }
    cluster_drain(stage->cluster, id);
    return true;
}

static bool do_crash(struct stage *stage, const struct words *words)
{
    uint16_t id;
    if (!live_node(stage, words, &id))
        return false;
    cluster_crash(stage->cluster, id);
    return true;
}

/* restart ID [suspect] */
static bool do_restart(struct stage *stage, const struct words *words)
{
    uint16_t id;
    if (!node(stage, words, &id))
        return false;
    if (stage->cluster->nodes[id].is_alive)
        cluster_crash(stage->cluster, id);
    start(stage, id, is_word(words, 2, "suspect"));
    return true;
}

/* tear ID COUNT: the medium of a node that is down lost its last records. */
static bool do_tear(struct stage *stage, const struct words *words)
{
    uint16_t id;
    uint64_t count;
    if (!node(stage, words, &id) || stage->cluster->nodes[id].is_alive || !number(words, 2, &count))
        return false;
    struct cluster_node *at = &stage->cluster->nodes[id];
    if (count > at->durable->last)
        return false;
    at->durable->last -= count;
    at->written->last = at->durable->last;
    return true;
}

/* lose ID: the storage of a node that is down is gone; it gets an empty one with another birth. */
static bool do_lose(struct stage *stage, const struct words *words)
{
    uint16_t id;
    if (!node(stage, words, &id) || stage->cluster->nodes[id].is_alive)
        return false;
    cluster_lose(stage->cluster, id);
    return true;
}

/* save ID: a copy of what is durable at the node. set-back ID: a node that is down gets it back. */
static bool do_save(struct stage *stage, const struct words *words)
{
    uint16_t id;
    bool is_save = is_word(words, 0, "save");
    if (!node(stage, words, &id) || (!is_save && stage->cluster->nodes[id].is_alive))
        return false;
    if (is_save)
        cluster_save(stage->cluster, id);
    else
        cluster_set_back(stage->cluster, id);
    return true;
}

/* Which packets: "FROM->TO" with * for any node, or "all"; then a type; then "#N", the Nth
 * match. */
struct pattern {
    uint64_t from; /* 0: any */
    uint64_t to;
    const char *type; /* NULL: any */
    uint64_t ordinal; /* 0: all */
};

static bool pattern_end(const char *text, uint64_t *ret_id, const char **ret_rest)
{
    char *end = NULL;
    *ret_id = text[0] == '*' ? 0 : strtoull(text, &end, 10);
    *ret_rest = text[0] == '*' ? text + 1 : end;
    return *ret_rest != text;
}

static bool pattern_parse(const struct words *words, struct pattern *ret_pattern)
{
    *ret_pattern = (struct pattern){0};
    if (words->count < 2)
        return false;
    const char *rest = words->at[1];
    if (strcmp(rest, "all") != 0) {
        if (!pattern_end(rest, &ret_pattern->from, &rest) || strncmp(rest, "->", 2) != 0 ||
            !pattern_end(rest + 2, &ret_pattern->to, &rest) || *rest != '\0')
            return false;
    }
    for (uint32_t i = 2; i < words->count; i++) {
        if (words->at[i][0] == '#')
            ret_pattern->ordinal = strtoull(words->at[i] + 1, NULL, 10);
        else
            ret_pattern->type = words->at[i];
    }
    return true;
}

static bool pattern_matches(const struct pattern *pattern, const struct raft_message *message)
{
    return (pattern->from == 0 || pattern->from == message->from.id) &&
           (pattern->to == 0 || pattern->to == message->to.id) &&
           (pattern->type == NULL ||
            strcmp(pattern->type, trace_lines_message_name(message->type)) == 0);
}

static void deliver(struct stage *stage, uint32_t at)
{
    struct cluster *cluster = stage->cluster;
    const struct raft_message *message = &cluster->packets[at].message;
    bool is_lost = cluster->is_cut[message->from.id][message->to.id] ||
                   !cluster->nodes[message->to.id].is_alive;
    uint64_t birth = cluster->nodes[message->to.id].options.self.birth;
    const char *silence = is_lost ? "lost" : "nothing";
    if (!is_lost && message->to.birth != 0 && message->to.birth != birth)
        silence = "refused: ERR_STORAGE";
    else if (!is_lost && !cluster_is_start_known(cluster, &cluster->packets[at]))
        silence = "refused: the sender does not stand by the start that was heard of it";
    narrator_message(stage->narrator.out, message);
    stage->narrator.lines = 0;
    cluster_deliver(cluster, at);
    if (stage->narrator.lines == 0)
        fprintf(stage->narrator.out, "  %s\n", silence);
    stage->narrator.lines = 1;
}

static void drop(struct stage *stage, uint32_t at)
{
    fprintf(stage->narrator.out, "  dropped ");
    narrator_message(stage->narrator.out, &stage->cluster->packets[at].message);
    cluster_drop(stage->cluster, at);
    stage->narrator.lines++;
}

/* The packets that are there now, in their order; not those that these cause. */
static bool each_packet(struct stage *stage, const struct words *words,
                        void (*act)(struct stage *stage, uint32_t at))
{
    struct pattern pattern;
    if (!pattern_parse(words, &pattern))
        return false;
    uint64_t match = 0;
    uint32_t at = 0;
    for (uint32_t left = stage->cluster->packet_count; left > 0; left--) {
        bool is_match = pattern_matches(&pattern, &stage->cluster->packets[at].message);
        match += is_match;
        if (is_match && (pattern.ordinal == 0 || pattern.ordinal == match))
            act(stage, at);
        else
            at++;
    }
    return true;
}

static bool do_deliver(struct stage *stage, const struct words *words)
{
    return each_packet(stage, words, deliver);
}

static bool do_drop(struct stage *stage, const struct words *words)
{
    return each_packet(stage, words, drop);
}

/* A second copy of each packet that matches, behind all others. */
static bool do_duplicate(struct stage *stage, const struct words *words)
{
    struct pattern pattern;
    struct cluster *cluster = stage->cluster;
    if (!pattern_parse(words, &pattern))
        return false;
    uint32_t count = cluster->packet_count;
    for (uint32_t i = 0; i < count; i++) {
        if (!pattern_matches(&pattern, &cluster->packets[i].message))
            continue;
        CHECK(cluster->packet_count < CLUSTER_PACKETS_MAX);
        cluster->packets[cluster->packet_count++] = cluster->packets[i];
    }
    return true;
}

/* cut FROM->TO */
static bool do_cut(struct stage *stage, const struct words *words)
{
    struct pattern pattern;
    if (!pattern_parse(words, &pattern))
        return false;
    for (uint16_t from = 1; from <= stage->cluster->node_count; from++) {
        for (uint16_t to = 1; to <= stage->cluster->node_count; to++) {
            if ((pattern.from == 0 || pattern.from == from) &&
                (pattern.to == 0 || pattern.to == to))
                stage->cluster->is_cut[from][to] = true;
        }
    }
    return true;
}

static bool do_isolate(struct stage *stage, const struct words *words)
{
    uint16_t id;
    if (!node(stage, words, &id))
        return false;
    cluster_isolate(stage->cluster, id, true);
    return true;
}

static bool do_heal(struct stage *stage, const struct words *words)
{
    memset(stage->cluster->is_cut, 0, sizeof(stage->cluster->is_cut));
    return words->count == 1;
}

static bool do_network(struct stage *stage, const struct words *words)
{
    narrator_network(&stage->narrator);
    return words->count == 1;
}

/* members: whom each node knows; members ID MEMBER...: the leader ID is asked for these. */
static bool do_members(struct stage *stage, const struct words *words)
{
    uint16_t id;
    if (words->count == 1) {
        narrator_members(&stage->narrator);
        return true;
    }
    if (!live_node(stage, words, &id))
        return false;
    struct raft_configuration configuration = *cluster_configuration(stage->cluster, id);
    struct members_text text = {""};
    for (uint32_t i = 2; i < words->count; i++) {
        size_t size = strlen(text.text);
        snprintf(text.text + size, sizeof(text.text) - size, i > 2 ? " %s" : "%s", words->at[i]);
    }
    return members_parse(text.text, &configuration) &&
           told(stage, cluster_reconfigure(stage->cluster, id, &configuration));
}

static bool do_status(struct stage *stage, const struct words *words)
{
    narrator_status(&stage->narrator);
    return words->count == 1;
}

static bool do_logs(struct stage *stage, const struct words *words)
{
    narrator_logs(&stage->narrator);
    return words->count == 1;
}

static const struct {
    const char *name;
    bool (*act)(struct stage *stage, const struct words *words);
    bool is_silent; /* arranges only: nothing is told */
} commands[] = {
    {"cluster", do_cluster, true},
    {"log", do_log, true},
    {"timeout", do_timeout, false},
    {"tick", do_tick, false},
    {"advance", do_advance, true},
    {"run", do_run, false},
    {"settle", do_settle, false},
    {"propose", do_propose, false},
    {"read", do_read, false},
    {"transfer", do_transfer, false},
    {"step-down", do_step_down, false},
    {"sync", do_sync, true},
    {"durable", do_durable, false},
    {"crash", do_crash, true},
    {"restart", do_restart, true},
    {"tear", do_tear, true},
    {"lose", do_lose, true},
    {"save", do_save, true},
    {"set-back", do_save, true},
    {"deliver", do_deliver, false},
    {"drop", do_drop, false},
    {"duplicate", do_duplicate, true},
    {"cut", do_cut, true},
    {"isolate", do_isolate, true},
    {"heal", do_heal, true},
    {"network", do_network, false},
    {"status", do_status, false},
    {"members", do_members, false},
    {"logs", do_logs, false},
};

bool stage_command(struct stage *stage, char *line)
{
    struct words words = {.count = 0};
    char *rest = NULL;
    for (char *word = strtok_r(line, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        if (words.count == STAGE_WORDS_MAX)
            return false;
        words.at[words.count++] = word;
    }
    if (words.count == 0 || (stage->cluster == NULL && !is_word(&words, 0, "cluster")))
        return false;
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (!is_word(&words, 0, commands[i].name))
            continue;
        stage->narrator.lines = 0;
        if (!commands[i].act(stage, &words))
            return false;
        if (stage->narrator.lines == 0 && !commands[i].is_silent)
            fprintf(stage->narrator.out, "  nothing\n");
        cluster_check_log_matching(stage->cluster);
        return true;
    }
    return false;
}

void stage_deinit(struct stage *stage)
{
    if (stage->cluster != NULL)
        cluster_free(stage->cluster);
    stage->cluster = NULL;
}
