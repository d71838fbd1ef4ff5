/*
 * `pollux rescue`: puts a cluster that has lost its majority for good together anew, from the data
 * directories that are left. It says what it found, what it would do and what may be lost; it does
 * so only once the cluster's name is typed in.
 */
#include "tools/rescue/apply.h"
#include "tools/rescue/probe.h"
#include "tools/rescue/tell.h"

#include "server/data_directory.h"
#include "tools/console/console.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static const char usage[] =
    "usage: pollux rescue [-e HOST:PORT,...] [--key FILE] [--cluster NAME] DIRECTORY...\n"
    "\n"
    "Puts a cluster that has lost its majority for good together anew. DIRECTORY: the data\n"
    "directory of each node that is left; all of them, and their nodes stopped. Tells what it\n"
    "found, what it would do and what may be lost, and asks for the cluster's name before it does\n"
    "it. Whatever the directories had stays, under another name.\n"
    "\n"
    "  -e, --endpoints HOST:PORT,...  where nodes that are gone might answer, beside the\n"
    "                      addresses that the cluster knows (default: $POLLUX_ENDPOINTS)\n"
    "      --key FILE      the key of a client, where nodes ask for one: else they do not answer,\n"
    "                      and seem to be gone (default: $POLLUX_KEY)\n"
    "      --cluster NAME  in place of typing it in\n"
    "  -h, --help          this text\n"
    "\n"
    "exit status: 0 done; 1 not needed, and nothing was changed; 2 usage; 5 refused, and nothing\n"
    "             was changed; 7 failed: repeat the command; 8 done, but standard output could\n"
    "             not be written\n";

enum exit_code {
    EXIT_DONE = 0,
    EXIT_NOT_NEEDED = 1,
    EXIT_USAGE = 2,
    EXIT_REFUSED = 5,
    EXIT_FAILED = 7,
    EXIT_UNWRITTEN = 8
};

struct rescue {
    const char *typed;     /* --cluster; NULL: asked for */
    const char *endpoints; /* NULL: none beside those of the cluster */
    const char *key_file;  /* NULL: packets are not sealed */
    struct rescue_survey survey;
    struct data_directory locks[NODES_MAX];
    uint32_t lock_count;
    struct rescue_absentees absent;
    struct rescue_shard_plan plans[SHARDS_MAX];
    uint64_t era;    /* of what is put together anew */
    uint32_t number; /* of its configurations */
    uint16_t wanted; /* shards that need it; 1 also if only an earlier rescue is to be finished */
};

static const char *cluster_of(const struct rescue *rescue)
{
    return rescue->survey.directories[0].config.cluster;
}

/* ---- what there is ---- */

static enum error lock_all(struct rescue *rescue, char **paths, uint32_t count, char *text)
{
    for (uint32_t i = 0; i < count && i < NODES_MAX; i++) {
        struct config config;
        enum error error = data_directory_recall(paths[i], &config, text);
        if (error == OK)
            error = data_directory_open(&config, &rescue->locks[i], text);
        if (error != OK)
            return error;
        rescue->lock_count++;
    }
    return OK;
}

static void unlock_all(struct rescue *rescue)
{
    for (uint32_t i = 0; i < rescue->lock_count; i++)
        data_directory_close(&rescue->locks[i]);
    rescue_survey_release(&rescue->survey);
}

static uint64_t draw_birth(void)
{
    uint64_t birth = 0;
    while (birth == 0) {
        if (getrandom(&birth, sizeof(birth), 0) != (ssize_t)sizeof(birth))
            birth = 0;
    }
    return birth;
}

static const struct raft_configuration *newest_of(const struct rescue_survey *survey,
                                                  uint16_t shard)
{
    const struct raft_configuration *newest = NULL;
    for (uint32_t i = 0; i < survey->count; i++) {
        const struct raft_configuration *found =
            &survey->directories[i].shards[shard].storage.configuration;
        if (found->slot_count > 0 &&
            (newest == NULL || found->era > newest->era ||
             (found->era == newest->era && found->number > newest->number)))
            newest = found;
    }
    return newest;
}

/* The newest configuration of each shard tells who is absent: they differ where a rescue, or a
 * change of members, has reached some shards only. */
