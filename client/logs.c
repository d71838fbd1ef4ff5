/*
 * Logs handed out once: the cursor is read, the logs behind it are found, and a swap moves it from
 * exactly the state that was read. Whoever loses that race begins anew from the new state.
 *
 * Nothing is handed out before the swap is known to have happened, and nothing is tried again
 * before it is known not to have: an unknown outcome is resolved, and where the session that knew
 * it is gone the ids in the cursor itself tell.
 */
#include "base/check.h"
#include "client/client_internal.h"
#include "client/logs_internal.h"

/* One call under way. */
struct turn {
    const struct logs_store *store;
    struct plx_call call;
    uint64_t deadline_ns; /* monotonic; UINT64_MAX: none */
    uint64_t resolve_ns;  /* and when there is no time left to learn an outcome either */
    char key[LOGS_KEY_SIZE];
    size_t key_size_bytes;
    enum { TURN_TAKE, TURN_CONFIRM, TURN_RELEASE } purpose;
    bool is_foreign;                        /* what was read is no cursor */
    size_t stored_size_bytes;               /* 0: nothing is stored */
    uint8_t stored[LOGS_CURSOR_SIZE_BYTES]; /* as it was read */
    struct logs_cursor cursor;
    struct plx_token token; /* of a swap that stays unknown */
};

static bool turn_begin(struct turn *turn, const struct logs_store *store, const char *server,
                       const struct plx_call *call)
{
    size_t size_bytes = server == NULL ? 0 : strlen(server);
    if (size_bytes == 0 || size_bytes > PLX_LOGS_SERVER_SIZE_BYTES_MAX)
        return false;
    *turn = (struct turn){.store = store, .deadline_ns = UINT64_MAX};
    turn->call.is_blocking = call->is_blocking;
    turn->call.fence_wait_ns = call->fence_wait_ns;
    memcpy(turn->key, LOGS_KEY_PREFIX, sizeof(LOGS_KEY_PREFIX) - 1);
    memcpy(turn->key + sizeof(LOGS_KEY_PREFIX) - 1, server, size_bytes);
    turn->key_size_bytes = sizeof(LOGS_KEY_PREFIX) - 1 + size_bytes;
    uint64_t timeout_ns = call->timeout_ns != 0 ? call->timeout_ns : store->timeout_ns;
    uint64_t fence_wait_ns = call->fence_wait_ns != 0 ? call->fence_wait_ns : store->fence_wait_ns;
    if (!call->is_blocking)
        turn->deadline_ns = time_after(store->monotonic_ns(store->context), timeout_ns);
    turn->resolve_ns = time_after(turn->deadline_ns, fence_wait_ns);
    return true;
}

static struct plx_bytes turn_key(const struct turn *turn)
{
    return (struct plx_bytes){turn->key, turn->key_size_bytes};
}

/* What is left of the call's time for its next step; false: nothing. */
static bool turn_time(struct turn *turn)
{
    uint64_t now_ns = turn->store->monotonic_ns(turn->store->context);
    if (turn->deadline_ns == UINT64_MAX)
        return true;
    if (now_ns >= turn->deadline_ns)
        return false;
    turn->call.timeout_ns = turn->deadline_ns - now_ns;
    return true;
}

/* Reads the cursor. PLX_NOT_FOUND: there is none yet, which is one before all logs.
 * PLX_E_ARGUMENT: what is stored is no cursor. */
static struct plx_response turn_read(struct turn *turn)
{
    uint8_t bytes[LOGS_CURSOR_SIZE_BYTES] = {0};
    struct plx_response response = {.outcome = PLX_TIMEOUT};
    if (!turn_time(turn))
        return response;
    struct plx_call call = turn->call;
    call.buffer = bytes;
    call.buffer_size_bytes = sizeof(bytes);
    response = turn->store->get(turn->store->context, turn_key(turn), &call);
    response.value = (struct plx_bytes){NULL, 0}; /* it lies in memory of this function */
    if (response.outcome == PLX_NOT_FOUND) {
        turn->stored_size_bytes = 0;
        turn->cursor = (struct logs_cursor){.serial = 0};
    } else if (response.outcome == PLX_OK) {
        size_t size_bytes = response.value_size_bytes;
        turn->is_foreign = size_bytes > sizeof(bytes) ||
                           logs_cursor_decode(span_of(bytes, size_bytes), &turn->cursor) != OK;
        if (turn->is_foreign)
            response.outcome = PLX_E_ARGUMENT;
        turn->stored_size_bytes = turn->is_foreign ? 0 : size_bytes;
        memcpy(turn->stored, bytes, sizeof(bytes));
    }
    return response;
}

