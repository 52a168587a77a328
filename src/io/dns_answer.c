#include "io/dns_answer.h"

#define DNS_PORT 53
#define DNS_TYPE_SOA 6

void dns_found_init(struct dns_found *f)
{
	f->n4 = f->n6 = 0;
	f->ttl = NS_NEVER;
}

static void add_to(struct addr *list, uint32_t *n, const struct addr *a)
{
	for (uint32_t i = 0; i < *n; i++)
		if (addr_eq(&list[i], a))
			return;
	if (*n < DNS_ADDRS_MAX)
		list[(*n)++] = *a;
}

void dns_found_add(struct dns_found *f, int family, const void *bytes, ns_t ttl)
{
	struct addr a = { 0 };

	f->ttl = ns_min(f->ttl, ttl);
	if (family == AF_INET) {
		a.len = sizeof(a.in);
		a.in.sin_family = AF_INET;
		memcpy(&a.in.sin_addr, bytes, sizeof(a.in.sin_addr));
		add_to(f->v4, &f->n4, &a);
	} else {
		a.len = sizeof(a.in6);
		a.in6.sin6_family = AF_INET6;
		memcpy(&a.in6.sin6_addr, bytes, sizeof(a.in6.sin6_addr));
		add_to(f->v6, &f->n6, &a);
	}
}

void dns_found_merge(const struct dns_found *f, uint16_t port, struct dns_answer *out)
{
	out->result = DNS_FOUND;
	out->n = 0;
	out->why = "";
	out->ttl = ns_min(ns_max(f->ttl, DNS_TTL_MIN), DNS_TTL_MAX);
	for (uint32_t i = 0; i < f->n4 || i < f->n6; i++) {
		if (i < f->n6 && out->n < DNS_ADDRS_MAX)
			out->addrs[out->n++] = f->v6[i];
		if (i < f->n4 && out->n < DNS_ADDRS_MAX)
			out->addrs[out->n++] = f->v4[i];
	}
	for (uint32_t i = 0; i < out->n; i++)
		addr_set_port(&out->addrs[i], port);
}

void dns_answer_none(
	struct dns_answer *out, enum dns_result result, ns_t ttl, const char *why)
{
	out->result = result;
	out->n = 0;
	out->why = why;
	out->ttl = ns_min(ns_max(ttl, DNS_TTL_MIN), DNS_TTL_NEGATIVE_MAX);
	if (result == DNS_FAILED || ttl <= 0)
		out->ttl = DNS_TTL_FAILED;
}

bool dns_is_literal(struct slice host, uint16_t port, struct addr *out)
{
	struct problem ignored;
	struct text t;
	bool bare6 = slice_find(host, ':') < host.len && host.ptr[0] != '[';

	if (host.len == 0) /* :80 would be any address, which is nobody's */
		return false;
	text_init(&t);
	if (slice_starts(host, SLICE("unix:"))) {
		text_add_slice(&t, host);
	} else {
		text_add(&t, bare6 ? "[" : "");
		text_add_slice(&t, host);
		text_addf(&t, bare6 ? "]:%u" : ":%u", port);
	}
	bool is_literal = addr_parse(text_slice(&t), out, &ignored);
	text_fini(&t);
	return is_literal;
}

bool dns_literal(struct slice host, uint16_t port, struct dns_answer *out)
{
	out->result = DNS_FOUND;
	out->n = 1;
	out->ttl = NS_NEVER;
	out->why = "";
	return dns_is_literal(host, port, &out->addrs[0]);
}

static bool parse_server(struct slice item, struct addr *out)
{
	struct problem ignored;

	if (!dns_is_literal(item, DNS_PORT, out) && !addr_parse(item, out, &ignored))
		return false;
	return !addr_is_unix(out) && !addr_is_any(out) && addr_port(out) != 0;
}

