/* See cluster_identity.h. */
#include "server/cluster_identity.h"

enum cluster_fit cluster_fit_of(struct cluster_identity ours, struct cluster_identity theirs)
{
    if (ours.cluster == 0 || theirs.cluster == 0)
        return CLUSTER_FITS;
    if (ours.cluster != theirs.cluster)
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