/*
 * Resolves a swap whose outcome is unknown: by its token, or by the id that the swap would have
 * left in the cursor. A blocking swap is unknown only when its session is gone, which its token
 * tells at once, or when it was cancelled, and with it whatever the call would still ask.
 */
static enum plx_outcome turn_resolve(struct turn *turn, const struct plx_token *token,
                                     const struct plx_logs_id *id)
{
    const struct logs_store *store = turn->store;
    turn->token = *token; /* which counts with PLX_UNKNOWN alone */
    /* What the swap's own fence has left of the wait beyond the call's time. */
    turn->deadline_ns = turn->resolve_ns;
    if (!turn_time(turn))
        return PLX_UNKNOWN;
    struct plx_call call = {.timeout_ns = turn->call.timeout_ns};
    struct plx_response response = store->resolve(store->context, token, &call);
    if (response.outcome != PLX_E_SESSION_EXPIRED)
        return response.outcome;
    response = turn_read(turn);
    if (response.outcome != PLX_OK && response.outcome != PLX_NOT_FOUND)
        return PLX_UNKNOWN;
    turn->token = (struct plx_token){.session = 0}; /* of no use any more */
    switch (logs_cursor_judge(&turn->cursor, id)) {
    case LOGS_LEASED:
        return turn->purpose == TURN_TAKE ? PLX_OK : PLX_MISMATCH;
    case LOGS_MOVED:
        return turn->purpose == TURN_RELEASE ? PLX_MISMATCH : PLX_OK;
    case LOGS_NEVER:
        return PLX_MISMATCH;
    case LOGS_FORGOTTEN:
        break;
    }
    return PLX_UNKNOWN;
}

/* Stores the next state of the cursor in place of the one read, which `id` marks. PLX_MISMATCH:
 * somebody else was first. */
static enum plx_outcome turn_swap(struct turn *turn, const struct logs_cursor *next,
                                  const struct plx_logs_id *id)
{
    uint8_t bytes[LOGS_CURSOR_SIZE_BYTES];
    uint8_t found[LOGS_CURSOR_SIZE_BYTES];
    if (!turn_time(turn))
        return PLX_TIMEOUT;
    logs_cursor_encode(next, bytes);
    struct plx_bytes old_value = PLX_ABSENT;
    if (turn->stored_size_bytes > 0)
        old_value = (struct plx_bytes){turn->stored, turn->stored_size_bytes};
    struct plx_call call = turn->call;
    call.buffer = found;
    call.buffer_size_bytes = sizeof(found);
    struct plx_response response =
        turn->store->swap(turn->store->context, turn_key(turn),
                          (struct plx_bytes){bytes, sizeof(bytes)}, old_value, &call);
    if (response.outcome == PLX_UNKNOWN)
        return turn_resolve(turn, &response.token, id);
    return response.outcome;
}

/* The state of the cursor with the logs of the result handed out, or leased; and its id. */
static struct plx_logs_id turn_next(const struct turn *turn, const struct plx_logs_result *result,
                                    uint64_t lease_ns, struct logs_cursor *ret_next)
{
    const struct logs_store *store = turn->store;
    uint64_t nonce = store->nonce(store->context);
    uint64_t handed_out = turn->cursor.handed_out + result->count;
    *ret_next = turn->cursor;
    if (lease_ns == 0)
        return logs_cursor_move(ret_next, result->end, handed_out, nonce);
    struct logs_lease lease = {.id = {0, nonce}, .end = result->end, .handed_out = handed_out};
    lease.length_us = lease_ns / 1000 + (lease_ns % 1000 != 0);
    lease.expires_us = time_after(store->wall_us(store->context), lease.length_us);
    logs_cursor_lease(ret_next, &lease);
    return lease.id;
}

static uint64_t ns_of_us(uint64_t us)
{
    return us > UINT64_MAX / 1000 ? UINT64_MAX : us * 1000;
}

/*
 * Somebody has a lease on the logs of the result: none of them is the caller's. A lease that a host
 * whose clock is ahead has written is bounded first, so that nobody waits for that clock; whether
 * this has succeeded decides nothing here, but PLX_MISMATCH: the lease is to be looked at anew.
 */
