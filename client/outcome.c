/* Outcomes as names, texts and exit codes, all from the one list in pollux.h. */
#include "client/include/pollux.h"

#include <string.h>

const char *plx_outcome_name(enum plx_outcome outcome)
{
    static const char *const names[PLX_OUTCOME_COUNT] = {
#define X(name, exit_code, text) #name,
        PLX_OUTCOME_LIST(X)
#undef X
    };
    return (unsigned)outcome < PLX_OUTCOME_COUNT ? names[outcome] : "PLX_?";
}

const char *plx_outcome_text(enum plx_outcome outcome)
{
    static const char *const texts[PLX_OUTCOME_COUNT] = {
#define X(name, exit_code, text) text,
        PLX_OUTCOME_LIST(X)
#undef X
    };
    return (unsigned)outcome < PLX_OUTCOME_COUNT ? texts[outcome] : "unknown outcome";
}

int plx_outcome_exit_code(enum plx_outcome outcome)
{
    static const int codes[PLX_OUTCOME_COUNT] = {
#define X(name, exit_code, text) exit_code,
        PLX_OUTCOME_LIST(X)
#undef X
    };
    return (unsigned)outcome < PLX_OUTCOME_COUNT ? codes[outcome] : 7;
}

struct plx_bytes plx_text(const char *text)
{
    if (text == NULL)
        return PLX_ABSENT;
    return (struct plx_bytes){text, strlen(text)};
}
