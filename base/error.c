/* Names and texts of enum error. */
#include "base/error.h"

static const char *const names[ERROR_COUNT] = {
#define X(name, text) #name,
    ERROR_LIST(X)
#undef X
};

static const char *const texts[ERROR_COUNT] = {
#define X(name, text) text,
    ERROR_LIST(X)
#undef X
};

const char *error_name(enum error error)
{
    return (unsigned)error < ERROR_COUNT ? names[error] : "ERR_?";
}

const char *error_text(enum error error)
{
    return (unsigned)error < ERROR_COUNT ? texts[error] : "unknown error";
}
