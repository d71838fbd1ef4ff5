/*
 * Who counts: a model of formation, elections, replication and the replacement of a lost storage.
 *
 * A storage is what a birth names. Storages 0, 1 and 2 are those of the founders; REPLACED of them
 * is lost at some moment, and storage 3 takes its place on the same node. With SWAP the storage is
 * not lost and acts on: the joint change then swaps two living voters.
 *
 * One step is what a storage does with one message, or by itself. A message is handled when it is
 * sent, or never. That covers delay, loss, duplication and reordering: whatever a storage does
 * before it hears of a term cannot depend on what others do in that term, so a late message of an
 * earlier term can be played earlier; within a term a leader's log only grows, so a late request is
 * one that asked for less. Votes and acknowledgements are facts. They stay, also when the storage
 * that gave them is lost, until the one who counts them is in another term.
 *
 * Left out, each a rule that only forbids more: pre-vote, the lease, that a new storage's vote is
 * marked as suspect, that a storage which knows its leader does not vote, that a removed leader
 * steps down. What is appended is durable in the same step, except with VOLATILE: then a leader
 * sends a record that its own medium does not have yet, and a crash may take it.
 *
 * The runner defines the bounds TERMS and LOG, and at most one of the rules to break (BREAK_...).
 */
#ifndef REPLACED
#define REPLACED 2
#endif
#ifndef TERMS
#define TERMS 3
#endif
#ifndef LOG
#define LOG 4
#endif

#define STORAGES 4
#define NEWBORN 3

/* Configurations. NEW is also what forms if the storage is lost before the cluster forms. */
#define NONE 0
#define OLD 1     /* voters 0, 1, 2 */
#define LEARNER 2 /* voters 0, 1, 2; learner 3 */
#define JOINT 3   /* REPLACED is outgoing, 3 is incoming */
#define NEW 4     /* 3 in the place of REPLACED */

/* Roles. A candidate has voted for itself. */
#define IDLE 0  /* no vote in this term yet */
#define VOTED 1
#define CANDIDATE 2
#define LEADER 3

/* A record: its term, and a configuration or data (NONE). 0: no record. */
#define RECORD(term_, kind) ((term_) * 8 + (kind))
#define RECORD_TERM(record) ((record) >> 3)
#define KIND(record) ((record) & 7)
#define COMMITTED_RECORD(index) (committed[index] & 63)
#define COMMITTED_TERM(index) (committed[index] >> 6)

#define BIT(s) (1 << (s))
#define HAS(set, s) (((set) >> (s)) & 1)
#define OLD_HALF 7
#define NEW_HALF ((OLD_HALF & ~BIT(REPLACED)) | BIT(NEWBORN))
#define COUNT(set) (HAS(set, 0) + HAS(set, 1) + HAS(set, 2) + HAS(set, 3))

byte term[STORAGES];
byte role[STORAGES];
byte last[STORAGES];              /* index of the last record, 1 to LOG; 0: none */
byte log[STORAGES * LOG];         /* record i of storage s is log[s * LOG + i - 1] */
byte configuration[STORAGES];     /* in force: the newest in the log */
byte configuration_at[STORAGES];  /* its index */
byte draft[STORAGES];             /* a candidate that would form a cluster: with whom */
byte granted[STORAGES];           /* a candidate's votes, a set of storages */
byte acked[STORAGES * STORAGES];  /* a leader's acknowledgements: up to which index */
byte commit[STORAGES];            /* a leader's commit index */
byte highest_term;
bool is_born;

/* What the properties look at: facts that stay. */
short committed[LOG]; /* the record, and the term of the first leader that committed it */
byte led;            /* a set of terms */

/* Hidden variables are no part of a state. Spin refuses them where it searches breadth first. */
#ifdef BREADTH_FIRST
#define SCRATCH
#else
#define SCRATCH hidden
#endif

