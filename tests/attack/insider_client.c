/*
 * A client that has a key and sends mutated packets: libpollux as it is, its handshakes and seals
 * included, but behind each packet that it sends some copies of it follow, changed and then sealed
 * (tests/attack/mutation.h). It makes every kind of call, on keys of its own.
 *
 * A mutated packet that is well-formed is an ordinary request of this client. Two kinds of these
 * are left out, since they would change the cluster and not test it: a change of the members, and
 * the word that a storage is lost.
 *
 * usage: insider_client SERVERS CLUSTER KEY COUNT     (POLLUX_INSIDER_SEED, POLLUX_INSIDER_COPIES)
 * Exit status 0: COUNT mutated packets were sent, and calls of its own were answered.
 */
#include "client/client_internal.h"
#include "client/include/pollux_backup.h"
#include "client/include/pollux_leadership.h"
#include "client/include/pollux_members.h"
#include "tests/attack/mutation.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OFFSET_TYPE      3
#define CALL_NS          UINT64_C(10000000)
#define LARGE_BYTES      20000u
#define KEYS             50u
#define COPIES           40u
#define SELDOM           9u /* calls in between of those that make a node work long */
#define NOBODY           9u /* a node that there is not */
#define WHO              "insider_client"
#define SILENT_CALLS_MAX 2000u
#define SILENT_CALLS                                                                               \
    8u /* in a row: its session is spoilt by what it sends, and it opens another handle */

static struct mutation mutation;
static struct mutation_packet clean; /* as it was encoded last to be sealed; size 0: none */
static uint64_t copies;

/* ---- in place of the library's ---- */

uint32_t __real_wire_piece_encode(uint8_t *to, const struct wire_keys *keys,
                                  const struct wire_message_header *header, struct span body,
                                  uint32_t piece);
uint32_t __wrap_wire_piece_encode(uint8_t *to, const struct wire_keys *keys,
                                  const struct wire_message_header *header, struct span body,
                                  uint32_t piece);
void __real_seals_send(struct plx_client *client);
void __wrap_seals_send(struct plx_client *client);

uint32_t __wrap_wire_piece_encode(uint8_t *to, const struct wire_keys *keys,
                                  const struct wire_message_header *header, struct span body,
                                  uint32_t piece)
{
    uint32_t size = __real_wire_piece_encode(to, keys, header, body, piece);
    if (keys->is_sealed && size <= sizeof(clean.bytes)) {
        clean.size_bytes = size;
        memcpy(clean.bytes, to, size);
    }
    return size;
}

/* What an operator may do to the cluster, and no test should. */
static bool is_well_formed_order(const struct mutation_packet *packet)
{
    struct wire_change change;
    struct wire_replace replace;
    const struct span body = span_of(packet->bytes + PACKET_HEADER_SIZE_BYTES,
                                     packet->size_bytes - PACKET_HEADER_SIZE_BYTES);
    if (packet->bytes[OFFSET_TYPE] == WIRE_CHANGE)
        return wire_change_decode(body, &change) == OK;
    return packet->bytes[OFFSET_TYPE] == WIRE_REPLACE && wire_replace_decode(body, &replace) == OK;
}

static void send_copy(struct plx_client *client, const struct packet_out *like)
{
    struct mutation_packet changed = clean;
    mutation_make(&mutation, &changed);
    if (is_well_formed_order(&changed))
        return;
    /* An initiation may take the place of the packet. */
    size_t room_bytes = changed.size_bytes + PACKET_HEADER_SIZE_BYTES + HANDSHAKE_INITIATION_BYTES +
                        PACKET_AROUND_BYTES;
    struct packet_out *packet = packet_begin(client, room_bytes);
    packet->endpoint = like->endpoint;
    packet->way = like->way;
    packet->relay = 0;
    packet->shard = like->shard;
    packet->size_bytes = changed.size_bytes;
    memcpy(packet->bytes, changed.bytes, changed.size_bytes);
    mutation.sent++;
    __real_seals_send(client);
}

void __wrap_seals_send(struct plx_client *client)
{
    struct packet_out like = {.endpoint = client->out[client->out_count].endpoint,
                              .way = client->out[client->out_count].way,
                              .shard = client->out[client->out_count].shard};
    uint64_t sent_before = client->out_count;
    __real_seals_send(client);
    /* Copies of what waits for keys would push it out. */
    if (clean.size_bytes == 0 || client->out_count == sent_before ||
        !wire_is_sealed(span_of(client->out[sent_before].bytes, PACKET_HEADER_SIZE_BYTES)))
        return;
    mutation_keep(&mutation, &clean);
    for (uint64_t i = 0; i < copies; i++)
        send_copy(client, &like);
    clean.size_bytes = 0;
}

/* ---- calls ---- */

struct insider {
    struct plx_client *client;
    struct plx_options options;
    uint64_t calls;
    uint64_t answered;
};

static struct plx_bytes key_of(uint64_t number, char text[64])
{
    snprintf(text, 64, "insider/%" PRIu64, number % KEYS);
    return plx_text(text);
}

