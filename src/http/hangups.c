#include "http/hangups.h"

struct hangups *hangups_new(uint64_t seed)
{
	struct hangups *h = mem_zalloc(sizeof(*h));
	joint_init(&h->joint);
	hangup_init(&h->hangup, seed);
	return h;
}

void hangups_ref(struct hangups *h)
{
	joint_ref(&h->joint);
}

void hangups_unref(struct hangups **hp)
{
	struct hangups *h = *hp;
	*hp = NULL;
	if (h && joint_unref(&h->joint))
		mem_free(h);
}

static struct hangup *lock(struct hangups *h)
{
	joint_lock(&h->joint);
	return &h->hangup;
}

static void unlock(struct hangups *h)
{
	h->frees = h->hangup.frees;
	h->doubts = h->hangup.doubt_count > 0;
	h->owes = h->hangup.owed > 0;
	h->longest = h->hangup.longest.lately;
	h->longest_until = ns_add(h->hangup.longest.since, LONGEST_FOR);
	joint_unlock(&h->joint);
}

enum hangup_arm hangups_ask(struct hangups *h, uint32_t limit, ns_t until, ns_t now)
{
	enum hangup_arm arm = hangup_ask(lock(h), limit, until, now);
	unlock(h);
	return arm;
}

bool hangups_ended(struct hangups *h, enum hangup_arm arm, bool soon, ns_t now)
{
	bool changed = hangup_ended(lock(h), arm, soon, now);
	unlock(h);
	return changed;
}

void hangups_forget(struct hangups *h, enum hangup_arm arm)
{
	hangup_forget(lock(h), arm);
	unlock(h);
}

bool hangups_note_refused(struct hangups *h, ns_t now)
{
	bool changed = hangup_note_refused(lock(h), now);
	unlock(h);
	return changed;
}

ns_t hangups_natural_end(struct hangups *h, ns_t sent_at, ns_t now)
{
	ns_t end = hangup_natural_end(lock(h), sent_at, now);
	unlock(h);
	return end;
}

ns_t hangups_longest(struct hangups *h)
{
	ns_t longest = hangup_longest(lock(h));
	unlock(h);
	return longest;
}

void hangups_learn_took(struct hangups *h, ns_t took, ns_t now)
{
	hangup_note_took(lock(h), took, now);
	unlock(h);
}

void hangups_learn_served(struct hangups *h)
{
	hangup_note_served(lock(h));
	unlock(h);
}

bool hangups_pays(struct hangups *h, ns_t now, ns_t *until)
{
	bool owes = hangup_owes(lock(h), now, until);
	unlock(h);
	return owes;
}

struct hangup hangups_view(struct hangups *h)
{
	struct hangup view = *lock(h);
	unlock(h);
	return view;
}
