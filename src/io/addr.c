#include "io/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <unistd.h>

#include "base/ascii.h"

static const struct slice unix_prefix = { "unix:", 5 };

static uint16_t digits_to_port(struct slice s, bool *ok)
{
	uint32_t port = 0;

	*ok = s.len >= 1 && s.len <= 5;
	for (size_t i = 0; i < s.len && *ok; i++) {
		*ok = ascii_is_digit(s.ptr[i]);
		port = port * 10 + (uint32_t)(s.ptr[i] - '0');
	}
	*ok = *ok && port <= UINT16_MAX;
	return *ok ? (uint16_t)port : 0;
}

static bool no_port_problem(struct slice s, struct problem *p)
{
	bool is_port;

	if (s.len == 0)
		return problem_set(
			p, "an empty address: write HOST:PORT, :PORT or unix:PATH");
	(void)digits_to_port(s, &is_port);
	if (is_port)
		return problem_set(p,
			"'%.*s' is a bare port: write :%.*s or 127.0.0.1:%.*s",
			SLICE_ARG(s), SLICE_ARG(s), SLICE_ARG(s));
	return problem_set(
		p, "'%.*s' has no port: write %.*s:PORT", SLICE_ARG(s), SLICE_ARG(s));
}

bool addr_split(struct slice s, struct slice *host, uint16_t *port, struct problem *p)
{
	size_t colon = slice_find(s, ':');
	bool ok;

	if (s.len && s.ptr[0] == '[') {
		size_t end = slice_find(s, ']');
		if (end == s.len)
			return problem_set(p, "'%.*s' lacks the closing ]", SLICE_ARG(s));
		*host = slice_cut(s, 1, end - 1);
		if (host->len == 0)
			return problem_set(p, "'%.*s' has an empty host", SLICE_ARG(s));
		colon = end + 1;
		if (colon < s.len && s.ptr[colon] != ':')
			return problem_set(p,
				"'%.*s': write [IPV6]:PORT, a colon after ]",
				SLICE_ARG(s));
	} else {
		*host = slice_cut(s, 0, colon);
	}
	if (colon >= s.len)
		return no_port_problem(s, p);
	struct slice digits = slice_cut(s, colon + 1, s.len);
	if (s.ptr[0] != '[' && slice_find(digits, ':') < digits.len)
		return problem_set(p,
			"'%.*s': put an IPv6 address in brackets: [ADDRESS]:PORT",
			SLICE_ARG(s));
	*port = digits_to_port(digits, &ok);
	if (!ok)
		return problem_set(p,
			"'%.*s': the port '%.*s' is not a number from 0 to 65535",
			SLICE_ARG(s), SLICE_ARG(digits));
	return true;
}

static bool parse_unix(struct slice s, struct addr *out, struct problem *p)
{
	struct slice path = slice_cut(s, unix_prefix.len, s.len);

	*out = (struct addr){ 0 };
	if (path.len == 0)
		return problem_set(p, "'unix:' has no path: write unix:/run/name.sock");
	if (path.len >= sizeof(out->un.sun_path))
		return problem_set(p,
			"'%.*s': a socket path has at most %zu bytes, this has %zu",
			SLICE_ARG(s), sizeof(out->un.sun_path) - 1, path.len);
	if (memchr(path.ptr, '\0', path.len))
		return problem_set(p, "a socket path cannot hold a zero byte");
	out->un.sun_family = AF_UNIX;
	memcpy(out->un.sun_path, path.ptr, path.len);
	out->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.len + 1);
	return true;
}

/* `host` as an IPv4 or IPv6 address in digits; "" is any address. */
static bool parse_host(struct slice host, uint16_t port, struct addr *out)
{
	char text[INET6_ADDRSTRLEN];

	*out = (struct addr){ 0 };
	if (host.len >= sizeof(text))
		return false;
	memcpy(text, host.ptr, host.len);
	text[host.len] = '\0';
	if (host.len == 0 || inet_pton(AF_INET6, text, &out->in6.sin6_addr) == 1) {
		out->in6.sin6_family = AF_INET6;
		out->in6.sin6_port = htons(port);
		out->len = sizeof(out->in6);
		return true;
	}
	if (inet_pton(AF_INET, text, &out->in.sin_addr) != 1)
		return false;
	out->in.sin_family = AF_INET;
	out->in.sin_port = htons(port);
	out->len = sizeof(out->in);
	return true;
}

