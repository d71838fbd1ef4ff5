/* `pollux key new` and `pollux key show`: key files. A secret is never printed. */
#include "security/key_file.h"
#include "tools/cli/cli_commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define KEY_ID_DEFAULT 1
#define TEXT_BYTES     512
#define KIND_NAME(key) ((key)->kind == KEY_OF_CLUSTER ? "cluster" : "client")

/* What is in a key file, but for the secret. */
static void key_print(const struct key *key, enum cli_format format)
{
    char check[KEY_CHECK_SIZE_BYTES];
    char text[TEXT_BYTES];
    key_check_text(key, check);
    /* No character of a name needs an escape in JSON (key_name_is_valid). */
    const char *shape = format == CLI_JSON ? "{\"kind\": \"%s\", \"name\": \"%s\", \"id\": %u, "
                                             "\"generation\": %" PRIu32 ", \"check\": \"%s\"}\n"
                                           : "kind %s\nname %s\nid %u\ngeneration %" PRIu32
                                             "\ncheck %s\n";
    int size = snprintf(text, sizeof(text), shape, KIND_NAME(key), key->name, key->id,
                        key->generation, check);
    (void)cli_print(text, (size_t)size);
}

static int fail(enum error error, const char *reason)
{
    enum plx_outcome outcome = PLX_E_ARGUMENT;
    if (error == ERR_PERMISSION || error == ERR_EXISTS)
        outcome = PLX_E_PERMISSION;
    else if (error == ERR_IO || error == ERR_NO_SPACE)
        outcome = PLX_E_IO;
    fprintf(stderr, "pollux: %s\n", reason);
    return plx_outcome_exit_code(outcome);
}

/* Makes the key that the arguments ask for; 0, or the exit code. */
static int key_make(const struct cli_arguments *arguments, struct key *ret_key)
{
    struct key key = {.kind = KEY_OF_CLUSTER,
                      .id = arguments->key_id != 0 ? arguments->key_id : KEY_ID_DEFAULT};
    snprintf(key.name, sizeof(key.name), "%s", arguments->operands[1]);
    if (arguments->root == NULL) {
        secret_draw(key.secret.bytes, SECRET_SIZE_BYTES);
    } else {
        struct key root;
        char reason[KEY_FILE_REASON_BYTES];
        enum error error = key_file_read(arguments->root, &root, reason);
        if (error != OK)
            return fail(error, reason);
        if (root.kind != KEY_OF_CLUSTER)
            return cli_usage_error(arguments, "--root %s: the key of a client; give the root key",
                                   arguments->root);
        key.kind = KEY_OF_CLIENT;
        key.id = root.id;
        key.generation = arguments->generation;
        secret_of_client(&root.secret, span_of(key.name, strlen(key.name)), key.generation,
                         &key.secret);
        secret_wipe(&root, sizeof(root));
    }
    *ret_key = key;
    secret_wipe(&key, sizeof(key));
    return 0;
}

static int key_new(const struct cli_arguments *arguments)
{
    struct key key;
    char reason[KEY_FILE_REASON_BYTES];
    if (!key_name_is_valid(arguments->operands[1]))
        return cli_usage_error(arguments,
                               "'%s' is no name: 1 to %d letters, digits, '.', '_' and '-'",
                               arguments->operands[1], KEY_NAME_BYTES_MAX);
    if (arguments->out == NULL)
        return cli_usage_error(arguments, "no file: give --out FILE");
    int code = key_make(arguments, &key);
    if (code != 0)
        return code;
    enum error error = key_file_write(arguments->out, &key, reason);
    if (error == OK)
        key_print(&key, arguments->format);
    else
        code = fail(error, reason);
    secret_wipe(&key, sizeof(key));
    return code;
}

static int key_show(const struct cli_arguments *arguments)
{
    struct key key;
    char reason[KEY_FILE_REASON_BYTES];
    enum error error = key_file_read(arguments->operands[1], &key, reason);
    if (error != OK)
        return fail(error, reason);
    key_print(&key, arguments->format);
    secret_wipe(&key, sizeof(key));
    return 0;
}

int cli_key(struct plx_client *client, const struct cli_arguments *arguments)
{
    (void)client;
    if (strcmp(arguments->operands[0], "new") == 0)
        return key_new(arguments);
    if (strcmp(arguments->operands[0], "show") == 0)
        return key_show(arguments);
    return cli_usage_error(arguments, "'%s' is neither new nor show", arguments->operands[0]);
}
