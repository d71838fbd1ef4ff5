/* Cookies of clients that do not seal: looked at, asked for and given. See server/proof.h. */
#include "server/lane_internal.h"

#include "wire/wire_hello.h"

/* Not larger than any question, and repeats its id: only who has sent it takes the cookie. */
static void send_cookie(struct lane *lane, uint8_t wire_type, const struct wire_packet *question,
                        const struct address *to)
{
    uint8_t cookie[COOKIE_SIZE_BYTES];
    struct lane_message message = {
        .header = lane_message_header(lane, wire_type, question->header.shard), .to = *to};
    cookie_make(&lane->shared.proof.cookies, to, lane->shared.now_ns, cookie);
    message.header.cookie = cookie;
    message.header.message_id = question->header.message_id;
    lane_shared_send(&lane->shared, &message);
}

static bool has_cookie(struct lane *lane, const struct wire_packet *packet,
                       const struct address *from)
{
    if (packet->header.cookie == NULL)
        return false;
    const uint8_t *cookie = packet->header.cookie;
    switch (proof_cookie_age(&lane->shared.proof, from, lane->shared.now_ns, cookie)) {
    case COOKIE_BAD:
        return false;
    case COOKIE_BEFORE:
        lane->counters.cookies_next++;
        send_cookie(lane, WIRE_COOKIE_NEXT, packet, from);
        break;
    case COOKIE_LATEST:
        break;
    }
    return true;
}

/* Who is answered says nothing that is answered in turn: so two nodes never answer each other
 * because of a stranger. */
void lane_refuse_unproven(struct lane *lane, const struct wire_packet *packet,
                          const struct address *from)
{
    lane->counters.drop_unproven++;
    if (wire_type_is_question(packet->header.type))
        send_cookie(lane, WIRE_COOKIE, packet, from);
}

bool lane_prove(struct lane *lane, const struct wire_packet *packet, bool is_sealed,
                struct address *from)
{
    uint32_t size_bytes = PACKET_HEADER_SIZE_BYTES + (uint32_t)packet->payload.size_bytes;
    /* Who is relayed has proven to the relay that he receives what goes there. */
    if (!lane->shared.proof.is_on || is_sealed || from->via != 0 ||
        has_cookie(lane, packet, from)) {
        from->room = ADDRESS_PROVEN;
        return true;
    }
    /* Who asks for what was sent before asks for any number of packets. */
    from->room = packet->header.type == WIRE_MISSING ? 0 : (uint16_t)size_bytes;
    bool is_padded_hello = packet->header.type == WIRE_HELLO &&
                           packet->payload.size_bytes >= WIRE_HELLO_REPLY_SIZE_BYTES;
    if (is_padded_hello || !wire_type_is_question(packet->header.type) ||
        proof_has_room(&lane->shared.proof, from, lane->shared.now_ns))
        return true;
    lane_refuse_unproven(lane, packet, from);
    return false;
}
