#include "proto/retry_after.h"

/* No reset in seconds is so far off, and no time since 1970 so near (September 2001). */
#define EPOCH_FROM_S 1e9
#define EPOCH_FROM_MS 1e12

/* Digits, and a fraction as some servers write one. False: something else. */
static bool read_number(struct slice s, double *out)
{
	double n = 0, unit = 1;
	bool fraction = false;
	size_t digits = 0;
	for (size_t i = 0; i < s.len; i++) {
		const char c = s.ptr[i];
		if (c == '.' && !fraction && digits) {
			fraction = true;
			continue;
		}
		if (c < '0' || c > '9')
			return false;
		digits++;
		unit /= fraction ? 10 : 1;
		n = fraction ? n + (c - '0') * unit : n * 10 + (c - '0');
	}
	*out = n;
	return digits > 0 && s.ptr[s.len - 1] != '.';
}

static ns_t span_of(double seconds)
{
	if (!(seconds > 0) || seconds > (double)(RETRY_AFTER_MOST / NS_S))
		return 0;
	return (ns_t)(seconds * (double)NS_S);
}

/* The value of a Retry-After; date_s: the answer's Date. 0: it says nothing. */
static ns_t read_value(struct slice value, int64_t date_s)
{
	const double most = (double)(RETRY_AFTER_MOST / NS_S);
	double seconds;
	int64_t at;
	if (!read_number(value, &seconds)) {
		if (!h1_date_read(value, date_s, &at))
			return 0;
		seconds = (double)(at - date_s);
	}
	return span_of(seconds < most ? seconds : most);
}

static int64_t date_of(const struct h1_head *head, int64_t wall_s)
{
	const struct h1_field *date = h1_field_find(head, H1_FIELD_DATE);
	int64_t at;
	return date && h1_date_read(date->value, wall_s, &at) ? at : wall_s;
}

static ns_t by_retry_after(const struct h1_head *head, int64_t wall_s)
{
	ns_t longest = 0;
	for (size_t i = 0; i < head->field_count; i++) {
		const struct h1_field *f = &head->fields[i];
		if (!slice_eq_nocase(f->name, SLICE("Retry-After")))
			continue;
		ns_t in = read_value(f->value, date_of(head, wall_s));
		longest = ns_max(longest, in);
	}
	return longest;
}

/* --- RateLimit --- */

struct quota {
	bool has_remaining, has_reset;
	double remaining, reset;
};

static void quota_set(struct quota *q, struct slice key, double value)
{
	if (slice_eq(key, SLICE("r")) || slice_eq(key, SLICE("remaining"))) {
		q->has_remaining = true;
		q->remaining = value;
	} else if (slice_eq(key, SLICE("t")) || slice_eq(key, SLICE("reset"))) {
		q->has_reset = true;
		q->reset = value;
	}
}

static ns_t quota_wait(const struct quota *q, uint16_t status)
{
	bool spent = q->has_remaining ? q->remaining == 0 : status == 429;
	return spent && q->has_reset ? span_of(q->reset) : 0;
}

/* Up to the next `c` that is not in a quoted string. */
static struct slice cut_at(struct slice *rest, char c)
{
	size_t n = 0;
	bool quoted = false;
	for (; n < rest->len && (quoted || rest->ptr[n] != c); n++) {
		if (quoted && rest->ptr[n] == '\\' && n + 1 < rest->len)
			n++;
		else if (rest->ptr[n] == '"')
			quoted = !quoted;
	}
	struct slice part = slice_cut(*rest, 0, n);
	*rest = slice_cut(*rest, n + 1, SIZE_MAX);
	return slice_trim(part);
}

static void read_pair(struct quota *q, struct slice pair)
{
	size_t at = slice_find(pair, '=');
	double value;
	if (at < pair.len && read_number(slice_cut(pair, at + 1, SIZE_MAX), &value))
		quota_set(q, slice_cut(pair, 0, at), value);
}

