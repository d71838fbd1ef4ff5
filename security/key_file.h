/*
 * Key files: the root key of a cluster, or the key of one client. Text, a line for each field, in
 * this order and in no other form:
 *
 *     pollux key 1
 *     kind: cluster                 or client
 *     name: prod                    what the operator calls it; of a client: who it is
 *     id: 1                         1 .. 255: tells the root keys of a rotation apart
 *     generation: 0                 of a client: which of its keys; of a cluster 0
 *     secret: 64 hexadecimal digits
 *     check: 16 hexadecimal digits  keyed BLAKE2b of the lines before, under the secret
 *
 * The check finds what was mistyped or cut short. It is no secret, and tells whether two files hold
 * one key: `pollux key show` prints it.
 *
 * A client's secret follows from the root secret, its name and its generation (secret.h); its id is
 * that of the root key. So a client's file can be made again, and a node needs no list of them.
 *
 * key_file_encode and key_file_decode are pure; the others work on files. Any thread.
 */
#ifndef POLLUX_SECURITY_KEY_FILE_H
#define POLLUX_SECURITY_KEY_FILE_H

#include "base/error.h"
#include "security/secret.h"

enum key_kind { KEY_OF_CLUSTER = 1, KEY_OF_CLIENT };

struct key {
    enum key_kind kind;
    uint8_t id; /* not 0 */
    uint32_t generation;
    char name[KEY_NAME_BYTES_MAX + 1];
    struct secret secret;
};

/* Letters, digits, '.', '_' and '-', 1 .. KEY_NAME_BYTES_MAX of them. */
bool key_name_is_valid(const char *name);

/* The check of a key. */
void key_check_text(const struct key *key, char ret_text[KEY_CHECK_SIZE_BYTES]);

/* Writes the text, without an end; returns its size. */
size_t key_file_encode(const struct key *key, char ret_text[KEY_FILE_SIZE_BYTES_MAX]);

/*
 * Reads a text. ERR_MAGIC: its first line is another one. ERR_VERSION: of a later program.
 * ERR_SYNTAX: a line is not as it should be; ret_line has its number, from 1. ERR_TRAILING:
 * there is something behind the last line. ERR_CHECKSUM: the check is not that of the other lines.
 */
MUST_USE enum error key_file_decode(struct span text, struct key *ret_key, uint32_t *ret_line);

/*
 * Reads a file. On an error ret_reason says what is wrong with which file, and what to do.
 * ERR_NOT_FOUND; ERR_IO; ERR_PERMISSION: it may not be read, or others than its owner may read or
 * write it, or its owner is neither this user nor root; ERR_TOO_LARGE; those of key_file_decode.
 */
MUST_USE enum error key_file_read(const char *path, struct key *ret_key,
                                  char ret_reason[KEY_FILE_REASON_BYTES]);

/*
 * Makes a file that only its owner may read or write, and syncs it and its folder. ERR_EXISTS:
 * there is one of that name; no key is ever overwritten. ERR_IO, ERR_NO_SPACE;
 * ERR_PERMISSION. Nothing is left behind on an error.
 */
MUST_USE enum error key_file_write(const char *path, const struct key *key,
                                   char ret_reason[KEY_FILE_REASON_BYTES]);

#endif
