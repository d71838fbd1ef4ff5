/* A client that takes logs: in one step, or under a lease that it confirms, until all are gone. */
#include "base/check.h"
#include "tests/sim/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SERVER          "server"
#define MS              UINT64_C(1000000)
#define ASK_WAIT_NS_MAX (400 * MS)

/* One call to take logs: what it is given. */
struct taking {
    uint32_t handout; /* its number */
    uint32_t from;    /* lines given: [from, to) */
    uint32_t to;
    char *text; /* the client's; NULL: as an array */
    size_t text_size_bytes;
};

static struct logs_handout *handout_of(struct client *client, const struct taking *taking)
{
    return &client->world->logs_history->handouts[taking->handout];
}

static uint64_t wait_draw(struct client *client, uint64_t max_ns)
{
    return prng_range(&client->prng, 1, max_ns);
}

/* In the end every call waits for its answer: a short time may be too short for this network. */
static bool blocking_draw(struct client *client)
{
    return client->world->is_winding_down ||
           prng_chance(&client->prng, (uint32_t)client->world->draw->blocking_chance);
}

/* Gives way for a while; the handle keeps its session. */
static void pause_for(struct client *client, uint64_t wait_ns)
{
    (void)plx_poll(client->handle, wait_ns);
}

/* The number that the payload of the first line handed out tells. */
static uint64_t first_line(const struct client *client, const struct taking *taking,
                           const struct plx_logs_result *result)
{
    uint64_t number = UINT64_MAX;
    int64_t timestamp;
    if (taking->text == NULL)
        memcpy(&number, client->world->log_file.logs[taking->from + result->first].payload,
               sizeof(number));
    else if (sscanf(taking->text + result->offset_bytes, "%" SCNd64 " %" SCNu64, &timestamp,
                    &number) != 2)
        verdict_break(client->world->verdict, RULE_PROTOCOL, "logs are not what was given");
    return number;
}

/* ---- a lease ---- */

static enum history_outcome confirmed_of(enum plx_outcome outcome)
{
    switch (outcome) {
    case PLX_OK:
        return HISTORY_OK;
    case PLX_MISMATCH:
        return HISTORY_MISMATCH;
    default:
        return HISTORY_UNKNOWN;
    }
}

/* Asks until it is told. What is forgotten, unknown without a token, nobody will ever tell. */
static enum history_outcome confirm(struct client *client, const struct taking *taking,
                                    const struct plx_logs_id *id)
{
    handout_of(client, taking)->confirmed = HISTORY_UNKNOWN;
    for (;;) {
        struct plx_call call = {.is_blocking = blocking_draw(client)};
        struct plx_response response = plx_logs_confirm(client->handle, SERVER, id, &call);
        verdict_say(client->world->verdict, "c%u.%u confirms lease %llu: %s", client->number,
                    client->life, (unsigned long long)id->serial,
                    plx_outcome_name(response.outcome));
        bool is_forgotten = response.outcome == PLX_UNKNOWN && response.token.session == 0;
        enum history_outcome outcome = confirmed_of(response.outcome);
        if (outcome != HISTORY_UNKNOWN || is_forgotten) {
            struct logs_handout *handout = handout_of(client, taking);
            handout->confirmed = outcome;
            handout->confirmed_ns = client_now_ns(client);
            return outcome;
        }
        if (response.outcome == PLX_UNKNOWN)
            plx_forget(client->handle, &response.token);
        pause_for(client, wait_draw(client, ASK_WAIT_NS_MAX));
    }
}

/* ---- a call ---- */

/* The session that knew the outcome is gone: the cursor may still tell. */
static enum history_outcome outcome_by_id(struct client *client, const struct taking *taking,
                                          const struct plx_logs_id *id)
{
    enum history_outcome outcome = confirm(client, taking, id);
    if (!handout_of(client, taking)->is_lease)
        handout_of(client, taking)->confirmed = HISTORY_PENDING;
    return outcome;
}