/* A list of policies, each with parameters of its own; or, before draft 08, one dictionary. */
static ns_t wait_of_list(struct slice list, uint16_t status)
{
	struct quota whole = { 0 };
	ns_t longest = 0;
	while (list.len > 0) {
		struct slice item = cut_at(&list, ',');
		struct slice name = cut_at(&item, ';');
		struct quota own = { 0 };
		read_pair(&whole, name);
		while (item.len > 0)
			read_pair(&own, cut_at(&item, ';'));
		/* Which of several policies a 429 is about, only one of which nothing is
		 * left tells. */
		longest = ns_max(
			longest, quota_wait(&own, own.has_remaining ? status : 0));
	}
	return ns_max(longest, quota_wait(&whole, status));
}

/* --- X-RateLimit-Reset and its kin --- */

/* Without the names' common beginning: "Remaining", "Reset". */
static struct slice rest_of_name(struct slice name, bool *is_x)
{
	const struct slice kin[] = { SLICE("RateLimit-"), SLICE("X-RateLimit-"),
		SLICE("X-Rate-Limit-") };
	for (size_t i = 0; i < ARRAY_LEN(kin); i++) {
		*is_x = i > 0;
		if (slice_eq_nocase(slice_cut(name, 0, kin[i].len), kin[i]))
			return slice_cut(name, kin[i].len, SIZE_MAX);
	}
	return SLICE_NONE;
}

static double from_epoch(double reset, int64_t date_s)
{
	if (reset >= EPOCH_FROM_MS)
		return reset / 1000 - (double)date_s;
	if (reset >= EPOCH_FROM_S)
		return reset - (double)date_s;
	return reset;
}

static void read_single(struct quota *q, const struct h1_field *f,
	const struct h1_head *head, int64_t wall_s)
{
	bool is_x;
	const struct slice name = rest_of_name(f->name, &is_x);
	double value;
	if (!read_number(f->value, &value))
		return;
	if (slice_eq_nocase(name, SLICE("Remaining")))
		quota_set(q, SLICE("remaining"), value);
	else if (slice_eq_nocase(name, SLICE("Reset")))
		quota_set(q, SLICE("reset"),
			is_x ? from_epoch(value, date_of(head, wall_s)) : value);
}

static struct retry_after by_quota(const struct h1_head *head, int64_t wall_s)
{
	struct quota plain = { 0 }, x = { 0 };
	ns_t listed = 0;
	for (size_t i = 0; i < head->field_count; i++) {
		const struct h1_field *f = &head->fields[i];
		if (f->id != H1_FIELD_RATE_LIMIT)
			continue;
		if (slice_eq_nocase(f->name, SLICE("RateLimit")))
			listed = ns_max(listed, wait_of_list(f->value, head->status));
		else
			read_single((*f->name.ptr | 0x20) == 'x' ? &x : &plain, f, head,
				wall_s);
	}
	ns_t in = ns_max(listed, quota_wait(&plain, head->status));
	if (in)
		return (struct retry_after){ RETRY_AFTER_RATE_LIMIT, in };
	in = quota_wait(&x, head->status);
	return (struct retry_after){ in ? RETRY_AFTER_X_RATE_LIMIT : RETRY_AFTER_NONE,
		in };
}

struct retry_after retry_after_of(const struct h1_head *head, int64_t wall_s)
{
	if (head->status == 429 || head->status == 503) {
		ns_t in = by_retry_after(head, wall_s);
		if (in)
			return (struct retry_after){ RETRY_AFTER_FIELD, in };
	}
	if (head->seen & (uint64_t)1 << H1_FIELD_RATE_LIMIT)
		return by_quota(head, wall_s);
	return (struct retry_after){ RETRY_AFTER_NONE, 0 };
}

const char *retry_after_by_text(enum retry_after_by by)
{
	switch (by) {
	case RETRY_AFTER_NONE:
		return "";
	case RETRY_AFTER_FIELD:
		return "Retry-After";
	case RETRY_AFTER_RATE_LIMIT:
		return "RateLimit";
	case RETRY_AFTER_X_RATE_LIMIT:
		return "X-RateLimit-Reset";
	}
	NEVER_HERE();
}
