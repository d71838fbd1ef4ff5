/*
 * Feeds files to a fuzz target without a fuzzer, so that every corpus is replayed in the ordinary
 * test run. Arguments: files, or folders whose files are fed in the order of their names. Prints
 * how many; fails when there were none, since a corpus that went missing proves nothing.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

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

int main(int argc, char **argv)
{
    int total = 0;
    for (int i = 1; i < argc; i++) {
        struct stat status;
        int replayed = -1;
        if (stat(argv[i], &status) == 0) {
            replayed = S_ISDIR(status.st_mode) ? replay_folder(argv[i]) : replay_file(argv[i]);
        }
        if (replayed < 0) {
            (void)fprintf(stderr, "replay: %s failed\n", argv[i]);
            return EXIT_FAILURE;
        }
        total += replayed;
    }
    (void)printf("replayed %d inputs\n", total);
    return total > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
