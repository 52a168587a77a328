#include "flow/allow.h"

#include <arpa/inet.h>

#include "base/ascii.h"

#define V4_BITS 96

/* --- addresses --- */

#define V4(a, b, c, d, n) \
	{ \
		{ { [10] = 0xff, 0xff, a, b, c, d } }, V4_BITS + (n) \
	}
#define V6(n, ...) \
	{ \
		{ { __VA_ARGS__ } }, n \
	}

struct allow_ip allow_ip_of_v4(const void *four_bytes)
{
	struct allow_ip ip = { { [10] = 0xff, [11] = 0xff } };
	memcpy(&ip.b[12], four_bytes, 4);
	return ip;
}

bool allow_ip_parse(struct slice s, struct allow_ip *out)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t v4[4];
	if (s.len == 0 || s.len >= sizeof(text) || memchr(s.ptr, '\0', s.len))
		return false;
	memcpy(text, s.ptr, s.len);
	text[s.len] = '\0';
	if (inet_pton(AF_INET6, text, out->b) == 1)
		return true;
	if (inet_pton(AF_INET, text, v4) != 1)
		return false;
	*out = allow_ip_of_v4(v4);
	return true;
}

/* Whether the first `bits` are the same. */
static bool is_same_to(const struct allow_ip *a, const struct allow_ip *b, uint8_t bits)
{
	uint8_t whole = bits / 8, rest = bits % 8;
	uint8_t mask = (uint8_t)(0xff00 >> rest);
	if (memcmp(a->b, b->b, whole) != 0)
		return false;
	return rest == 0 || ((a->b[whole] ^ b->b[whole]) & mask) == 0;
}

static const struct allow_net mapped = V6(96, [10] = 0xff, 0xff);

/* ::/0 is every IPv6 address, and no IPv4 address. */
static bool net_has(const struct allow_net *net, const struct allow_ip *ip)
{
	if (net->bits < V4_BITS && is_same_to(&mapped.ip, ip, V4_BITS))
		return false;
	return is_same_to(&net->ip, ip, net->bits);
}

static bool net_is_inside(const struct allow_net *net, const struct allow_net *outer)
{
	return net->bits >= outer->bits && net_has(outer, &net->ip);
}

static bool net_has_host_bits(const struct allow_net *net)
{
	struct allow_ip ip = net->ip;
	for (unsigned i = net->bits; i < 128; i++)
		if (ip.b[i / 8] & (0x80 >> i % 8))
			return true;
	return false;
}

struct special {
	struct allow_net net;
	const char *what;
};

/* IANA's registries of special-purpose addresses, those that are not globally reachable; and
 * what clouds have at public ones. The first that fits is it. */
static const struct special specials[] = {
	{ V4(127, 0, 0, 0, 8), "a loopback address" },
	{ V4(10, 0, 0, 0, 8), "a private address" },
	{ V4(172, 16, 0, 0, 12), "a private address" },
	{ V4(192, 168, 0, 0, 16), "a private address" },
	{ V4(169, 254, 0, 0, 16), "a link-local address (metadata of clouds)" },
	{ V4(100, 64, 0, 0, 10), "an address shared behind NAT" },
	{ V4(168, 63, 129, 16, 32), "an address of a cloud's host (Azure)" },
	{ V4(0, 0, 0, 0, 8), "an address of this host" },
	{ V4(192, 0, 0, 0, 24), "an address of protocols" },
	{ V4(192, 0, 2, 0, 24), "an address for documentation" },
	{ V4(198, 51, 100, 0, 24), "an address for documentation" },
	{ V4(203, 0, 113, 0, 24), "an address for documentation" },
	{ V4(192, 88, 99, 0, 24), "an address of 6to4 relays" },
	{ V4(198, 18, 0, 0, 15), "an address for benchmarks" },
	{ V4(224, 0, 0, 0, 4), "a multicast address" },
	{ V4(240, 0, 0, 0, 4), "a reserved address" },
	{ V6(128, [15] = 1), "a loopback address" },
	{ V6(8, 0xff), "a multicast address" },
	{ V6(10, 0xfe, 0x80), "a link-local address" },
	{ V6(10, 0xfe, 0xc0), "a site-local address" },
	{ V6(7, 0xfc), "a private address" },
	{ V6(48, 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01), "an address of a local NAT64" },
	{ V6(16, 0x20, 0x02), "an address of 6to4" },
	{ V6(23, 0x20, 0x01, 0x00), "an address of protocols" },
	{ V6(32, 0x20, 0x01, 0x0d, 0xb8), "an address for documentation" },
	{ V6(20, 0x3f, 0xff), "an address for documentation" },
	{ V6(16, 0x5f), "an address of segment routing" },
};

