/* What every backend of medium.h shares: the names of granularities and kinds. */
#include "pmem/medium.h"

const char *medium_granularity_name(enum medium_granularity granularity)
{
    switch (granularity) {
    case MEDIUM_BYTE:
        return "byte";
    case MEDIUM_CACHE_LINE:
        return "cache-line";
    case MEDIUM_PAGE:
        return "page";
    }
    return "unknown";
}

enum medium_kind medium_kind(const struct medium *medium)
{
    if (medium_granularity(medium) == MEDIUM_PAGE)
        return MEDIUM_FILE;
    return medium_is_emulated(medium) ? MEDIUM_EMULATED : MEDIUM_PMEM;
}

const char *medium_kind_name(enum medium_kind kind)
{
    switch (kind) {
    case MEDIUM_PMEM:
        return "pmem";
    case MEDIUM_FILE:
        return "file";
    case MEDIUM_EMULATED:
        return "emulated";
    }
    return "?";
}