/* The properties. With ONLY the runner has one of them judged alone. */
#ifndef ONLY
#define ONLY 0
#endif
#define JUDGED(number, property) assert(property || (ONLY != 0 && ONLY != number))
SCRATCH byte one_leader_a_term;                       /* 1 */
SCRATCH byte one_record_committed_at_an_index;        /* 2 */
SCRATCH byte leader_has_all_that_is_committed;        /* 3 */
SCRATCH byte no_second_formation;                     /* 4 */
SCRATCH byte truncation_takes_back_one_configuration; /* 5 */
SCRATCH byte replacement_never_ends; /* no rule: that it can be violated shows that one can end */

SCRATCH byte i, j, k, set;

#define AT(s, index) log[(s) * LOG + (index) - 1]
#define LAST_TERM(s) (last[s] == 0 -> 0 : RECORD_TERM(log[(s) * LOG + last[s] - 1]))

/*
 * With SET_BACK the files of storage REPLACED are copied, its node starts once more, and the copy is
 * put back when all others have heard of that start. The starts: 0 when the copy is made, 1, and 2
 * with the copy. The list of start 2 has 0, and not 1.
 */
#if defined(BREAK_START_LIST) || defined(BREAK_WITNESS)
#define SET_BACK
#endif
#ifdef SET_BACK
byte start;           /* of REPLACED */
byte heard[STORAGES]; /* the last start of REPLACED that the storage has noted */
#ifdef BREAK_START_LIST
#define KNOWS(p) true
#else
#define KNOWS(p) (start != 2 || heard[p] != 1)
#endif
/* Whether what `from` says counts at `to`, which notes the start then. */
#define COUNTS(from, to) ((from) != REPLACED || KNOWS(to))
#define HEARS(from, to) heard[to] = ((from) == REPLACED -> start : heard[to])
#ifdef BREAK_WITNESS
#define ALL_HAVE_HEARD (start == 1)
#else
#define ALL_HAVE_HEARD (start == 1 && heard[0] + heard[1] + heard[2] - heard[REPLACED] == 2)
#endif
#else
#define COUNTS(from, to) true
#define HEARS(from, to) skip
#endif

/* A swap is a change of a cluster that has formed: before that a node has one storage at a time. */
#ifdef SWAP
#define IS_LOST(s) false
#define MAY_BE_BORN (committed[0] != 0)
#elif defined(SET_BACK)
#define IS_LOST(s) ((s) == REPLACED && is_born)
#define MAY_BE_BORN (start == 2)
#else
#define IS_LOST(s) ((s) == REPLACED && is_born)
#define MAY_BE_BORN true
#endif
#define EXISTS(s) (((s) != NEWBORN || is_born) && !IS_LOST(s))

#ifdef BREAK_COUNT_BY_NODE
/* Storage 3 answers for the one that was on its node. */
#define COUNTED(set_) ((set_) | HAS(set_, NEWBORN) << REPLACED)
#define IS_SENT(conf, s) ((s) != NEWBORN || is_born)
#define IS_ASKED(conf, s) true
#else
#define COUNTED(set_) (set_)
#define IS_SENT(conf, s)                                                                           \
    HAS(((conf) == OLD -> OLD_HALF : ((conf) == NEW -> NEW_HALF : 15)), s)
#define IS_ASKED(conf, s) HAS(VOTERS(conf), s)
#endif

#define VOTERS(conf) ((conf) == JOINT -> 15 : ((conf) == NEW -> NEW_HALF : OLD_HALF))
#define HAS_MAJORITY(set_, half) (COUNT((set_) & (half)) >= 2)
#define HAS_OLD_HALF(set_) HAS_MAJORITY(COUNTED(set_), OLD_HALF)
#define HAS_NEW_HALF(set_) HAS_MAJORITY(set_, NEW_HALF)

