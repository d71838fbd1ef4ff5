/* See cluster_identity.h. */
#include "server/cluster_identity.h"

static bool is_era_leap(uint32_t ours, uint32_t theirs)
{
    return theirs > ours && theirs - ours > ERA_LEAP_MAX;
}

enum cluster_fit cluster_fit_of(struct cluster_identity ours, struct cluster_identity theirs)
{
    if (ours.cluster == 0 || theirs.cluster == 0)
        return CLUSTER_FITS;
    if (ours.cluster != theirs.cluster || is_era_leap(ours.era, theirs.era))
        return CLUSTER_OTHER;
    if (ours.era == theirs.era)
        return CLUSTER_FITS;
    return theirs.era < ours.era ? CLUSTER_EARLIER_ERA : CLUSTER_LATER_ERA;
}

bool cluster_is_host(uint64_t ours, uint64_t theirs, bool hears_nobody)
{
    if (theirs == 0 || (ours != 0 && theirs != ours))
        return false;
    return ours == 0 || hears_nobody;
}

void cluster_membership_follow(struct cluster_membership *membership,
                               struct cluster_identity configuration, bool is_named)
{
    const struct cluster_identity *heard = &membership->heard;
    bool is_past = heard->cluster == configuration.cluster && heard->era > configuration.era;
    membership->configuration = configuration;
    membership->is_named = membership->is_named || (is_named && !is_past);
}

struct cluster_identity cluster_membership_told(const struct cluster_membership *membership)
{
    return membership->is_named ? membership->configuration : (struct cluster_identity){0};
}

bool cluster_is_era_told(const struct cluster_membership *membership, uint64_t ours,
                         uint64_t theirs)
{
    return ours != 0 && theirs == ours && cluster_membership_told(membership).era > 0;
}

uint32_t cluster_membership_era(const struct cluster_membership *membership)
{
    const struct cluster_identity *own = &membership->configuration;
    const struct cluster_identity *heard = &membership->heard;
    bool is_heard = !membership->is_named && heard->cluster != 0 &&
                    (own->cluster == 0 || own->cluster == heard->cluster);
    return is_heard && heard->era > own->era ? heard->era : own->era;
}

enum cluster_fit cluster_membership_hear(struct cluster_membership *membership,
                                         struct cluster_identity theirs)
{
    const struct cluster_identity own = membership->configuration;
    if (membership->is_named || theirs.cluster == 0)
        return cluster_fit_of(own, theirs);
    if (own.cluster != 0 && (own.cluster != theirs.cluster || is_era_leap(own.era, theirs.era)))
        return CLUSTER_OTHER;
    bool is_of_heard = membership->heard.cluster == theirs.cluster;
    if ((is_of_heard || own.cluster != 0) && theirs.era < cluster_membership_era(membership))
        return CLUSTER_EARLIER_ERA;
    membership->heard = theirs;
    return CLUSTER_FITS;
}