static enum error look_for_absent(struct rescue *rescue, char *text)
{
    const struct rescue_survey *survey = &rescue->survey;
    uint16_t here[NODES_MAX];
    for (uint32_t i = 0; i < survey->count; i++)
        here[i] = survey->directories[i].config.id;
    for (uint16_t shard = 0; shard < survey->shard_count; shard++) {
        const struct raft_configuration *newest = newest_of(survey, shard);
        enum error error =
            newest == NULL ? OK : rescue_absent_add(newest, here, survey->count, &rescue->absent);
        if (error != OK) {
            snprintf(text, RESCUE_TEXT_BYTES, "more than %d nodes are not here", RESCUE_ABSENT_MAX);
            return error;
        }
    }
    const struct rescue_asked asked = {.cluster = cluster_of(rescue),
                                       .endpoints = rescue->endpoints,
                                       .key_file = rescue->key_file,
                                       .shard_count = survey->shard_count};
    return rescue_probe(&asked, rescue->absent.nodes, rescue->absent.count, text);
}

static uint32_t answering_of(const struct rescue *rescue, uint16_t shard,
                             uint64_t ret_births[RESCUE_ABSENT_MAX])
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < rescue->absent.count; i++) {
        if (rescue->absent.nodes[i].does_answer)
            ret_births[count++] = rescue->absent.nodes[i].births[shard];
    }
    return count;
}

/* ---- what is to be done ---- */

/* An era is one of the whole cluster: clients and operators know one number. Where one shard needs
 * a rescue, the others get the same era, and lose nothing by it. */
static void take_along(struct rescue *rescue)
{
    for (uint16_t shard = 0; shard < rescue->survey.shard_count && rescue->wanted > 0; shard++) {
        struct rescue_shard_plan *plan = &rescue->plans[shard];
        if (plan->verdict != RESCUE_NOT_NEEDED)
            continue;
        plan->verdict = RESCUE_POSSIBLE;
        plan->is_taken_along = true;
    }
}

/* A rescue was interrupted behind some of the shards: it is to be finished. */
static bool is_halfway(const struct rescue *rescue)
{
    for (uint16_t shard = 1; shard < rescue->survey.shard_count; shard++) {
        if (rescue->plans[shard].before.era != rescue->plans[0].before.era)
            return true;
    }
    return false;
}

static void plan_all(struct rescue *rescue)
{
    struct rescue_storage storages[NODES_MAX];
    for (uint16_t shard = 0; shard < rescue->survey.shard_count; shard++) {
        uint64_t answering[RESCUE_ABSENT_MAX];
        uint32_t count = answering_of(rescue, shard, answering);
        struct rescue_shard_plan *plan = &rescue->plans[shard];
        for (uint32_t i = 0; i < rescue->survey.count; i++) {
            struct rescue_storage *storage = &rescue->survey.directories[i].shards[shard].storage;
            storage->new_birth = draw_birth();
            if (storage->configuration.era >= rescue->era)
                rescue->era = storage->configuration.era + 1;
            if (storage->configuration.number >= rescue->number)
                rescue->number = storage->configuration.number + 1;
        }
        rescue_survey_shard(&rescue->survey, shard, storages);
        rescue_plan_shard(storages, rescue->survey.count, answering, count, plan);
        if (plan->verdict == RESCUE_POSSIBLE)
            rescue->wanted++;
    }
    if (rescue->wanted == 0 && is_halfway(rescue))
        rescue->wanted = 1;
    take_along(rescue);
    for (uint16_t shard = 0; shard < rescue->survey.shard_count; shard++) {
        if (rescue->plans[shard].verdict != RESCUE_POSSIBLE)
            continue;
        rescue_survey_shard(&rescue->survey, shard, storages);
        rescue_plan_after(storages, rescue->survey.count, rescue->era, rescue->number,
                          &rescue->plans[shard]);
    }
}

/* A node that runs is no node that is gone. */
static bool is_somebody_alive(const struct rescue *rescue)
{
    for (uint32_t i = 0; i < rescue->absent.count; i++) {
        if (rescue->absent.nodes[i].does_answer)
            return true;
    }
    return false;
}

static bool is_some_shard_hopeless(const struct rescue *rescue)
{
    for (uint16_t shard = 0; shard < rescue->survey.shard_count; shard++) {
        enum rescue_verdict verdict = rescue->plans[shard].verdict;
        if (verdict != RESCUE_POSSIBLE && verdict != RESCUE_NOT_NEEDED)
            return true;
    }
    return false;
}

static void tell_all(const struct rescue *rescue)
{
    tell_found(&rescue->survey, rescue->absent.nodes, rescue->absent.count);
    for (uint16_t shard = 0; shard < rescue->survey.shard_count; shard++)
        tell_plan(&rescue->survey, shard, &rescue->plans[shard], rescue->absent.nodes,
                  rescue->absent.count);
}

