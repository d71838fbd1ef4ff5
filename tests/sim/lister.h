/*
 * A client of the workload that lists keys. Each page is noted in the history as gets of all keys
 * that it speaks for, at the index that it names: what a get may say is judged already.
 */
#ifndef POLLUX_TESTS_SIM_LISTER_H
#define POLLUX_TESTS_SIM_LISTER_H

struct client;

/* Lists, once in a while. */
void lister_turn(struct client *client);
/* Lists all keys, consistently. */
void lister_list_finally(struct client *client);

#endif
