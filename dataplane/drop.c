/* Names of the drop reasons, from the one list. */
#include "dataplane/port.h"

#include <ctype.h>
#include <pthread.h>

#define DROP_NAME_SIZE_BYTES 24

/* Written once in upper case by the compiler, and once in lower case before the first use. */
static char drop_names[DP_DROP_COUNT][DROP_NAME_SIZE_BYTES] = {
#define X(name, text) [DP_DROP_##name] = #name,
    DP_DROP_LIST(X)
#undef X
};

static void drop_names_lower(void)
{
    for (uint32_t i = 0; i < DP_DROP_COUNT; i++) {
        for (char *at = drop_names[i]; *at != '\0'; at++) {
            *at = (char)tolower((unsigned char)*at);
        }
    }
}

const char *dp_drop_name(enum dp_drop drop)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, drop_names_lower);
    return (unsigned)drop < DP_DROP_COUNT ? drop_names[drop] : "unknown";
}
