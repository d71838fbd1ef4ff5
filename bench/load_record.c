/* Records noted by outcome, and written as pairs. */
#include "bench/load_record.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static_assert(LOAD_NUMBER_BYTES == 20, "the widest 64-bit number");

int load_record_key(const char *prefix, uint64_t number, char *ret_key, size_t size_bytes)
{
    return snprintf(ret_key, size_bytes, "%s%08" PRIu64, prefix, number);
}

void load_record_value(uint64_t number, uint8_t *ret_value)
{
    char text[LOAD_NUMBER_BYTES + 1];
    snprintf(text, sizeof(text), "%0*" PRIu64, LOAD_NUMBER_BYTES, number);
    memcpy(ret_value, text, LOAD_NUMBER_BYTES);
}

bool load_record_number(const uint8_t *value, size_t size_bytes, uint64_t *ret_number)
{
    uint64_t number = 0;
    if (size_bytes < LOAD_NUMBER_BYTES) {
        return false;
    }
    for (size_t i = 0; i < LOAD_NUMBER_BYTES; i++) {
        if (value[i] < '0' || value[i] > '9') {
            return false;
        }
        number = number * 10 + (uint64_t)(value[i] - '0');
    }
    for (size_t i = LOAD_NUMBER_BYTES; i < size_bytes; i++) {
        if (value[i] != 'v') {
            return false;
        }
    }
    *ret_number = number;
    return true;
}

void load_record_note(struct load_record *record, uint64_t value_number,
                      const struct plx_response *response)
{
    if (response->outcome == PLX_OK && response->version > record->journal_seq) {
        record->journal_seq = response->version;
        record->value_number = value_number;
    } else if (response->outcome == PLX_UNKNOWN) {
        record->is_open = true;
    }
}

enum error load_record_write(const struct load_record *records, const struct load_options *options,
                             uint64_t *ret_count)
{
    FILE *file = fopen(options->record, "we");
    *ret_count = 0;
    if (file == NULL) {
        return ERR_IO;
    }
    for (uint32_t i = 0; i < options->keys; i++) {
        char key[LOAD_PREFIX_BYTES_MAX + LOAD_NUMBER_BYTES + 1];
        if (records[i].journal_seq == 0 || records[i].is_open) {
            continue;
        }
        load_record_key(options->prefix, i, key, sizeof(key));
        fprintf(file, "%s\t%0*" PRIu64, key, LOAD_NUMBER_BYTES, records[i].value_number);
        for (uint32_t at = LOAD_NUMBER_BYTES; at < options->value_size; at++) {
            fputc('v', file);
        }
        fputc('\n', file);
        ++*ret_count;
    }
    bool is_bad = ferror(file) != 0;
    is_bad = fclose(file) != 0 || is_bad;
    return is_bad ? ERR_IO : OK;
}
