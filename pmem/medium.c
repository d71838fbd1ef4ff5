/* What every backend of medium.h shares: the names of the granularities. */
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