static enum plx_outcome take_leased(struct turn *turn, uint64_t now_us,
                                    struct plx_logs_result *result)
{
    struct logs_cursor next = turn->cursor;
    if (logs_cursor_lease_is_ahead(&next, now_us)) {
        logs_cursor_bound_lease(&next, now_us);
        if (turn_swap(turn, &next, &next.lease.id) == PLX_MISMATCH)
            return PLX_MISMATCH;
    }
    result->first += result->count;
    result->count = 0;
    result->offset_bytes += result->size_bytes;
    result->size_bytes = 0;
    result->is_leased = true;
    result->lease_left_ns = ns_of_us(logs_cursor_lease_left_us(&next, now_us));
    return PLX_OK;
}

/* One attempt; PLX_MISMATCH: another one is due. */
static struct plx_logs_result take_once(struct turn *turn, const struct logs_source *source,
                                        const struct plx_logs_how *how)
{
    const struct logs_store *store = turn->store;
    struct plx_logs_result result = {.outcome = turn_read(turn).outcome};
    if (turn->is_foreign)
        result.fault = PLX_LOGS_FOREIGN;
    if (result.outcome != PLX_OK && result.outcome != PLX_NOT_FOUND)
        return result;
    const struct logs_walk_options options = {
        .before = how->before, .cursor = turn->cursor.position, .mark = turn->cursor.mark};
    struct logs_mark mark;
    if (logs_walk(source, &options, &result, &mark) != PLX_LOGS_VALID) {
        result.outcome = PLX_E_ARGUMENT;
        return result;
    }
    result.outcome = PLX_OK;
    if (result.count == 0)
        return result;
    uint64_t begin_us = store->wall_us(store->context);
    if (logs_cursor_lease_left_us(&turn->cursor, begin_us) > 0) {
        result.outcome = take_leased(turn, begin_us, &result);
        return result;
    }
    struct logs_cursor next;
    result.id = turn_next(turn, &result, how->lease_ns, &next);
    *(how->lease_ns > 0 ? &next.lease.mark : &next.mark) = mark;
    result.outcome = turn_swap(turn, &next, &result.id);
    if (how->lease_ns > 0) {
        uint64_t now_us = store->wall_us(store->context);
        uint64_t expires_us = next.lease.expires_us;
        result.lease_left_ns = expires_us > now_us ? ns_of_us(expires_us - now_us) : 0;
    }
    return result;
}

struct plx_logs_result logs_take(const struct logs_store *store, const char *server,
                                 const struct logs_source *source, const struct plx_logs_how *how)
{
    struct turn turn;
    struct plx_call call = {.is_blocking = how->is_blocking,
                            .timeout_ns = how->timeout_ns,
                            .fence_wait_ns = how->fence_wait_ns};
    struct plx_logs_result result = {.outcome = PLX_MISMATCH};
    if (!turn_begin(&turn, store, server, &call))
        return (struct plx_logs_result){.outcome = PLX_E_ARGUMENT, .fault = PLX_LOGS_NAME};
    turn.purpose = TURN_TAKE;
    uint32_t changes = 0;
    for (uint32_t i = 0; i < LOGS_ROUNDS_MAX && result.outcome == PLX_MISMATCH; i++) {
        result = take_once(&turn, source, how);
        if (result.fault == PLX_LOGS_CHANGING && ++changes < LOGS_CHANGES_MAX)
            result = (struct plx_logs_result){.outcome = PLX_MISMATCH};
    }
    if (result.outcome == PLX_MISMATCH)
        result.outcome = PLX_E_OVERLOADED;
    if (result.outcome == PLX_UNKNOWN) {
        result.token = turn.token;
    } else if (result.outcome != PLX_OK) {
        result.count = 0;
        result.size_bytes = 0;
        result.id = (struct plx_logs_id){0, 0};
    }
    return result;
}

/* Confirms a lease, or gives it back, as the turn's purpose says. PLX_E_FULL: not decided yet. */
static enum plx_outcome lease_decide_once(struct turn *turn, const struct plx_logs_id *id)
{
    bool is_confirm = turn->purpose == TURN_CONFIRM;
    enum plx_outcome outcome = turn_read(turn).outcome;
    if (outcome != PLX_OK && outcome != PLX_NOT_FOUND)
        return outcome;
    switch (logs_cursor_judge(&turn->cursor, id)) {
    case LOGS_MOVED:
        return is_confirm ? PLX_OK : PLX_MISMATCH;
    case LOGS_NEVER: /* it does not stand any more */
        return is_confirm ? PLX_MISMATCH : PLX_OK;
    case LOGS_FORGOTTEN:
        turn->token = (struct plx_token){.session = 0};
        return PLX_UNKNOWN;
    case LOGS_LEASED:
        break;
    }
    struct logs_cursor next = turn->cursor;
    if (is_confirm)
        logs_cursor_confirm(&next);
    else
        logs_cursor_release(&next);
    outcome = turn_swap(turn, &next, id);
    /* Whether the lease was lost is read anew: others change the cursor in other ways, too. */
    return outcome == PLX_MISMATCH ? PLX_E_FULL : outcome;
}