/* RFC 6052: the last 32 bits are the IPv4 address that is reached. */
static const struct allow_net nat64 = V6(96, 0x00, 0x64, 0xff, 0x9b);
/* RFC 4291 2.4: so far only 2000::/3 is global unicast. */
static const char rest[] = "no address of the public Internet";
static const struct allow_net global = V6(3, 0x20);

/* What it is, and the range that a pattern must lie in to open it. NULL: public. */
static const char *special_find(const struct allow_ip *ip, struct allow_net *range)
{
	for (size_t i = 0; i < ARRAY_LEN(specials); i++) {
		*range = specials[i].net;
		if (net_has(range, ip))
			return specials[i].what;
	}
	*range = (struct allow_net){ *ip, 8 };
	return net_has(&global, ip) || net_has(&mapped, ip) ? NULL : rest;
}

static const char *special_of(const struct allow_ip *ip, struct allow_net *range)
{
	struct allow_ip inner = *ip;
	bool wrapped = net_has(&nat64, ip);
	if (wrapped)
		inner = allow_ip_of_v4(&ip->b[12]);
	const char *what = special_find(&inner, range);
	if (wrapped)
		*range = nat64;
	return what;
}

const char *allow_special(const struct allow_ip *ip)
{
	struct allow_net range;
	return special_of(ip, &range);
}

/* --- hosts --- */

static bool is_host_char(char c)
{
	return ascii_is_lower(c) || ascii_is_digit(c) || c == '-' || c == '_';
}

/* The URL standard's "ends in a number": many programs would take it for an address. */
static bool ends_in_number(const char *host, size_t len)
{
	size_t from = len;
	while (from > 0 && host[from - 1] != '.')
		from--;
	if (len - from >= 2 && host[from] == '0' && host[from + 1] == 'x')
		return true;
	for (size_t i = from; i < len; i++)
		if (!ascii_is_digit(host[i]))
			return false;
	return true;
}

bool allow_host(struct slice host, char *out)
{
	struct allow_ip ip;
	size_t label = 0;
	if (host.len > 1 && host.ptr[host.len - 1] == '.')
		host.len--;
	if (host.len == 0 || host.len > ALLOW_HOST_MAX)
		return false;
	for (size_t i = 0; i < host.len; i++) {
		char c = ascii_lower(host.ptr[i]);
		label = c == '.' ? 0 : label + 1;
		bool blank = c == '.' && (i == 0 || host.ptr[i - 1] == '.');
		if (blank || label > 63 || (c != '.' && !is_host_char(c)))
			return false;
		out[i] = c;
	}
	out[host.len] = '\0';
	/* A dot too many was left at the end. */
	return out[host.len - 1] != '.' &&
	       (!ends_in_number(out, host.len) || allow_ip_parse(host, &ip));
}

/* --- patterns --- */

static bool bad(struct problem *p, struct slice s, const char *why)
{
	return problem_set(p, "'%.*s': %s", SLICE_ARG(s), why);
}

static bool read_number(struct slice s, uint32_t max, uint32_t *out)
{
	*out = 0;
	if (s.len == 0 || s.len > 5)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!ascii_is_digit(s.ptr[i]))
			return false;
		*out = *out * 10 + (uint32_t)(s.ptr[i] - '0');
	}
	return *out <= max;
}

/* "443", "8000-8999", "*". */
static bool read_ports(struct slice s, struct allow_rule *r)
{
	uint32_t from, to;
	size_t dash = slice_find(s, '-');
	r->has_ports = true;
	if (slice_eq(s, SLICE("*"))) {
		from = 1;
		to = UINT16_MAX;
	} else if (!read_number(slice_cut(s, 0, dash), UINT16_MAX, &from)) {
		return false;
	} else if (dash == s.len) {
		to = from;
	} else if (!read_number(slice_cut(s, dash + 1, s.len), UINT16_MAX, &to)) {
		return false;
	}
	r->from = (uint16_t)from;
	r->to = (uint16_t)to;
	return from > 0 && from <= to;
}