#ifdef BREAK_LEARNER_COUNTS
#define HAS_LEARNER_QUORUM(set_) (COUNT(set_) >= 2)
#else
#define HAS_LEARNER_QUORUM(set_) HAS_OLD_HALF(set_)
#endif
#ifdef BREAK_ONE_HALF
#define HAS_JOINT_QUORUM(set_) HAS_NEW_HALF(set_)
#else
#define HAS_JOINT_QUORUM(set_) (HAS_OLD_HALF(set_) && HAS_NEW_HALF(set_))
#endif
#define HAS_QUORUM(set_, conf)                                                                     \
    (((conf) == OLD && HAS_OLD_HALF(set_)) || ((conf) == LEARNER && HAS_LEARNER_QUORUM(set_)) ||   \
     ((conf) == JOINT && HAS_JOINT_QUORUM(set_)) || ((conf) == NEW && HAS_NEW_HALF(set_)))

/* A formation takes the votes of all founders, each from the storage that told its birth. */
#ifdef BREAK_FORM_BY_MAJORITY
#define HAS_FOUNDERS(set_, draft_) (COUNT(set_) >= 2)
#else
#define HAS_FOUNDERS(set_, draft_) (COUNT((set_) & VOTERS(draft_)) == 3)
#endif
#ifdef BREAK_FORM_WITH_MEMBERS
#define MAY_FORM(s) true
#else
#define MAY_FORM(s) (configuration[s] == NONE)
#endif
#ifdef BREAK_EARLY_CHANGE
#define IS_SETTLED(l) true
#else
#define IS_SETTLED(l) (commit[l] != 0 && configuration_at[l] <= commit[l])
#endif

/* A step must not end with a loop, so some inlines end with skip. */
inline forget_leadership(s)
{
    granted[s] = 0;
    draft[s] = NONE;
    commit[s] = 0;
    k = 0;
    do
    :: k < STORAGES -> acked[(s) * STORAGES + k] = 0; k++
    :: else -> break
    od
}

/* The newest configuration of the log is in force. */
inline find_configuration(s)
{
    configuration[s] = NONE;
    configuration_at[s] = 0;
    k = last[s];
    do
    :: k > 0 && KIND(AT(s, k)) == NONE -> k--
    :: k > 0 && KIND(AT(s, k)) != NONE ->
        configuration[s] = KIND(AT(s, k));
        configuration_at[s] = k;
        break
    :: else -> break
    od;
    skip
}

/* Commits what a quorum has, if its last record is of the leader's own term. */
inline advance_commit(l)
{
    i = last[l];
    do
    :: i > commit[l] && RECORD_TERM(AT(l, i)) == term[l] ->
        set = 0;
        k = 0;
        do
        :: k < STORAGES ->
            set = set | (acked[(l) * STORAGES + k] >= i -> BIT(k) : 0);
            k++
        :: else -> break
        od;
        if
        :: HAS_QUORUM(set, configuration[l]) -> break
        :: else -> i--
        fi
    :: else -> i = 0; break
    od;
    if
    :: i > 0 ->
        commit[l] = i;
        k = 1;
        do
        :: k <= i ->
            one_record_committed_at_an_index =
                committed[k - 1] == 0 || COMMITTED_RECORD(k - 1) == AT(l, k);
            JUDGED(2, one_record_committed_at_an_index);
            committed[k - 1] =
                (committed[k - 1] == 0 -> AT(l, k) | term[l] << 6 : committed[k - 1]);
            k++
        :: else -> break
        od;
        printf("%d commits up to %d\n", l, i);
#ifdef REACH
        replacement_never_ends = configuration[l] != NEW || configuration_at[l] == 1 ||
                                 configuration_at[l] >= i;
        assert(replacement_never_ends);
#endif
        skip
    :: else
    fi;
    /* An acknowledgement of what is committed says nothing more. */
    k = 0;
    do
    :: k < STORAGES ->
        acked[(l) * STORAGES + k] =
            (k != l && acked[(l) * STORAGES + k] <= commit[l] -> 0 : acked[(l) * STORAGES + k]);
        k++
    :: else -> break
    od;
    skip
}

