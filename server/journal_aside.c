/* See journal_aside.h. */
#include "server/journal_aside.h"

#include "pmem/journal.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* "-0.of.SERIES.WRITES", behind the name that the banks begin with. */
static bool name_read(const char *text, struct journal_aside *ret_aside)
{
    unsigned bank;
    int length = 0;
    return sscanf(text, "-%1u" JOURNAL_ASIDE_MARK "%16" SCNx64 ".%" SCNu64 "%n", &bank,
                  &ret_aside->series, &ret_aside->writes, &length) == 3 &&
           text[length] == '\0' && bank < JOURNAL_BANKS;
}

static bool is_found(const struct journal_aside *asides, uint32_t count, uint64_t series)
{
    for (uint32_t i = 0; i < count; i++) {
        if (asides[i].series == series)
            return true;
    }
    return false;
}

uint32_t journal_asides_find(const char *journal_name,
                             struct journal_aside ret_asides[JOURNAL_ASIDES_MAX])
{
    char folder[NODE_NUMBERED_NAME_BYTES];
    const char *base = strrchr(journal_name, '/');
    int length = base == NULL ? 0 : (int)(base - journal_name);
    snprintf(folder, sizeof(folder), "%.*s", length, journal_name);
    base = base == NULL ? journal_name : base + 1;
    DIR *directory = opendir(length == 0 ? "." : folder);
    if (directory == NULL)
        return 0;
    uint32_t count = 0;
    const struct dirent *entry;
    while (count < JOURNAL_ASIDES_MAX && (entry = readdir(directory)) != NULL) {
        struct journal_aside *aside = &ret_asides[count];
        if (strncmp(entry->d_name, base, strlen(base)) != 0 ||
            !name_read(entry->d_name + strlen(base), aside) || aside->writes == 0 ||
            is_found(ret_asides, count, aside->series))
            continue;
        snprintf(aside->file, sizeof(aside->file), "%.*s%s", (int)(base - journal_name),
                 journal_name, entry->d_name);
        count++;
    }
    closedir(directory);
    return count;
}
