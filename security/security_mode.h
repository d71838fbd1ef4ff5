/*
 * How nodes take one another's packets. A cluster goes from `none` to `required` node by node, by
 * way of `accept`.
 */
#ifndef POLLUX_SECURITY_SECURITY_MODE_H
#define POLLUX_SECURITY_SECURITY_MODE_H

enum security_mode {
    SECURITY_NONE,     /* nothing is sealed */
    SECURITY_ACCEPT,   /* sealed where the peer can open it; unsealed packets are taken, too */
    SECURITY_REQUIRED, /* unsealed packets of peers are neither sent nor taken */
};

/* As in the configuration. Pure. */
static inline const char *security_mode_name(enum security_mode mode)
{
    switch (mode) {
    case SECURITY_NONE:
        return "none";
    case SECURITY_ACCEPT:
        return "accept";
    case SECURITY_REQUIRED:
        return "required";
    }
    return "?";
}

#endif
