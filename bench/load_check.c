/* One write at a time for each key; what was read against what may be there. */
#include "bench/load_check.h"

#include "base/check.h"
#include "bench/load_record.h"

bool load_check_is_free(const struct load_check *check)
{
    return check->in_flight == 0 && check->open == 0;
}

void load_check_begin(struct load_check *check, uint64_t value_number)
{
    CHECK(load_check_is_free(check));
    check->in_flight = value_number;
}

void load_check_cancel(struct load_check *check)
{
    check->in_flight = 0;
}

void load_check_end(struct load_check *check, enum plx_outcome outcome)
{
    if (outcome == PLX_OK) {
        check->acknowledged = check->in_flight;
    } else if (outcome == PLX_UNKNOWN) {
        check->open = check->in_flight;
    }
    check->in_flight = 0;
}

void load_check_retire(struct load_check *check)
{
    check->open = check->acknowledged;
}

void load_check_close(struct load_check *check)
{
    if (check->in_flight != 0) {
        load_check_end(check, PLX_UNKNOWN);
    }
}

bool load_check_is_due(const struct load_check *check)
{
    return check->acknowledged != 0;
}

enum load_finding load_check_judge(const struct load_check *check, uint32_t value_size,
                                   const struct plx_response *response)
{
    uint64_t number = 0;
    if (response->outcome != PLX_OK && response->outcome != PLX_NOT_FOUND) {
        return CHECK_UNREAD;
    }
    bool is_ours = response->has_value && response->value.size_bytes == value_size &&
                   load_record_number(response->value.data, value_size, &number);
    return is_ours && number != 0 && (number == check->acknowledged || number == check->open)
               ? CHECK_KEPT
               : CHECK_LOST;
}
