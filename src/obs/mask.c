#include "obs/mask.h"

#define NAME_BYTES 64 /* of a name, so much is looked at */

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static int hex_value(char c)
{
	c = lower(c);
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Lower case, percent-encoding undone, and of its signs no - or _: "X-Api_Key" is xapikey. */
static struct slice plain_name(struct slice name, char *buf)
{
	size_t n = 0;
	for (size_t i = 0; i < name.len && n < NAME_BYTES; i++) {
		char c = name.ptr[i];
		if (c == '%' && i + 2 < name.len && hex_value(name.ptr[i + 1]) >= 0 &&
			hex_value(name.ptr[i + 2]) >= 0) {
			c = (char)(hex_value(name.ptr[i + 1]) * 16 +
				   hex_value(name.ptr[i + 2]));
			i += 2;
		}
		if (c != '-' && c != '_')
			buf[n++] = lower(c);
	}
	return (struct slice){ buf, n };
}

static bool holds(struct slice s, struct slice word)
{
	for (size_t i = 0; i + word.len <= s.len; i++)
		if (s.ptr[i] == word.ptr[0] && memcmp(s.ptr + i, word.ptr, word.len) == 0)
			return true;
	return false;
}

bool mask_is_secret(struct slice name)
{
	static const char *const inside[] = { "auth", "cookie", "token", "secret",
		"passw", "pwd", "key", "csrf", "xsrf", "signature", "session",
		"credential", "jwt", "bearer" };
	static const char *const whole[] = { "sig", "pass", "pin", "otp", "code", "sid",
		"assertion", "state", "nonce" };
	char buf[NAME_BYTES];
	struct slice plain = plain_name(name, buf);
	if (name.len > NAME_BYTES)
		return true; /* who knows */
	for (size_t i = 0; i < ARRAY_LEN(inside); i++)
		if (holds(plain, slice_of(inside[i])))
			return true;
	for (size_t i = 0; i < ARRAY_LEN(whole); i++)
		if (slice_eq(plain, slice_of(whole[i])))
			return true;
	return false;
}

/* As much as fits. */
static void put_cut(struct wire *w, struct slice s)
{
	struct slice fits = slice_cut(s, 0, w->cap - w->len);
	wire_put_slice(w, fits);
	w->over |= fits.len < s.len;
}

static void put_query(struct wire *w, struct slice query)
{
	while (query.len) {
		size_t amp = slice_find(query, '&'), semi = slice_find(query, ';');
		size_t end = amp < semi ? amp : semi;
		struct slice pair = slice_cut(query, 0, end);
		size_t eq = slice_find(pair, '=');
		bool masked = eq < pair.len && mask_is_secret(slice_cut(pair, 0, eq));
		put_cut(w, masked ? slice_cut(pair, 0, eq + 1) : pair);
		if (masked)
			put_cut(w, SLICE("***"));
		put_cut(w, slice_cut(query, end, 1));
		query = slice_cut(query, end + 1, SIZE_MAX);
	}
}

/* Behind "scheme://", what stands before the last @ of the authority. */
static size_t userinfo_end(struct slice url, size_t *from)
{
	size_t at = 0;
	*from = slice_find(url, ':');
	if (!slice_starts(slice_cut(url, *from, SIZE_MAX), SLICE("://")))
		return 0;
	*from += 3;
	for (size_t i = *from; i < url.len && !strchr("/?#", url.ptr[i]); i++)
		if (url.ptr[i] == '@')
			at = i;
	return at;
}

void mask_target(struct wire *w, struct slice target, bool keep_query)
{
	size_t from, at = userinfo_end(target, &from);
	if (at) {
		put_cut(w, slice_cut(target, 0, from));
		put_cut(w, SLICE("***"));
		target = slice_cut(target, at, SIZE_MAX);
	}
	size_t mark = slice_find(target, '?');
	put_cut(w, slice_cut(target, 0, mark + 1));
	target = slice_cut(target, mark + 1, SIZE_MAX);
	if (keep_query)
		put_cut(w, target);
	else
		put_query(w, target);
}

static bool holds_url(struct slice name)
{
	return slice_eq_nocase(name, SLICE("Location")) ||
	       slice_eq_nocase(name, SLICE("Content-Location")) ||
	       slice_eq_nocase(name, SLICE("Referer"));
}

void mask_field(struct wire *w, struct slice name, struct slice value, bool keep_query)
{
	size_t before = w->len;
	wire_put_slice(w, name);
	WIRE_LIT(w, ": ");
	if (mask_is_secret(name))
		WIRE_LIT(w, "***");
	else if (holds_url(name))
		mask_target(w, value, keep_query);
	else
		wire_put_slice(w, value);
	WIRE_LIT(w, "\n");
	if (w->over)
		w->len = before;
}
