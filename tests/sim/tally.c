/* See tally.h. */
#include "tests/sim/tally.h"

#include <stdio.h>

void tally_print(const struct tally *tally)
{
#define X(name) printf("  %-28s %llu\n", #name, (unsigned long long)tally->name);
    TALLY_LIST(X)
#undef X
}
