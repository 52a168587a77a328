#include "flow/cutoff.h"

#define UP_FOR (2 * NS_S) /* behind an answer, if answers take no longer */
#define UP_TIMES 2
#define TAKEN_TIMES 3 /* as long as one that ended so */
#define TAKEN_MIN (10 * NS_MS)

void cutoff_note_opened(struct cutoff *c, const struct cutoff_call *call)
{
	c->opened[c->next] = *call;
	c->next = (c->next + 1) % CUTOFF_OPENED;
}

void cutoff_note_ended(struct cutoff *c, const struct cutoff_call *call)
{
	for (size_t i = 0; i < CUTOFF_OPENED; i++) {
		struct cutoff_call *other = &c->opened[i];
		if (other->opened_at == call->opened_at && other->level == call->level) {
			other->opened_at = 0;
			return;
		}
	}
}

void cutoff_note_answer(
	struct cutoff *c, ns_t now, const struct cutoff_call *call, bool is_new)
{
	c->answered_at = now;
	c->took = now - call->opened_at;
	if (is_new && call->level >= c->lowest)
		c->row = 0;
}

static bool is_up(const struct cutoff *c, ns_t now)
{
	return c->answered_at &&
	       now - c->answered_at <= ns_max(UP_FOR, UP_TIMES * c->took);
}

/* One as high as the lowest has not ended for so long. */
static bool some_was_taken(const struct cutoff *c, ns_t now, ns_t after)
{
	for (size_t i = 0; i < CUTOFF_OPENED; i++) {
		const struct cutoff_call *other = &c->opened[i];
		if (other->opened_at && other->level >= c->lowest &&
			now - other->opened_at >= after)
			return true;
	}
	return false;
}

bool cutoff_is_refusal(struct cutoff *c, ns_t now, const struct cutoff_call *call)
{
	ns_t took = now - call->opened_at;
	if (took > CUTOFF_SOON)
		return false;
	if (c->row == 0 || call->level < c->lowest)
		c->lowest = call->level;
	if (c->row < CUTOFF_SURE)
		c->row++;
	if (some_was_taken(c, now, ns_max(TAKEN_MIN, TAKEN_TIMES * took)))
		c->row = 0;
	return c->row == CUTOFF_SURE && is_up(c, now);
}
