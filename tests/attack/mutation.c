/* See mutation.h. */
#include "tests/attack/mutation.h"

#include "base/check.h"
#include "base/le.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Offsets in a packet: wire/wire_packet.h. */
#define OFFSET_VERSION      2
#define OFFSET_TYPE         3
#define OFFSET_SHARD        16
#define OFFSET_SENDER       18
#define OFFSET_PIECE        20
#define OFFSET_PIECES       22
#define OFFSET_MESSAGE_ID   24
#define OFFSET_MESSAGE_SIZE 32
#define OFFSET_KNOWN        37

#define FIELDS_BYTES 160u /* of a payload: where most fields lie */
#define TYPE_LAST    42u

static const uint64_t numbers[] = {0,
                                   1,
                                   2,
                                   3,
                                   63,
                                   64,
                                   65,
                                   0x7f,
                                   0x80,
                                   0xff,
                                   512,
                                   513,
                                   0x7fff,
                                   0x8000,
                                   0xffff,
                                   UINT64_C(1) << 20,
                                   INT32_MAX,
                                   UINT64_C(1) << 31,
                                   UINT32_MAX,
                                   UINT64_C(1) << 32,
                                   (UINT64_C(1) << 40) - 1,
                                   UINT64_C(1) << 48,
                                   UINT64_C(1) << 61,
                                   UINT64_C(1) << 62,
                                   INT64_MAX,
                                   UINT64_C(1) << 63,
                                   UINT64_MAX - 1,
                                   UINT64_MAX};

static uint64_t pick(struct mutation *mutation, uint64_t low, uint64_t high)
{
    return prng_range(&mutation->prng, low, high);
}

uint64_t mutation_setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

void mutation_init(struct mutation *mutation, const char *who)
{
    uint64_t seed = mutation_setting("POLLUX_INSIDER_SEED", 1);
    memset(mutation, 0, sizeof(*mutation));
    prng_init(&mutation->prng, seed);
    fprintf(stderr, "%s: seed %" PRIu64 "\n", who, seed);
}

void mutation_keep(struct mutation *mutation, const struct mutation_packet *packet)
{
    mutation->kept[pick(mutation, 0, MUTATION_KEPT - 1)] = *packet;
}

static uint32_t payload_bytes(const struct mutation_packet *packet)
{
    return packet->size_bytes - PACKET_HEADER_SIZE_BYTES;
}

