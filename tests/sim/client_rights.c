/*
 * Clients of few rights. One client writes the table of rights, with the root key: from when a node
 * has applied it, every other client may read all keys and write none of them there. What they are
 * denied has no effect, as the judges of histories see; nobody else is denied anything.
 */
#include "base/check.h"
#include "base/rights_table.h"
#include "tests/sim/client.h"

#define TABLE_WRITE_NS UINT64_C(2000000000)

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
static struct span table_build(uint8_t *data)
{
    struct rights_builder builder;
    struct span table;
    rights_builder_begin(&builder, data);
    rights_builder_principal(&builder, span_of(SIM_KEY_FEW, strlen(SIM_KEY_FEW)), 0);
    rights_builder_line(&builder, RIGHT_READ | RIGHT_RELAXED_READ, (struct span){0});
    rights_builder_line(&builder, RIGHT_WRITE | RIGHT_RELAXED_WRITE, span_of("few/", 4));
    rights_builder_principal(&builder, span_of(SIM_KEY_FULL, strlen(SIM_KEY_FULL)), 0);
    rights_builder_line(&builder, RIGHTS_EVERY, (struct span){0});
    CHECK(rights_builder_end(&builder, &table) == OK);
    return table;
}

void client_write_rights(struct client *client)
{
    static uint8_t data[VALUE_SIZE_BYTES_MAX];
    struct span table = table_build(data);
    struct span key = rights_key();
    const struct plx_call call = {.timeout_ns = TABLE_WRITE_NS};
    struct plx_response response =
        plx_swap(client->handle, (struct plx_bytes){(const char *)key.data, key.size_bytes},
                 (struct plx_bytes){(const char *)table.data, table.size_bytes}, PLX_ABSENT, &call);
    client->world->has_rights = response.outcome == PLX_OK || response.outcome == PLX_MISMATCH;
    client->world->tally->rights_tables += response.outcome == PLX_OK;
    verdict_say(client->world->verdict, "c%u wrote a table of rights: %s", client->number,
                plx_outcome_name(response.outcome));
}
