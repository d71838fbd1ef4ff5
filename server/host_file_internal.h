/* Small files below a root, for the host_*.c files only. */
#ifndef POLLUX_SERVER_HOST_FILE_INTERNAL_H
#define POLLUX_SERVER_HOST_FILE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#define HOST_PATH_BYTES 512

/* The first bytes of root + path as a text without its last newline. False, and an empty text:
 * there is none. */
bool host_file_read(const char *root, const char *path, char *ret_text, size_t text_size);

/* The last name of what the link at root + path leads to. False, and an empty name: no link. */
bool host_file_link(const char *root, const char *path, char *ret_name, size_t name_size);

/* Entry `index` of a folder, "." and ".." apart, in no order. False: it has fewer. */
bool host_file_entry(const char *root, const char *path, unsigned index, char *ret_name,
                     size_t name_size);

bool host_file_exists(const char *root, const char *path);

#endif