bool addr_parse(struct slice s, struct addr *out, struct problem *p)
{
	struct slice host;
	uint16_t port;

	if (slice_starts(s, unix_prefix))
		return parse_unix(s, out, p);
	if (!addr_split(s, &host, &port, p))
		return false;
	if (!parse_host(host, port, out))
		return problem_set(p,
			"'%.*s' is not an IP address: write it in digits, as 127.0.0.1:%u or "
			"[::1]:%u",
			SLICE_ARG(host), port, port);
	return true;
}

static bool look_up(struct slice host, uint16_t port, struct addr *out, uint32_t cap,
	uint32_t *n, struct problem *p)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_family = AF_UNSPEC };
	struct addrinfo *found = NULL;
	char *name = slice_dup(host);
	int rc = getaddrinfo(name, NULL, &hints, &found);

	mem_free(name);
	if (rc != 0)
		return problem_set(p, "cannot resolve '%.*s': %s", SLICE_ARG(host),
			gai_strerror(rc));
	for (struct addrinfo *ai = found; ai && *n < cap; ai = ai->ai_next) {
		if (ai->ai_addrlen > sizeof(out->in6))
			continue;
		out[*n] = (struct addr){ .len = ai->ai_addrlen };
		memcpy(&out[*n].sa, ai->ai_addr, ai->ai_addrlen);
		addr_set_port(&out[*n], port);
		(*n)++;
	}
	freeaddrinfo(found);
	return *n > 0 || problem_set(p, "'%.*s' has no address", SLICE_ARG(host));
}

bool addr_resolve(
	struct slice s, struct addr *out, uint32_t cap, uint32_t *n, struct problem *p)
{
	struct slice host;
	uint16_t port;

	CHECK(cap > 0);
	*n = 0;
	if (slice_starts(s, unix_prefix)) {
		*n = 1;
		return parse_unix(s, out, p);
	}
	if (!addr_split(s, &host, &port, p))
		return false;
	if (parse_host(host, port, out)) {
		*n = 1;
		return true;
	}
	return look_up(host, port, out, cap, n, p);
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
	if (a->len == 0 || b->len == 0)
		return a->len == b->len;
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->in.sin_port == b->in.sin_port &&
		       a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	if (a->sa.sa_family == AF_INET6)
		return a->in6.sin6_port == b->in6.sin6_port &&
		       a->in6.sin6_scope_id == b->in6.sin6_scope_id &&
		       memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr,
			       sizeof(a->in6.sin6_addr)) == 0;
	return strncmp(a->un.sun_path, b->un.sun_path, sizeof(a->un.sun_path)) == 0;
}

uint32_t addr_hash(const struct addr *a)
{
	struct slice bytes = SLICE_NONE;
	if (a->sa.sa_family == AF_INET)
		bytes = (struct slice){ (const char *)&a->in.sin_addr, 4 };
	else if (a->sa.sa_family == AF_INET6)
		bytes = (struct slice){ (const char *)&a->in6.sin6_addr, 8 };
	uint64_t hash = slice_hash(bytes);
	return (uint32_t)(hash ^ hash >> 32);
}

bool addr_is_unix(const struct addr *a)
{
	return a->len != 0 && a->sa.sa_family == AF_UNIX;
}

uint16_t addr_port(const struct addr *a)
{
	if (a->len == 0 || a->sa.sa_family == AF_UNIX)
		return 0;
	return ntohs(a->sa.sa_family == AF_INET ? a->in.sin_port : a->in6.sin6_port);
}

