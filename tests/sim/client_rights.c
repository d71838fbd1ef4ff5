/*
 * Clients of few rights. One client writes the table of rights, with the root key: from when a node
 * has applied it, every other client may read all keys and write none of them there. What they are
 * denied has no effect, as the judges of histories see; nobody else is denied anything.
 *
 * In some runs the table comes later, and revokes them: they may do nothing any more. Until then
 * they could do everything. It may say that what they have pending is dropped; for that the format
 * is raised before.
 */
#include "base/check.h"
#include "base/rights_table.h"
#include "tests/sim/client.h"

#define TABLE_WRITE_NS UINT64_C(2000000000)
#define WAIT_NS        UINT64_C(20000000)

bool client_has_few_rights(const struct client *client)
{
    return client->world->draw->few_rights != 0 && client->number % 2 == 1 && !client->is_taker;
}

bool client_is_to_write_rights(const struct client *client)
{
    return client->world->draw->few_rights != 0 && client->number == 0 &&
           !client->world->has_rights;
}

/* Few have rights to write, too, so that they get sessions; no key of the run has the prefix. */
static struct span table_build(const struct draw *draw, uint8_t *data)
{
    struct rights_builder builder;
    struct span table;
    rights_builder_begin(&builder, data);
    rights_builder_principal(&builder, span_of(SIM_KEY_FEW, strlen(SIM_KEY_FEW)),
                             draw->revoke_ns > 0);
    if (draw->revoke_drops != 0) {
        rights_builder_drops(&builder, 1);
        rights_builder_mark(&builder, 1, false);
    }
    if (draw->revoke_ns == 0) {
        rights_builder_line(&builder, RIGHT_READ | RIGHT_RELAXED_READ, (struct span){0});
        rights_builder_line(&builder, RIGHT_WRITE | RIGHT_RELAXED_WRITE, span_of("few/", 4));
    }
    rights_builder_principal(&builder, span_of(SIM_KEY_FULL, strlen(SIM_KEY_FULL)), 0);
    rights_builder_line(&builder, RIGHTS_EVERY, (struct span){0});
    CHECK(rights_builder_end(&builder, &table) == OK);
    return table;
}

bool client_is_revoked(const struct client *client)
{
    return client->world->is_few_revoked && client_has_few_rights(client);
}

/* In format 0 nothing can be dropped by a name. */
static void wait_to_revoke(struct client *client)
{
    const struct draw *draw = client->world->draw;
    bool is_raised = draw->revoke_drops == 0;
    while (!client->world->is_winding_down &&
           (!is_raised || client_now_ns(client) < draw->revoke_ns)) {
        is_raised = is_raised || client_raise_format(client);
        (void)plx_poll(client->handle, WAIT_NS);
    }
    client->world->is_few_revoked = true;
}

void client_write_rights(struct client *client)
{
    if (client->world->draw->revoke_ns > 0)
        wait_to_revoke(client);
    static uint8_t data[VALUE_SIZE_BYTES_MAX];
    struct span table = table_build(client->world->draw, data);
    struct span key = rights_key();
    const struct plx_call call = {.timeout_ns = TABLE_WRITE_NS};
    struct plx_response response =
        plx_swap(client->handle, (struct plx_bytes){(const char *)key.data, key.size_bytes},
                 (struct plx_bytes){(const char *)table.data, table.size_bytes}, PLX_ABSENT, &call);
    client->world->has_rights = response.outcome == PLX_OK || response.outcome == PLX_MISMATCH;
    client->world->tally->rights_tables += response.outcome == PLX_OK;
    client->world->tally->revocations +=
        response.outcome == PLX_OK && client->world->draw->revoke_ns > 0;
    verdict_say(client->world->verdict, "c%u wrote a table of rights: %s", client->number,
                plx_outcome_name(response.outcome));
}