/* A leader's own record. With VOLATILE it is durable, and counts, only after sync(). */
inline append_own(l, kind)
{
    last[l] = last[l] + 1;
    AT(l, last[l]) = RECORD(term[l], kind);
    if
    :: (kind) != NONE -> configuration[l] = kind; configuration_at[l] = last[l]
    :: else
    fi;
#ifndef VOLATILE
    acked[(l) * STORAGES + l] = last[l];
#endif
    advance_commit(l)
}

/* Whom a storage has not heard, it does not know: anybody may campaign at any time, in any term
 * that somebody may have told it of. The first to campaign is called 0. */
#define MAY_CAMPAIGN(c, t)                                                                         \
    (EXISTS(c) && term[c] < t && t <= highest_term + 1 && (highest_term > 0 || c == 0))

inline start_campaign(c, t, with)
{
    forget_leadership(c);
    term[c] = t;
    role[c] = CANDIDATE;
    draft[c] = with;
    granted[c] = BIT(c);
    highest_term = (t > highest_term -> t : highest_term);
}

inline campaign(c, t)
{
    d_step {
        MAY_CAMPAIGN(c, t) && configuration[c] != NONE && HAS(VOTERS(configuration[c]), c) ->
        start_campaign(c, t, NONE);
        printf("%d campaigns in term %d\n", c, t)
    }
}

/* Pre-vote told the births of all founders; after the loss it may be the old one or the new one. */
inline campaign_to_form(c, t, with)
{
    d_step {
        MAY_CAMPAIGN(c, t) && MAY_FORM(c) && HAS(VOTERS(with), c) && (with == OLD || is_born) ->
        start_campaign(c, t, with);
        printf("%d campaigns in term %d to form a cluster, with 3: %d\n", c, t, with == NEW)
    }
}

#define IS_ASKED_FOR_VOTE(c, s)                                                                    \
    ((draft[c] == NONE && IS_ASKED(configuration[c], s)) ||                                        \
     (draft[c] != NONE && HAS(VOTERS(draft[c]), s) && MAY_FORM(s)))
#define IS_UP_TO_DATE(c, s)                                                                        \
    (LAST_TERM(c) > LAST_TERM(s) || (LAST_TERM(c) == LAST_TERM(s) && last[c] >= last[s]))

inline vote(c, s)
{
    d_step {
        role[c] == CANDIDATE && EXISTS(s) && IS_ASKED_FOR_VOTE(c, s) && IS_UP_TO_DATE(c, s) &&
            COUNTS(c, s) && COUNTS(s, c) &&
            (term[s] < term[c] || (term[s] == term[c] && role[s] == IDLE)) ->
        forget_leadership(s);
        term[s] = term[c];
        role[s] = VOTED;
        granted[c] = granted[c] | BIT(s);
        HEARS(c, s);
        HEARS(s, c);
        printf("%d votes for %d in term %d\n", s, c, term[c])
    }
}

/* A leader begins with a record of its own; a cluster begins with its configuration. */
inline lead(c)
{
    d_step {
        role[c] == CANDIDATE && last[c] < LOG &&
            ((draft[c] == NONE && HAS_QUORUM(granted[c], configuration[c])) ||
             (draft[c] != NONE && HAS_FOUNDERS(granted[c], draft[c]))) ->
        printf("%d leads term %d\n", c, term[c]);
        one_leader_a_term = !HAS(led, term[c]);
        JUDGED(1, one_leader_a_term);
        led = led | BIT(term[c]);
        no_second_formation = draft[c] == NONE || committed[0] == 0;
        JUDGED(4, no_second_formation);
        k = 1;
        do
        :: k <= LOG ->
            leader_has_all_that_is_committed =
                committed[k - 1] == 0 || COMMITTED_TERM(k - 1) > term[c] ||
                COMMITTED_RECORD(k - 1) == AT(c, k);
            JUDGED(3, leader_has_all_that_is_committed);
            k++
        :: else -> break
        od;
        j = draft[c];
        forget_leadership(c);
        role[c] = LEADER;
#ifdef VOLATILE
        acked[c * STORAGES + c] = last[c];
#endif
        append_own(c, j)
    }
}