/* Asks until the token is resolved. */
static enum history_outcome outcome_by_token(struct client *client, const struct taking *taking,
                                             const struct plx_logs_result *result)
{
    if (result->token.session == 0)
        return outcome_by_id(client, taking, &result->id);
    for (;;) {
        struct plx_call call = {.is_blocking = client->world->is_winding_down};
        struct plx_response response = plx_resolve(client->handle, &result->token, &call);
        verdict_say(client->world->verdict, "c%u.%u resolves its hand-out %u: %s", client->number,
                    client->life, taking->handout, plx_outcome_name(response.outcome));
        switch (response.outcome) {
        case PLX_OK:
            return HISTORY_OK;
        case PLX_TIMEOUT:
            return HISTORY_TIMEOUT;
        case PLX_MISMATCH:
            return HISTORY_MISMATCH;
        case PLX_E_OVERLOADED:
            return HISTORY_REFUSED;
        case PLX_E_SESSION_EXPIRED:
            return outcome_by_id(client, taking, &result->id);
        case PLX_UNKNOWN:
            break;
        default:
            verdict_break(client->world->verdict, RULE_PROTOCOL, "a token is resolved to %s",
                          plx_outcome_name(response.outcome));
            return HISTORY_UNKNOWN;
        }
        pause_for(client, wait_draw(client, ASK_WAIT_NS_MAX));
    }
}

static enum history_outcome outcome_of(struct client *client, const struct plx_logs_result *result)
{
    switch (result->outcome) {
    case PLX_OK:
        return HISTORY_OK;
    case PLX_TIMEOUT:
        return HISTORY_TIMEOUT;
    case PLX_UNKNOWN:
        return HISTORY_UNKNOWN;
    case PLX_E_OVERLOADED:
    case PLX_E_SESSIONS:
        return HISTORY_REFUSED;
    default:
        verdict_break(client->world->verdict, RULE_PROTOCOL, "taking logs ends with %s, fault %d",
                      plx_outcome_name(result->outcome), (int)result->fault);
        return HISTORY_REFUSED;
    }
}

static void outcome_note(struct client *client, const struct taking *taking,
                         enum history_outcome outcome)
{
    struct logs_handout *handout = handout_of(client, taking);
    struct tally *tally = client->world->tally;
    handout->outcome = outcome;
    handout->return_ns = client_now_ns(client);
    if (outcome != HISTORY_OK && outcome != HISTORY_UNKNOWN)
        handout->count = 0;
    tally->logs_unknown += outcome == HISTORY_UNKNOWN;
    tally->logs_handed_out += outcome == HISTORY_OK && !handout->is_lease ? handout->count : 0;
    verdict_trace(client->world->verdict, digest_word(taking->handout, (uint64_t)outcome));
}

/* Everything up to the last line given is somebody's for good: later calls may leave it out. */
static void note_known(struct client *client, const struct taking *taking,
                       const struct plx_logs_result *result)
{
    client->logs_known = taking->to;
    client->logs_known_end = result->end;
}

static void lease_use(struct client *client, const struct taking *taking,
                      const struct plx_logs_result *result)
{
    const struct draw *draw = client->world->draw;
    pause_for(client, wait_draw(client, draw->lease_ns * 3 / 2));
    if (handout_of(client, taking)->confirmed == HISTORY_PENDING &&
        confirm(client, taking, &result->id) == HISTORY_OK)
        client->world->tally->logs_handed_out += handout_of(client, taking)->count;
}

