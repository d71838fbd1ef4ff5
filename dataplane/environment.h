/* What the data plane's files share of EAL's start: reason texts and the captured driver log. */
#ifndef POLLUX_DATAPLANE_ENVIRONMENT_H
#define POLLUX_DATAPLANE_ENVIRONMENT_H

#include <stddef.h>

/* Formats into a reason buffer, cut to its size. */
void environment_reason(char *ret_reason, size_t reason_size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The driver messages since the last clear, on one line; a stand-in text when there are none. */
void environment_log_clear(void);
void environment_log_copy(char *ret_text, size_t text_size);

#endif