static bool read_net(
	struct slice s, struct slice all, struct allow_rule *r, struct problem *p)
{
	size_t slash = slice_find(s, '/');
	struct slice digits = slice_cut(s, 0, slash);
	uint32_t bits;
	if (!allow_ip_parse(digits, &r->net.ip))
		return bad(p, all, "no address in digits stands there");
	bool v4 = slice_find(digits, ':') == digits.len;
	uint32_t most = v4 ? 128 - V4_BITS : 128;
	r->has_net = true;
	if (slash == s.len)
		bits = most;
	else if (!read_number(slice_cut(s, slash + 1, s.len), most, &bits))
		return bad(p, all,
			v4 ? "behind the / of an IPv4 network stands a number from 0 to 32"
			   : "behind the / of an IPv6 network stands a number from 0 to "
			     "128");
	r->net.bits = (uint8_t)(v4 ? bits + V4_BITS : bits);
	if (net_has_host_bits(&r->net))
		return bad(p, all,
			"the address has bits set that the / leaves out: write the "
			"network's first address, or a longer number behind the /");
	return true;
}

static bool read_name(
	struct slice s, struct slice all, struct allow_rule *r, struct problem *p)
{
	char host[ALLOW_HOST_MAX + 1];
	if (slice_eq(s, SLICE("*")))
		return true;
	r->hosts = slice_starts(s, SLICE("*."))  ? ALLOW_BELOW
		   : slice_starts(s, SLICE(".")) ? ALLOW_DOMAIN
						 : ALLOW_NAME;
	size_t lead = r->hosts == ALLOW_BELOW ? 2 : r->hosts == ALLOW_DOMAIN ? 1 : 0;
	struct slice name = slice_cut(s, lead, SIZE_MAX);
	if (slice_find(s, '/') < s.len)
		return bad(p, all,
			"write the host alone, with no scheme and no path, or a network as "
			"10.1.0.0/16");
	if (name.len && slice_find(name, '*') < name.len)
		return bad(p, all, "a * stands alone, or in front as in *.example.com");
	if (!allow_host(name, host))
		return bad(p, all,
			"no host name: letters, digits, - and _ between dots (names in other "
			"scripts are written xn--...), nor an address in digits");
	r->text_name = mem_strdup(host);
	r->name = slice_of(r->text_name);
	return true;
}

/* Where the ports begin; s.len: nowhere. IPv6 without brackets has none. */
static size_t ports_at(struct slice s)
{
	size_t close = s.len, colon = s.len, colons = 0;
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == ']')
			close = i;
		if (s.ptr[i] == ':' && (close < s.len || slice_find(s, '[') == s.len)) {
			colon = i;
			colons++;
		}
	}
	return colons == 1 ? colon : s.len;
}

static struct slice without_brackets(struct slice s)
{
	bool both = s.len > 2 && s.ptr[0] == '[' && s.ptr[s.len - 1] == ']';
	return both ? slice_cut(s, 1, s.len - 2) : s;
}

static bool rule_read(struct slice s, struct allow_rule *r, struct problem *p)
{
	struct allow_ip ip;
	if (slice_find(s, '/') + 2 < s.len && s.ptr[slice_find(s, '/') + 1] == '/')
		return bad(p, s, "write the host alone, with no scheme and no path");
	size_t colon = ports_at(s), at = slice_find(s, '@');
	struct slice hosts = slice_cut(s, 0, colon);
	if (colon < s.len && !read_ports(slice_cut(s, colon + 1, s.len), r))
		return bad(p, s,
			"behind the colon stands a port from 1 to 65535, a range as in "
			"8000-8999, or *");
	if (hosts.len == 0)
		return colon < s.len || bad(p, s, "an empty pattern");
	if (at < hosts.len)
		return read_name(slice_cut(hosts, 0, at), s, r, p) &&
		       read_net(without_brackets(slice_cut(hosts, at + 1, hosts.len)), s,
			       r, p);
	hosts = without_brackets(hosts);
	if (allow_ip_parse(slice_cut(hosts, 0, slice_find(hosts, '/')), &ip))
		return read_net(hosts, s, r, p);
	return read_name(hosts, s, r, p);
}

static void rule_fini(struct allow_rule *r)
{
	mem_free(r->text);
	mem_free(r->text_name);
}

