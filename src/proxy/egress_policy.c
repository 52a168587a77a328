/* Where a request wants to go, and whether it may. */
#include "proxy/egress.h"
#include "proxy/proxy.h"

/* --- the rules --- */

/* Loopback, private networks and link-local ones: not the Internet. */
static const struct opt_texts clients_default = {
	{ "unix", "127.0.0.0/8", "::1", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
		"fc00::/7", "fe80::/10" },
	8,
};

/* config_check has told what is wrong. */
static void add_clients(struct egress_policy *e, const struct opt_texts *texts)
{
	struct problem ignored;
	for (uint32_t i = 0; i < texts->n; i++)
		e->client_count += addr_net_parse(
			slice_of(texts->v[i]), &e->clients[e->client_count], &ignored);
}

static void add_all(
	struct allow_list *l, const struct opt_texts *texts, struct text *written)
{
	struct problem ignored;
	for (uint32_t i = 0; i < texts->n; i++) {
		(void)!allow_add(l, texts->v[i], &ignored);
		text_addf(written, "%s\n", texts->v[i]);
	}
	text_add(written, "\n");
}

/* As for upstreams, but our own certificate is for servers we know. */
static struct tls_client *load_tls(struct config *c)
{
	const struct proxy_options *o = &c->at.opt;
	const struct tls_client_cfg cfg = { .ca_file = o->upstream_ca,
		.insecure = o->upstream_insecure,
		.handshake_for = o->tls_timeout };
	struct problem why = { "" };
	struct tls_client *tls = tls_client_new(&cfg, &why);
	if (!tls)
		config_complain(c,
			(struct config_option){ &c->at,
				o->upstream_ca ? "upstream-ca" : "forward-listen", 0 },
			" %s", why.text);
	return tls;
}

static struct egress_policy *policy_of(const struct proxy_options *o)
{
	struct egress_policy *e = mem_zalloc(sizeof(*e));
	struct text written;
	text_init(&written);
	add_clients(e, o->forward_clients.n ? &o->forward_clients : &clients_default);
	add_all(&e->allowed, &o->forward_allow, &written);
	add_all(&e->denied, &o->forward_deny, &written);
	e->text = text_take(&written);
	return e;
}

struct egress_policy *egress_policy_new(struct config *c)
{
	if (!c->at.opt.forward_listen.n)
		return NULL;
	struct egress_policy *e = policy_of(&c->at.opt);
	e->tls = load_tls(c);
	return e;
}

struct egress_policy *egress_policy_copy(
	const struct egress_policy *from, const struct proxy_options *o)
{
	if (!from)
		return NULL;
	struct egress_policy *e = policy_of(o);
	e->conns_max = from->conns_max;
	e->tls = from->tls;
	tls_client_ref(e->tls);
	return e;
}

void egress_policy_free(struct egress_policy **handle)
{
	struct egress_policy *e = *handle;
	if (!e)
		return;
	allow_fini(&e->allowed);
	allow_fini(&e->denied);
	tls_client_unref(&e->tls);
	mem_free(e->text);
	mem_free(e);
	*handle = NULL;
}

/* --- clients --- */

/* False: it is no IP address. */
static bool ip_of(const struct addr *a, struct allow_ip *out)
{
	if (a->len == 0 || addr_is_unix(a))
		return false;
	if (a->sa.sa_family == AF_INET)
		*out = allow_ip_of_v4(&a->in.sin_addr);
	else
		memcpy(out->b, &a->in6.sin6_addr, sizeof(out->b));
	return true;
}

uint8_t egress_mark(const struct proxy *p, const struct addr *peer)
{
	const struct egress_policy *e = p->plan->egress;
	for (uint32_t i = 0; e && i < e->client_count; i++)
		if (addr_net_has(&e->clients[i], peer))
			return EGRESS_FORWARD;
	return EGRESS_STRANGER;
}

/* --- what is asked for --- */

/* host[:port], [v6][:port]; the parser has seen that it is one of these. */
static bool read_authority(struct slice a, struct egress_want *out)
{
	bool v6 = a.len && a.ptr[0] == '[';
	size_t end = v6 ? slice_find(a, ']') : slice_find(a, ':');
	struct slice host = v6 ? slice_cut(a, 1, end - 1) : slice_cut(a, 0, end);
	struct slice port = slice_cut(a, end + (v6 ? 2 : 1), SIZE_MAX);
	uint32_t n = 0;
	for (size_t i = 0; i < port.len; i++)
		n = n * 10 + (uint32_t)(port.ptr[i] - '0');
	if (port.len)
		out->port = (uint16_t)n;
	if (v6) {
		memcpy(out->host, host.ptr, host.len);
		out->host[host.len] = '\0';
	} else if (!allow_host(host, out->host)) {
		return false;
	}
	out->literal = allow_ip_parse(slice_of(out->host), &out->ip);
	return out->port != 0;
}

