#include "flow/retry.h"

static const struct {
	const char *label, *text;
} verdicts[] = {
#define RETRY(name, label, text) { label, text },
#include "flow/retry.def"
#undef RETRY
};

const char *retry_label(enum retry_verdict v)
{
	return verdicts[v].label;
}

const char *retry_text(enum retry_verdict v)
{
	return verdicts[v].text;
}

/* --- what is retried on --- */

static const struct {
	const char *word;
	uint32_t bit;
} words[] = {
	{ "none", 0 },
	{ "connect", RETRY_ON_CONNECT },
	{ "reset", RETRY_ON_RESET },
	{ "first-byte", RETRY_ON_FIRST_BYTE },
	{ "502", RETRY_ON_502 },
	{ "503", RETRY_ON_503 },
	{ "504", RETRY_ON_504 },
};

static bool add_word(struct slice word, uint32_t *on)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (!slice_eq(word, slice_of(words[i].word)))
			continue;
		*on |= words[i].bit;
		return true;
	}
	return false;
}

bool retry_parse_on(struct slice text, uint32_t *on, struct slice *wrong)
{
	const bool alone = slice_find(text, ',') == text.len;
	*on = 0;
	for (;;) {
		size_t comma = slice_find(text, ',');
		*wrong = slice_trim(slice_cut(text, 0, comma));
		if (!add_word(*wrong, on) || (!alone && slice_eq(*wrong, SLICE("none"))))
			return false;
		if (comma >= text.len)
			return true;
		text = slice_cut(text, comma + 1, SIZE_MAX);
	}
}

uint32_t retry_words(const char *out[RETRY_WORDS])
{
	_Static_assert(ARRAY_LEN(words) == RETRY_WORDS, "one row a word");
	for (uint32_t i = 0; i < RETRY_WORDS; i++)
		out[i] = words[i].word;
	return RETRY_WORDS;
}

static uint32_t bit_of_status(uint16_t status)
{
	if (status == 502)
		return RETRY_ON_502;
	if (status == 503)
		return RETRY_ON_503;
	return status == 504 ? RETRY_ON_504 : 0;
}

/* Nothing of it is this host's fault: no port, no descriptor will be there for the next one. */
static uint32_t bit_of(const struct retry_ask *q)
{
	if (q->why == ERR_OK)
		return bit_of_status(q->status);
	if (q->why == ERR_FIRST_BYTE)
		return RETRY_ON_FIRST_BYTE;
	if (err_retry(q->why) == RETRY_SAFE && err_fault(q->why) == FAULT_UPSTREAM)
		return RETRY_ON_CONNECT;
	if (q->why == ERR_RESET || q->why == ERR_EOF || q->why == ERR_PIPE ||
		q->why == ERR_TLS_BROKEN)
		return RETRY_ON_RESET;
	return 0;
}

/* --- the accounts --- */

void retry_init(struct retry *r, uint32_t seats)
{
	*r = (struct retry){ .lent = (RETRY_LENT + seats - 1) / seats };
	quantile_init(&r->takes, 0.5);
}

static double reserved(const struct retry *r)
{
	return r->trust > 0 ? r->trust : 0;
}

static bool has_budget(const struct retry *r)
{
	return r->budget - reserved(r) >= RETRY_WHOLE ||
	       (r->cfg.share > 0 && r->made < r->lent);
}

/* Calls of a long outage need not pay for all that was replayed in it. */
static void draw(struct retry *r)
{
	r->made++;
	r->budget = r->budget - 1 > -RETRY_SAVED ? r->budget - 1 : -RETRY_SAVED;
}

void retry_draw(struct retry *r, bool sent)
{
	draw(r);
	if (sent && r->trust > r->budget) /* it was lent */
		r->trust = r->budget;
}

void retry_draw_replay(struct retry *r)
{
	draw(r);
	r->trust -= 1;
}

void retry_hold(struct retry *r, ns_t until)
{
	r->hold_until = ns_max(r->hold_until, until);
}

/* --- verdicts --- */

static bool has_time(const struct retry *r, ns_t left, ns_t wait)
{
	if (left == NS_NEVER)
		return true;
	return left > wait && left - wait >= quantile_at(&r->takes);
}

static enum retry_verdict is_safe(const struct retry_ask *q)
{
	if (q->why != ERR_OK && q->heard)
		return RETRY_BEGUN;
	if (!q->sent)
		return RETRY_GO;
	if (!q->idempotent)
		return RETRY_UNSAFE;
	return q->whole ? RETRY_GO : RETRY_BODY_GONE;
}

static enum retry_verdict is_worth_it(
	const struct retry *r, ns_t left, ns_t wait, ns_t now)
{
	if (now < r->hold_until)
		return RETRY_REFUSING;
	if (!has_time(r, left, wait))
		return RETRY_TOO_LATE;
	return has_budget(r) ? RETRY_GO : RETRY_NO_BUDGET;
}

enum retry_verdict retry_ask(struct retry *r, const struct retry_ask *q, ns_t now)
{
	uint32_t bit = bit_of(q);
	if (!bit)
		return RETRY_POINTLESS;
	if (!(r->cfg.on & bit) || !r->cfg.max)
		return RETRY_OFF;
	enum retry_verdict v = is_safe(q);
	if (v != RETRY_GO)
		return v;
	if (q->again >= r->cfg.max)
		return RETRY_SPENT;
	if (q->told_to_wait)
		return RETRY_TOLD;
	return is_worth_it(r, q->left, q->wait, now);
}

enum retry_verdict retry_ask_refused(const struct retry *r, const struct retry_ask *q)
{
	if (q->refused >= RETRY_REFUSED || q->takes_none)
		return RETRY_REFUSING;
	if (q->told_to_wait)
		return RETRY_TOLD;
	if (!q->sent)
		return RETRY_GO;
	if (!r->cfg.max)
		return RETRY_OFF;
	enum retry_verdict v = is_safe(q);
	return v == RETRY_GO && !has_budget(r) ? RETRY_NO_BUDGET : v;
}

enum retry_verdict retry_ask_hedge(struct retry *r, ns_t left, ns_t now)
{
	return is_worth_it(r, left, 0, now);
}

/* Multiples of the golden ratio, modulo 1: spread evenly however many there are, and a run of the
 * simulator stays a function of its seed. */
static double spread(uint64_t n)
{
	double x = (double)n * 0.6180339887498949;
	return x - (double)(uint64_t)x;
}

ns_t retry_wait(struct retry *r, uint32_t nth, bool elsewhere)
{
	ns_t most = RETRY_WAIT;
	if (elsewhere)
		return 0;
	for (uint32_t i = 1; i < nth && most < RETRY_WAIT_MAX; i++)
		most *= 2;
	most = ns_min(most, RETRY_WAIT_MAX);
	return most / 2 + (ns_t)((double)(most / 2) * spread(r->made));
}