static void list_push(struct allow_list *l, const struct allow_rule *r)
{
	struct allow_rule *more = mem_zalloc((l->n + 1) * sizeof(*more));
	if (l->n)
		memcpy(more, l->rules, l->n * sizeof(*more));
	mem_free(l->rules);
	l->rules = more;
	l->rules[l->n++] = *r;
}

bool allow_add(struct allow_list *l, const char *text, struct problem *p)
{
	struct slice rest_of = slice_of(text), item;
	uint32_t before = l->n;
	while (slice_next_item(&rest_of, &item)) {
		struct allow_rule r = { .hosts = ALLOW_ANY };
		if (!rule_read(item, &r, p)) {
			rule_fini(&r);
			return false;
		}
		r.text = slice_dup(item);
		list_push(l, &r);
	}
	return l->n > before || problem_set(p, "an empty pattern");
}

void allow_fini(struct allow_list *l)
{
	for (uint32_t i = 0; i < l->n; i++)
		rule_fini(&l->rules[i]);
	mem_free(l->rules);
	*l = (struct allow_list){ .n = 0 };
}

/* --- verdicts --- */

static bool fits_name(const struct allow_rule *r, struct slice host)
{
	if (r->hosts == ALLOW_ANY)
		return true;
	if (r->hosts != ALLOW_BELOW && slice_eq(r->name, host))
		return true;
	if (r->hosts == ALLOW_NAME || host.len < r->name.len + 2)
		return false;
	size_t from = host.len - r->name.len;
	return host.ptr[from - 1] == '.' &&
	       slice_eq(slice_cut(host, from, r->name.len), r->name);
}

/* Of an allow pattern, ports that nobody wrote are the harmless ones. */
static bool fits_port(const struct allow_rule *r, const struct allow_target *t)
{
	if (r->has_ports)
		return t->port >= r->from && t->port <= r->to;
	if (t->tunnel)
		return t->port == ALLOW_TUNNEL_PORT;
	return t->port == 80 || t->port == 443 || t->port >= 1024;
}

/* A denied IPv4 address is denied by way of NAT64 too. */
static bool net_reaches(const struct allow_net *net, const struct allow_ip *ip)
{
	struct allow_ip inner;
	if (net_has(net, ip))
		return true;
	if (!net_has(&nat64, ip))
		return false;
	inner = allow_ip_of_v4(&ip->b[12]);
	return net_has(net, &inner);
}

static const struct allow_rule *find_denial(
	const struct allow_list *l, const struct allow_target *t)
{
	for (uint32_t i = 0; i < l->n; i++) {
		const struct allow_rule *r = &l->rules[i];
		bool there = !r->has_net || (t->ip && net_reaches(&r->net, t->ip));
		if (there && fits_name(r, t->host) && (!r->has_ports || fits_port(r, t)))
			return r;
	}
	return NULL;
}

/* How far one pattern lets it come: ALLOW_OK, or what still stands against it. */
static enum allow_verdict ask_rule(
	const struct allow_rule *r, const struct allow_target *t)
{
	struct allow_net range;
	if (!fits_name(r, t->host) || (r->has_net && t->ip && !net_has(&r->net, t->ip)))
		return ALLOW_UNLISTED;
	if (!fits_port(r, t))
		return ALLOW_PORT;
	if (!t->ip)
		return ALLOW_OK;
	bool special = special_of(t->ip, &range) != NULL;
	if (special && !(r->has_net && net_is_inside(&r->net, &range)))
		return ALLOW_SPECIAL;
	bool single = r->has_net && r->net.bits == 128 && r->has_ports &&
		      r->from == r->to;
	return t->own && !single ? ALLOW_OWN : ALLOW_OK;
}

enum allow_verdict allow_judge(const struct allow_list *allowed,
	const struct allow_list *denied, const struct allow_target *t,
	const struct allow_rule **by)
{
	static const struct allow_rule anything = { .hosts = ALLOW_ANY };
	enum allow_verdict best = ALLOW_UNLISTED;
	*by = find_denial(denied, t);
	if (*by)
		return ALLOW_DENIED;
	if (allowed->n == 0)
		return ask_rule(&anything, t);
	for (uint32_t i = 0; i < allowed->n; i++) {
		enum allow_verdict one = ask_rule(&allowed->rules[i], t);
		if (one == ALLOW_OK)
			return one;
		/* The one that came nearest tells best. */
		best = one > best ? one : best;
	}
	return best;
}
