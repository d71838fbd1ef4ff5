/*
 * How large the packets to one host may be. Nobody is told when a packet is too large for a link on
 * its way: it is swallowed. So whoever sends asks. A question is as large as the packets that it is
 * about, and so is its answer (wire/wire_path.h): an answer of that size shows that packets of that
 * size arrive, in both directions, and that the other end takes them.
 *
 * The rule: packets are of the base size, which every path carries, until a larger question was
 * answered; then they are of that size. While large messages are sent, the size is asked for again
 * now and then, beside a small question. When the small ones are answered, and for PATH_DOUBT_NS no
 * large one is, packets are of the base size again. So a path that carries less than before stops
 * large messages for about PATH_DOUBT_NS, and a host that is silent, or busy, changes nothing.
 *
 * It rests on three things. Whoever waits for a message sends it again, or asks again, and whatever
 * is sent again after a fall is cut anew, under another message id. No link cuts a packet: nodes
 * and clients forbid it, or drop fragments. And all packets to the host take a path like that of
 * the questions.
 *
 * Larger sizes are tried at the begin, after a fall, and ever more rarely. A program that knows no
 * such questions answers none of them: it is sent packets of the base size.
 *
 * Pure: time comes in. Owner: one thread.
 */
#ifndef POLLUX_WIRE_PATH_LIMIT_H
#define POLLUX_WIRE_PATH_LIMIT_H

#include "base/limits.h"

#include <stdbool.h>
#include <stdint.h>

/* A size that was shown is asked for again after so long, and while it is not answered, each time
 * after so long. */
#define PATH_CONFIRM_NS UINT64_C(250000000)
#define PATH_AGAIN_NS   UINT64_C(50000000)
#define PATH_DOUBT_NS   UINT64_C(500000000)
/* Small answers that a large one is missed beside. */
#define PATH_DOUBT_ANSWERS 2u
/* Between two searches for a larger size: doubled each time. */
#define PATH_SEARCH_FIRST_NS UINT64_C(50000000)
#define PATH_SEARCH_MAX_NS   UINT64_C(64000000000)
/* So long the first answer of all is waited for; and so long after it, those to larger questions
 * that left with the same one. */
#define PATH_FIRST_NS UINT64_C(100000000)
#define PATH_REST_NS  UINT64_C(10000000)

struct path_limit {
    uint16_t size_max;    /* the largest packet that this end may send or takes */
    uint16_t size_bytes;  /* of packets that arrive, as far as is known */
    bool is_answered;     /* the other end's program knows the questions: */
    uint64_t answered_ns; /* since its first answer */
    uint64_t number;      /* of the latest questions */
    uint64_t asked_ns;    /* when the size was asked for last */
    uint64_t shown_ns;    /* when an answer of this size came last */
    uint64_t doubt_ns;    /* when the first question since then left; 0: none has */
    uint32_t doubt_answers;
    uint64_t first_ns; /* when it was asked first; 0: it was not */
    uint64_t search_due_ns;
    uint64_t search_wait_ns;
    uint64_t falls; /* to the base size, since the start */
};

/* The packets that fit an MTU: PACKET_SIZE_BYTES_BASE, or an MTU of whole units. */
uint16_t path_limit_of_mtu(uint16_t mtu_bytes);

/* `number`: what strangers do not know; the questions' numbers follow it. */
void path_limit_init(struct path_limit *path, uint16_t size_max, uint64_t number);
/* Another program, or another host, may be there. */
void path_limit_forget(struct path_limit *path);

/* Size of the packets that may be sent now. */
uint16_t path_limit_bytes(struct path_limit *path, uint64_t now_ns);

/* Whether that is the smallest size only because the first answers have not come. */
bool path_limit_is_open(const struct path_limit *path, uint64_t now_ns);

/*
 * The questions that are to be sent now, sizes of packets, all with the number `path->number`; how
 * many: at most PATH_QUESTIONS_MAX. To be called when something is sent to the host; `is_large`: it
 * is larger than the base size, or its answer may be.
 */
uint32_t path_limit_questions(struct path_limit *path, bool is_large, uint64_t now_ns,
                              uint16_t *ret_sizes);

/* An answer came, in a packet of this size. False: nothing of the kind was asked. */
bool path_limit_answered(struct path_limit *path, uint64_t number, uint32_t size_bytes,
                         uint64_t now_ns);

#endif
