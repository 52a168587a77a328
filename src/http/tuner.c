#include "http/tuner.h"

#include "base/joint.h"
#include "flow/cutoff.h"

struct tuner {
	struct joint joint; /* its lock is over limit and cutoff */
	struct limit limit;
	struct cutoff cutoff;
};

struct tuner *tuner_new(uint32_t max, ns_t now)
{
	struct tuner *t = mem_zalloc(sizeof(*t));
	joint_init(&t->joint);
	limit_init(&t->limit, max, now);
	return t;
}

void tuner_ref(struct tuner *t)
{
	joint_ref(&t->joint);
}

void tuner_unref(struct tuner **tp)
{
	struct tuner *t = *tp;
	*tp = NULL;
	if (t && joint_unref(&t->joint))
		mem_free(t);
}

void tuner_set_max(struct tuner *t, uint32_t max)
{
	joint_lock(&t->joint);
	limit_set_max(&t->limit, max);
	joint_unlock(&t->joint);
}

uint32_t tuner_look(struct tuner *t, ns_t now, uint32_t level, bool waiting, ns_t *next,
	ns_t *doubles_in)
{
	joint_lock(&t->joint);
	uint32_t limit = limit_look(&t->limit, now, level, waiting);
	*next = limit_next(&t->limit);
	*doubles_in = limit_doubles_in(&t->limit);
	joint_unlock(&t->joint);
	return limit;
}

ns_t tuner_doubles_in(struct tuner *t)
{
	joint_lock(&t->joint);
	ns_t doubles_in = limit_doubles_in(&t->limit);
	joint_unlock(&t->joint);
	return doubles_in;
}

uint32_t tuner_sent(
	struct tuner *t, ns_t now, uint32_t level, bool waiting, struct limit_mark *mark)
{
	joint_lock(&t->joint);
	limit_sent(&t->limit, now, level, waiting, mark);
	mark->opened_at = 0;
	uint32_t limit = t->limit.now;
	joint_unlock(&t->joint);
	return limit;
}

void tuner_opened(struct tuner *t, ns_t now, struct limit_mark *mark)
{
	const struct cutoff_call call = { now, mark->level };
	mark->opened_at = now;
	joint_lock(&t->joint);
	cutoff_note_opened(&t->cutoff, &call);
	joint_unlock(&t->joint);
}

static enum limit_end tell_cutoff(
	struct cutoff *c, ns_t now, const struct limit_mark *mark, enum limit_end how)
{
	const bool is_new = mark->opened_at != 0;
	struct cutoff_call call = { mark->opened_at, mark->level };
	if (is_new)
		cutoff_note_ended(c, &call);
	else /* reset while we looked for its connection: it was there, and taken away at once */
		call.opened_at = how == LIMIT_CUT_OFF ? now : mark->sent_at;
	if (how == LIMIT_ANSWERED)
		cutoff_note_answer(c, now, &call, is_new);
	if (how == LIMIT_CUT_OFF && cutoff_is_refusal(c, now, &call))
		return LIMIT_REFUSED;
	return how;
}

void tuner_ended(
	struct tuner *t, ns_t now, const struct limit_mark *mark, enum limit_end how)
{
	joint_lock(&t->joint);
	limit_ended(&t->limit, now, mark, tell_cutoff(&t->cutoff, now, mark, how));
	joint_unlock(&t->joint);
}

bool tuner_is_cut(struct tuner *t, ns_t now)
{
	joint_lock(&t->joint);
	bool cut = limit_is_cut(&t->limit, now);
	joint_unlock(&t->joint);
	return cut;
}

/* By another thread's clock it may have begun a moment from now. */
static ns_t held_for(const struct limit *l, ns_t now)
{
	return ns_max(0, now - l->since);
}

struct tuner_view tuner_view(struct tuner *t, ns_t now)
{
	joint_lock(&t->joint);
	struct tuner_view v = { limit_because(&t->limit), held_for(&t->limit, now) };
	joint_unlock(&t->joint);
	return v;
}

static void steps_json(struct json *j, const struct limit *l)
{
	json_array(j, "shown");
	for (size_t i = 0; l->knee > 0 && i < ARRAY_LEN(l->shown); i++) {
		json_object(j, NULL);
		json_real(j, "level", l->shown[i].level);
		json_real(j, "ms", l->shown[i].time * 1000);
		json_real(j, "rate", l->shown[i].rate);
		json_end(j);
	}
	json_end(j);
}

void tuner_json(struct json *j, const char *key, struct tuner *t, ns_t now)
{
	joint_lock(&t->joint);
	struct limit l = t->limit;
	joint_unlock(&t->joint);
	json_object(j, key);
	json_cstr(j, "state", limit_state_label(limit_state(&l)));
	json_cstr(j, "because", limit_because(&l));
	json_int(j, "since_ms", held_for(&l, now) / NS_MS);
	json_int(j, "max", l.max);
	if (l.wall.took)
		json_int(j, "wall", l.wall.took);
	else
		json_null(j, "wall");
	if (l.knee > 0)
		json_int(j, "knee", (int64_t)(l.knee + 0.5));
	else
		json_null(j, "knee");
	steps_json(j, &l);
	json_end(j);
}
