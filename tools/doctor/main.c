/* `pollux doctor`: see doctor.h. */
#include "tools/console/console.h"
#include "tools/doctor/doctor.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define REASON_BYTES 512

static const char usage[] =
    "usage: pollux doctor [--config FILE] [--fix] [-o plain|json]\n"
    "\n"
    "Looks at a node, its machine and its peers: a line for each thing, \"good\" or what is "
    "wrong,\n"
    "and the command that mends it. Changes nothing without --fix. The node may run meanwhile.\n"
    "Without --config only what needs none is looked at.\n"
    "\n"
    "      --config FILE   the configuration of the node\n"
    "      --fix           run the commands that are safe, and tell them; the others are printed.\n"
    "                      A card that is in use, and the kernel's command line, stay as they are\n"
    "  -o, --output plain|json  default: plain\n"
    "  -e, --endpoints HOST:PORT,...  where the nodes are asked (default: $POLLUX_ENDPOINTS, else\n"
    "                      [peers])\n"
    "      --cluster NAME  the cluster's name (default: that of the configuration, else\n"
    "                      $POLLUX_CLUSTER)\n"
    "      --key FILE      the key of an administrator (default: $POLLUX_KEY, else the root key "
    "of\n"
    "                      the configuration)\n"
    "  -h, --help          this text\n"
    "\n"
    "exit status: 0 nothing is wrong; 2 usage; 7 out of memory; 8 as 0, but standard output could\n"
    "             not be written; 9 something is wrong; 10 nothing is known to be wrong, and\n"
    "             something could not be looked at\n";

enum doctor_exit {
    DOCTOR_EXIT_GOOD = 0,
    DOCTOR_EXIT_USAGE = 2,
    DOCTOR_EXIT_MEMORY = 7,
    DOCTOR_EXIT_UNWRITTEN = 8,
    DOCTOR_EXIT_WRONG = 9,
    DOCTOR_EXIT_UNKNOWN = 10
};

struct doctor {
    const char *config_path;
    struct doctor_peers peers;
    bool is_mending;
    bool is_json;
    bool is_done; /* help */
};

static bool take(struct doctor *doctor, int option)
{
    switch (option) {
    case 'C':
        doctor->config_path = optarg;
        return true;
    case 'f':
        doctor->is_mending = true;
        return true;
    case 'o':
        doctor->is_json = strcmp(optarg, "json") == 0;
        return doctor->is_json || strcmp(optarg, "plain") == 0;
    case 'e':
        doctor->peers.endpoints = optarg;
        return true;
    case 'c':
        doctor->peers.cluster = optarg;
        return true;
    case 'k':
        doctor->peers.key_file = optarg;
        return true;
    case 'h':
        fputs(usage, stdout);
        doctor->is_done = true;
        return true;
    default:
        return false;
    }
}

static const char *set_in_environment(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

static bool take_words(int argc, char **argv, struct doctor *ret_doctor)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'C'},  {"fix", no_argument, NULL, 'f'},
        {"output", required_argument, NULL, 'o'},  {"endpoints", required_argument, NULL, 'e'},
        {"cluster", required_argument, NULL, 'c'}, {"key", required_argument, NULL, 'k'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0}};
    int option;
    *ret_doctor = (struct doctor){.peers = {.endpoints = set_in_environment("POLLUX_ENDPOINTS"),
                                            .key_file = set_in_environment("POLLUX_KEY")}};
    while ((option = getopt_long(argc, argv, "o:e:h", options, NULL)) != -1) {
        if (!take(ret_doctor, option))
            return false;
        if (ret_doctor->is_done)
            return true;
    }
    if (ret_doctor->config_path == NULL && ret_doctor->peers.cluster == NULL)
        ret_doctor->peers.cluster = set_in_environment("POLLUX_CLUSTER");
    return optind == argc;
}

/* NULL: there is none, and that was told. */
static const struct config *read_config(const struct doctor *doctor, struct config *config,
                                        struct check_findings *findings)
{
    const struct doctor_found found = {.findings = findings, .name = "configuration"};
    char reason[REASON_BYTES];
    if (doctor->config_path == NULL) {
        (void)doctor_tell(&found, CHECK_UNKNOWN, "configuration",
                          "none is given: what a node needs is not known; name its file with "
                          "--config");
        return NULL;
    }
    if (config_read(doctor->config_path, config, reason, sizeof(reason)) != OK) {
        (void)doctor_tell(&found, CHECK_WRONG, "configuration", "%s", reason);
        return NULL;
    }
    (void)doctor_tell(&found, CHECK_GOOD, doctor->config_path, "can be read");
    return config;
}

static enum doctor_exit examine(const struct doctor *doctor, struct check_findings *findings)
{
    struct config read;
    struct host host;
    host_init(&host);
    const struct config *config = read_config(doctor, &read, findings);
    const struct check_task task = {
        .host = &host, .config = config, .config_path = doctor->config_path};
    for (uint32_t i = 0; i < check_count(); i++)
        doctor_run(i, &task, doctor->is_mending, findings);
    struct doctor_found found = {.findings = findings, .name = "nodes"};
    doctor_peers(&doctor->peers, config, &found);
    found.name = "path";
    if (config != NULL)
        doctor_paths(config, doctor->config_path, &found);
    doctor_report(findings, doctor->is_json);
    if (check_findings_count(findings, CHECK_WRONG) > 0)
        return DOCTOR_EXIT_WRONG;
    return check_findings_count(findings, CHECK_UNKNOWN) > 0 ? DOCTOR_EXIT_UNKNOWN
                                                             : DOCTOR_EXIT_GOOD;
}

static enum doctor_exit run_doctor(int argc, char **argv)
{
    struct doctor doctor;
    if (!take_words(argc, argv, &doctor)) {
        fputs(usage, stderr);
        return DOCTOR_EXIT_USAGE;
    }
    if (doctor.is_done)
        return DOCTOR_EXIT_GOOD;
    struct check_findings *findings = calloc(1, sizeof(*findings));
    if (findings == NULL) {
        fputs("pollux: doctor: out of memory\n", stderr);
        return DOCTOR_EXIT_MEMORY;
    }
    enum doctor_exit code = examine(&doctor, findings);
    free(findings);
    return code;
}

int main(int argc, char **argv)
{
    console_begin("pollux doctor");
    return console_end((int)run_doctor(argc, argv), DOCTOR_EXIT_UNWRITTEN);
}
