/* See node_security.h. */
#include "server/node_security.h"

#include "security/key_file.h"
#include "server/exposure.h"

#include <stdio.h>
#include <string.h>

static enum error load_key(const char *path, struct security_key *ret_key, char *ret_reason,
                           size_t reason_size)
{
    struct key key;
    char reason[KEY_FILE_REASON_BYTES] = "";
    enum error error = key_file_read(path, &key, reason);
    if (error == OK && key.kind != KEY_OF_CLUSTER) {
        snprintf(reason, sizeof(reason),
                 "key file %.160s: the key of a client: a node needs the root key of the cluster",
                 path);
        error = ERR_TYPE;
    }
    if (error == OK) {
        struct secret nodes;
        secret_of_nodes(&key.secret, &nodes);
        handshake_secret_of(&nodes, &ret_key->secret);
        ret_key->id = key.id;
        ret_key->root = key.secret;
        secret_wipe(&nodes, sizeof(nodes));
    }
    secret_wipe(&key, sizeof(key));
    if (error != OK)
        snprintf(ret_reason, reason_size, "[security] %s", reason);
    return error;
}

enum error node_security_load(const struct config *config, struct security_options *ret_security,
                              char *ret_reason, size_t reason_size)
{
    const char *const paths[SECURITY_KEYS_MAX] = {config->key_path, config->other_key_path};
    struct security_options security = {.mode = config->security_mode,
                                        .clients = config->clients_mode,
                                        .is_encrypted = config->is_encrypted,
                                        .is_exposed = exposure_is_there(config)};
    enum error error = OK;
    if (config->security_mode == SECURITY_NONE && config->clients_mode == SECURITY_NONE) {
        *ret_security = security;
        return OK;
    }
    for (uint32_t i = 0; i < SECURITY_KEYS_MAX && error == OK; i++) {
        if (paths[i][0] != '\0')
            error = load_key(paths[i], &security.keys[i], ret_reason, reason_size);
    }
    if (error == OK && security.keys[0].id == security.keys[1].id) {
        snprintf(
            ret_reason, reason_size,
            "[security] key %.128s and other_key %.128s: both have the id %u, and no node could "
            "tell which one a packet means: make the new one with pollux key new --id",
            config->key_path, config->other_key_path, security.keys[0].id);
        error = ERR_EXISTS;
    }
    if (error == OK) {
        secret_draw(security.seed.bytes, sizeof(security.seed.bytes));
        *ret_security = security;
    }
    secret_wipe(&security, sizeof(security));
    return error;
}
