/* See host_use.h. */
#include "server/host_card.h"

#include <stdlib.h>
#include <string.h>

#define INTERFACES_MAX  16u
#define ROUTES_MAX      1024u
#define CONNECTIONS_MAX 4096u
#define MAPPED_BITS     96u /* of an IPv4 address written as an IPv6 one */
#define ESTABLISHED     1u

struct route {
    uint8_t to[16];
    uint8_t bits;
    bool is_ours; /* it leads through an interface of the card */
};

struct look {
    const struct host *host;
    uint32_t interface_count;
    uint32_t route_count;
    char folder[PATH_MAX]; /* that is listed */
    bool is_carrying;      /* another interface lies above one of the card */
    char interfaces[INTERFACES_MAX][HOST_ENTRY_BYTES];
    struct route routes[ROUTES_MAX];
};

/* ---- interfaces ---- */

static bool is_ours(const struct look *look, const char *interface)
{
    for (uint32_t i = 0; i < look->interface_count; i++) {
        if (strcmp(look->interfaces[i], interface) == 0)
            return true;
    }
    return false;
}

static void add_interface(void *context, const char *name)
{
    struct look *look = context;
    if (look->interface_count < INTERFACES_MAX && !is_ours(look, name))
        snprintf(look->interfaces[look->interface_count++], HOST_ENTRY_BYTES, "%.255s", name);
}

/* A virtio card has its interface one folder below. */
static void add_below(void *context, const char *name)
{
    struct look *look = context;
    char path[PATH_MAX];
    if (strncmp(name, "virtio", 6) != 0)
        return;
    snprintf(path, sizeof(path), "%.1024s/%s/net", look->folder, name);
    (void)host_each(look->host, path, add_interface, look);
}

static void add_above(void *context, const char *name)
{
    struct look *look = context;
    char path[PATH_MAX];
    char master[HOST_ENTRY_BYTES];
    if (strncmp(name, "upper_", 6) == 0) {
        look->is_carrying = true;
        add_interface(look, name + 6);
    } else if (strcmp(name, "master") == 0) {
        look->is_carrying = true;
        snprintf(path, sizeof(path), "%.1024s/master", look->folder);
        if (host_link(look->host, path, master))
            add_interface(look, master);
    }
}

/* Those above others are added behind them, and looked at in their turn. */
static void find_interfaces(struct look *look, const char *address)
{
    char path[PATH_MAX];
    (void)host_each(look->host, host_card_path(path, address, "/net"), add_interface, look);
    (void)host_card_path(look->folder, address, "");
    (void)host_each(look->host, look->folder, add_below, look);
    for (uint32_t i = 0; i < look->interface_count; i++) {
        snprintf(look->folder, sizeof(look->folder), "/sys/class/net/%s", look->interfaces[i]);
        (void)host_each(look->host, look->folder, add_above, look);
    }
}

/* ---- routes ---- */

/* As the kernel prints an address of IPv4 or a fourth of one of IPv6: in the machine's order. */
static void word_parse(const char *text, uint8_t ret_bytes[4])
{
    char digits[9];
    snprintf(digits, sizeof(digits), "%.8s", text);
    uint32_t word = (uint32_t)strtoul(digits, NULL, 16);
    memcpy(ret_bytes, &word, sizeof(word));
}

static void map_ipv4(const char *text, uint8_t ret_to[16])
{
    memset(ret_to, 0, 10);
    memset(ret_to + 10, 0xff, 2);
    word_parse(text, ret_to + 12);
}

/* "eth1 0002000A 00000000 0001 0 0 0 00FFFFFF ...": interface, destination, ..., mask. */
static bool parse_ipv4_route(const struct look *look, const char *line, struct route *ret_route)
{
    char name[HOST_ENTRY_BYTES];
    char to[HOST_ENTRY_BYTES];
    char mask[HOST_ENTRY_BYTES];
    int count = sscanf(line, "%255s %255s %*s %*s %*s %*s %*s %255s", name, to, mask);
    if (count < 2 || strspn(to, "0123456789abcdefABCDEF") != 8)
        return false; /* the head of the table */
    *ret_route = (struct route){.bits = MAPPED_BITS, .is_ours = is_ours(look, name)};
    map_ipv4(to, ret_route->to);
    if (strcmp(to, "00000000") != 0)
        ret_route->bits =
            (uint8_t)(MAPPED_BITS +
                      (count == 3 ? (uint32_t)__builtin_popcountl(strtoul(mask, NULL, 16)) : 32u));
    return true;
}

/* "fd00... 40 00... 00 ... eth1": destination, its bits, ..., interface. Those of a link's own
 * addresses (fe80) and of multicast (ff00) are on each interface, and make no use of it. */
