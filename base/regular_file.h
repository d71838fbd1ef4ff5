/*
 * Opening a file by its name, where only a regular file will do.
 *
 * open(2) of a fifo waits for a process at the other end, for ever if there is none; fopen(3) does,
 * too. A node that starts, and a tool that looks at what a node has, must end with a message
 * instead. So whatever opens a file by its name does it here (tools/lint sees to that).
 *
 * Symbolic links are followed: a configuration, or a log on a device of its own, may be one. Where
 * a file is made, give O_NOFOLLOW.
 */
#ifndef POLLUX_BASE_REGULAR_FILE_H
#define POLLUX_BASE_REGULAR_FILE_H

/*
 * Opens `path` with these flags, and closed on exec; with O_CREAT only the owner may read what is
 * made. Never waits. Returns a descriptor of a regular file, or -1: errno is set, EINVAL for what
 * is no regular file, and ret_why says it to a person ("No such file or directory", "not a regular
 * file"); it is valid until the thread's next call of strerror(3). Any thread.
 */
int regular_file_open(const char *path, int flags, const char **ret_why);

#endif
