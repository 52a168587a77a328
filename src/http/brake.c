#include "http/brake.h"

struct brake *brake_new(void)
{
	struct brake *b = mem_zalloc(sizeof(*b));
	joint_init(&b->joint);
	pause_init(&b->pause);
	return b;
}

void brake_ref(struct brake *b)
{
	joint_ref(&b->joint);
}

void brake_unref(struct brake **bp)
{
	struct brake *b = *bp;
	*bp = NULL;
	if (b && joint_unref(&b->joint))
		mem_free(b);
}

static struct pause *lock(struct brake *b)
{
	joint_lock(&b->joint);
	return &b->pause;
}

static void unlock(struct brake *b)
{
	b->on = b->pause.state != PAUSE_OPEN;
	joint_unlock(&b->joint);
}

void brake_ask(struct brake *b, const struct brake_plea *plea, ns_t most,
	uint64_t answered, ns_t now)
{
	struct pause *p = lock(b);
	pause_ask(p, ns_add(now, ns_min(plea->in, most)), answered, now);
	b->plea = *plea;
	unlock(b);
}

bool brake_take(struct brake *b, uint32_t n, ns_t now)
{
	if (LIKELY(!brake_is_on(b)))
		return true;
	bool may = pause_take(lock(b), n, now);
	unlock(b);
	return may;
}

bool brake_take_again(struct brake *b, ns_t now)
{
	if (LIKELY(!brake_is_on(b)))
		return true;
	bool may = pause_take_again(lock(b), now);
	unlock(b);
	return may;
}

void brake_untake(struct brake *b, uint32_t n, ns_t taken_at)
{
	if (LIKELY(!brake_is_on(b)))
		return;
	pause_untake(lock(b), n, taken_at);
	unlock(b);
}

bool brake_ended(struct brake *b, ns_t sent_at, ns_t now)
{
	if (LIKELY(!brake_is_on(b)))
		return false;
	bool was_probe = pause_ended(lock(b), sent_at, now);
	unlock(b);
	return was_probe;
}

ns_t brake_next(struct brake *b, ns_t now)
{
	if (LIKELY(!brake_is_on(b)))
		return NS_NEVER;
	ns_t next = pause_next(lock(b), now);
	unlock(b);
	return next;
}

ns_t brake_start(struct brake *b, uint64_t ahead, ns_t now)
{
	if (LIKELY(!brake_is_on(b)))
		return now;
	ns_t start = pause_start(lock(b), ahead, now);
	unlock(b);
	return start;
}

ns_t brake_shut_until(struct brake *b, ns_t now)
{
	if (LIKELY(!brake_is_on(b)))
		return 0;
	struct pause *p = lock(b);
	ns_t until = pause_look(p, now) == PAUSE_SHUT ? p->until : 0;
	unlock(b);
	return until;
}

/* --- by caller --- */

static bool is_keyed(const struct brake *b, ns_t now)
{
	return now < atomic_load_explicit(&b->keyed_until, memory_order_relaxed);
}

void brake_ask_key(struct brake *b, uint64_t key, ns_t until, ns_t now)
{
	(void)lock(b);
	pause_keys_ask(&b->keys, key, until, now);
	b->keyed_until = ns_max(b->keyed_until, until);
	unlock(b);
}

ns_t brake_key_until(struct brake *b, uint64_t key, ns_t now)
{
	if (LIKELY(!is_keyed(b, now)))
		return 0;
	(void)lock(b);
	ns_t until = pause_keys_until(&b->keys, key, now);
	unlock(b);
	return until;
}

ns_t brake_key_turn(struct brake *b, uint64_t key, ns_t deadline, ns_t now)
{
	(void)lock(b);
	ns_t turn = pause_keys_turn(&b->keys, key, deadline, now);
	unlock(b);
	return turn;
}

uint32_t brake_keys(struct brake *b, ns_t now)
{
	if (LIKELY(!is_keyed(b, now)))
		return 0;
	(void)lock(b);
	uint32_t n = pause_keys_count(&b->keys, now);
	unlock(b);
	return n;
}

/* --- what is told of it --- */

struct brake_view brake_view(struct brake *b, ns_t now)
{
	struct pause *p = lock(b);
	const struct brake_view v = { .state = pause_look(p, now),
		.plea = b->plea,
		.begun_at = p->begun_at,
		.until = p->until,
		.times = p->times };
	unlock(b);
	return v;
}

void brake_plea_text(struct text *t, const struct brake_plea *plea)
{
	text_addf(t, "%u with %s", plea->status, retry_after_by_text(plea->by));
}

void brake_json(struct json *j, const char *key, struct brake *b, ns_t now)
{
	struct brake_view v = { .times = 0 };
	struct text because;
	if (b)
		v = brake_view(b, now);
	if (!v.times) {
		json_null(j, key);
		return;
	}
	text_init(&because);
	brake_plea_text(&because, &v.plea);
	json_object(j, key);
	json_cstr(j, "state", pause_state_label(v.state));
	json_str(j, "because", text_slice(&because));
	json_ms(j, "asked_ms", v.plea.in);
	json_ms(j, "left_ms", v.state == PAUSE_SHUT ? v.until - now : 0);
	json_int(j, "times", (int64_t)v.times);
	json_end(j);
	text_fini(&because);
}
