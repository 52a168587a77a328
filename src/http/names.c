#include "http/names.h"

struct source {
	struct names *names;
	struct text host, authority;
	uint16_t port;
	bool is_name;
	enum names_state state;
	struct dns_answer found; /* the last that has addresses */
	enum dns_result result;  /* of the last lookup */
	const char *why;
	struct dns_lookup lookup;
	struct timer again;
	struct addr barred; /* NAMES_BARRED */
	ns_t found_at;      /* 0: never */
	uint64_t lookups, failed;
};

struct names {
	struct io_loop *loop;
	struct dns *dns;
	struct upstream *up; /* NULL: not attached */
	void (*on_settled)(void *ctx);
	void *ctx;
	void (*told)(void *told_ctx); /* NULL: nobody watches */
	void *told_ctx;
	bool (*may)(void *may_ctx, const struct addr *a);
	void *may_ctx;
	uint32_t asking; /* sources without their first answer */
	uint32_t count;
	struct source sources[];
};

/* --- sources --- */

void names_source_of(const struct addr_url *url, struct names_source *out)
{
	struct slice a = url->host_port;
	bool v6 = a.len && a.ptr[0] == '[';
	*out = (struct names_source){ a, url->port, url->authority };
	if (slice_starts(a, SLICE("unix:")))
		return;
	out->host = v6 ? slice_cut(a, 1, slice_find(a, ']') - 1)
		       : slice_cut(a, 0, slice_find(a, ':'));
}

bool names_source_is_name(const struct names_source *s)
{
	struct addr ignored;
	return !dns_is_literal(s->host, s->port, &ignored);
}

/* --- what the upstream is told --- */

uint32_t names_addrs(const struct names *n, uint32_t nth, const struct addr **addrs)
{
	*addrs = n->sources[nth].found.addrs;
	return n->sources[nth].found.n;
}

uint32_t names_endpoints(const struct names *n, struct upstream_endpoint *list)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < n->count; i++) {
		const struct source *s = &n->sources[i];
		for (uint32_t k = 0; k < s->found.n; k++)
			if (count < UPSTREAM_ENDPOINTS_MAX)
				list[count++] = (struct upstream_endpoint){
					s->found.addrs[k], text_slice(&s->authority)
				};
	}
	return count;
}

static void tell(struct names *n)
{
	struct upstream_endpoint list[UPSTREAM_ENDPOINTS_MAX];
	uint32_t count = names_endpoints(n, list);
	if (!n->up || !count)
		return;
	upstream_set_endpoints(n->up, list, count);
	if (n->told)
		n->told(n->told_ctx);
}

void names_watch(struct names *n, void (*told)(void *ctx), void *ctx)
{
	n->told = told;
	n->told_ctx = ctx;
}

void names_attach(struct names *n, struct upstream *up)
{
	CHECK(names_are_settled(n) && !n->up);
	n->up = up;
	tell(n);
}

/* --- lookups --- */

static void ask(struct source *s)
{
	s->lookups++;
	dns_lookup(s->names->dns, &s->lookup, text_slice(&s->host), s->port);
}

static void on_again(struct timer *t)
{
	ask(CONTAINER_OF(t, struct source, again));
}

/* As sets: nameservers turn the order with each answer. */
static bool same_addrs(const struct dns_answer *a, const struct dns_answer *b)
{
	uint32_t same = 0;
	for (uint32_t i = 0; i < a->n; i++)
		for (uint32_t k = 0; k < b->n; k++)
			same += addr_eq(&a->addrs[i], &b->addrs[k]);
	return same == a->n && same == b->n;
}

static void note_found(struct source *s, const struct dns_answer *answer)
{
	bool same = same_addrs(&s->found, answer);
	s->found = *answer;
	s->found_at = io_now(s->names->loop);
	s->state = NAMES_FRESH;
	if (!same)
		tell(s->names);
}

/* Those that may be used. */
static void keep_allowed(struct source *s, struct dns_answer *answer)
{
	const struct names *n = s->names;
	uint32_t kept = 0;
	for (uint32_t i = 0; i < answer->n; i++) {
		if (!n->may || n->may(n->may_ctx, &answer->addrs[i]))
			answer->addrs[kept++] = answer->addrs[i];
		else if (kept == 0)
			s->barred = answer->addrs[i];
	}
	answer->n = kept;
}

static void on_done(struct dns_lookup *l, const struct dns_answer *answer)
{
	struct source *s = CONTAINER_OF(l, struct source, lookup);
	struct names *n = s->names;
	bool first = s->state == NAMES_ASKING;
	s->result = answer->result;
	s->why = answer->why;
	io_timer_set(n->loop, &s->again, ns_add(io_now(n->loop), answer->ttl));
	if (answer->result == DNS_FOUND) {
		struct dns_answer allowed = *answer;
		keep_allowed(s, &allowed);
		if (allowed.n)
			note_found(s, &allowed);
		else
			s->state = NAMES_BARRED;
	} else {
		s->failed++;
		s->state = s->found.n ? NAMES_STALE : NAMES_LOST;
	}
	if (first && --n->asking == 0)
		n->on_settled(n->ctx);
}