static struct plx_response confirm_response(enum plx_outcome outcome, const struct plx_token *token)
{
    struct plx_response response = {
        .outcome = outcome, .valid = outcome == PLX_OK, .timeout = outcome == PLX_TIMEOUT};
    if (outcome == PLX_UNKNOWN)
        response.token = *token;
    return response;
}

static struct plx_response lease_decide(struct turn *turn, const struct plx_logs_id *id)
{
    enum plx_outcome outcome = PLX_E_FULL;
    for (uint32_t i = 0; i < LOGS_ROUNDS_MAX && outcome == PLX_E_FULL; i++)
        outcome = lease_decide_once(turn, id);
    if (outcome == PLX_E_FULL)
        outcome = PLX_E_OVERLOADED;
    return confirm_response(outcome, &turn->token);
}

struct plx_response logs_confirm(const struct logs_store *store, const char *server,
                                 const struct plx_logs_id *id, const struct plx_call *call)
{
    struct turn turn;
    if (!turn_begin(&turn, store, server, call) || id->serial == 0)
        return (struct plx_response){.outcome = PLX_E_ARGUMENT};
    turn.purpose = TURN_CONFIRM;
    return lease_decide(&turn, id);
}

struct plx_response logs_release(const struct logs_store *store, const char *server,
                                 const struct plx_logs_id *id, const struct plx_call *call)
{
    struct turn turn;
    if (!turn_begin(&turn, store, server, call) || id->serial == 0)
        return (struct plx_response){.outcome = PLX_E_ARGUMENT};
    turn.purpose = TURN_RELEASE;
    return lease_decide(&turn, id);
}

struct plx_response logs_state(const struct logs_store *store, const char *server,
                               const struct plx_call *call, struct plx_logs_state *ret_state)
{
    struct turn turn;
    *ret_state = (struct plx_logs_state){.serial = 0};
    if (!turn_begin(&turn, store, server, call))
        return (struct plx_response){.outcome = PLX_E_ARGUMENT};
    struct plx_response response = turn_read(&turn);
    const struct logs_cursor *cursor = &turn.cursor;
    *ret_state = (struct plx_logs_state){
        .position = cursor->position, .handed_out = cursor->handed_out, .serial = cursor->serial};
    if (response.outcome == PLX_OK && cursor->has_lease) {
        struct logs_cursor bounded = *cursor;
        uint64_t now_us = store->wall_us(store->context);
        if (logs_cursor_lease_is_ahead(&bounded, now_us))
            logs_cursor_bound_lease(&bounded, now_us); /* as the next who takes will */
        uint64_t left_us = logs_cursor_lease_left_us(&bounded, now_us);
        ret_state->lease = cursor->lease.id;
        ret_state->lease_end = cursor->lease.end;
        ret_state->leased = cursor->lease.handed_out - cursor->handed_out;
        ret_state->lease_left_ns = ns_of_us(left_us);
    }
    return response;
}

/* ---- the store behind a handle ---- */

/* A call that takes several operations: plx_cancel ends whichever is under way, and the rest. */
struct caller {
    struct plx_client *client;
    uint32_t cancel_epoch; /* when it entered the handle */
};

static struct plx_response store_get(void *context, struct plx_bytes key,
                                     const struct plx_call *call)
{
    const struct caller *caller = context;
    struct plx_op op = {.type = PLX_OP_GET, .key = key, .call = *call};
    return call_run(caller->client, &op, caller->cancel_epoch);
}

static struct plx_response store_swap(void *context, struct plx_bytes key,
                                      struct plx_bytes new_value, struct plx_bytes old_value,
                                      const struct plx_call *call)
{
    const struct caller *caller = context;
    struct plx_op op = {
        .type = PLX_OP_SWAP, .key = key, .value = new_value, .old_value = old_value, .call = *call};
    return call_run(caller->client, &op, caller->cancel_epoch);
}

static struct plx_response store_resolve(void *context, const struct plx_token *token,
                                         const struct plx_call *call)
{
    const struct caller *caller = context;
    return call_resolve(caller->client, token, call, caller->cancel_epoch);
}

static uint64_t store_monotonic_ns(void *context)
{
    (void)context;
    return clock_monotonic_ns();
}

