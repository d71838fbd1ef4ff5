/*
 * pollux-dump: shows what lies in the data directory of a node, stopped or running, whole or
 * damaged. See pollux-dump(1). Nothing is locked and nothing is written.
 */
#include "tools/dump/dump.h"

#include "tools/console/console.h"

#define EXIT_WHOLE   0
#define EXIT_DAMAGED 1
#define EXIT_USAGE   2
#define EXIT_REFUSED 3
#define EXIT_OUTPUT  4

static const char help[] =
    "pollux-dump [OPTIONS] DIRECTORY|FILE\n"
    "\n"
    "Shows the files of a node, stopped or running: nothing is locked and nothing is written.\n"
    "\n"
    "  --only PART,...  identity, log, starts, configuration, snapshot, journal; default: all\n"
    "  --shard N        this shard; may be repeated; default: all\n"
    "  --records        each record of the log, and each entry of the journal\n"
    "  --from INDEX     with --records: from this record on\n"
    "  --to INDEX       with --records: up to this record\n"
    "  --blocks         each block of the snapshots\n"
    "  --keys           each key of the snapshots\n"
    "  --sessions       each session of the snapshots\n"
    "  --values         values, too; else their size and a checksum\n"
    "  --all            reads what no record lies in, too: a check of the medium\n"
    "  -o, --output FORMAT\n"
    "                   text, json (one object), jsonl (one object a line); default: text\n"
    "  -h, --help       this text\n"
    "  -V, --version    the version of this program\n"
    "\n"
    "Exit status: 0 whole; 1 something is damaged, or may be; 2 wrong usage; 3 a file could not "
    "be\n"
    "shown: it is missing, of another version, or somebody else's; 4 standard output could not be\n"
    "written.\n";

/* If memory runs out, the kernel ends this program and not a node (proc(5)). */
static void offer_as_victim(void)
{
    FILE *score = fopen("/proc/self/oom_score_adj", "we");
    if (score == NULL)
        return;
    fputs("1000", score);
    fclose(score);
}

/* What the exit status says, in words. */
static int conclude(const struct dump *dump)
{
    if (dump->damaged > 0)
        fprintf(stderr, "pollux-dump: %u places are damaged, or may be; see the findings\n",
                dump->damaged);
    if (dump->refused > 0)
        fprintf(stderr, "pollux-dump: %u files could not be shown; see their errors\n",
                dump->refused);
    if (dump->refused > 0)
        return EXIT_REFUSED;
    return dump->damaged > 0 ? EXIT_DAMAGED : EXIT_WHOLE;
}

static int run_words(int count, char **arguments)
{
    struct dump_options options;
    struct dump dump = {.options = &options};
    char reason[VIEW_NOTE_BYTES] = "";
    if (dump_options_read(count, arguments, &options, reason, sizeof(reason)) != OK) {
        fprintf(stderr, "pollux-dump: %s; see pollux-dump --help\n", reason);
        return EXIT_USAGE;
    }
    if (options.is_help || options.is_version) {
        fputs(options.is_help ? help : "pollux-dump " POLLUX_VERSION "\n", stdout);
        return EXIT_WHOLE;
    }
    offer_as_victim();
    output_init(&dump.output, stdout, options.format);
    bool is_shown = dump_path(&dump, options.path, reason, sizeof(reason));
    output_deinit(&dump.output);
    if (!is_shown) {
        fprintf(stderr, "pollux-dump: %s\n", reason);
        return EXIT_REFUSED;
    }
    int status = conclude(&dump);
    /* Who reads only the begin must not take it for all, nor a finding for all findings. */
    return console_is_whole() ? status : EXIT_OUTPUT;
}

int main(int count, char **arguments)
{
    console_begin("pollux-dump");
    return console_end(run_words(count, arguments), EXIT_OUTPUT);
}