static bool parse_ipv6_route(const struct look *look, const char *line, struct route *ret_route)
{
    char to[HOST_ENTRY_BYTES];
    char bits[HOST_ENTRY_BYTES];
    char name[HOST_ENTRY_BYTES];
    const char *last = strrchr(line, ' ');
    if (last == NULL || sscanf(line, "%255s %255s", to, bits) != 2 || strlen(to) != 32 ||
        sscanf(last, "%255s", name) != 1 || strncmp(to, "fe80", 4) == 0 ||
        strncmp(to, "ff", 2) == 0)
        return false;
    *ret_route =
        (struct route){.bits = (uint8_t)strtoul(bits, NULL, 16), .is_ours = is_ours(look, name)};
    for (size_t i = 0; i < sizeof(ret_route->to); i++) {
        char byte[3] = {to[2 * i], to[2 * i + 1], '\0'};
        ret_route->to[i] = (uint8_t)strtoul(byte, NULL, 16);
    }
    return true;
}

/* False: the table cannot be read. */
static bool read_routes(struct look *look, const char *path,
                        bool (*parse)(const struct look *look, const char *line,
                                      struct route *ret_route))
{
    char line[HOST_LINE_BYTES];
    FILE *file = host_open(look->host, path);
    if (file == NULL)
        return false;
    while (look->route_count < ROUTES_MAX && fgets(line, sizeof(line), file) != NULL)
        look->route_count += parse(look, line, &look->routes[look->route_count]);
    fclose(file);
    return true;
}

static bool is_default(const struct route *route)
{
    static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff};
    return route->bits == 0 ||
           (route->bits == MAPPED_BITS && memcmp(route->to, mapped, sizeof(mapped)) == 0);
}

static enum host_use_kind use_of_routes(const struct look *look)
{
    enum host_use_kind kind = HOST_USE_NONE;
    for (uint32_t i = 0; i < look->route_count; i++) {
        if (look->routes[i].is_ours && is_default(&look->routes[i]))
            return HOST_USE_DEFAULT;
        if (look->routes[i].is_ours)
            kind = HOST_USE_SOME;
    }
    return kind;
}

/* ---- connections ---- */

static bool is_within(const struct route *route, const uint8_t to[16])
{
    uint32_t bytes = route->bits / 8;
    uint8_t mask = (uint8_t)(0xff00u >> route->bits % 8);
    return memcmp(route->to, to, bytes) == 0 &&
           (route->bits % 8 == 0 || ((route->to[bytes] ^ to[bytes]) & mask) == 0);
}

/* Of all routes the narrowest one counts. */
static bool is_through_card(const struct look *look, const uint8_t to[16])
{
    const struct route *best = NULL;
    for (uint32_t i = 0; i < look->route_count; i++) {
        const struct route *route = &look->routes[i];
        if (is_within(route, to) && (best == NULL || route->bits > best->bits ||
                                     (route->bits == best->bits && route->is_ours)))
            best = route;
    }
    return best != NULL && best->is_ours;
}

/* "0: 0100007F:0016 0200A8C0:D431 01 ...": number, own address, the other's, state. */
static bool connection_parse(const char *line, uint8_t ret_to[16])
{
    char to[HOST_ENTRY_BYTES];
    unsigned state;
    if (sscanf(line, "%*s %*s %255s %x", to, &state) != 2 || state != ESTABLISHED)
        return false;
    size_t digits = strcspn(to, ":");
    if (digits == 8)
        map_ipv4(to, ret_to);
    for (size_t i = 0; digits == 32 && i < 4; i++)
        word_parse(to + 8 * i, ret_to + 4 * i);
    return digits == 8 || digits == 32;
}

/* The first one that goes through the card. */
static bool find_connection(const struct look *look, const char *path,
                            char ret_peer[ADDRESS_IP_TEXT_BYTES])
{
    char line[HOST_LINE_BYTES];
    uint8_t to[16];
    bool is_found = false;
    FILE *file = host_open(look->host, path);
    for (uint32_t i = 0; file != NULL && !is_found && i < CONNECTIONS_MAX; i++) {
        if (fgets(line, sizeof(line), file) == NULL)
            break;
        is_found = connection_parse(line, to) && is_through_card(look, to);
    }
    if (file != NULL)
        fclose(file);
    if (is_found)
        (void)address_ip_text(to, ret_peer);
    return is_found;
}

void host_use_look(const struct host *host, const char *address, struct host_use *ret_use)
{
    struct look look = {.host = host};
    *ret_use = (struct host_use){.kind = HOST_USE_UNSEEN};
    find_interfaces(&look, address);
    if (look.interface_count == 0)
        return;
    memcpy(ret_use->interface, look.interfaces[0], HOST_ENTRY_BYTES);
    bool has_routes = read_routes(&look, "/proc/net/route", parse_ipv4_route);
    (void)read_routes(&look, "/proc/net/ipv6_route", parse_ipv6_route);
    ret_use->kind = use_of_routes(&look);
    /* Not known, or not all of them: rather not. */
    bool is_whole = has_routes && look.route_count < ROUTES_MAX;
    if (ret_use->kind == HOST_USE_NONE && (look.is_carrying || !is_whole))
        ret_use->kind = HOST_USE_SOME;
    if (ret_use->kind == HOST_USE_SOME && (find_connection(&look, "/proc/net/tcp", ret_use->peer) ||
                                           find_connection(&look, "/proc/net/tcp6", ret_use->peer)))
        ret_use->kind = HOST_USE_SESSION;
}

bool host_use_is_needed(const struct host_use *use)
{
    return use->kind == HOST_USE_SESSION || use->kind == HOST_USE_DEFAULT;
}
