/*
 * One line to the switch's control socket; the first byte says how many ports the switch has. What
 * is accepted names only ports that exist, is within its limits, and can be written out and parsed
 * back to the same; what is refused says why and leaves the caller's command alone.
 */
#include "base/check.h"
#include "tests/fuzz/canary.h"
#include "tools/switch/command.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MEBIBYTE (UINT64_C(1024) * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void write_ports(FILE *out, uint32_t mask)
{
    const char *separator = " ";
    for (uint32_t port = 0; port < SWITCH_PORTS_MAX; port++) {
        if ((mask & 1u << port) == 0)
            continue;
        fprintf(out, "%s%u", separator, port);
        separator = ",";
    }
}

static void write_time(FILE *out, uint64_t ns)
{
    fprintf(out, " %" PRIu64 ".%06" PRIu64, ns / 1000000, ns % 1000000);
}

static void write_share(FILE *out, uint32_t ppm)
{
    fprintf(out, " %u.%04u", ppm / 10000, ppm % 10000);
}

static void write_arguments(FILE *out, const struct command *command)
{
    if (command->kind != COMMAND_partition && command->kind <= COMMAND_heal)
        write_ports(out, command->from_mask);
    if (command->kind != COMMAND_isolate && command->kind != COMMAND_pause &&
        command->kind != COMMAND_resume && command->kind != COMMAND_partition &&
        command->kind <= COMMAND_heal)
        write_ports(out, command->to_mask);
    for (uint32_t i = 0; i < command->group_count; i++)
        write_ports(out, command->groups[i]);
    if (command->kind >= COMMAND_loss && command->kind <= COMMAND_reorder)
        write_share(out, command->link.loss_ppm);
    if (command->kind == COMMAND_reorder)
        write_time(out, command->link.reorder_ns);
    if (command->kind == COMMAND_delay) {
        write_time(out, command->link.delay_ns);
        write_time(out, command->link.jitter_ns);
    }
    if (command->kind == COMMAND_pcap)
        fprintf(out, " %s %" PRIu64, command->path, command->limit_bytes / MEBIBYTE);
}

static void write_command(const struct command *command, char *text, size_t size)
{
    const char *usage = command_usage(command->kind);
    FILE *out = fmemopen(text, size, "w");
    CHECK(out != NULL);
    fprintf(out, "%.*s", (int)strcspn(usage, " "), usage);
    write_arguments(out, command);
    CHECK(fclose(out) == 0);
}

static void check_limits(const struct command *command, uint32_t port_count)
{
    uint32_t all = (1u << port_count) - 1;
    uint32_t seen = 0;
    CHECK((unsigned)command->kind < COMMAND_COUNT);
    CHECK(command->from_mask != 0 && (command->from_mask & ~all) == 0);
    CHECK(command->to_mask != 0 && (command->to_mask & ~all) == 0);
    CHECK(command->group_count <= COMMAND_WORDS_MAX && command->group_count < SWITCH_PORTS_MAX);
    for (uint32_t i = 0; i < command->group_count; i++) {
        CHECK(command->groups[i] != 0 && (command->groups[i] & ~all) == 0);
        CHECK((command->groups[i] & seen) == 0);
        seen |= command->groups[i];
    }
    CHECK(command->link.loss_ppm <= FAULT_PPM_MAX && command->link.corrupt_ppm <= FAULT_PPM_MAX);
    CHECK(command->link.delay_ns <= FAULT_DELAY_NS_MAX);
    CHECK(command->link.jitter_ns <= FAULT_DELAY_NS_MAX);
    CHECK(command->link.reorder_ns <= FAULT_DELAY_NS_MAX);
    CHECK(memchr(command->path, '\0', sizeof(command->path)) != NULL);
}

static enum error parse(const char *line, uint32_t port_count, struct command *command,
                        char reason[256])
{
    memset(command, 0xA5, sizeof(*command));
    reason[0] = '\0';
    enum error error = command_parse(line, port_count, command, reason, 256);
    /* A wildcard in a list reaches one port too many. */
    CANARY(if (error == OK && command->kind == COMMAND_cut) command->to_mask |= 1u << port_count);
    return error;
}

static void check_round_trip(const struct command *command, uint32_t port_count)
{
    char text[4 * COMMAND_LINE_BYTES_MAX];
    char reason[256];
    struct command again;
    write_command(command, text, sizeof(text));
    if (strlen(text) >= COMMAND_LINE_BYTES_MAX)
        return;
    CHECK(parse(text, port_count, &again, reason) == OK);
    CHECK(again.kind == command->kind && again.group_count == command->group_count);
    CHECK(again.from_mask == command->from_mask && again.to_mask == command->to_mask);
    CHECK(memcmp(again.groups, command->groups, sizeof(again.groups)) == 0);
    CHECK(again.link.loss_ppm == command->link.loss_ppm);
    CHECK(again.link.delay_ns == command->link.delay_ns);
    CHECK(again.link.jitter_ns == command->link.jitter_ns);
    CHECK(again.link.reorder_ns == command->link.reorder_ns);
    CHECK(strcmp(again.path, command->path) == 0 && again.is_off == command->is_off);
    CHECK(again.limit_bytes / MEBIBYTE == command->limit_bytes / MEBIBYTE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    char line[2 * COMMAND_LINE_BYTES_MAX];
    char reason[256];
    struct command command;
    if (size_bytes < 1 || size_bytes > sizeof(line))
        return 0;
    uint32_t port_count = 1 + data[0] % (SWITCH_PORTS_MAX - 1);
    memcpy(line, data + 1, size_bytes - 1);
    line[size_bytes - 1] = '\0';
    enum error error = parse(line, port_count, &command, reason);
    if (error == OK) {
        check_limits(&command, port_count);
        check_round_trip(&command, port_count);
        return 0;
    }
    const uint8_t *bytes = (const uint8_t *)&command;
    CHECK(reason[0] != '\0' && memchr(reason, '\0', sizeof(reason)) != NULL);
    for (size_t i = 0; i < sizeof(command); i++)
        CHECK(bytes[i] == 0xA5);
    return 0;
}
