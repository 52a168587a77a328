#include "obs/mask.h"

#include "base/ascii.h"

#define NAME_BYTES 64 /* of a name, so much is looked at */
#define TAG_BYTES 512 /* of an element's tag */
/* Of a token that is known by its beginning, behind that: shorter ones are words. */
#define TOKEN_BYTES 16

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

static bool is_word_char(char c)
{
	return ascii_is_alnum(c) || c == '_' || c == '-';
}

/* What is named up to `at`, where a sign stands that a value follows: "token" : */
static struct slice name_before(struct slice s, size_t at)
{
	size_t end = at, from;

	while (end && is_one_of(s.ptr[end - 1], " \t\"'\\"))
		end--;
	for (from = end; from && end - from <= NAME_BYTES; from--) {
		char c = s.ptr[from - 1];
		if (!is_word_char(c) && !is_one_of(c, ".%[]"))
			break;
	}
	if (end - from > 5 && is_escape(s, from))
		from += 5;
	return slice_cut(s, from, end - from);
}

static bool is_coded(struct slice s, size_t at, struct slice as)
{
	return slice_eq_nocase(slice_cut(s, at, as.len), as);
}

/* A value follows: "token":"x", token=x, "token"=>"x", <token>x, Bearer x, or token%3Dx, in a query
 * that is a value in another. Its bytes; 0: none does. */
static size_t sign_len(struct slice s, size_t at)
{
	char c = s.ptr[at];

	if (c == '%')
		return is_coded(s, at, SLICE("%3D")) ? 3 : 0;
	if (c == ' ' || c == '\t')
		return at && ascii_lower(s.ptr[at - 1]) == 'r';
	return c == '=' ? 1 + slice_starts(slice_cut(s, at + 1, 1), SLICE(">"))
			: c == ':' || c == '>';
}

/* Of "%3Fa%3D1%26token", token. */
static struct slice coded_name(struct slice name)
{
	for (size_t at = name.len; at-- > 0;)
		if (is_coded(name, at, SLICE("%26")) || is_coded(name, at, SLICE("%3F")))
			return slice_cut(name, at + 3, SIZE_MAX);
	return name;
}

/* What else stands between < and > is code's: i<keys.length;i++){if(a> */
static bool is_tag_name(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		if (!is_word_char(c) && !is_one_of(c, ".:") && (unsigned char)c < 0x80)
			return false;
	}
	return true;
}

/* Of the element whose tag ends at `at`, as in <name> or <prefix:name type="x">: with its prefix.
 * None: of a tag that ends one, or is no element's. Some writers of JSON escape a line's end. */
static struct slice element_name(struct slice s, size_t at)
{
	struct slice name;
	size_t from = at;

	while (from && at - from < TAG_BYTES && !is_one_of(s.ptr[from - 1], "<>"))
		from--;
	if (!from || s.ptr[from - 1] != '<' || s.ptr[at - 1] == '/')
		return SLICE_NONE;
	name = slice_cut(s, from, find_stop(s, from, " \t\r\n/>\\") - from);
	return is_tag_name(name) ? name : SLICE_NONE;
}

static struct slice without_prefix(struct slice name)
{
	size_t colon = slice_find(name, ':');

	return colon < name.len ? slice_cut(name, colon + 1, SIZE_MAX) : name;
}

/* A sign is one of a value, if the name before it is a secret's. */
static bool names_secret(struct slice s, size_t at)
{
	static const char *const no_secret[] = { "code", "state", "unauthorized",
		"unauthenticated" };
	char sign = s.ptr[at];
	struct slice name = sign == '>' ? without_prefix(element_name(s, at))
					: name_before(s, at);

	if (sign == ' ' || sign == '\t')
		return slice_eq_nocase(name, SLICE("bearer"));
	for (size_t i = 0; is_one_of(sign, ":>") && i < ARRAY_LEN(no_secret); i++)
		if (slice_eq_nocase(name, slice_of(no_secret[i])))
			return false;
	if (sign == '%')
		name = coded_name(name);
	return name.len && mask_is_secret(name);
}

/* Of a value in quotes, which may be those of a text in quotes: \"abc\" */
static size_t quoted_end(struct slice s, size_t from, char quote, bool escaped)
{
	while (from < s.len && s.ptr[from] != (escaped ? '\\' : quote))
		from += !escaped && s.ptr[from] == '\\' ? 2 : 1;
	return from < s.len ? from : s.len;
}

/* Of an array or an object that has begun. The backslashes before its first quote tell how deep in
 * strings it stands itself: 0, 1, 3, ... */