bool dns_servers_parse(const char *servers, struct text *out, struct problem *p)
{
	struct slice rest = slice_of(servers), item;
	struct addr at;

	while (slice_next_item(&rest, &item)) {
		if (!parse_server(item, &at))
			return problem_set(p,
				"'%.*s' is no address of a nameserver: write it in digits, as "
				"10.0.0.53, 10.0.0.53:5353 or [2001:db8::53]:53",
				SLICE_ARG(item));
		text_add(out, out->len ? "," : "");
		text_add_addr(out, &at);
	}
	return out->len || problem_set(p, "no address of a nameserver is given");
}

bool dns_servers_check(const char *servers, struct problem *p)
{
	struct text ignored;

	text_init(&ignored);
	bool ok = dns_servers_parse(servers, &ignored, p);
	text_fini(&ignored);
	return ok;
}

static struct slice without_last_dot(struct slice name)
{
	return name.len && name.ptr[name.len - 1] == '.'
		       ? slice_cut(name, 0, name.len - 1)
		       : name;
}

bool dns_is_under(struct slice name, struct slice top)
{
	name = without_last_dot(name);
	if (name.len <= top.len)
		return slice_eq_nocase(name, top);
	size_t at = name.len - top.len;
	return name.ptr[at - 1] == '.' &&
	       slice_eq_nocase(slice_cut(name, at, top.len), top);
}

bool dns_name_is_sound(struct slice name)
{
	size_t label = 0;

	name = without_last_dot(name);
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.ptr[i];
		if (c == '.' ? label == 0 : c <= ' ' || c >= 0x7f || c == '\\')
			return false;
		label = c == '.' ? 0 : label + 1;
		if (label > 63)
			return false;
	}
	return label > 0 && name.len <= DNS_NAME_MAX;
}

/* --- a DNS message, RFC 1035 4.1 --- */

struct reader {
	const uint8_t *msg;
	size_t len, at;
	bool bad; /* something lay behind the end */
};

static uint32_t take(struct reader *r, size_t bytes)
{
	uint32_t n = 0;

	if (r->bad || bytes > r->len - r->at) {
		r->bad = true;
		return 0;
	}
	for (; bytes > 0; bytes--)
		n = n << 8 | r->msg[r->at++];
	return n;
}

static void skip(struct reader *r, size_t bytes)
{
	if (r->bad || bytes > r->len - r->at)
		r->bad = true;
	else
		r->at += bytes;
}

/* Up to its end or to the pointer that stands for the rest. */
static void skip_name(struct reader *r)
{
	while (!r->bad) {
		uint32_t n = take(r, 1);
		if (n >= 0xc0)
			skip(r, 1);
		else
			skip(r, n);
		if (n == 0 || n >= 0xc0)
			return;
	}
}

/* A record; its data ends at *end. Returns the type. */
static uint32_t take_record(struct reader *r, uint32_t *ttl, size_t *end)
{
	skip_name(r);
	uint32_t type = take(r, 2);
	skip(r, 2);
	*ttl = take(r, 4);
	uint32_t len = take(r, 2);
	*end = r->at + len;
	r->bad |= len > r->len - r->at;
	return type;
}

ns_t dns_negative_ttl(const uint8_t *msg, size_t len)
{
	struct reader r = { .msg = msg, .len = len };
	uint32_t ttl = 0;
	size_t end = 0;

	skip(&r, 4);
	uint32_t questions = take(&r, 2), records = take(&r, 2);
	records += take(&r, 2);
	skip(&r, 2);
	for (; questions > 0 && !r.bad; questions--) {
		skip_name(&r);
		skip(&r, 4);
	}
	for (; records > 0 && !r.bad; records--) {
		if (take_record(&r, &ttl, &end) == DNS_TYPE_SOA && !r.bad) {
			skip_name(&r);
			skip_name(&r);
			skip(&r, 16);
			uint32_t minimum = take(&r, 4);
			return r.bad ? 0 : (ttl < minimum ? ttl : minimum) * NS_S;
		}
		r.at = r.bad ? r.at : end;
	}
	return 0;
}
