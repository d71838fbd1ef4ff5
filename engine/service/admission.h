/* Writes as they arrive: checked, decoded once, refused, answered, or added to the batch. */
#ifndef POLLUX_ENGINE_SERVICE_ADMISSION_H
#define POLLUX_ENGINE_SERVICE_ADMISSION_H

#include "base/address.h"
#include "engine/service/batch.h"

/* The largest request that fits a record. */
#define ADMISSION_REQUEST_SIZE_BYTES_MAX                                                           \
    (RECORD_PAYLOAD_SIZE_BYTES_MAX - RECORD_PREFIX_SIZE_BYTES - REQUEST_PREFIX_SIZE_BYTES -        \
     REQUEST_ALIGN_BYTES)

/* A WIRE_WRITE from `from`. */
void admission_write(struct engine *engine, const struct address *from, struct span body);
/* WIRE_STATUS_OK: this node may append now. */
enum wire_status admission_readiness(const struct engine *engine);

#endif
