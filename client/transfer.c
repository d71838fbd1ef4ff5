/* Transfer of leadership, at an operator's word. */
#include "client/client_internal.h"
#include "client/errand.h"
#include "client/include/pollux_leadership.h"

struct transfer {
    uint16_t target;
    uint64_t *retry_ns;
};

static void transfer_encode(const struct errand *errand, uint64_t number, uint64_t incarnation,
                            struct wire_writer *writer)
{
    const struct transfer *transfer = errand->what;
    (void)incarnation;
    wire_transfer_encode(writer, number, transfer->target);
}

static enum plx_outcome transfer_outcome(const struct errand *errand,
                                         const struct wire_reply *reply)
{
    const struct transfer *transfer = errand->what;
    if (reply->status == WIRE_STATUS_TOO_SOON)
        *transfer->retry_ns = reply->retry_us < UINT64_MAX / 1000 ? reply->retry_us * 1000 : 0;
    return reply->status == WIRE_STATUS_OK ? PLX_OK
                                           : errand_refusal((enum wire_status)reply->status);
}

enum plx_outcome plx_transfer(struct plx_client *client, uint16_t shard, uint16_t target,
                              uint64_t timeout_ns, uint64_t *ret_retry_ns)
{
    uint64_t retry_ns = 0;
    struct transfer transfer = {.target = target, .retry_ns = &retry_ns};
    struct errand errand = {.shard = shard,
                            .wire_type = WIRE_TRANSFER,
                            .reply_type = WIRE_TRANSFER_REPLY,
                            .what = &transfer,
                            .encode = transfer_encode,
                            .outcome = transfer_outcome};
    enum plx_outcome outcome = errand_run(client, &errand, timeout_ns);
    if (ret_retry_ns != NULL)
        *ret_retry_ns = outcome == PLX_E_TOO_SOON ? retry_ns : 0;
    return outcome;
}