/* A request with the first record that the follower lacks, and the acknowledgement. */
inline replicate(l, s)
{
    d_step {
        role[l] == LEADER && EXISTS(s) && IS_SENT(configuration[l], s) && term[s] <= term[l] &&
            COUNTS(l, s) && COUNTS(s, l) ->
        HEARS(l, s);
        HEARS(s, l);
        if
        :: term[s] < term[l] -> forget_leadership(s); term[s] = term[l]; role[s] = IDLE
        :: term[s] == term[l] && role[s] == CANDIDATE -> forget_leadership(s); role[s] = VOTED
        :: else
        fi;
        i = 1;
        do
        :: i <= last[l] && i <= last[s] && AT(l, i) == AT(s, i) -> i++
        :: else -> break
        od;
        if
        :: i <= last[l] ->
            k = i;
            j = 0;
            do
            :: k <= last[s] -> j = j + (KIND(AT(s, k)) != NONE -> 1 : 0); AT(s, k) = 0; k++
            :: else -> break
            od;
            truncation_takes_back_one_configuration = j <= 1;
            JUDGED(5, truncation_takes_back_one_configuration);
            AT(s, i) = AT(l, i);
            last[s] = i;
            find_configuration(s);
            printf("%d has record %d (term %d, configuration %d) of %d\n", s, i,
                   RECORD_TERM(AT(l, i)), KIND(AT(l, i)), l)
        :: else -> i = last[l]
        fi;
        if
        :: i > commit[l] && i > acked[l * STORAGES + s] ->
            acked[l * STORAGES + s] = i;
            advance_commit(l)
        :: else
        fi
    }
}

inline propose(l)
{
    d_step {
        role[l] == LEADER && last[l] < LOG ->
        printf("%d appends data at %d\n", l, last[l] + 1);
        append_own(l, NONE)
    }
}

inline change(l, before, after)
{
    d_step {
        role[l] == LEADER && last[l] < LOG && is_born && configuration[l] == before &&
            IS_SETTLED(l) ->
        printf("%d appends configuration %d at %d\n", l, after, last[l] + 1);
        append_own(l, after)
    }
}

/* The storage is lost, with all that it had, and another is made on its node. */
inline be_born()
{
    d_step {
        !is_born && highest_term > 0 && MAY_BE_BORN ->
        is_born = true;
        printf("%d takes the place of %d\n", NEWBORN, REPLACED);
        if
        :: IS_LOST(REPLACED) ->
            forget_leadership(REPLACED);
            term[REPLACED] = 0;
            role[REPLACED] = IDLE;
            k = 1;
            do
            :: k <= LOG -> AT(REPLACED, k) = 0; k++
            :: else -> break
            od;
            last[REPLACED] = 0;
            find_configuration(REPLACED)
        :: else
        fi
    }
}

#ifdef VOLATILE
inline sync(l)
{
    d_step {
        role[l] == LEADER && acked[l * STORAGES + l] < last[l] ->
        acked[l * STORAGES + l] = last[l];
        printf("%d has all of its records durable\n", l);
        advance_commit(l)
    }
}

/* Before a storage votes in a later term, or takes another leader's records, its own are durable or
 * lost: so a crash needs to be played only while it leads. */
inline crash(l)
{
    d_step {
        role[l] == LEADER && acked[l * STORAGES + l] < last[l] ->
        printf("%d loses power, and its records from %d on\n", l, acked[l * STORAGES + l] + 1);
        i = acked[l * STORAGES + l];
        do
        :: last[l] > i -> AT(l, last[l]) = 0; last[l]--
        :: else -> break
        od;
        forget_leadership(l);
        role[l] = VOTED;
        find_configuration(l)
    }
}
#endif

