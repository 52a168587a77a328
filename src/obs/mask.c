#include "obs/mask.h"

#include "base/ascii.h"

#define NAME_BYTES 64 /* of a name, so much is looked at */

/* Lower case, percent-encoding undone, and of its signs no - or _: "X-Api_Key" is xapikey. */
static struct slice plain_name(struct slice name, char *buf)
{
	size_t n = 0;
	for (size_t i = 0; i < name.len && n < NAME_BYTES; i++) {
		char c = name.ptr[i];
		int coded = slice_percent(name, i);
		if (coded >= 0) {
			c = (char)coded;
			i += 2;
		}
		if (c != '-' && c != '_')
			buf[n++] = ascii_lower(c);
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

/* Running text. */

static bool is_one_of(char c, const char *set)
{
	return c && strchr(set, c);
}

/* What begins at `from`, as far as none of `stops` stands in it. */
static size_t find_stop(struct slice s, size_t from, const char *stops)
{
	while (from < s.len && !is_one_of(s.ptr[from], stops))
		from++;
	return from;
}

/* u0026 behind a backslash: so some writers of JSON have an &. */
static bool is_escape(struct slice s, size_t at)
{
	if (!at || at + 5 > s.len || s.ptr[at - 1] != '\\' ||
		ascii_lower(s.ptr[at]) != 'u')
		return false;
	for (size_t i = 1; i < 5; i++)
		if (ascii_hex(s.ptr[at + i]) < 0)
			return false;
	return true;
}

/* What is named up to `at`, where a sign stands that a value follows: "token" : */
static struct slice name_before(struct slice s, size_t at)
{
	size_t end = at, from;

	while (end && is_one_of(s.ptr[end - 1], " \"'\\"))
		end--;
	for (from = end; from; from--) {
		char c = ascii_lower(s.ptr[from - 1]);
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
			!is_one_of(c, "_-.%[]"))
			break;
	}
	if (end - from > 5 && is_escape(s, from))
		from += 5;
	return slice_cut(s, from, end - from);
}

/* A sign is one of a value, if the name before it is a secret's. */
static bool names_secret(struct slice s, size_t at)
{
	static const char *const no_secret[] = { "code", "state", "unauthorized",
		"unauthenticated" };
	char sign = s.ptr[at];
	struct slice name;

	if (sign != '=' && sign != ':' && sign != ' ')
		return false;
	if (sign == ' ' && (!at || ascii_lower(s.ptr[at - 1]) != 'r'))
		return false;
	name = name_before(s, at);
	if (sign == ' ')
		return slice_eq_nocase(name, SLICE("bearer"));
	for (size_t i = 0; sign == ':' && i < ARRAY_LEN(no_secret); i++)
		if (slice_eq_nocase(name, slice_of(no_secret[i])))
			return false;
	return name.len && mask_is_secret(name);
}

/* Of a value in quotes, which may be those of a text in quotes: \"abc\" */
static size_t quoted_end(struct slice s, size_t from, char quote, bool escaped)
{
	while (from < s.len && s.ptr[from] != (escaped ? '\\' : quote))
		from += !escaped && s.ptr[from] == '\\' ? 2 : 1;
	return from < s.len ? from : s.len;
}

static bool is_scheme(struct slice word)
{
	static const char *const schemes[] = { "bearer", "basic", "token", "negotiate",
		"ntlm", "apikey" };

	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (slice_eq_nocase(word, slice_of(schemes[i])))
			return true;
	return false;
}

/* Where the value behind the sign ends; *from: where it begins. None: *from. */
static size_t value_of(struct slice s, size_t *from)
{
	static const char stops[] = " &;,\"'<>(){}[]|\\";
	bool escaped = false;
	size_t end;

	for (; *from < s.len && is_one_of(s.ptr[*from], " \\"); ++*from)
		escaped = s.ptr[*from] == '\\';
	if (*from < s.len && is_one_of(s.ptr[*from], "\"'")) {
		++*from;
		return quoted_end(s, *from, s.ptr[*from - 1], escaped);
	}
	if (*from < s.len && s.ptr[*from] == '[')
		return find_stop(s, *from, "]");
	end = find_stop(s, *from, stops);
	if (is_scheme(slice_cut(s, *from, end - *from)) && end < s.len &&
		s.ptr[end] == ' ')
		end = find_stop(s, end + 1, stops);
	return end;
}

/* Cookies go on behind blanks and signs that end other values: "a=1; b=2". */
static size_t cookies_end(struct slice s, size_t sign, size_t from, size_t end)
{
	struct slice name = name_before(s, sign);
	size_t stop;

	if (!slice_eq_nocase(name, SLICE("cookie")) &&
		!slice_eq_nocase(name, SLICE("set-cookie")))
		return end;
	if (is_one_of(s.ptr[from - 1], "\"'"))
		return end; /* the quotes hold them */
	stop = find_stop(s, from, "\"'<>{}");
	return stop > end ? stop : end;
}

/* Where the userinfo ends whose URL's "//" begins at `from`; none: `from`. */
static size_t userinfo_in(struct slice s, size_t from)
{
	size_t end = find_stop(s, from, " ?#\"'<>"), at = from;

	for (size_t i = from + 2; i < end && s.ptr[i] != '/'; i++)
		if (s.ptr[i] == '@')
			at = i;
	return at;
}

void mask_text(struct wire *w, struct slice text)
{
	size_t at = 0;

	while (at < text.len) {
		size_t from = at + 1, end = from;

		if (text.ptr[at] == ':' &&
			slice_starts(slice_cut(text, from, 2), SLICE("//"))) {
			end = userinfo_in(text, from);
			from += end > from ? 2 : 0;
		} else if (names_secret(text, at)) {
			end = value_of(text, &from);
			end = cookies_end(text, at, from, end);
		}
		put_cut(w, slice_cut(text, at, from - at));
		if (end > from)
			put_cut(w, SLICE("***"));
		at = end > from ? end : from;
	}
}
