/* See tell.h. */
#include "tools/rescue/tell.h"

#include <inttypes.h>
#include <stdio.h>

static void tell_storage(uint16_t shard, const struct rescue_find *find)
{
    const struct rescue_storage *storage = &find->storage;
    printf("  shard %u: ", shard);
    if (storage->storage.birth == 0) {
        printf("no storage");
    } else {
        printf("storage %016" PRIx64 ", records up to %" PRIu64 " (term %" PRIu64
               "), known to be committed up to %" PRIu64,
               storage->storage.birth, storage->last_index, storage->last_term,
               storage->commit_index);
    }
    if (storage->is_ended)
        printf("; it counts no more");
    else if (storage->is_suspect)
        printf("; counts for nothing");
    else if (!storage->is_usable)
        printf("; cannot be used");
    printf("%s%s\n", find->note[0] != '\0' ? ": " : "", find->note);
}

void tell_found(const struct rescue_survey *survey, const struct rescue_absent *absent,
                uint32_t absent_count)
{
    printf("cluster %s, %u shards; looked at:\n", survey->directories[0].config.cluster,
           survey->shard_count);
    for (uint32_t i = 0; i < survey->count; i++) {
        const struct rescue_directory *directory = &survey->directories[i];
        printf("node %u, %s\n", directory->config.id, directory->config.directory);
        for (uint16_t shard = 0; shard < survey->shard_count; shard++)
            tell_storage(shard, &directory->shards[shard]);
    }
    for (uint32_t i = 0; i < absent_count; i++)
        printf("node %u, no directory: %s %s\n", absent[i].node,
               absent[i].address[0] != '\0' ? absent[i].address : "its address is not known",
               absent[i].address[0] == '\0' ? ""
               : absent[i].does_answer      ? "answers"
                                            : "is silent");
}

static const char *verdict_text(enum rescue_verdict verdict)
{
    switch (verdict) {
    case RESCUE_NOT_NEEDED:
        return "a majority is left. Start the nodes";
    case RESCUE_NO_STORAGE:
        return "no log that is left can go on: restore a backup";
    case RESCUE_STRANGER:
        return "the directories are of different clusters with one name";
    case RESCUE_TWICE:
        return "two directories are of one node";
    case RESCUE_POSSIBLE:
    case RESCUE_VERDICT_END:
        break;
    }
    return "";
}

/* Of the nodes that follow: what their journals have, and the chosen log may lack. */
static uint64_t count_pending(const struct rescue_survey *survey, uint16_t shard, uint32_t chosen)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < survey->count; i++)
        count += i != chosen ? survey->directories[i].shards[shard].pending : 0;
    return count;
}

static void tell_loss(const struct rescue_storage *chosen, const struct rescue_shard_plan *plan,
                      const struct rescue_absent *absent, uint32_t absent_count)
{
    if (plan->commit_index > chosen->last_index)
        printf("  LOST for certain: records %" PRIu64 " to %" PRIu64 ", which were committed\n",
               chosen->last_index + 1, plan->commit_index);
    else if (plan->commit_index < chosen->last_index)
        printf("  kept: records up to %" PRIu64 ", which were committed, and %" PRIu64
               " to %" PRIu64
               ", of which nobody who is left knows that. A write among these takes effect, even "
               "if its client was told that it never would\n",
               plan->commit_index, plan->commit_index + 1, chosen->last_index);
    else
        printf("  kept: records up to %" PRIu64 ", all of them committed\n", chosen->last_index);
    if (plan->is_taken_along) {
        printf("  lost: nothing that is committed, as a majority of this shard is left\n");
        return;
    }
    printf("  may be lost: whatever was committed behind record %" PRIu64
           " and is only on nodes that are not here (",
           rescue_kept_index(chosen, plan));
    for (uint32_t i = 0; i < absent_count; i++)
        printf("%s%u", i > 0 ? ", " : "", absent[i].node);
    printf("%s)\n", absent_count == 0 ? "none" : "");
}

void tell_plan(const struct rescue_survey *survey, uint16_t shard,
               const struct rescue_shard_plan *plan, const struct rescue_absent *absent,
               uint32_t absent_count)
{
    if (plan->verdict != RESCUE_POSSIBLE) {
        printf("shard %u: %s\n", shard, verdict_text(plan->verdict));
        return;
    }
    const struct rescue_directory *chosen = &survey->directories[plan->chosen];
    uint64_t pending = count_pending(survey, shard, plan->chosen);
    printf("shard %u: node %u goes on, in era %" PRIu64 " and alone at first", shard,
           chosen->config.id, plan->after.era);
    printf("%s\n", survey->count > 1 ? "; the other nodes here get empty logs, and follow" : "");
    tell_loss(&chosen->shards[shard].storage, plan, absent, absent_count);
    printf("  relaxed writes: those of node %u that are pending go on (at most %" PRIu64
           "); lost, unless the log has them: at most %" PRIu64
           " in the other journals here, and those of the nodes that are not here\n",
           chosen->config.id, chosen->shards[shard].pending, pending);
}

void tell_next(const struct rescue_survey *survey, const struct rescue_absent *absent,
               uint32_t absent_count)
{
    printf("Now bring the directories back to their nodes, and start these: ");
    for (uint32_t i = 0; i < survey->count; i++)
        printf("%s%u", i > 0 ? ", " : "", survey->directories[i].config.id);
    printf(".\n");
    if (absent_count == 0)
        return;
    printf("A node that was not here takes no part any more, should it come back: its log gets "
           "another name, and pollux member add makes it a member again.\n");
    for (uint32_t i = 0; i < absent_count; i++)
        if (absent[i].address[0] != '\0')
            printf("  pollux member add %u %s\n", absent[i].node, absent[i].address);
}