void addr_set_port(struct addr *a, uint16_t port)
{
	CHECK(a->len != 0 && a->sa.sa_family != AF_UNIX);
	if (a->sa.sa_family == AF_INET)
		a->in.sin_port = htons(port);
	else
		a->in6.sin6_port = htons(port);
}

void addr_unmap(struct addr *a)
{
	if (a->len == 0 || a->sa.sa_family != AF_INET6 ||
		!IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr))
		return;
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = a->in6.sin6_port };
	memcpy(&in.sin_addr, &a->in6.sin6_addr.s6_addr[12], sizeof(in.sin_addr));
	*a = (struct addr){ .len = sizeof(in), .in = in };
}

bool addr_is_any(const struct addr *a)
{
	if (a->len == 0 || a->sa.sa_family == AF_UNIX)
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->in.sin_addr.s_addr == htonl(INADDR_ANY);
	return IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr);
}

bool addr_is_loopback(const struct addr *a)
{
	if (a->len == 0 || a->sa.sa_family == AF_UNIX)
		return false;
	if (a->sa.sa_family == AF_INET)
		return ntohl(a->in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return IN6_IS_ADDR_LOOPBACK(&a->in6.sin6_addr);
}

/* The kernel sends from an address of its own to that address. Nothing goes out. */
static bool can_bind(const struct addr *a)
{
	struct addr at = *a;
	addr_set_port(&at, 0);
	int fd = socket(at.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	bool ok = bind(fd, &at.sa, at.len) == 0;
	close(fd);
	return ok;
}

/* Where ip_nonlocal_bind lets everybody bind to everything, that one can says nothing. */
static bool can_bind_foreign(const struct addr *like)
{
	struct addr a;
	struct problem ignored = { "" };
	bool v4 = like->sa.sa_family == AF_INET;
	/* RFC 5737, RFC 3849: nobody has these */
	return addr_parse(
		       slice_of(v4 ? "192.0.2.1:0" : "[2001:db8::1]:0"), &a, &ignored) &&
	       can_bind(&a);
}

/* What comes back to whom it is sent to is this host's; so is a second address of a network, of
 * which what is sent to it does not come. */
bool addr_is_of_host(const struct addr *a)
{
	struct addr from = { .len = sizeof(from.in6) }, to = *a;
	if (a->len == 0 || addr_is_unix(a))
		return false;
	if (addr_is_loopback(a) || addr_is_any(a))
		return true;
	if (can_bind(a) && !can_bind_foreign(a))
		return true;
	int fd = socket(a->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	bool ok = connect(fd, &to.sa, to.len) == 0 &&
		  getsockname(fd, &from.sa, &from.len) == 0;
	close(fd);
	if (!ok)
		return false;
	addr_set_port(&from, addr_port(a));
	return addr_eq(&from, a);
}

void text_add_addr(struct text *t, const struct addr *a)
{
	char host[INET6_ADDRSTRLEN] = "?";

	if (a->len == 0) {
		text_add(t, "none");
	} else if (a->sa.sa_family == AF_UNIX) {
		size_t len = a->len > offsetof(struct sockaddr_un, sun_path)
				     ? strnlen(a->un.sun_path, sizeof(a->un.sun_path))
				     : 0;
		text_addf(t, "unix:%.*s", (int)len, a->un.sun_path);
	} else if (a->sa.sa_family == AF_INET) {
		inet_ntop(AF_INET, &a->in.sin_addr, host, sizeof(host));
		text_addf(t, "%s:%u", host, addr_port(a));
	} else {
		inet_ntop(AF_INET6, &a->in6.sin6_addr, host, sizeof(host));
		text_addf(t, "[%s]:%u", host, addr_port(a));
	}
}

static const char *why_not_bound(const struct addr *at, int errnum)
{
	if (errnum == EADDRINUSE)
		return addr_is_unix(at)
			       ? "address already in use: choose another path, remove it, or stop "
				 "who listens there (`ss -lxp` shows who)"
			       : "address already in use: choose another port, or stop who listens "
				 "there (`ss -ltnp` shows who)";
	if (errnum == EADDRNOTAVAIL)
		return "no interface of this host has that address";
	if (errnum == EACCES && !addr_is_unix(at))
		return "permission denied: ports below 1024 are for root and for "
		       "CAP_NET_BIND_SERVICE";
	return strerror(errnum);
}

bool addr_bind_problem(struct problem *p, const struct addr *at, int errnum)
{
	struct text t;

	text_init(&t);
	text_add_addr(&t, at);
	(void)problem_set(p, "cannot listen on %s: %s", t.ptr, why_not_bound(at, errnum));
	text_fini(&t);
	return false;
}

/* Takes "http://" or "https://" off *rest. */
static bool take_scheme(struct slice *rest, struct addr_url *out, struct problem *p)
{
	static const struct slice http = { "http://", 7 }, https = { "https://", 8 };
	struct slice head = slice_cut(*rest, 0, https.len);

	out->tls = slice_eq_nocase(head, https);
	if (out->tls) {
		out->port = 443;
		*rest = slice_cut(*rest, https.len, rest->len);
		return true;
	}
	if (slice_eq_nocase(slice_cut(head, 0, http.len), http)) {
		out->port = 80;
		*rest = slice_cut(*rest, http.len, rest->len);
		return true;
	}
	size_t colon = slice_find(*rest, ':');
	if (slice_starts(slice_cut(*rest, colon, rest->len), SLICE("://")))
		return problem_set(p,
			"'%.*s': the scheme is %.*s, and can be http or https",
			SLICE_ARG(*rest), (int)colon, rest->ptr);
	return true;
}

static bool check_authority(struct slice s, struct addr_url *out, struct problem *p)
{
	struct slice host;

	if (out->authority.len == 0)
		return problem_set(p, "'%.*s' has no host", SLICE_ARG(s));
	if (slice_find(out->authority, '@') < out->authority.len)
		return problem_set(p, "'%.*s': a user name has no place in an address",
			SLICE_ARG(s));
	bool has_port = out->authority.ptr[0] == '['
				? out->authority.ptr[out->authority.len - 1] != ']'
				: slice_find(out->authority, ':') < out->authority.len;
	if (!has_port && out->port != 0)
		return true;
	if (!has_port)
		return problem_set(p,
			"'%.*s' has no port: write http://%.*s or %.*s:PORT",
			SLICE_ARG(s), SLICE_ARG(s), SLICE_ARG(out->authority));
	if (!addr_split(out->authority, &host, &out->port, p))
		return false;
	if (host.len == 0)
		return problem_set(p, "'%.*s' has no host", SLICE_ARG(s));
	return out->port != 0 ||
	       problem_set(p, "'%.*s': nobody can be reached at port 0", SLICE_ARG(s));
}

static bool check_bytes(struct slice s, struct problem *p)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		if (c <= ' ' || c >= 0x7f)
			return problem_set(p,
				"the address has a space, a control byte or one outside ASCII at "
				"column %zu",
				i + 1);
	}
	if (slice_find(s, '?') < s.len || slice_find(s, '#') < s.len)
		return problem_set(
			p, "'%.*s': a base address has no ? or # part", SLICE_ARG(s));
	return true;
}

bool addr_url_parse(struct slice s, struct addr_url *out, struct problem *p)
{
	struct slice rest = s;

	*out = (struct addr_url){ .path = SLICE("") };
	if (slice_starts(s, unix_prefix)) {
		struct addr ignored;
		out->authority = SLICE("localhost");
		out->host_port = s;
		return parse_unix(s, &ignored, p);
	}
	if (!check_bytes(s, p) || !take_scheme(&rest, out, p))
		return false;
	size_t slash = slice_find(rest, '/');
	out->authority = slice_cut(rest, 0, slash);
	out->host_port = out->authority;
	out->path = slice_cut(rest, slash, rest.len);
	return check_authority(s, out, p);
}

bool addr_url_resolve(const struct addr_url *url, struct addr *out, uint32_t cap,
	uint32_t *n, struct problem *p)
{
	struct slice a = url->host_port, host;
	uint16_t port;
	bool ok;

	if (slice_starts(a, unix_prefix))
		return addr_resolve(a, out, cap, n, p);
	bool bare = a.ptr[0] == '[' ? a.ptr[a.len - 1] == ']'
				    : slice_find(a, ':') == a.len;
	if (!bare && !addr_split(a, &host, &port, p))
		return false;
	struct text t;
	text_init(&t);
	text_add_slice(&t, a);
	if (bare)
		text_addf(&t, ":%u", url->port);
	ok = addr_resolve(text_slice(&t), out, cap, n, p);
	text_fini(&t);
	return ok;
}

/* --- networks --- */

/* Mapped where it is IPv4. False: no IP address. */
static bool ip_bytes(const struct addr *a, uint8_t out[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (a->len == 0 || (a->sa.sa_family != AF_INET && a->sa.sa_family != AF_INET6))
		return false;
	if (a->sa.sa_family == AF_INET6) {
		memcpy(out, &a->in6.sin6_addr, 16);
		return true;
	}
	memcpy(out, mapped, sizeof(mapped));
	memcpy(out + sizeof(mapped), &a->in.sin_addr, 4);
	return true;
}

/* The first `bits` alike. */
static bool is_alike(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	return memcmp(a, b, whole) == 0 &&
	       (rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0);
}

static bool parse_bits(struct slice digits, unsigned most, unsigned *bits)
{
	*bits = 0;
	if (digits.len == 0 || digits.len > 3)
		return false;
	for (size_t i = 0; i < digits.len; i++) {
		if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
			return false;
		*bits = *bits * 10 + (unsigned)(digits.ptr[i] - '0');
	}
	return *bits <= most;
}

bool addr_net_parse(struct slice s, struct addr_net *out, struct problem *p)
{
	size_t slash = slice_find(s, '/');
	struct slice host = slice_cut(s, 0, slash);
	struct addr a;

	*out = (struct addr_net){ .bits = 128 };
	if (slice_eq(s, SLICE("unix"))) {
		out->is_unix = true;
		return true;
	}
	if (host.len == 0 || !parse_host(host, 0, &a) || !ip_bytes(&a, out->ip))
		return problem_set(p,
			"'%.*s' is no network: write it as 10.0.0.0/8, 2001:db8::/32 or "
			"unix",
			SLICE_ARG(s));
	unsigned most = a.sa.sa_family == AF_INET ? 32 : 128, bits = most;
	if (slash < s.len && !parse_bits(slice_cut(s, slash + 1, s.len), most, &bits))
		return problem_set(p, "'%.*s': behind the / stands a number from 0 to %u",
			SLICE_ARG(s), most);
	out->bits = (uint8_t)(bits + 128 - most);
	for (unsigned bit = out->bits; bit < 128; bit++)
		if (out->ip[bit / 8] >> (7 - bit % 8) & 1)
			return problem_set(p,
				"'%.*s': the address has bits that /%u leaves out",
				SLICE_ARG(s), bits);
	return true;
}

bool addr_net_has(const struct addr_net *net, const struct addr *a)
{
	uint8_t ip[16];

	if (net->is_unix)
		return addr_is_unix(a);
	return ip_bytes(a, ip) && is_alike(ip, net->ip, net->bits);
}

void wire_put_addr_ip(struct wire *w, const struct addr *a)
{
	char text[INET6_ADDRSTRLEN] = "";
	struct addr plain = *a;

	addr_unmap(&plain);
	if (plain.len == 0 || addr_is_unix(&plain))
		return;
	bool v4 = plain.sa.sa_family == AF_INET;
	const void *ip = v4 ? (const void *)&plain.in.sin_addr
			    : (const void *)&plain.in6.sin6_addr;
	if (inet_ntop(plain.sa.sa_family, ip, text, sizeof(text)))
		wire_put_slice(w, slice_of(text));
}
