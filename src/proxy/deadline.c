/*
 * The deadline of a request: --timeout, which its client may shorten and never lengthen, and
 * which the server is told what is left of.
 */
#include "base/units.h"
#include "proxy/proxy.h"

#define MS_DIGITS_MAX 12 /* 30 years, and no overflow as nanoseconds */

static bool is_set(const struct h1_head *head, enum h1_field_id id)
{
	return head->seen & (uint64_t)1 << id;
}

/* Envoy's form: plain milliseconds. Envoy ignores what it does not understand, and 0 there
 * means no bound. */
static ns_t ms_value(struct slice value)
{
	uint64_t ms = 0;
	if (value.len == 0 || value.len > MS_DIGITS_MAX)
		return NS_NEVER;
	for (size_t i = 0; i < value.len; i++) {
		if (value.ptr[i] < '0' || value.ptr[i] > '9')
			return NS_NEVER;
		ms = ms * 10 + (uint64_t)(value.ptr[i] - '0');
	}
	return ms ? (ns_t)ms * NS_MS : NS_NEVER;
}

enum err proxy_budget(const struct route *r, const struct h1_head *head, ns_t *budget)
{
	*budget = r->timeout;
	if (LIKELY(!(head->seen & PROXY_TIME_FIELDS)))
		return ERR_OK;
	for (uint16_t i = 0; i < head->field_count; i++) {
		const struct h1_field *field = &head->fields[i];
		ns_t asked = NS_NEVER;
		if (field->id == H1_FIELD_X_ENVOY_EXPECTED_RQ_TIMEOUT_MS)
			asked = ms_value(field->value);
		else if (field->id == H1_FIELD_WEIR_TIMEOUT &&
			 !units_duration(field->value, &asked, NULL))
			return ERR_REQ_DEADLINE;
		*budget = ns_min(*budget, asked);
	}
	return ERR_OK;
}

enum err proxy_until(
	const struct route *r, const struct h1_head *head, ns_t begun_at, ns_t *until)
{
	ns_t budget;
	enum err e = proxy_budget(r, head, &budget);
	if (e != ERR_OK)
		return e;
	*until = ns_add(begun_at, budget);
	return *until > proxy_now(r->plan->proxy) ? ERR_OK : ERR_DEADLINE;
}

void proxy_put_time_left(
	struct wire *w, const struct proxy *p, const struct h1_head *head, ns_t until)
{
	if (until == NS_NEVER)
		return;
	/* At least 1: a call that is made has time. */
	uint64_t ms = (uint64_t)(ns_max(until - proxy_now(p), NS_MS) / NS_MS);
	WIRE_LIT(w, "Weir-Timeout: ");
	wire_put_u64(w, ms);
	WIRE_LIT(w, "ms\r\n");
	if (is_set(head, H1_FIELD_X_ENVOY_EXPECTED_RQ_TIMEOUT_MS))
		h1_put_field_u64(w, SLICE("x-envoy-expected-rq-timeout-ms"), ms);
}
