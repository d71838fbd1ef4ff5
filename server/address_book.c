/* See address_book.h. */
#include "server/address_book.h"

#include "base/check.h"

static struct address of_shard(const struct address_book *book, const struct address *address)
{
    struct address here = *address;
    here.port = (uint16_t)(address->port + book->shard);
    return here;
}

static bool is_id(uint16_t id)
{
    return id > 0 && id <= VOTER_ID_MAX;
}

void address_book_peer(struct address_book *book, uint16_t id, const struct address *address)
{
    CHECK(is_id(id));
    book->peers[id] = of_shard(book, address);
    book->in_use[id] = book->peers[id];
}

void address_book_note(struct address_book *book, uint16_t id, const struct address *address)
{
    CHECK(is_id(id));
    book->in_use[id] = of_shard(book, address);
}

void address_book_follow(struct address_book *book, const struct raft_configuration *configuration)
{
    for (uint32_t slot = 0; slot < configuration->slot_count; slot++) {
        const struct raft_member *member = &configuration->members[slot];
        struct address address = address_of_ip(member->address, member->port);
        if (member->storage.birth == 0 || member->port == 0)
            continue;
        uint16_t id = member->storage.id;
        if (address_is_equal(&address, &book->configured[id]))
            continue;
        book->configured[id] = address;
        book->in_use[id] = of_shard(book, &address);
    }
}

static const struct address *known(const struct address *address)
{
    return address->port != 0 ? address : NULL;
}

const struct address *address_book_find(const struct address_book *book, uint16_t id)
{
    return is_id(id) ? known(&book->in_use[id]) : NULL;
}

const struct address *address_book_find_peer(const struct address_book *book, uint16_t id)
{
    return is_id(id) ? known(&book->peers[id]) : NULL;
}

bool address_book_base(const struct address_book *book, const struct address *address,
                       struct address *ret_base)
{
    if (address->port <= book->shard)
        return false;
    *ret_base = *address;
    ret_base->port = (uint16_t)(address->port - book->shard);
    return true;
}
