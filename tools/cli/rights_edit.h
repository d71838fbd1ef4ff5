/*
 * Changes of a table of rights (base/rights_table.h): from one value to the next.
 *
 * Pure; any thread.
 */
#ifndef POLLUX_TOOLS_CLI_RIGHTS_EDIT_H
#define POLLUX_TOOLS_CLI_RIGHTS_EDIT_H

#include "base/rights_table.h"

enum rights_action {
    RIGHTS_ADD,        /* a principal without rights, of this generation */
    RIGHTS_GRANT,      /* the rights, to keys with the prefix */
    RIGHTS_REVOKE,     /* those rights of that prefix */
    RIGHTS_REVOKE_ALL, /* everything, and its key: the lowest generation that counts rises */
    RIGHTS_REMOVE,     /* the principal; one with a mark is kept for that alone (rights_table.h) */
};

struct rights_edit {
    enum rights_action action;
    struct span name; /* rights_name_is_valid */
    uint8_t rights;
    struct span prefix;
    uint32_t generation; /* ADD, and REVOKE_ALL: the lowest that is to count; 0: the next one */
    bool drops_pending;  /* REVOKE_ALL, REMOVE: with what is pending under its keys so far */
};

/* The names of enum right, comma-separated. False: another word. */
bool rights_parse(const char *text, uint8_t *ret_rights);
/* The name of one right. */
const char *right_name(uint8_t right);

/*
 * Writes the table that comes of it to `to` (VALUE_SIZE_BYTES_MAX). `before` of size 0: there is
 * none. ERR_NOT_FOUND: there is no such principal, or it has none of the rights to revoke.
 * ERR_EXISTS: the principal is there, or has the rights to grant. ERR_FULL: a principal has too
 * many lines, or the table is too large. ERR_OUTDATED: the generation is lower than the one that
 * counts. Those of rights_table_decode, of what was there. ADD of one that was removed, and has a
 * mark, takes it back.
 */
MUST_USE enum error rights_edit(struct span before, const struct rights_edit *edit, uint8_t *to,
                                struct span *ret_after);

#endif
