/*
 * Feeds files to a fuzz target without a fuzzer, so that every corpus is replayed in the ordinary
 * test run. Arguments: files, or folders whose files are fed in the order of their names. Prints
 * how many; fails when there were none, since a corpus that went missing proves nothing.
 *
 * --canary first: succeeds when the target aborts, and only then: for a build with a planted bug.
 */
#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define INPUT_SIZE_BYTES_MAX (1024 * 1024)
#define FILES_MAX            100000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(INPUT_SIZE_BYTES_MAX);
    if (file == NULL || data == NULL) {
        (void)fprintf(stderr, "replay: cannot read %s\n", path);
        free(data);
        return -1;
    }
    size_t size_bytes = fread(data, 1, INPUT_SIZE_BYTES_MAX, file);
    (void)fclose(file);
    /* Exactly as large as the input, so that AddressSanitizer sees every read beyond its end. */
    uint8_t *exact = realloc(data, size_bytes > 0 ? size_bytes : 1);
    if (exact == NULL) {
        free(data);
        return -1;
    }
    (void)LLVMFuzzerTestOneInput(exact, size_bytes);
    free(exact);
    return 1;
}

static int replay_folder(const char *path)
{
    struct dirent **entries;
    int replayed = 0;
    int count = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char file[4096];
        if (entries[i]->d_name[0] != '.' && replayed >= 0 && replayed < FILES_MAX) {
            (void)snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
            int result = replay_file(file);
            replayed = result < 0 ? -1 : replayed + result;
        }
        free(entries[i]);
    }
    if (count >= 0) {
        free(entries);
    }
    return count < 0 ? -1 : replayed;
}

static int replay_all(int count, char **paths)
{
    int total = 0;
    for (int i = 0; i < count; i++) {
        struct stat status;
        int replayed = -1;
        if (stat(paths[i], &status) == 0) {
            replayed = S_ISDIR(status.st_mode) ? replay_folder(paths[i]) : replay_file(paths[i]);
        }
        if (replayed < 0) {
            (void)fprintf(stderr, "replay: %s failed\n", paths[i]);
            return EXIT_FAILURE;
        }
        total += replayed;
    }
    (void)printf("replayed %d inputs\n", total);
    return total > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* In a process of its own, since the target is to die. */
static int replay_canary(int count, char **paths)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        _exit(replay_all(count, paths));
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        return EXIT_FAILURE;
    }
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) {
        return EXIT_SUCCESS;
    }
    (void)fprintf(stderr, "replay: the planted bug was not found\n");
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--canary") == 0) {
        return replay_canary(argc - 2, argv + 2);
    }
    return replay_all(argc - 1, argv + 1);
}
