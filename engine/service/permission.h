/*
 * Whether a client may do what it asks for: looked at once, when its request arrives and before
 * anything of it is queued. Rights are those of engine_set_rights.
 *
 * Owner: the engine's, but permission_of_read: any thread.
 */
#ifndef POLLUX_ENGINE_SERVICE_PERMISSION_H
#define POLLUX_ENGINE_SERVICE_PERMISSION_H

#include "base/address.h"
#include "base/rights_table.h"
#include "engine/state/request.h"

struct engine;

/*
 * Bit i: op i of the request is denied. What concerns a session alone is denied to nobody who has
 * one: its seqs are known to its owner only. So a client whose rights are gone still learns what
 * became of its last writes.
 */
uint64_t permission_of_write(const struct engine *engine, const struct request *request,
                             bool is_relaxed);
/* The same of a read. */
uint64_t permission_of_read(const struct rights *rights, const struct wire_read *read);
/* Whether the client may ask what operators ask of an engine; counted if not. */
bool permission_of_operator(struct engine *engine);

/* Whether all keys with the prefix may be read so. */
bool permission_of_list(const struct engine *engine, const struct wire_list *list);

/* False: an op on a reserved key that is no swap to a table of rights. Nobody may do that: neither
 * is the table ever deleted, nor replaced by who has not seen it. */
bool permission_is_sound(struct engine *engine, const struct request *request, bool is_relaxed);

/* Refuses the whole; the answer names the ops that are denied. */
void permission_refuse_write(struct engine *engine, const struct address *from,
                             uint64_t packet_number, const struct request *request,
                             uint64_t denied);
void permission_refuse_read(struct engine *engine, const struct address *from,
                            const struct wire_read *read, uint64_t denied);

#endif
