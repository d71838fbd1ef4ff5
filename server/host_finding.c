/* See host_finding.h. */
#include "server/host_finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void host_finding_begin(struct host_finding *finding, const char *format, ...)
{
    va_list values;
    *finding = (struct host_finding){.subject = ""};
    va_start(values, format);
    vsnprintf(finding->subject, sizeof(finding->subject), format, values);
    va_end(values);
}

void host_finding_say(struct host_finding *finding, const char *format, ...)
{
    va_list values;
    size_t used = strlen(finding->what);
    va_start(values, format);
    vsnprintf(finding->what + used, sizeof(finding->what) - used, format, values);
    va_end(values);
}

void host_finding_run(struct host_finding *finding, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    int size = vsnprintf(finding->command, sizeof(finding->command), format, values);
    va_end(values);
    if (size < 0 || (size_t)size >= sizeof(finding->command))
        finding->command[0] = '\0';
}

bool host_finding_is_plain(const char *words)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "/._-+:=,@";
    return words[strspn(words, plain)] == '\0';
}

const char *host_finding_text(const struct host_finding *finding, char *ret_text, size_t text_size)
{
    snprintf(ret_text, text_size, "%s: %s%s%s", finding->subject, finding->what,
             finding->command[0] != '\0' ? "; " : "", finding->command);
    return ret_text;
}
