/* Two nodes played by a test: see tests/unit/client/fake_pair.h. */
#include "tests/unit/client/fake_pair.h"

void pair_open(struct pair *pair, size_t count)
{
    for (size_t i = 0; i < 2; i++)
        fake_open(&pair->fakes[i], (uint16_t)(i + 1));
    pair->fakes[1].is_leader = false;
    pair->options = fake_options(pair->fakes, count);
}

void pair_close(struct pair *pair)
{
    plx_close(pair->client);
    fake_close(&pair->fakes[0]);
    fake_close(&pair->fakes[1]);
}

struct plx_op relaxed_op(const char *key, const char *value, struct ending *ending)
{
    struct plx_op op = set_op(key, value, ending);
    op.call.is_relaxed = true;
    return op;
}

void fake_accept(struct fake *fake, uint64_t seq)
{
    const struct wire_op *op = &fake->ops[fake->request.op_count - 1];
    fake_answer(
        fake, WIRE_WRITE_REPLY, fake->write.packet_number,
        &(struct wire_reply_op){
            .seq = op->seq, .outcome = WIRE_OUTCOME_OK, .is_pending = true, .version = seq});
}

void set_relaxed(struct pair *pair, struct fake *home, const char *key, uint64_t seq)
{
    struct ending ending = {0};
    struct plx_op op = relaxed_op(key, "pending", &ending);
    assert_int_equal(plx_submit(pair->client, &op), PLX_OK);
    fake_expect(home, pair->client, WIRE_WRITE);
    assert_true(home->write.is_relaxed && !home->write.is_recall);
    fake_accept(home, seq);
    fake_finish(home, pair->client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    assert_true(ending.response.is_pending && ending.response.version == seq);
}

void set_arrives(struct pair *pair, const char *key, struct ending *ending)
{
    struct plx_op op = set_op(key, "later", ending);
    assert_int_equal(plx_submit(pair->client, &op), PLX_OK);
    fake_expect(&pair->fakes[0], pair->client, WIRE_WRITE);
    assert_false(pair->fakes[0].write.is_relaxed);
}

void set_ends(struct pair *pair, const struct ending *ending)
{
    fake_outcome_all(&pair->fakes[0], WIRE_OUTCOME_OK);
    fake_finish(&pair->fakes[0], pair->client, ending);
    assert_int_equal(ending->response.outcome, PLX_OK);
}
