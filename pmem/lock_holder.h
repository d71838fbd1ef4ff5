/* Who has a file locked (flock(2)), without a lock of one's own. Any thread. */
#ifndef POLLUX_PMEM_LOCK_HOLDER_H
#define POLLUX_PMEM_LOCK_HOLDER_H

/* The process that holds a lock on the file, by proc(5), /proc/locks; 0: nobody, or not known, as
 * in another namespace of processes. */
long lock_holder(int fd);

#endif