static size_t nested_end(struct slice s, size_t from)
{
	size_t depth = 1, slashes = 0, own = SIZE_MAX;
	bool quoted = false;

	for (; from < s.len; from++) {
		char c = s.ptr[from];
		if (c == '"') {
			own = own == SIZE_MAX ? slashes : own;
			quoted ^= slashes % (2 * (own + 1)) == own;
		} else if (!quoted && is_one_of(c, "{[")) {
			depth++;
		} else if (!quoted && is_one_of(c, "}]") && --depth == 0) {
			return from;
		}
		slashes = c == '\\' ? slashes + 1 : 0;
	}
	return s.len;
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

/* Where a value may begin: on the next line, only what is in quotes or brackets. */
static size_t blanks_end(struct slice s, size_t from)
{
	size_t end = from, next;

	while (end < s.len && is_one_of(s.ptr[end], " \t\\"))
		end++;
	for (next = end; next < s.len && is_one_of(s.ptr[next], " \t\r\n\\");)
		next++;
	return next < s.len && is_one_of(s.ptr[next], "\"'{[") ? next : end;
}

/* Where the value behind the sign ends; *from: where it begins. None: *from. */
static size_t value_of(struct slice s, size_t *from)
{
	static const char stops[] = " \t\r\n&;,\"'<>(){}[]|\\";
	struct slice word;
	bool escaped;
	size_t end;

	*from = blanks_end(s, *from);
	escaped = *from && s.ptr[*from - 1] == '\\';
	if (*from < s.len && is_one_of(s.ptr[*from], "\"'")) {
		++*from;
		return quoted_end(s, *from, s.ptr[*from - 1], escaped);
	}
	if (*from < s.len && is_one_of(s.ptr[*from], "{["))
		return nested_end(s, ++*from);
	end = find_stop(s, *from, stops);
	word = slice_cut(s, *from, end - *from);
	if (slice_eq_nocase(word, SLICE("digest")))
		return find_stop(s, end, "\r\n<>{}"); /* name="value", ... */
	if (!is_scheme(word))
		return end;
	while (end < s.len && is_one_of(s.ptr[end], " \t"))
		end++;
	return find_stop(s, end, stops);
}

/* Cookies go on behind blanks and signs that end other values: "a=1; b=2". */
static size_t cookies_end(struct slice s, size_t sign, size_t from, size_t end)
{
	struct slice name = name_before(s, sign);
	size_t stop;

	if (!slice_eq_nocase(name, SLICE("cookie")) &&
		!slice_eq_nocase(name, SLICE("set-cookie")))
		return end;
	if (is_one_of(s.ptr[from - 1], "\"'{["))
		return end; /* those hold them */
	stop = find_stop(s, from, "\r\n\"'<>{}");
	return stop > end ? stop : end;
}

#define CDATA SLICE("<![CDATA[")
#define CDATA_END SLICE("]]>")
#define COMMENT SLICE("<!--")
#define COMMENT_END SLICE("-->")

static bool is_at(struct slice s, size_t at, struct slice what)
{
	return slice_starts(slice_cut(s, at, SIZE_MAX), what);
}

/* Where `end` stands, from `at` on. */
static size_t find_at(struct slice s, size_t at, struct slice end)
{
	while (at < s.len && !is_at(s, at, end))
		at++;
	return at < s.len ? at : s.len;
}

/* Of a CDATA section that begins at `at`: where its end stands. */
static size_t cdata_end(struct slice s, size_t at)
{
	return find_at(s, at + CDATA.len, CDATA_END);
}

static bool is_name_at(struct slice s, size_t at, struct slice name)
{
	size_t end = at + name.len;

	return is_coded(s, at, name) && (end == s.len || !is_word_char(s.ptr[end]));
}

/* A tag whose name ends at `at`, as in <name a="b"/>, holds nothing. */
static bool is_empty_tag(struct slice s, size_t at)
{
	size_t end = find_stop(s, at, "<>");

	return end < s.len && s.ptr[end] == '>' && s.ptr[end - 1] == '/';
}

/* Whether the tag at `at` ends an element of that name. Some writers of JSON escape the slash. */
static bool is_end_tag(struct slice s, size_t at, struct slice name)
{
	at++;
	while (at < s.len && s.ptr[at] == '\\')
		at++;
	return is_at(s, at, SLICE("/")) && is_name_at(s, at + 1, name);
}

/* Where the tag stands that ends the element, whatever it holds, others of its name among it. None:
 * the end of the text, as of one that is cut off. */
static size_t end_tag(struct slice s, size_t from, struct slice name)
{
	size_t depth = 1;

	for (size_t at = from; at < s.len; at++) {
		if (s.ptr[at] != '<')
			continue;
		if (is_at(s, at, CDATA))
			at = cdata_end(s, at);
		else if (is_at(s, at, COMMENT))
			at = find_at(s, at + COMMENT.len, COMMENT_END);
		else if (is_name_at(s, at + 1, name))
			depth += !is_empty_tag(s, at + 1 + name.len);
		else if (is_end_tag(s, at, name) && --depth == 0)
			return at;
	}
	return s.len;
}

/* Of the element whose tag ends at `tag`: one that is a section of CDATA ends with that. */
static size_t content_end(struct slice s, size_t tag, size_t *from)
{
	size_t own_end = end_tag(s, *from, element_name(s, tag));
	size_t text = *from, end, next;

	while (text < s.len && is_one_of(s.ptr[text], " \t\r\n"))
		text++;
	if (!is_at(s, text, CDATA))
		return own_end;
	end = cdata_end(s, text);
	next = end + CDATA_END.len;
	while (next < own_end && is_one_of(s.ptr[next], " \t\r\n"))
		next++;
	if (next < own_end)
		return own_end;
	*from = text + CDATA.len;
	return end;
}

/* The same of a value that the sign's own form bounds, too. */
static size_t named_value(struct slice s, size_t sign, size_t *from)
{
	size_t end;

	if (s.ptr[sign] == '>')
		return content_end(s, sign, from);
	end = value_of(s, from);
	for (size_t at = *from; s.ptr[sign] == '%' && at < end; at++)
		if (is_coded(s, at, SLICE("%26")))
			return at;
	return cookies_end(s, sign, *from, end);
}

/* What stands behind a URL's scheme, of which some writers of JSON escape the slashes; 0: nothing
 * of the kind. */
static size_t slashes_len(struct slice s, size_t at)
{
	struct slice rest = slice_cut(s, at, SIZE_MAX);

	if (slice_starts(rest, SLICE("//")))
		return 2;
	return slice_starts(rest, SLICE("\\/\\/")) ? 4 : 0;
}

/* Where the userinfo ends that would begin at `from`; none: `from`. */
static size_t userinfo_in(struct slice s, size_t from)
{
	size_t end = find_stop(s, from, " \t\r\n/?#\"'<>\\"), at = from;

	for (size_t i = from; i < end; i++)
		if (s.ptr[i] == '@')
			at = i;
	return at;
}

/* Without a name. */

/* Keys and tokens that AWS, GitHub, Stripe and others give out so that they are known; eyJ begins a
 * JWT, as base64 of an object in JSON does. */
static size_t prefix_len(struct slice s)
{
	static const char *const known[] = { "eyJ", "AKIA", "ASIA", "AIza", "ya29.",
		"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xoxa-",
		"xoxb-", "xoxp-", "xapp-", "sk-", "sk_live_", "sk_test_", "rk_live_",
		"rk_test_", "whsec_", "SG.", "npm_", "pypi-", "hf_" };

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (slice_starts(s, slice_of(known[i])))
			return strlen(known[i]);
	return 0;
}

/* Where a token ends that begins at `from`; none: `from`. */
static size_t token_end(struct slice s, size_t from)
{
	size_t prefix, end, marks = 0;

	if (from && is_word_char(s.ptr[from - 1]))
		return from;
	prefix = prefix_len(slice_cut(s, from, SIZE_MAX));
	if (!prefix)
		return from;
	for (end = from + prefix; end < s.len; end++) {
		if (!is_word_char(s.ptr[end]) && s.ptr[end] != '.')
			break;
		marks += ascii_is_digit(s.ptr[end]) || ascii_is_upper(s.ptr[end]);
	}
	while (s.ptr[end - 1] == '.')
		end--;
	/* A language's words, joined, have few of them. */
	return marks > 1 && end - from >= prefix + TOKEN_BYTES ? end : from;
}

/* Where a private key ends whose first line begins at *from; that is shown. None: *from. */
static size_t pem_end(struct slice s, size_t *from)
{
	const struct slice begin = SLICE("-----BEGIN ");
	size_t end, label = *from + begin.len;

	if (!slice_starts(slice_cut(s, *from, SIZE_MAX), begin))
		return *from;
	end = find_stop(s, label, "-");
	if (!holds(slice_cut(s, label, end - label), SLICE("PRIVATE KEY")))
		return *from;
	for (*from = end; *from < s.len && s.ptr[*from] == '-';)
		++*from;
	return find_stop(s, *from, "-");
}

/* Where a secret ends that begins at *from, which is behind what tells of it at `at`. None: *from. */
static size_t secret_at(struct slice s, size_t at, size_t *from)
{
	size_t end = token_end(s, at), sign = sign_len(s, at);

	*from = at;
	if (end > at)
		return end;
	if (s.ptr[at] == '-' && (end = pem_end(s, from)) > at)
		return end;
	*from = at + (sign ? sign : 1);
	if (s.ptr[at] == ':' && slashes_len(s, *from)) {
		size_t host = *from + slashes_len(s, *from);
		end = userinfo_in(s, host);
		*from = end > host ? host : *from;
		return end > host ? end : *from;
	}
	return sign && names_secret(s, at) ? named_value(s, at, from) : *from;
}

void mask_text(struct wire *w, struct slice text)
{
	size_t at = 0, from;

	while (at < text.len) {
		size_t end = secret_at(text, at, &from);

		put_cut(w, slice_cut(text, at, from - at));
		if (end > from)
			put_cut(w, SLICE("***"));
		at = end > from ? end : from;
	}
}
