/*
 * Reassembly under strangers: the input is a list of pieces to send, five bytes each (sender and
 * message, size, piece, time, kind of lie with piece size). A message that comes out whole is
 * exactly the one that its sender cut up, however its pieces were mixed with others; nothing else
 * ever comes out.
 */
#include "base/check.h"
#include "wire/reassembly.h"
#include "tests/fuzz/canary.h"

#include <stdlib.h>

static const struct wire_keys keys = {.is_sealed = false};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

#define CLUSTER_ID 1
#define SLOTS      3
#define STEP_BYTES 5
#define PIECES_MAX 4
#define BODY_BYTES (PIECES_MAX * PACKET_PAYLOAD_SIZE_BYTES_MAX)
#define SENDERS    4
#define MESSAGES   8

/* What a message holds follows from its sender, its id and its size. */
static size_t body_fill(uint8_t *body, uint32_t sender, uint32_t message, uint32_t size)
{
    size_t size_bytes = (size_t)(size % PIECES_MAX) * PACKET_PAYLOAD_SIZE_BYTES_MAX + size;
    for (size_t i = 0; i < size_bytes; i++)
        body[i] = (uint8_t)(sender * 101 + message * 31 + size * 7 + i + i / 256);
    return size_bytes;
}

static void step(struct reassembly *reassembly, const uint8_t *input, uint64_t *now_ns)
{
    static uint8_t body[BODY_BYTES];
    uint8_t bytes[PACKET_SIZE_BYTES_MAX];
    uint32_t sender = input[0] % SENDERS;
    uint32_t message = input[0] / SENDERS % MESSAGES;
    size_t size_bytes = body_fill(body, sender, message, input[1]);
    uint16_t piece_size =
        input[4] / 8 % 2 == 0 ? PACKET_PAYLOAD_SIZE_BYTES_MAX : PIECE_SIZE_BYTES_MIN;
    uint32_t piece_count = wire_piece_count(size_bytes, piece_size);
    uint32_t piece = input[2] % piece_count;
    struct wire_message_header header = {.type = input[4] % 8 == 0 ? WIRE_READ : WIRE_WRITE,
                                         .piece_size_bytes = piece_size,
                                         .cluster_id = CLUSTER_ID,
                                         .message_id = message};
    uint32_t size = wire_piece_encode(bytes, &keys, &header, span_of(body, size_bytes), piece);
    struct wire_packet packet;
    CHECK(wire_packet_decode(span_of(bytes, size), &keys, CLUSTER_ID, &packet) == OK);
    struct address from = {.port = (uint16_t)(sender + 1)};
    struct span whole = {.data = NULL};
    *now_ns += input[3];
    enum error error = reassembly_add(reassembly, &from, &packet, *now_ns, &whole);
    /* The last piece is taken for the first. */
    CANARY(if (whole.data != NULL && piece_count > 1) whole.size_bytes--);
    CHECK(error == OK || error == ERR_RANGE || error == ERR_REPLAYED);
    CHECK(error == OK || whole.data == NULL);
    if (whole.data != NULL)
        CHECK(span_is_equal(whole, span_of(body, size_bytes)));
    CHECK(piece_count > 1 || whole.data != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct arena arena;
    uint64_t now_ns = 1;
    CHECK(arena_init(&arena, reassembly_arena_bytes(SLOTS)) == OK);
    struct reassembly *reassembly = reassembly_init(&arena, SLOTS);
    for (size_t at = 0; at + STEP_BYTES <= size_bytes; at += STEP_BYTES)
        step(reassembly, data + at, &now_ns);
    arena_deinit(&arena);
    return 0;
}