static uint64_t store_wall_us(void *context)
{
    (void)context;
    return clock_realtime_us();
}

static uint64_t store_nonce(void *context)
{
    const struct caller *caller = context;
    struct plx_client *client = caller->client;
    client_lock(client);
    uint64_t nonce = prng_next(&client->names);
    client_unlock(client);
    return nonce;
}

static struct caller caller_of(struct plx_client *client)
{
    return (struct caller){client, cancel_epoch_of(client)};
}

static struct logs_store store_of(struct caller *caller)
{
    return (struct logs_store){.context = caller,
                               .get = store_get,
                               .swap = store_swap,
                               .resolve = store_resolve,
                               .monotonic_ns = store_monotonic_ns,
                               .wall_us = store_wall_us,
                               .nonce = store_nonce,
                               .timeout_ns = caller->client->options.timeout_ns,
                               .fence_wait_ns = caller->client->options.fence_wait_ns};
}

static const struct plx_logs_how no_how;
static const struct plx_call no_call;

struct plx_logs_result plx_logs_take(struct plx_client *client, const char *server,
                                     const struct plx_log *logs, size_t count,
                                     const struct plx_logs_how *how)
{
    enum plx_outcome outcome = client_check(client);
    if (outcome != PLX_OK || (logs == NULL && count > 0))
        return (struct plx_logs_result){.outcome = outcome != PLX_OK ? outcome : PLX_E_ARGUMENT};
    struct caller caller = caller_of(client);
    const struct logs_store store = store_of(&caller);
    if (how == NULL)
        how = &no_how;
    const struct logs_source source = {.logs = logs, .count = count, .odd = how->odd};
    return logs_take(&store, server, &source, how);
}

struct plx_logs_result plx_logs_take_text(struct plx_client *client, const char *server,
                                          struct plx_bytes text, enum plx_logs_format format,
                                          const struct plx_logs_how *how)
{
    enum plx_outcome outcome = client_check(client);
    if (outcome != PLX_OK || (text.data == NULL && text.size_bytes > 0))
        return (struct plx_logs_result){.outcome = outcome != PLX_OK ? outcome : PLX_E_ARGUMENT};
    struct caller caller = caller_of(client);
    const struct logs_store store = store_of(&caller);
    if (how == NULL)
        how = &no_how;
    const struct logs_source source = {
        .is_text = true, .text = text, .format = format, .odd = how->odd};
    return logs_take(&store, server, &source, how);
}

struct plx_logs_result client_take_stream(struct plx_client *client, const char *server,
                                          const struct logs_stream *stream,
                                          enum plx_logs_format format,
                                          const struct plx_logs_how *how)
{
    struct caller caller = caller_of(client);
    const struct logs_store store = store_of(&caller);
    const struct logs_source source = {.stream = stream, .format = format, .odd = how->odd};
    return logs_take(&store, server, &source, how);
}

struct plx_response plx_logs_confirm(struct plx_client *client, const char *server,
                                     const struct plx_logs_id *id, const struct plx_call *call)
{
    enum plx_outcome outcome = client_check(client);
    if (outcome != PLX_OK || id == NULL)
        return (struct plx_response){.outcome = outcome != PLX_OK ? outcome : PLX_E_ARGUMENT};
    struct caller caller = caller_of(client);
    const struct logs_store store = store_of(&caller);
    return logs_confirm(&store, server, id, call != NULL ? call : &no_call);
}

struct plx_response plx_logs_release(struct plx_client *client, const char *server,
                                     const struct plx_logs_id *id, const struct plx_call *call)
{
    enum plx_outcome outcome = client_check(client);
    if (outcome != PLX_OK || id == NULL)
        return (struct plx_response){.outcome = outcome != PLX_OK ? outcome : PLX_E_ARGUMENT};
    struct caller caller = caller_of(client);
    const struct logs_store store = store_of(&caller);
    return logs_release(&store, server, id, call != NULL ? call : &no_call);
}

struct plx_response plx_logs_cursor(struct plx_client *client, const char *server,
                                    const struct plx_call *call, struct plx_logs_state *ret_state)
{
    enum plx_outcome outcome = client_check(client);
    *ret_state = (struct plx_logs_state){.serial = 0};
    if (outcome != PLX_OK)
        return (struct plx_response){.outcome = outcome};
    struct caller caller = caller_of(client);
    const struct logs_store store = store_of(&caller);
    return logs_state(&store, server, call != NULL ? call : &no_call, ret_state);
}
