/*
 * What it costs to seal a packet and to open it, with integrity alone and with encryption, and the
 * checksum that unsealed packets have in place of a tag. Packets of 64, 200 and 1452 bytes; the
 * figures are ns a packet over groups of 64. Then what a handshake costs its initiator and its
 * responder. Fixed work.
 *
 * Usage: security_seal [packets]
 */
#include "base/check.h"
#include "base/crc32c.h"
#include "bench/samples.h"
#include "security/handshake.h"

#include <stdio.h>
#include <stdlib.h>

#define GROUP           64
#define PACKETS_MANY    2000000
#define PACKETS_MAX     UINT64_C(1000000000)
#define HANDSHAKE_SHARE 64 /* one for so many packets */
#define CLEAR_BYTES     56u
#define TAG_OFFSET      40u
#define NAME_BYTES      48

struct bench {
    struct seal_engine engine;
    struct fork_guard guard;
    struct seal_tx tx;
    struct seal_rx rx;
    struct handshake_secret shared;
    uint8_t data[GROUP][PACKET_SIZE_BYTES_MAX];
    uint64_t numbers[GROUP];
    uint64_t checksum;
};

static struct seal_packet packet_of(struct bench *bench, uint32_t i, uint32_t size_bytes,
                                    bool is_encrypted)
{
    return (struct seal_packet){.data = bench->data[i],
                                .size_bytes = size_bytes,
                                .clear_bytes = is_encrypted ? CLEAR_BYTES : size_bytes,
                                .tag_offset = TAG_OFFSET};
}

static void measure_seal(struct bench *bench, struct samples *close_samples,
                         struct samples *open_samples, uint32_t size_bytes, bool is_encrypted)
{
    uint64_t begin_ns = samples_clock_ns();
    for (uint32_t i = 0; i < GROUP; i++) {
        const struct seal_packet packet = packet_of(bench, i, size_bytes, is_encrypted);
        CHECK(seal_tx_number(&bench->tx, &bench->guard, &bench->numbers[i]) == OK);
        seal_packet_close(&bench->engine, &bench->tx, &packet);
    }
    samples_add(close_samples, samples_clock_ns() - begin_ns, GROUP);
    begin_ns = samples_clock_ns();
    for (uint32_t i = 0; i < GROUP; i++) {
        const struct seal_packet packet = packet_of(bench, i, size_bytes, is_encrypted);
        CHECK(seal_packet_open(&bench->engine, &bench->rx, bench->numbers[i], &packet) == OK);
    }
    samples_add(open_samples, samples_clock_ns() - begin_ns, GROUP);
    for (uint32_t i = 0; i < GROUP; i++)
        bench->checksum += bench->data[i][size_bytes - 1];
}

static void print(struct bench *bench, struct samples *samples, const char *what,
                  uint32_t size_bytes)
{
    char name[NAME_BYTES];
    snprintf(name, sizeof(name), "%s %u B", what, size_bytes);
    samples_print(samples, name, bench->checksum);
}

static void measure_size(struct bench *bench, struct samples samples[2], uint64_t packets,
                         uint32_t size_bytes)
{
    for (uint64_t done = 0; done < packets; done += GROUP) {
        uint64_t begin_ns = samples_clock_ns();
        for (uint32_t i = 0; i < GROUP; i++)
            bench->checksum += crc32c(0, bench->data[i], size_bytes);
        samples_add(&samples[0], samples_clock_ns() - begin_ns, GROUP);
    }
    print(bench, &samples[0], "checksum", size_bytes);
    for (uint32_t way = 0; way < 2; way++) {
        for (uint64_t done = 0; done < packets; done += GROUP)
            measure_seal(bench, &samples[0], &samples[1], size_bytes, way == 1);
        print(bench, &samples[0], way == 1 ? "seal, encrypted" : "seal", size_bytes);
        print(bench, &samples[1], way == 1 ? "open, encrypted" : "open", size_bytes);
    }
}

/* One handshake; the shares of both sides are measured apart. */
static void shake(struct bench *bench, struct samples samples[2], uint64_t number)
{
    const struct handshake handshake = {.secret = &bench->shared};
    struct handshake_initiation ask = {.key_id = 1, .initiator = HANDSHAKE_NODE, .attempt = number};
    const struct handshake_response answer = {
        .key_id = 1, .answer = HANDSHAKE_AGREED, .attempt = number};
    uint8_t initiation[HANDSHAKE_INITIATION_BYTES];
    uint8_t response[HANDSHAKE_RESPONSE_BYTES];
    struct handshake_traffic traffic;
    const struct span asked = span_of(initiation, sizeof(initiation));
    const struct span answered = span_of(response, sizeof(response));
    uint64_t begin_ns = samples_clock_ns();
    handshake_initiation_encode(initiation, &handshake, &ask);
    uint64_t asked_ns = samples_clock_ns();
    CHECK(handshake_initiation_decode(asked, &ask) == OK);
    CHECK(handshake_initiation_check(asked, &handshake) == OK);
    handshake_response_encode(response, &handshake, asked, &answer);
    handshake_agree(&handshake, asked, answered, &traffic);
    seal_rx_init(&bench->rx, &bench->engine, &traffic.to_responder);
    uint64_t answered_ns = samples_clock_ns();
    CHECK(handshake_response_check(answered, &handshake, asked) == OK);
    handshake_agree(&handshake, asked, answered, &traffic);
    seal_tx_init(&bench->tx, &bench->engine, &traffic.to_responder);
    samples_add(&samples[0], samples_clock_ns() - answered_ns + asked_ns - begin_ns, 1);
    samples_add(&samples[1], answered_ns - asked_ns, 1);
    bench->checksum += traffic.to_responder.key[0];
}

int main(int argc, char **argv)
{
    static struct bench bench;
    static const uint32_t sizes[] = {64, 200, PACKET_SIZE_BYTES_USUAL};
    static const struct secret secret = {{1}};
    static const struct seal_secret key = {{1, 2, 3}, {4}};
    uint64_t packets = argc > 1 ? strtoull(argv[1], NULL, 10) : PACKETS_MANY;
    struct samples samples[2];
    if (packets < GROUP || packets > PACKETS_MAX) {
        fprintf(stderr, "usage: security_seal [packets]\n");
        return 2;
    }
    CHECK(seal_engine_init(&bench.engine) == OK);
    CHECK(fork_guard_init(&bench.guard) == OK);
    seal_tx_init(&bench.tx, &bench.engine, &key);
    seal_rx_init(&bench.rx, &bench.engine, &key);
    handshake_secret_of(&secret, &bench.shared);
    samples_init(&samples[0]);
    samples_init(&samples[1]);
    for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        measure_size(&bench, samples, packets, sizes[i]);
    for (uint64_t i = 0; i < 1 + packets / HANDSHAKE_SHARE; i++)
        shake(&bench, samples, i);
    samples_print(&samples[0], "handshake, initiator", bench.checksum);
    samples_print(&samples[1], "handshake, responder", bench.checksum);
    samples_deinit(&samples[0]);
    samples_deinit(&samples[1]);
    fork_guard_deinit(&bench.guard);
    return 0;
}
