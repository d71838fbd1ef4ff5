/* See path_limit.h. */
#include "wire/path_limit.h"

#include "base/check.h"
#include "wire/wire_path.h"

/* Answers to so many of the latest numbers count. */
#define NUMBERS_HEARD 64u

/* MTUs that are tried beside this end's own: those that clouds, tunnels and old cards have. */
static const uint16_t tried_mtus[] = {8850, 4000, 1500, 1450, 1400};
static_assert(sizeof(tried_mtus) / sizeof(tried_mtus[0]) + 3 <= PATH_QUESTIONS_MAX,
              "beside a small question, the size in use, and the own one");

uint16_t path_limit_of_mtu(uint16_t mtu_bytes)
{
    CHECK(mtu_bytes >= MTU_MIN && mtu_bytes <= MTU_MAX);
    uint32_t whole = mtu_bytes / MTU_UNIT_BYTES * MTU_UNIT_BYTES;
    return whole <= MTU_MIN ? PACKET_SIZE_BYTES_BASE : (uint16_t)(whole - PACKET_FRONT_SIZE_BYTES);
}

void path_limit_init(struct path_limit *path, uint16_t size_max, uint64_t number)
{
    CHECK(size_max >= PACKET_SIZE_BYTES_BASE && size_max <= PACKET_SIZE_BYTES_MAX);
    *path = (struct path_limit){.size_max = size_max, .number = number};
    path_limit_forget(path);
}

void path_limit_forget(struct path_limit *path)
{
    path->size_bytes = PACKET_SIZE_BYTES_BASE;
    path->is_answered = false;
    path->doubt_ns = 0;
    path->first_ns = 0;
    path->search_due_ns = 0;
    path->search_wait_ns = PATH_SEARCH_FIRST_NS;
}

uint16_t path_limit_bytes(struct path_limit *path, uint64_t now_ns)
{
    if (path->doubt_ns != 0 && now_ns - path->doubt_ns >= PATH_DOUBT_NS &&
        path->doubt_answers >= PATH_DOUBT_ANSWERS) {
        path->falls++;
        path->size_bytes = PACKET_SIZE_BYTES_BASE;
        path->doubt_ns = 0;
        path->search_due_ns = now_ns;
        path->search_wait_ns = PATH_SEARCH_FIRST_NS;
    }
    return path->size_bytes;
}

bool path_limit_is_open(const struct path_limit *path, uint64_t now_ns)
{
    if (path->size_bytes != PACKET_SIZE_BYTES_BASE || path->size_max == PACKET_SIZE_BYTES_BASE)
        return false;
    if (path->is_answered)
        return now_ns - path->answered_ns < PATH_REST_NS;
    return path->first_ns == 0 || now_ns - path->first_ns < PATH_FIRST_NS;
}

static bool is_confirm_due(const struct path_limit *path, uint64_t now_ns)
{
    if (path->size_bytes == PACKET_SIZE_BYTES_BASE)
        return false;
    return path->doubt_ns == 0 ? now_ns - path->shown_ns >= PATH_CONFIRM_NS
                               : now_ns - path->asked_ns >= PATH_AGAIN_NS;
}

static uint32_t questions_confirm(struct path_limit *path, uint64_t now_ns, uint16_t *ret_sizes)
{
    if (path->doubt_ns == 0) {
        path->doubt_ns = now_ns;
        path->doubt_answers = 0;
    }
    path->asked_ns = now_ns;
    ret_sizes[0] = path->size_bytes;
    return 1;
}

static uint32_t questions_search(struct path_limit *path, uint64_t now_ns, uint16_t *ret_sizes)
{
    uint32_t count = 0;
    ret_sizes[count++] = path->size_max;
    for (uint32_t i = 0; i < sizeof(tried_mtus) / sizeof(tried_mtus[0]); i++) {
        uint16_t size_bytes = path_limit_of_mtu(tried_mtus[i]);
        if (size_bytes > path->size_bytes && size_bytes < path->size_max)
            ret_sizes[count++] = size_bytes;
    }
    if (path->first_ns == 0)
        path->first_ns = now_ns;
    path->search_due_ns = now_ns + path->search_wait_ns;
    path->search_wait_ns *= 2;
    if (path->search_wait_ns > PATH_SEARCH_MAX_NS)
        path->search_wait_ns = PATH_SEARCH_MAX_NS;
    return count;
}

uint32_t path_limit_questions(struct path_limit *path, bool is_large, uint64_t now_ns,
                              uint16_t *ret_sizes)
{
    uint32_t count = 1;
    uint16_t size_bytes = path_limit_bytes(path, now_ns);
    ret_sizes[0] = WIRE_PATH_PACKET_SIZE_BYTES_MIN;
    if (is_large && is_confirm_due(path, now_ns))
        count += questions_confirm(path, now_ns, ret_sizes + count);
    if (size_bytes < path->size_max && now_ns >= path->search_due_ns)
        count += questions_search(path, now_ns, ret_sizes + count);
    if (count == 1)
        return 0;
    path->number++;
    CHECK(count <= PATH_QUESTIONS_MAX);
    return count;
}

bool path_limit_answered(struct path_limit *path, uint64_t number, uint32_t size_bytes,
                         uint64_t now_ns)
{
    if (path->number - number >= NUMBERS_HEARD || size_bytes > path->size_max)
        return false;
    if (!path->is_answered)
        path->answered_ns = now_ns;
    path->is_answered = true;
    if (size_bytes > PACKET_SIZE_BYTES_BASE && size_bytes >= path->size_bytes) {
        path->size_bytes = (uint16_t)size_bytes;
        path->shown_ns = now_ns;
        path->doubt_ns = 0;
    } else if (path->doubt_ns != 0 && size_bytes <= PACKET_SIZE_BYTES_BASE) {
        path->doubt_answers++;
    }
    return true;
}
