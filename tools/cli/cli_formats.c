/* See cli_formats.h. */
#include "tools/cli/cli_formats.h"

#include <string.h>

static struct formats_row *row_of(struct formats_view *view, uint16_t node)
{
    for (uint32_t i = 0; i < view->count; i++) {
        if (view->rows[i].node == node)
            return &view->rows[i];
    }
    if (view->count == FORMATS_ROWS_MAX)
        return NULL;
    view->rows[view->count] = (struct formats_row){.node = node};
    return &view->rows[view->count++];
}

/* False: the node does not have the counter. */
static bool counter_find(const struct plx_node *node, const char *name, uint64_t *ret_value)
{
    for (uint32_t i = 0; i < node->counter_count; i++) {
        if (strcmp(node->counters[i].name, name) != 0)
            continue;
        *ret_value = node->counters[i].value;
        return true;
    }
    return false;
}

void formats_note(struct formats_view *view, const struct plx_node *node)
{
    struct formats_row *row = row_of(view, node->node);
    if (row == NULL)
        return;
    uint64_t known = 0;
    uint64_t in_force = 0;
    row->is_older = !counter_find(node, "format_known", &known);
    (void)counter_find(node, "format", &in_force);
    row->known = known;
    row->in_force = row->has_answered && row->in_force < in_force ? row->in_force : in_force;
    row->has_answered = true;
}

void formats_note_member(struct formats_view *view, uint16_t node)
{
    struct formats_row *row = row_of(view, node);
    if (row != NULL)
        row->is_member = true;
}

uint64_t formats_in_force(const struct formats_view *view)
{
    uint64_t lowest = UINT64_MAX;
    for (uint32_t i = 0; i < view->count; i++) {
        const struct formats_row *row = &view->rows[i];
        if (row->is_member && row->has_answered && row->in_force < lowest)
            lowest = row->in_force;
    }
    return lowest == UINT64_MAX ? 0 : lowest;
}

uint64_t formats_known(const struct formats_view *view)
{
    uint64_t lowest = UINT64_MAX;
    for (uint32_t i = 0; i < view->count; i++) {
        const struct formats_row *row = &view->rows[i];
        uint64_t known = row->has_answered ? row->known : 0;
        if (row->is_member && known < lowest)
            lowest = known;
    }
    return lowest == UINT64_MAX ? 0 : lowest;
}

const char *formats_lack(const struct formats_row *row, uint64_t format)
{
    if (!row->is_member)
        return NULL;
    if (!row->has_answered)
        return "does not answer, or is not among the endpoints";
    return row->known < format ? "runs an older program that does not know it" : NULL;
}

bool formats_are_at(const struct formats_view *view, uint64_t format)
{
    bool is_any = false;
    for (uint32_t i = 0; i < view->count; i++) {
        const struct formats_row *row = &view->rows[i];
        if (!row->is_member)
            continue;
        is_any = true;
        if (!row->has_answered || row->in_force < format)
            return false;
    }
    return is_any;
}
