/* What a request is for: the four forms of the target (RFC 9112 3.2), and Host. */
#include <arpa/inet.h>

#include "proto/h1_lex.h"
#include "proto/h1_span.h"

/* RFC 3986 3.2.2: "[" IPv6address "]". No zone, no IPvFuture: neither can be connected to.
 * Returns what follows, or NULL. */
static const char *skip_ipv6(const char *p, const char *end)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr addr;
	const char *close = memchr(p, ']', (size_t)(end - p));
	if (!close || (size_t)(close - p - 1) >= sizeof text)
		return NULL;
	size_t len = (size_t)(close - p - 1);
	memcpy(text, p + 1, len);
	text[len] = '\0';
	/* A NUL inside would end the text early; targets and values hold none. */
	return inet_pton(AF_INET6, text, &addr) == 1 ? close + 1 : NULL;
}

/* RFC 3986 3.2.2: reg-name of unreserved, pct-encoded and sub-delims, but no comma: it
 * would look like two hosts. Covers IPv4. */
static const char *skip_reg_name(const char *p, const char *end)
{
	for (;;) {
		p = h1_span_class(p, end, H1_CLASS_HOST);
		if (p == end || *p != '%')
			return p;
		if (end - p < 3 || !h1_is(p[1], H1_CLASS_HEX) ||
			!h1_is(p[2], H1_CLASS_HEX))
			return NULL;
		p += 3;
	}
}

static bool is_port(const char *p, const char *end, bool required)
{
	uint32_t port = 0;
	if (end - p > 5)
		return false;
	if (p == end)
		return !required; /* RFC 3986 3.2.3: port = *DIGIT */
	for (; p < end; p++) {
		if (!h1_is(*p, H1_CLASS_DIGIT))
			return false;
		port = port * 10 + (uint32_t)(*p - '0');
	}
	return port <= 65535 && (port > 0 || !required);
}

/* RFC 9110 7.2: uri-host [ ":" port ]. An '@' (userinfo) is no byte of a host. */
static bool is_authority(struct slice s, bool port_required)
{
	if (s.len == 0)
		return false;
	const char *end = s.ptr + s.len;
	const char *p = *s.ptr == '[' ? skip_ipv6(s.ptr, end) : skip_reg_name(s.ptr, end);
	if (!p || p == s.ptr)
		return false;
	if (p == end)
		return !port_required;
	return *p == ':' && is_port(p + 1, end, port_required);
}

/* RFC 9110 4.2: the schemes a proxy can act on; RFC 3986 3.1: in any case. */
static size_t scheme_bytes(struct slice target)
{
	static const struct slice schemes[] = { { "http://", 7 }, { "https://", 8 } };
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (slice_eq_nocase(slice_cut(target, 0, schemes[i].len), schemes[i]))
			return schemes[i].len;
	return 0;
}

/* RFC 9112 3.2.2. */
static bool read_absolute(struct h1_head *head)
{
	struct slice t = head->target;
	size_t from = scheme_bytes(t), to = from;
	if (from == 0)
		return false;
	while (to < t.len && t.ptr[to] != '/' && t.ptr[to] != '?')
		to++;
	head->form = H1_FORM_ABSOLUTE;
	head->authority = slice_cut(t, from, to - from);
	head->path = slice_cut(t, to, t.len - to);
	if (head->path.len == 0) /* 3.2.1, and 3.2.4 for OPTIONS */
		head->path = head->method == H1_OPTIONS ? SLICE("*") : SLICE("/");
	return is_authority(head->authority, false);
}

bool h1_read_target(struct h1_head *head)
{
	struct slice t = head->target;
	head->method = (uint8_t)h1_method_of(head->method_text);
	head->authority = SLICE_NONE;
	if (head->method == H1_CONNECT) { /* 3.2.3: host and port, nothing else */
		head->form = H1_FORM_AUTHORITY;
		head->authority = t;
		head->path = SLICE("");
		return is_authority(t, true);
	}
	if (*t.ptr == '/') { /* 3.2.1 */
		head->form = H1_FORM_ORIGIN;
		head->path = t;
		return true;
	}
	if (t.len == 1 && *t.ptr == '*') { /* 3.2.4 */
		head->form = H1_FORM_ASTERISK;
		head->path = t;
		return head->method == H1_OPTIONS;
	}
	return read_absolute(head);
}

/*
 * RFC 9112 3.2: exactly one valid Host in HTTP/1.1, at most one in HTTP/1.0. It may be
 * empty only where the target URI has no authority, which is OPTIONS * alone: RFC 9110
 * 4.2.1 has a recipient reject an http URI with an empty host.
 */
bool h1_read_host(struct h1_head *head, uint64_t doubled)
{
	if (doubled & h1_bit(H1_FIELD_HOST))
		return false;
	const struct h1_field *host = h1_field_find(head, H1_FIELD_HOST);
	if (!host)
		return head->minor == 0;
	if (host->value.len == 0)
		return head->form == H1_FORM_ASTERISK;
	if (!is_authority(host->value, false))
		return false;
	/* 3.2.2: with an absolute form the proxy ignores Host. */
	if (head->form == H1_FORM_ORIGIN || head->form == H1_FORM_ASTERISK)
		head->authority = host->value;
	return true;
}