void names_set_dns(struct names *n, struct dns *dns)
{
	n->dns = dns;
	for (uint32_t i = 0; i < n->count; i++) {
		struct source *s = &n->sources[i];
		if (!dns_is_asking(&s->lookup))
			continue;
		dns_cancel(&s->lookup);
		ask(s);
	}
}

/* --- life --- */

static void source_init(
	struct names *n, struct source *s, const struct names_source *from)
{
	s->names = n;
	s->port = from->port;
	s->why = "";
	text_init(&s->host);
	text_add_slice(&s->host, from->host);
	text_init(&s->authority);
	text_add_slice(&s->authority, from->authority);
	s->lookup.on_done = on_done;
	s->again.on_fire = on_again;
	s->is_name = names_source_is_name(from);
	if (!s->is_name) {
		s->state = NAMES_FRESH;
		s->found.n = 1;
		(void)dns_is_literal(from->host, from->port, &s->found.addrs[0]);
		return;
	}
	n->asking++;
	ask(s);
}

struct names *names_new(const struct names_cfg *cfg)
{
	struct names *n = mem_zalloc(sizeof(*n) + cfg->count * sizeof(n->sources[0]));
	CHECK(cfg->count > 0 && cfg->count <= UPSTREAM_ENDPOINTS_MAX);
	n->loop = cfg->loop;
	n->dns = cfg->dns;
	n->on_settled = cfg->on_settled;
	n->ctx = cfg->ctx;
	n->may = cfg->may;
	n->may_ctx = cfg->may_ctx;
	n->count = cfg->count;
	for (uint32_t i = 0; i < n->count; i++)
		source_init(n, &n->sources[i], &cfg->sources[i]);
	return n;
}

void names_free(struct names **handle)
{
	struct names *n = *handle;
	if (!n)
		return;
	for (uint32_t i = 0; i < n->count; i++) {
		struct source *s = &n->sources[i];
		dns_cancel(&s->lookup);
		io_timer_stop(n->loop, &s->again);
		text_fini(&s->host);
		text_fini(&s->authority);
	}
	mem_free(n);
	*handle = NULL;
}

/* --- what there is to say --- */

bool names_are_settled(const struct names *n)
{
	return n->asking == 0;
}

enum names_state names_state(const struct names *n, uint32_t nth)
{
	return n->sources[nth].state;
}

bool names_is_no_name(const struct names *n, uint32_t nth)
{
	const struct source *s = &n->sources[nth];
	return s->state == NAMES_LOST && s->result == DNS_NO_NAME;
}

const struct addr *names_barred(const struct names *n, uint32_t nth)
{
	return &n->sources[nth].barred;
}

const char *names_why(const struct names *n, uint32_t nth)
{
	return n->sources[nth].why;
}

void text_add_names(struct text *t, const struct names *n)
{
	const char *gap = "";
	for (uint32_t i = 0; i < n->count; i++) {
		const struct source *s = &n->sources[i];
		for (uint32_t k = 0; k < s->found.n; k++) {
			text_add(t, gap);
			text_add_addr(t, &s->found.addrs[k]);
			gap = " ";
		}
		if (s->found.n)
			continue;
		text_addf(t, "%s%s (not found yet)", gap, s->host.ptr);
		gap = " ";
	}
}

static const char *state_label(enum names_state state)
{
	switch (state) {
	case NAMES_ASKING:
		return "asking";
	case NAMES_FRESH:
		return "fresh";
	case NAMES_STALE:
		return "stale";
	case NAMES_LOST:
		return "lost";
	case NAMES_BARRED:
		return "barred";
	}
	NEVER_HERE();
}

static void source_json(struct json *j, const struct source *s)
{
	ns_t now = io_now(s->names->loop);
	struct text at;
	text_init(&at);
	json_object(j, NULL);
	json_cstr(j, "name", s->host.ptr);
	json_cstr(j, "state", state_label(s->state));
	json_array(j, "addresses");
	for (uint32_t i = 0; i < s->found.n; i++) {
		text_reset(&at);
		text_add_addr(&at, &s->found.addrs[i]);
		json_str(j, NULL, text_slice(&at));
	}
	json_end(j);
	json_ms(j, "age_ms", s->found.n ? now - s->found_at : NS_NEVER);
	json_ms(j, "next_ms", timer_is_set(&s->again) ? ns_max(s->again.at - now, 0) : 0);
	json_int(j, "lookups", (int64_t)s->lookups);
	json_int(j, "failed", (int64_t)s->failed);
	json_cstr(j, "error", s->why[0] ? s->why : NULL);
	json_end(j);
	text_fini(&at);
}

void names_json(struct json *j, const char *key, const struct names *n)
{
	json_array(j, key);
	for (uint32_t i = 0; n && i < n->count; i++)
		if (n->sources[i].is_name)
			source_json(j, &n->sources[i]);
	json_end(j);
}
