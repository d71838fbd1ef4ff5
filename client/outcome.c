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

/* Its address is what tells an absent value from all others. */
static const char absent_mark[1] = "";

struct plx_bytes plx_absent(void)
{
    return (struct plx_bytes){absent_mark, 0};
}

bool plx_is_absent(struct plx_bytes bytes)
{
    return bytes.data == absent_mark;
}

struct plx_bytes plx_text(const char *text)
{
    return (struct plx_bytes){text, text == NULL ? 0 : strlen(text)};
}
