/*
 * Plays golden scenarios. A scenario is text: lines that begin with # are comments, lines that
 * begin with "> " are commands, and what follows a command is what it must tell. Every file is
 * played and its text made anew; where that differs the first line that does is shown.
 *
 *   scenario [--rewrite] [--trace FILE] FILE...
 *
 * --rewrite puts the new text into the file, to be reviewed as a diff; --trace writes every
 * transition of every core as a JSON line.
 */
#include "tests/scenario/stage.h"

#include <stdlib.h>
#include <string.h>

#define FILE_SIZE_BYTES_MAX (1024u * 1024)
#define LINE_SIZE_BYTES_MAX 512u

struct run {
    const char *path;
    bool is_rewrite;
    FILE *trace;
};

static char *file_read(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = calloc(1, FILE_SIZE_BYTES_MAX);
    if (file == NULL || text == NULL) {
        fprintf(stderr, "%s: cannot read\n", path);
        exit(EXIT_FAILURE);
    }
    size_t size = fread(text, 1, FILE_SIZE_BYTES_MAX - 1, file);
    fclose(file);
    text[size] = '\0';
    return text;
}

/* One line of the script; false: a command that cannot be done. */
static bool play_line(struct stage *stage, const char *line, size_t size, FILE *out)
{
    char text[LINE_SIZE_BYTES_MAX];
    bool is_command = size > 2 && memcmp(line, "> ", 2) == 0;
    if (!is_command && size > 0 && line[0] != '#')
        return true; /* what a command told when this was written */
    fprintf(out, "%.*s\n", (int)size, line);
    if (!is_command)
        return true;
    if (size >= sizeof(text))
        return false;
    memcpy(text, line + 2, size - 2);
    text[size - 2] = '\0';
    return stage_command(stage, text);
}

static bool play(const struct run *run, const char *script, FILE *out)
{
    struct stage stage = {.narrator = {.out = out}, .trace = run->trace};
    bool is_done = true;
    uint32_t number = 0;
    for (const char *at = script; *at != '\0' && is_done;) {
        size_t size = strcspn(at, "\n");
        number++;
        is_done = play_line(&stage, at, size, out);
        at += size + (at[size] == '\n');
    }
    if (!is_done)
        fprintf(stderr, "%s:%u: not a command\n", run->path, number);
    if (stage.cluster == NULL)
        fprintf(stderr, "%s: nothing to play\n", run->path);
    is_done = is_done && stage.cluster != NULL;
    stage_deinit(&stage);
    return is_done;
}

static bool is_equal(const char *path, const char *expected, const char *told)
{
    uint32_t number = 1;
    while (*expected != '\0' || *told != '\0') {
        size_t expected_size = strcspn(expected, "\n");
        size_t told_size = strcspn(told, "\n");
        if (expected_size != told_size || memcmp(expected, told, told_size) != 0) {
            fprintf(stderr, "%s:%u:\n  expected %.*s\n  got      %.*s\n", path, number,
                    (int)expected_size, expected, (int)told_size, told);
            return false;
        }
        expected += expected_size + (expected[expected_size] == '\n');
        told += told_size + (told[told_size] == '\n');
        number++;
    }
    return true;
}

static bool rewrite(const char *path, const char *told)
{
    FILE *file = fopen(path, "w");
    bool is_written = file != NULL && fputs(told, file) >= 0;
    if (file != NULL)
        is_written = fclose(file) == 0 && is_written;
    if (!is_written)
        fprintf(stderr, "%s: cannot write\n", path);
    return is_written;
}

static bool file_run(const struct run *run)
{
    char *told = NULL;
    size_t told_size = 0;
    char *script = file_read(run->path);
    FILE *out = open_memstream(&told, &told_size);
    if (out == NULL)
        exit(EXIT_FAILURE);
    bool is_good = play(run, script, out);
    fclose(out);
    if (is_good)
        is_good = run->is_rewrite ? rewrite(run->path, told) : is_equal(run->path, script, told);
    free(told);
    free(script);
    return is_good;
}

int main(int argc, char **argv)
{
    struct run run = {0};
    int failed = 0;
    int played = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--rewrite") == 0) {
            run.is_rewrite = true;
        } else if (strcmp(argv[i], "--trace") == 0 && i + 1 < argc) {
            run.trace = fopen(argv[++i], "w");
            if (run.trace == NULL) {
                fprintf(stderr, "%s: cannot write\n", argv[i]);
                return EXIT_FAILURE;
            }
        } else {
            run.path = argv[i];
            failed += !file_run(&run);
            played++;
        }
    }
    if (run.trace != NULL && fclose(run.trace) != 0)
        failed++;
    printf("%d scenarios, %d failed\n", played, failed);
    return failed == 0 && played > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
