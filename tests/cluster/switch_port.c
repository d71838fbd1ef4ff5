/* See switch_port.h. */
#include "tests/cluster/switch_port.h"

#include <stdio.h>
#include <unistd.h>

#define REASON_BYTES 512
#define RING_SIZE    512
#define MEMORY_MIB   64
#define TX_TRIES_MAX 100000

struct dp_frame_port *switch_port_open(const char *program, const char *socket_path,
                                       uint32_t pool_size)
{
    char vdev[256];
    char prefix[64];
    char reason[REASON_BYTES] = "";
    struct dp_frame_port *opened = NULL;
    snprintf(vdev, sizeof(vdev), "net_memif0,role=client,id=0,socket=%s,socket-abstract=no",
             socket_path);
    snprintf(prefix, sizeof(prefix), "host-%ld", (long)getpid());
    struct dp_environment_options environment = {.program = program,
                                                 .file_prefix = prefix,
                                                 .vdevs = {vdev},
                                                 .vdev_count = 1,
                                                 .memory_mib = MEMORY_MIB};
    struct dp_frame_port_options port = {
        .name = "net_memif0", .queue_count = 1, .ring_size = RING_SIZE, .pool_size = pool_size};
    if (dp_start(&environment, reason, sizeof(reason)) == OK &&
        dp_frame_port_open(&port, &opened, reason, sizeof(reason)) == OK)
        return opened;
    fprintf(stderr, "%s: %s\n", program, reason);
    return NULL;
}

bool switch_port_send(struct dp_frame_port *port, struct dp_frame *frame)
{
    for (int i = 0; i < TX_TRIES_MAX; i++) {
        if (dp_frame_tx(port, 0, &frame, 1) == 1)
            return true;
    }
    dp_frame_free(frame);
    return false;
}

void switch_port_close(struct dp_frame_port *port)
{
    dp_frame_port_close(port);
    dp_stop();
}