static void call_key(struct insider *insider, uint64_t number)
{
    static const char large[LARGE_BYTES] = "large";
    const struct plx_call relaxed = {.is_relaxed = true, .timeout_ns = CALL_NS};
    const struct plx_call plain = {.timeout_ns = CALL_NS};
    const struct plx_bytes value = plx_text("a value of the insider");
    char text[64];
    struct plx_bytes key = key_of(number, text);
    struct plx_response response;
    switch (number / 3 % 8) {
    case 0:
        response = plx_get(insider->client, key, &relaxed);
        break;
    case 1:
        response = plx_get(insider->client, key, &plain);
        break;
    case 2:
        response = plx_set(insider->client, key, value, &relaxed);
        break;
    case 3:
        response = plx_swap(insider->client, key, value, plx_text("nothing"), &plain);
        break;
    case 4:
        response = plx_del(insider->client, key, number % 2 == 0 ? &relaxed : &plain);
        break;
    case 5:
        response = plx_set(insider->client, key, (struct plx_bytes){large, sizeof(large)}, &plain);
        break;
    default:
        response = plx_set(insider->client, key, value, &plain);
        break;
    }
    insider->answered += response.outcome == PLX_OK || response.outcome == PLX_MISMATCH ||
                         response.outcome == PLX_NOT_FOUND;
}

static void call_backup(struct insider *insider, size_t endpoint)
{
    static uint8_t block[PLX_BACKUP_BLOCK_BYTES];
    const struct plx_backup_from from = {.endpoint = endpoint, .timeout_ns = CALL_NS};
    struct plx_snapshot snapshot;
    if (plx_backup_find(insider->client, &from, 0, &snapshot) == PLX_OK)
        (void)plx_backup_block(insider->client, &from, &snapshot, 0, block);
}

static void call_operator(struct insider *insider, uint64_t number)
{
    static struct plx_members members;
    static struct plx_node node;
    const struct plx_change change = {.action = PLX_CHANGE_PROMOTE, .node = NOBODY};
    const struct plx_lost lost = {.birth = 1, .node = NOBODY};
    size_t endpoint = number / SELDOM % plx_endpoint_count(insider->client);
    switch (number / SELDOM % 7) {
    case 0:
        (void)plx_ping(insider->client, endpoint, 0, CALL_NS, &node);
        break;
    case 1:
        (void)plx_status(insider->client, endpoint, 0, CALL_NS, &node);
        break;
    case 2:
        (void)plx_members(insider->client, endpoint, 0, CALL_NS, &members);
        break;
    case 3:
        (void)plx_change(insider->client, &change, CALL_NS);
        break;
    case 4:
        (void)plx_replace(insider->client, 0, &lost, CALL_NS);
        break;
    case 5:
        call_backup(insider, endpoint);
        break;
    default:
        (void)plx_transfer(insider->client, 0, NOBODY, CALL_NS, NULL);
        break;
    }
}

/* In place of the one that there is. */
static bool open_handle(struct insider *insider)
{
    char reason[256] = "";
    if (insider->client != NULL)
        plx_close(insider->client);
    if (plx_open(&insider->options, &insider->client, reason, sizeof(reason)) == PLX_OK)
        return true;
    fprintf(stderr, WHO ": %s\n", reason);
    insider->client = NULL;
    return false;
}

static bool work(struct insider *insider, uint64_t count)
{
    uint64_t silent = 0;
    while (mutation.sent < count) {
        uint64_t number = insider->calls++;
        uint64_t answered_before = insider->answered;
        if (number % SELDOM < 2)
            call_operator(insider, number);
        else
            call_key(insider, number);
        silent = insider->answered != answered_before ? 0 : silent + 1;
        if (silent > SILENT_CALLS_MAX ||
            (silent % SILENT_CALLS == SILENT_CALLS - 1 && !open_handle(insider)))
            return false;
    }
    return insider->answered > 0;
}

int main(int argc, char **argv)
{
    struct insider insider = {.client = NULL};
    if (argc != 5) {
        fprintf(stderr, "usage: insider_client SERVERS CLUSTER KEY COUNT\n");
        return 2;
    }
    mutation_init(&mutation, WHO);
    copies = mutation_setting("POLLUX_INSIDER_COPIES", COPIES);
    plx_options_init(&insider.options);
    insider.options.endpoints = argv[1];
    insider.options.cluster = argv[2];
    insider.options.key_file = argv[3];
    insider.options.fence_wait_ns = CALL_NS;
    if (!open_handle(&insider))
        return 1;
    bool is_done = work(&insider, strtoull(argv[4], NULL, 10));
    if (insider.client != NULL)
        plx_close(insider.client);
    mutation_tell(&mutation, WHO);
    printf("sent=%" PRIu64 " calls=%" PRIu64 " answered=%" PRIu64 "\n", mutation.sent,
           insider.calls, insider.answered);
    return is_done ? 0 : 1;
}