#ifdef SET_BACK
byte copy_term;
byte copy_role;
byte copy_last;
byte copy_log[LOG];
bool is_copied;

inline make_copy(s)
{
    d_step {
        start == 0 && !is_copied && highest_term > 0 ->
        is_copied = true;
        copy_term = term[s];
        copy_role = (role[s] == IDLE -> IDLE : VOTED);
        copy_last = last[s];
        k = 1;
        do
        :: k <= LOG -> copy_log[k - 1] = AT(s, k); k++
        :: else -> break
        od;
        printf("the files of %d are copied\n", s)
    }
}

inline start_again(s)
{
    d_step {
        start == 0 && is_copied ->
        start = 1;
        forget_leadership(s);
        role[s] = (role[s] == IDLE -> IDLE : VOTED);
        printf("%d starts once more\n", s)
    }
}

/* A node tells its start to all that it reaches. */
inline tell_start(s)
{
    d_step {
        start == 1 && heard[s] == 0 && s != REPLACED && s != NEWBORN ->
        heard[s] = 1;
        printf("%d hears that %d has started\n", s, REPLACED)
    }
}

inline put_copy_back(s)
{
    d_step {
        ALL_HAVE_HEARD ->
        start = 2;
        is_copied = false;
        forget_leadership(s);
        term[s] = copy_term;
        role[s] = copy_role;
        last[s] = copy_last;
        k = 1;
        do
        :: k <= LOG -> AT(s, k) = copy_log[k - 1]; k++
        :: else -> break
        od;
        find_configuration(s);
        copy_term = 0;
        copy_role = 0;
        copy_last = 0;
        k = 0;
        do
        :: k < LOG -> copy_log[k] = 0; k++
        :: else -> break
        od;
        printf("the files of %d are set back to the copy\n", s)
    }
}
#endif

#define EACH(action) action(0) :: action(1) :: action(2) :: action(3)
#define EACH_OTHER(action)                                                                         \
    action(0, 1) :: action(0, 2) :: action(0, 3) :: action(1, 0) :: action(1, 2) :: action(1, 3)   \
    :: action(2, 0) :: action(2, 1) :: action(2, 3) :: action(3, 0) :: action(3, 1) :: action(3, 2)
#define CAMPAIGNS(t)                                                                               \
    campaign(0, t) :: campaign(1, t) :: campaign(2, t) :: campaign(3, t) ::                        \
    campaign_to_form(0, t, OLD) :: campaign_to_form(1, t, OLD) :: campaign_to_form(2, t, OLD) ::   \
    campaign_to_form(0, t, NEW) :: campaign_to_form(1, t, NEW) :: campaign_to_form(2, t, NEW) ::   \
    campaign_to_form(3, t, NEW)
#define CHANGES(before, after)                                                                     \
    change(0, before, after) :: change(1, before, after) :: change(2, before, after) ::            \
    change(3, before, after)

active proctype cluster()
{
end:
    do
    :: CAMPAIGNS(1)
#if TERMS > 1
    :: CAMPAIGNS(2)
#endif
#if TERMS > 2
    :: CAMPAIGNS(3)
#endif
#if TERMS > 3
    :: CAMPAIGNS(4)
#endif
    :: EACH_OTHER(vote)
    :: EACH(lead)
    :: EACH_OTHER(replicate)
    :: EACH(propose)
#ifdef SET_BACK
    :: make_copy(REPLACED)
    :: start_again(REPLACED)
    :: EACH(tell_start)
    :: put_copy_back(REPLACED)
#endif
    :: be_born()
    :: CHANGES(OLD, LEARNER)
    :: CHANGES(OLD, JOINT)
    :: CHANGES(LEARNER, JOINT)
    :: CHANGES(JOINT, NEW)
#ifdef BREAK_ONE_STEP
    :: CHANGES(OLD, NEW)
#endif
#ifdef VOLATILE
    :: EACH(sync)
    :: EACH(crash)
#endif
    od
}