static void result_take(struct client *client, const struct taking *taking,
                        const struct plx_logs_result *result)
{
    struct logs_handout *handout = handout_of(client, taking);
    enum history_outcome outcome = outcome_of(client, result);
    if (result->count > 0) {
        handout->first = first_line(client, taking, result);
        handout->count = result->count;
    }
    verdict_say(client->world->verdict, "c%u.%u hand-out %u: %s, %llu lines from %llu on%s",
                client->number, client->life, taking->handout, plx_outcome_name(result->outcome),
                (unsigned long long)handout->count, (unsigned long long)handout->first,
                result->is_leased ? ", leased to another" : "");
    outcome_note(client, taking, outcome);
    if (outcome == HISTORY_UNKNOWN)
        outcome_note(client, taking, outcome_by_token(client, taking, result));
    handout = handout_of(client, taking);
    if (handout->is_lease && handout->outcome == HISTORY_OK && handout->count > 0)
        lease_use(client, taking, result);
    else if (handout->outcome == HISTORY_OK && !result->is_leased)
        note_known(client, taking, result);
}

/* ---- what it is given ---- */

static struct plx_logs_result take(struct client *client, const struct taking *taking,
                                   const struct plx_logs_how *how)
{
    const struct log_file *file = &client->world->log_file;
    if (taking->text != NULL)
        return plx_logs_take_text(client->handle, SERVER,
                                  (struct plx_bytes){taking->text, taking->text_size_bytes},
                                  PLX_LOGS_INTEGER, how);
    return plx_logs_take(client->handle, SERVER, file->logs + taking->from,
                         taking->to - taking->from, how);
}

static void text_make(struct client *client, struct taking *taking)
{
    const struct log_file *file = &client->world->log_file;
    taking->text_size_bytes = log_file_text_size(file, taking->from, taking->to);
    taking->text = realloc(client->text, taking->text_size_bytes + 1);
    CHECK(taking->text != NULL);
    client->text = taking->text;
    log_file_text_write(file, taking->from, taking->to, taking->text);
    taking->text[taking->text_size_bytes] = '\0';
}

/* True when every line is gone. */
static bool take_once(struct client *client)
{
    const struct draw *draw = client->world->draw;
    const struct log_file *file = &client->world->log_file;
    struct taking taking = {.to = log_file_length(file, client_now_ns(client))};
    struct plx_logs_how how = {.is_blocking = blocking_draw(client)};
    if (prng_chance(&client->prng, (uint32_t)draw->lease_chance))
        how.lease_ns = wait_draw(client, draw->lease_ns);
    if (client->logs_known > 0 && prng_chance(&client->prng, 500000)) {
        taking.from = client->logs_known;
        how.before = client->logs_known_end;
    }
    if (prng_chance(&client->prng, 300000))
        text_make(client, &taking);
    taking.handout = logs_history_invoke(client->world->logs_history,
                                         &(struct logs_handout){.taker = client->number,
                                                                .life = client->life,
                                                                .is_lease = how.lease_ns > 0,
                                                                .given = taking.to},
                                         client_now_ns(client));
    client->world->tally->logs_calls++;
    struct plx_logs_result result = take(client, &taking, &how);
    result_take(client, &taking, &result);
    return result.outcome == PLX_OK && result.count == 0 && !result.is_leased &&
           taking.to == file->count;
}

void taker_run(struct client *client)
{
    bool is_finished = false;
    client->logs_known = 0;
    while (!is_finished) {
        is_finished = take_once(client);
        if (!is_finished)
            pause_for(client, wait_draw(client, client->world->draw->take_pause_ns));
    }
}

void taker_read_cursor(struct client *client)
{
    struct client_world *world = client->world;
    struct plx_call call = {.is_blocking = true};
    struct plx_logs_state state;
    struct plx_response response = plx_logs_cursor(client->handle, SERVER, &call, &state);
    if (response.outcome != PLX_OK && response.outcome != PLX_NOT_FOUND) {
        verdict_break(world->verdict, RULE_PROTOCOL, "the cursor's state ends with %s",
                      plx_outcome_name(response.outcome));
        return;
    }
    world->logs_history->cursor = response.outcome == PLX_OK ? state.handed_out : 0;
    world->logs_history->is_settled = true;
}