enum err egress_read(const struct h1_head *head, struct egress_want *out)
{
	*out = (struct egress_want){ .kind = EGRESS_TUNNEL };
	if (head->form == H1_FORM_ABSOLUTE) {
		struct slice scheme = slice_cut(head->target, 0, strlen("https:"));
		bool tls = slice_eq_nocase(scheme, SLICE("https:"));
		out->kind = tls ? EGRESS_HTTPS : EGRESS_HTTP;
		out->port = tls ? 443 : 80;
	} else if (head->form != H1_FORM_AUTHORITY) {
		return ERR_REQ_NO_TARGET;
	}
	return read_authority(head->authority, out) ? ERR_OK : ERR_REQ_TARGET_HOST;
}

/* --- judgement --- */

static bool is_at(const struct addr *at, const struct addr *a)
{
	struct addr mine = *at, its = *a;
	if (addr_is_unix(at) || addr_port(at) != addr_port(a))
		return false;
	addr_unmap(&mine);
	addr_unmap(&its);
	return addr_eq(&mine, &its) || (addr_is_any(&mine) && addr_is_of_host(&its));
}

/* One of the addresses where this process listens. */
static bool is_own(const struct proxy *p, const struct addr *a)
{
	const struct addr *at;
	if (p->plan->admin.len && is_at(&p->plan->admin, a))
		return true;
	for (uint32_t i = 0; p->server && (at = server_addr(p->server, i)); i++)
		if (is_at(at, a))
			return true;
	return false;
}

static void explain(struct text *t, enum allow_verdict verdict,
	const struct egress_want *want, const struct allow_ip *ip,
	const struct allow_rule *by)
{
	switch (verdict) {
	case ALLOW_OK:
		break;
	case ALLOW_DENIED:
		text_addf(t, "%s:%u is denied by forward-deny %s", want->host, want->port,
			by->text);
		break;
	case ALLOW_UNLISTED:
		text_addf(t, "no forward-allow has %s:%u", want->host, want->port);
		break;
	case ALLOW_PORT:
		text_addf(t, "port %u of %s needs a forward-allow that names it",
			want->port, want->host);
		break;
	case ALLOW_SPECIAL:
		text_addf(t,
			"%s is %s: it needs a forward-allow with its network or address",
			want->host, allow_special(ip));
		break;
	case ALLOW_OWN:
		text_addf(t,
			"%s:%u is where weir itself listens: it needs a forward-allow with "
			"that address and port",
			want->host, want->port);
		break;
	}
}

static enum err verdict_err(enum allow_verdict verdict)
{
	switch (verdict) {
	case ALLOW_OK:
		return ERR_OK;
	case ALLOW_DENIED:
		return ERR_EGRESS_DENIED;
	case ALLOW_UNLISTED:
		return ERR_EGRESS_UNLISTED;
	case ALLOW_PORT:
		return ERR_EGRESS_PORT;
	case ALLOW_SPECIAL:
		return ERR_EGRESS_ADDRESS;
	case ALLOW_OWN:
		return ERR_EGRESS_OWN;
	}
	NEVER_HERE();
}

enum err egress_judge(const struct proxy *p, const struct egress_want *want,
	const struct addr *addr, struct text *why)
{
	const struct egress_policy *e = p->plan->egress;
	const struct allow_rule *by = NULL;
	struct allow_ip ip;
	bool known = addr && ip_of(addr, &ip);
	const struct allow_target t = { .host = slice_of(want->host),
		.port = want->port,
		.tunnel = want->kind == EGRESS_TUNNEL,
		.ip = known ? &ip : NULL,
		.own = known && is_own(p, addr) };
	if (!e)
		return ERR_EGRESS_UNLISTED; /* a reload has ended it */
	enum allow_verdict verdict = allow_judge(&e->allowed, &e->denied, &t, &by);
	if (why && verdict != ALLOW_OK)
		explain(why, verdict, want, &ip, by);
	return verdict_err(verdict);
}