/* ---- doing it ---- */

static bool is_confirmed(const struct rescue *rescue)
{
    char line[CONFIG_TEXT_MAX + 2] = "";
    const char *typed = rescue->typed;
    if (!console_is_whole()) {
        fprintf(stderr,
                "pollux rescue: nothing was changed: what was found could not be printed\n");
        return false;
    }
    if (typed == NULL) {
        printf("\nTo do this, type in the name of the cluster: ");
        fflush(stdout);
        if (fgets(line, sizeof(line), stdin) == NULL)
            line[0] = '\0';
        line[strcspn(line, "\n")] = '\0';
        typed = line;
    }
    if (strcmp(typed, cluster_of(rescue)) == 0)
        return true;
    fprintf(stderr, "pollux rescue: nothing was changed: the cluster has another name\n");
    return false;
}

static enum exit_code carry_out(struct rescue *rescue)
{
    char text[RESCUE_TEXT_BYTES] = "";
    for (uint16_t shard = 0; shard < rescue->survey.shard_count; shard++) {
        if (rescue->plans[shard].verdict != RESCUE_POSSIBLE)
            continue;
        enum error error = rescue_apply(&rescue->survey, shard, &rescue->plans[shard], text);
        if (error != OK) {
            fprintf(stderr, "pollux rescue: shard %u: %s: %s\nMend that, and repeat the command.\n",
                    shard, error_name(error), text);
            return EXIT_FAILED;
        }
        printf("shard %u: done\n", shard);
        fflush(stdout);
    }
    tell_next(&rescue->survey, rescue->absent.nodes, rescue->absent.count);
    return EXIT_DONE;
}

static enum exit_code decide(struct rescue *rescue)
{
    if (is_some_shard_hopeless(rescue))
        return EXIT_REFUSED;
    if (rescue->wanted == 0) {
        printf("Nothing is to be rescued, and nothing was changed: start the nodes.\n");
        return EXIT_NOT_NEEDED;
    }
    if (is_somebody_alive(rescue)) {
        fprintf(stderr, "pollux rescue: nothing was changed: a node that is not here answers. Stop "
                        "it, and give its directory, too\n");
        return EXIT_REFUSED;
    }
    return is_confirmed(rescue) ? carry_out(rescue) : EXIT_REFUSED;
}

static enum exit_code run(struct rescue *rescue, char **paths, uint32_t count)
{
    char text[RESCUE_TEXT_BYTES] = "";
    enum error error = lock_all(rescue, paths, count, text);
    if (error == OK)
        error = rescue_survey_take(paths, count, &rescue->survey, text);
    if (error == OK)
        error = look_for_absent(rescue, text);
    enum exit_code code = EXIT_REFUSED;
    if (error == OK) {
        plan_all(rescue);
        tell_all(rescue);
        code = decide(rescue);
    } else {
        fprintf(stderr, "pollux rescue: nothing was changed: %s: %s\n", error_name(error), text);
    }
    unlock_all(rescue);
    return code;
}

static enum exit_code run_words(int argc, char **argv)
{
    static struct rescue rescue;
    static const struct option options[] = {{"endpoints", required_argument, NULL, 'e'},
                                            {"cluster", required_argument, NULL, 'c'},
                                            {"key", required_argument, NULL, 'k'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int option;
    rescue.endpoints = getenv("POLLUX_ENDPOINTS");
    rescue.key_file = getenv("POLLUX_KEY");
    while ((option = getopt_long(argc, argv, "e:h", options, NULL)) != -1) {
        if (option == 'h') {
            printf("%s", usage);
            return EXIT_DONE;
        }
        if (option != 'c' && option != 'e' && option != 'k') {
            fprintf(stderr, "%s", usage);
            return EXIT_USAGE;
        }
        *(option == 'c'   ? &rescue.typed
          : option == 'k' ? &rescue.key_file
                          : &rescue.endpoints) = optarg;
    }
    uint32_t count = (uint32_t)(argc - optind);
    if (count == 0 || count > NODES_MAX) {
        fprintf(stderr, "pollux rescue: name 1 to %d data directories\n%s", NODES_MAX, usage);
        return EXIT_USAGE;
    }
    return run(&rescue, argv + optind, count);
}

int main(int argc, char **argv)
{
    console_begin("pollux rescue");
    return console_end((int)run_words(argc, argv), EXIT_UNWRITTEN);
}