static void flip(struct mutation *mutation, uint8_t *bytes, uint32_t size_bytes)
{
    uint64_t flips = pick(mutation, 1, 8);
    for (uint64_t i = 0; i < flips && size_bytes > 0; i++) {
        uint64_t bit = pick(mutation, 0, 8 * (uint64_t)size_bytes - 1);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

/* A field of 1, 2, 4 or 8 bytes gets a number that is at an edge, or near what it was. */
static void set_field(struct mutation *mutation, uint8_t *field, uint32_t size_bytes)
{
    uint64_t value = 0;
    for (uint32_t i = size_bytes; i > 0; i--)
        value = value << 8 | field[i - 1];
    switch (pick(mutation, 0, 3)) {
    case 0:
        value += pick(mutation, 1, 4);
        break;
    case 1:
        value -= pick(mutation, 1, 4);
        break;
    case 2:
        value ^= UINT64_C(1) << pick(mutation, 0, 8 * (uint64_t)size_bytes - 1);
        break;
    default:
        value = numbers[pick(mutation, 0, sizeof(numbers) / sizeof(numbers[0]) - 1)];
        break;
    }
    for (uint32_t i = 0; i < size_bytes; i++, value >>= 8)
        field[i] = (uint8_t)value;
}

static void change_field(struct mutation *mutation, struct mutation_packet *packet)
{
    uint32_t size = 1u << pick(mutation, 0, 3);
    uint32_t most = payload_bytes(packet);
    if (most < size)
        return;
    if (most > FIELDS_BYTES && pick(mutation, 0, 3) != 0)
        most = FIELDS_BYTES;
    uint32_t place = (uint32_t)pick(mutation, 0, most / size - 1) * size;
    set_field(mutation, packet->bytes + PACKET_HEADER_SIZE_BYTES + place, size);
}

static void change_header(struct mutation *mutation, struct mutation_packet *packet)
{
    static const struct {
        uint8_t offset;
        uint8_t size_bytes;
    } fields[] = {{OFFSET_VERSION, 1},    {OFFSET_SHARD, 2},        {OFFSET_SENDER, 2},
                  {OFFSET_PIECE, 2},      {OFFSET_PIECES, 2},       {OFFSET_PIECES, 2},
                  {OFFSET_MESSAGE_ID, 8}, {OFFSET_MESSAGE_SIZE, 4}, {OFFSET_KNOWN, 1}};
    uint64_t which = pick(mutation, 0, 2 * sizeof(fields) / sizeof(fields[0]) - 1);
    if (which >= sizeof(fields) / sizeof(fields[0])) {
        packet->bytes[OFFSET_TYPE] = (uint8_t)pick(mutation, 0, TYPE_LAST + 1);
        return;
    }
    set_field(mutation, packet->bytes + fields[which].offset, fields[which].size_bytes);
}

/* The header tells the new size, mostly: else nothing behind it is looked at. */
static void resize(struct mutation *mutation, struct mutation_packet *packet, uint32_t size_bytes)
{
    packet->size_bytes = size_bytes;
    if (le16_load(packet->bytes + OFFSET_PIECES) == 1 && pick(mutation, 0, 7) != 0)
        le32_store(packet->bytes + OFFSET_MESSAGE_SIZE, payload_bytes(packet));
}

static void cut(struct mutation *mutation, struct mutation_packet *packet)
{
    uint32_t payload = payload_bytes(packet);
    uint64_t left = payload == 0 ? 0 : pick(mutation, 0, payload - 1);
    resize(mutation, packet, PACKET_HEADER_SIZE_BYTES + (uint32_t)left);
}

static void lengthen(struct mutation *mutation, struct mutation_packet *packet)
{
    uint32_t before = packet->size_bytes;
    if (before == PACKET_SIZE_BYTES_USUAL)
        return;
    uint32_t after = (uint32_t)pick(mutation, before + 1, PACKET_SIZE_BYTES_USUAL);
    for (uint32_t i = before; i < after; i++)
        packet->bytes[i] = (uint8_t)prng_next(&mutation->prng);
    resize(mutation, packet, after);
}

/* The begin of this packet, and the rest of another one. */
static void splice(struct mutation *mutation, struct mutation_packet *packet)
{
    const struct mutation_packet *other = &mutation->kept[pick(mutation, 0, MUTATION_KEPT - 1)];
    if (other->size_bytes <= PACKET_HEADER_SIZE_BYTES)
        return;
    uint32_t from = (uint32_t)pick(mutation, PACKET_HEADER_SIZE_BYTES, other->size_bytes - 1);
    uint32_t to = from;
    if (to > packet->size_bytes || pick(mutation, 0, 1) == 0)
        to = (uint32_t)pick(mutation, PACKET_HEADER_SIZE_BYTES, packet->size_bytes);
    uint32_t size = other->size_bytes - from;
    if (size > PACKET_SIZE_BYTES_USUAL - to)
        size = PACKET_SIZE_BYTES_USUAL - to;
    memcpy(packet->bytes + to, other->bytes + from, size);
    resize(mutation, packet, to + size);
}

static void make_noise(struct mutation *mutation, struct mutation_packet *packet)
{
    uint32_t payload = payload_bytes(packet);
    if (payload == 0)
        return;
    uint64_t from = pick(mutation, 0, payload - 1);
    uint64_t end = pick(mutation, from + 1, payload);
    for (uint64_t i = from; i < end; i++)
        packet->bytes[PACKET_HEADER_SIZE_BYTES + i] = (uint8_t)prng_next(&mutation->prng);
}

void mutation_make(struct mutation *mutation, struct mutation_packet *packet)
{
    CHECK(packet->size_bytes >= PACKET_HEADER_SIZE_BYTES);
    CHECK(packet->size_bytes <= PACKET_SIZE_BYTES_USUAL);
    enum mutation_kind kind = (enum mutation_kind)pick(mutation, 0, MUTATION_KINDS - 1);
    mutation->kinds[kind]++;
    mutation->types[packet->bytes[OFFSET_TYPE] % MUTATION_TYPES]++;
    mutation->count++;
    switch (kind) {
    case MUTATION_BITS:
        flip(mutation, packet->bytes + PACKET_HEADER_SIZE_BYTES, payload_bytes(packet));
        break;
    case MUTATION_FIELD:
        change_field(mutation, packet);
        break;
    case MUTATION_HEADER:
        change_header(mutation, packet);
        break;
    case MUTATION_CUT:
        cut(mutation, packet);
        break;
    case MUTATION_LONGER:
        lengthen(mutation, packet);
        break;
    case MUTATION_SPLICE:
        splice(mutation, packet);
        break;
    case MUTATION_NOISE:
        make_noise(mutation, packet);
        break;
    case MUTATION_KINDS:
        break;
    }
}

void mutation_tell(const struct mutation *mutation, const char *who)
{
    static const char *const names[MUTATION_KINDS] = {"bits",   "field",  "header", "cut",
                                                      "longer", "splice", "noise"};
    fprintf(stderr, "%s: sent=%" PRIu64 " of=%" PRIu64, who, mutation->sent, mutation->count);
    for (uint32_t i = 0; i < MUTATION_KINDS; i++)
        fprintf(stderr, " %s=%" PRIu64, names[i], mutation->kinds[i]);
    fprintf(stderr, " by type:");
    for (uint32_t i = 0; i < MUTATION_TYPES; i++) {
        if (mutation->types[i] != 0)
            fprintf(stderr, " %u=%" PRIu64, i, mutation->types[i]);
    }
    fprintf(stderr, "\n");
}
