/* Whom the node believes, and its key files: see check.h. */
#include "server/check_internal.h"

#include "security/key_file.h"
#include "server/exposure.h"
#include "server/node_security.h"

#include <string.h>
#include <sys/stat.h>

#define REASON_BYTES 512
#define OTHERS       (S_IRWXG | S_IRWXO)

/* How a file that the node refuses becomes one that it takes. */
static void mend_key(struct check *check, const char *path)
{
    struct stat status;
    if (path[0] == '\0' || !host_finding_is_plain(path) || stat(path, &status) != 0 ||
        check->last->command[0] != '\0')
        return;
    if (status.st_uid != check->host->uid && status.st_uid != 0)
        check_command(check, "chown root:root '%s' && chmod 600 '%s'", path, path);
    else if ((status.st_mode & OTHERS) != 0)
        check_safe_command(check, "chmod 600 '%s'", path);
}

/* What an operator compares on all nodes. */
static void tell_key(struct check *check, const char *path)
{
    struct key key;
    char text[KEY_CHECK_SIZE_BYTES];
    char reason[KEY_FILE_REASON_BYTES];
    if (path[0] == '\0' || key_file_read(path, &key, reason) != OK)
        return;
    key_check_text(&key, text);
    check_good(check, path, "root key %u, check %s: the same on every node; for nobody else",
               key.id, text);
    secret_wipe(&key, sizeof(key));
}

static void tell_modes(struct check *check, const struct security_options *security)
{
    char subject[64];
    snprintf(subject, sizeof(subject), "[security] mode = %s", security_mode_name(security->mode));
    if (security->mode == SECURITY_NONE)
        check_note(check, subject, "whoever can send packets to this node can harm the cluster");
    else
        check_good(check, subject, "root key %u", security->keys[0].id);
    snprintf(subject, sizeof(subject), "[security] clients = %s",
             security_mode_name(security->clients));
    if (security->clients != SECURITY_REQUIRED)
        check_note(check, subject, "whoever can send packets to this node can read and write");
    if (security->clients != SECURITY_NONE)
        check_note(check, subject,
                   "until pollux auth add was called, each client with a key may do everything; "
                   "the rights are in the cluster, see pollux auth list");
}

void check_security(struct check *check)
{
    const struct config *config = check->config;
    struct security_options security;
    char reason[REASON_BYTES];
    if (node_security_load(config, &security, reason, sizeof(reason)) != OK) {
        check_wrong_text(check, reason);
        mend_key(check, config->key_path);
        mend_key(check, config->other_key_path);
        return;
    }
    if (exposure_check(config, reason, sizeof(reason)) != OK)
        check_wrong_text(check, reason);
    else if (config->is_open_port)
        check_note(check, "[security] open_port = true",
                   "the port may be any, also without authentication");
    tell_modes(check, &security);
    if (security.mode != SECURITY_NONE || security.clients != SECURITY_NONE) {
        tell_key(check, config->key_path);
        tell_key(check, config->other_key_path);
    }
    secret_wipe(&security, sizeof(security));
}
