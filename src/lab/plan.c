#include "lab/plan.h"

#include "base/schedule.h"
#include "lab/embed.h"

#define CONNECT_SHARE \
	0.8 /* of a deadline: who is connected later gets no answer in time */
#define NO_DEADLINE_FOR "3600s"

void lab_server_ip(const struct lab_case *c, uint32_t i, char ip[LAB_IP_BYTES])
{
	if (c->one_host)
		snprintf(ip, LAB_IP_BYTES, "127.0.0.%u", 1 + i % LAB_ADDRESSES_MAX);
	else
		snprintf(ip, LAB_IP_BYTES, "10.77.2.%u", 2 + i % LAB_ADDRESSES_MAX);
}

const char *lab_middle_ip(const struct lab_case *c)
{
	return c->one_host ? LAB_LOOPBACK_IP : LAB_MIDDLE_IP_IN;
}

static void add_ms(struct args *a, const char *name, ns_t value)
{
	args_add(a, name);
	args_addf(a, "%lldms", (long long)(value / NS_MS));
}

static void add_options(struct args *a, const struct lab_pairs *options)
{
	for (uint32_t i = 0; i < options->n; i++) {
		args_addf(a, "--%s", options->v[i].name);
		if (options->v[i].value)
			args_add(a, options->v[i].value);
	}
}

static void add_env(struct args *e, const struct lab_pairs *env)
{
	for (uint32_t i = 0; i < env->n; i++)
		args_addf(e, "%s=%s", env->v[i].name, env->v[i].value);
}

static void add_shell(struct args *a, const char *command)
{
	args_add(a, "sh");
	args_add(a, "-c");
	args_add(a, command);
}

static const char *scheme_of(const struct lab_case *c)
{
	return c->server.tls ? "https" : "http";
}

/* Whom to trust, as OpenSSL, Go, Python, Node and curl look for it. */
static void add_trust_env(struct args *e, const struct lab_plan_of *of)
{
	static const char *const names[] = { "WEIR_CA", "SSL_CERT_FILE",
		"NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE" };
	for (size_t i = 0; of->c->server.tls && i < ARRAY_LEN(names); i++)
		args_addf(e, "%s=%s", names[i], of->tools->cert);
}

/* weir itself, for commands that start it. */
static void add_weir_env(struct args *e, const struct lab_plan_of *of)
{
	args_addf(e, "WEIR=%s", of->tools->weir);
}

/* Where to listen, under the names programs look for. */
static void add_listen_env(struct args *e, const char *ip, int port)
{
	args_addf(e, "LISTEN=%s:%d", ip, port);
	args_addf(e, "WEIR_LISTEN_HOST=%s", ip);
	args_addf(e, "WEIR_LISTEN_PORT=%d", port);
	args_addf(e, "PORT=%d", port);
}

/* --- configuration files --- */

/* The template with its @WORDS@ filled in. */
static void add_file(struct lab_plan *p, const char *name, const char *from,
	const struct lab_pairs *words)
{
	struct text t;
	CHECK(p->n_files < LAB_PLAN_FILES);
	text_init(&t);
	while (*from) {
		size_t plain = strcspn(from, "@");
		text_add_slice(&t, (struct slice){ from, plain });
		from += plain;
		uint32_t i = 0;
		for (; *from && i < words->n; i++) {
			size_t len = strlen(words->v[i].name);
			if (!strncmp(from + 1, words->v[i].name, len) &&
				from[len + 1] == '@')
				break;
		}
		if (*from && i < words->n) {
			text_add(&t, words->v[i].value);
			from += strlen(words->v[i].name) + 2;
		} else if (*from) {
			text_add_char(&t, *from++);
		}
	}
	p->files[p->n_files++] = (struct lab_file){ name, text_take(&t) };
}

/* What the words of a peer's template stand for. */
struct peer_words {
	char listen[32], connect_for[32], answer_for[32], idle[24];
	struct text servers;
	struct lab_pairs pairs;
};

static void set_ms(char *to, size_t cap, ns_t d, double share)
{
	if (d == NS_NEVER)
		snprintf(to, cap, "%s", NO_DEADLINE_FOR);
	else
		snprintf(to, cap, "%.0fms", (double)d * share / (double)NS_MS);
}

/* Its cap is of the server; each of the server's addresses has its part. */
static uint64_t slots_of_address(const struct lab_case *c)
{
	uint64_t part = c->peer.slots / c->server.addresses;
	return part ? part : 1;
}

static void add_servers(struct text *t, const struct lab_case *c)
{
	bool cap = c->peer.slots != UINT64_MAX;
	unsigned long long slots = slots_of_address(c);
	for (uint32_t i = 0; i < c->server.addresses; i++) {
		char ip[LAB_IP_BYTES];
		lab_server_ip(c, i, ip);
		if (c->program == LAB_NGINX) {
			text_addf(t, "\t\tserver %s:%d", ip, LAB_SERVER_PORT);
			if (cap)
				text_addf(t, " max_conns=%llu", slots);
			text_add(t, " max_fails=0;  # never set aside\n");
			continue;
		}
		text_addf(t, "\tserver s%u %s:%d", i + 1, ip, LAB_SERVER_PORT);
		if (cap)
			text_addf(t, " maxconn %llu pool-max-conn %llu", slots, slots);
		text_add(t, " pool-purge-delay 600s\n");
	}
}

static void peer_words_init(
	struct peer_words *w, const struct lab_case *c, const char *dir)
{
	const struct lab_peer *p = &c->peer;
	text_init(&w->servers);
	pairs_init(&w->pairs);
	add_servers(&w->servers, c);
	snprintf(
		w->listen, sizeof(w->listen), "%s:%d", lab_middle_ip(c), LAB_MIDDLE_PORT);
	set_ms(w->connect_for, sizeof(w->connect_for),
		p->deadline == NS_NEVER && p->held ? p->hold_for : p->deadline,
		CONNECT_SHARE);
	set_ms(w->answer_for, sizeof(w->answer_for), p->held ? p->hold_for : p->deadline,
		1);
	snprintf(w->idle, sizeof(w->idle), "%llu",
		p->slots == UINT64_MAX ? 1024ULL : (unsigned long long)p->slots);
	pairs_add(&w->pairs, "DIR", dir);
	pairs_add(&w->pairs, "LISTEN", w->listen);
	pairs_add(&w->pairs, "SERVERS", w->servers.ptr);
	pairs_add(&w->pairs, "IDLE", w->idle);
	pairs_add(&w->pairs, "CONNECT_FOR", w->connect_for);
	pairs_add(&w->pairs, "ANSWER_FOR", w->answer_for);
	pairs_add(&w->pairs, "HOLD", p->held ? "on" : "off");
	pairs_add(&w->pairs, "NGINX_HTTP", p->close ? "1.0" : "1.1");
	pairs_add(&w->pairs, "NGINX_CONNECTION", p->close ? "close" : "");
	pairs_add(&w->pairs, "HAPROXY_MODE",
		p->close ? "http-server-close" : "http-keep-alive");
}

static void plan_peer(struct lab_plan *p, const struct lab_plan_of *of)
{
	struct args *a = &p->middle;
	struct peer_words w;
	peer_words_init(&w, of->c, of->dir);
	if (of->c->program == LAB_NGINX) {
		add_file(p, "nginx.conf", lab_embed_nginx, &w.pairs);
		args_add(a, of->tools->nginx);
		args_add(a, "-p");
		args_add(a, of->dir);
		args_add(a, "-c");
		args_addf(a, "%s/nginx.conf", of->dir);
	} else {
		add_file(p, "haproxy.conf", lab_embed_haproxy, &w.pairs);
		args_add(a, of->tools->haproxy);
		args_add(a, "-db");
		args_add(a, "-f");
		args_addf(a, "%s/haproxy.conf", of->dir);
	}
	text_fini(&w.servers);
	pairs_fini(&w.pairs);
}

/* --- the server --- */

static void add_server_options(struct lab_plan *p, const struct lab_plan_of *of)
{
	const struct lab_server *s = &of->c->server;
	struct args *a = &p->server;
	args_add(a, "--listen");
	args_addf(a, "0.0.0.0:%d", LAB_SERVER_PORT);
	args_add(a, "--admin");
	args_addf(a, "unix:%s/server.sock", of->dir);
	if (s->limit != UINT64_MAX) {
		args_add(a, "--limit");
		args_addf(a, "%llu", (unsigned long long)s->limit);
	}
	if (s->latency) {
		args_add(a, "--latency");
		args_add(a, s->latency);
	}
	args_add(a, "--seed");
	args_addf(a, "%llu", (unsigned long long)of->seed);
	if (s->tls) {
		args_add(a, "--cert");
		args_add(a, of->tools->cert);
		args_add(a, "--key");
		args_add(a, of->tools->key);
	}
	add_options(a, &s->options);
}

static void add_server_env(struct lab_plan *p, const struct lab_plan_of *of)
{
	const struct lab_server *s = &of->c->server;
	struct args *e = &p->server_env;
	const struct lab_pair *body = pairs_find(&s->options, "body");
	add_weir_env(e, of);
	add_listen_env(e, "0.0.0.0", LAB_SERVER_PORT);
	args_addf(e, "WEIR_ADMIN=%s/server.sock", of->dir);
	if (s->limit != UINT64_MAX)
		args_addf(e, "WEIR_LIMIT=%llu", (unsigned long long)s->limit);
	if (s->latency)
		args_addf(e, "WEIR_LATENCY=%s", s->latency);
	args_addf(e, "WEIR_SEED=%llu", (unsigned long long)of->seed);
	if (s->tls) {
		args_addf(e, "WEIR_CERT=%s", of->tools->cert);
		args_addf(e, "WEIR_KEY=%s", of->tools->key);
	}
	if (body) {
		uint64_t bytes = 0;
		CHECK(units_size(slice_of(body->value), &bytes, NULL));
		args_addf(e, "BODY=%llu", (unsigned long long)bytes);
	}
	add_env(e, &s->env);
}

static void plan_server_nginx(struct lab_plan *p, const struct lab_plan_of *of)
{
	const struct lab_server *s = &of->c->server;
	struct lab_pairs words;
	struct args *a = &p->server;
	char limit[24], listen[32];
	/* One of them is the listener's. */
	snprintf(limit, sizeof(limit), "%llu",
		s->limit == UINT64_MAX ? 65536ULL : (unsigned long long)s->limit + 1);
	snprintf(listen, sizeof(listen), "0.0.0.0:%d", LAB_SERVER_PORT);
	pairs_init(&words);
	pairs_add(&words, "DIR", of->dir);
	pairs_add(&words, "LISTEN", listen);
	pairs_add(&words, "CONNECTIONS", limit);
	add_file(p, "server.conf", lab_embed_nginx_server, &words);
	pairs_fini(&words);
	args_add(a, of->tools->nginx);
	args_add(a, "-p");
	args_add(a, of->dir);
	args_add(a, "-c");
	args_addf(a, "%s/server.conf", of->dir);
}

static void plan_server(struct lab_plan *p, const struct lab_plan_of *of)
{
	struct args *a = &p->server;
	switch (of->c->server.program) {
	case LAB_SERVER_WEIR:
		args_add(a, of->tools->weir);
		args_add(a, "origin");
		add_server_options(p, of);
		return;
	case LAB_SERVER_FASTHTTP:
		args_add(a, of->tools->fasthttp);
		add_server_options(p, of);
		return;
	case LAB_SERVER_NODE:
		args_add(a, of->tools->node);
		args_add(a, of->tools->node_server);
		add_server_env(p, of);
		return;
	case LAB_SERVER_NGINX:
		plan_server_nginx(p, of);
		return;
	case LAB_SERVER_COMMAND:
		add_shell(a, of->c->server.command);
		add_server_env(p, of);
		return;
	}
}

/* --- the middleware --- */

static void plan_proxy(struct lab_plan *p, const struct lab_plan_of *of)
{
	const struct lab_case *c = of->c;
	struct args *a = &p->middle;
	args_add(a, of->tools->weir);
	args_add(a, "proxy");
	args_add(a, "--listen");
	args_addf(a, "%s:%d", lab_middle_ip(c), LAB_MIDDLE_PORT);
	for (uint32_t i = 0; i < c->server.addresses; i++) {
		char ip[LAB_IP_BYTES];
		lab_server_ip(c, i, ip);
		args_add(a, "--upstream");
		args_addf(a, "%s://%s:%d", scheme_of(c), ip, LAB_SERVER_PORT);
	}
	if (c->server.tls) {
		args_add(a, "--upstream-ca");
		args_add(a, of->tools->cert);
	}
	args_add(a, "--admin");
	args_addf(a, "unix:%s/middleware.sock", of->dir);
	args_add(a, "--gather");
	args_addf(a, "%llu", (unsigned long long)c->calls);
	add_options(a, &c->options);
}

static void add_middle_env(struct lab_plan *p, const struct lab_plan_of *of)
{
	const struct lab_case *c = of->c;
	struct args *e = &p->middle_env;
	struct text all;
	const char *scheme = scheme_of(c);
	char ip[LAB_IP_BYTES];
	text_init(&all);
	for (uint32_t i = 0; i < c->server.addresses; i++) {
		lab_server_ip(c, i, ip);
		text_addf(
			&all, "%s%s://%s:%d", i ? "," : "", scheme, ip, LAB_SERVER_PORT);
	}
	lab_server_ip(c, 0, ip);
	add_weir_env(e, of);
	add_listen_env(e, lab_middle_ip(c), LAB_MIDDLE_PORT);
	args_addf(e, "UPSTREAM=%s://%s:%d", scheme, ip, LAB_SERVER_PORT);
	args_addf(e, "WEIR_UPSTREAM=%s://%s:%d", scheme, ip, LAB_SERVER_PORT);
	args_addf(e, "WEIR_UPSTREAMS=%s", all.ptr);
	args_addf(e, "WEIR_GATHER=%llu", (unsigned long long)c->calls);
	args_addf(e, "WEIR_ADMIN=%s/middleware.sock", of->dir);
	add_trust_env(e, of);
	add_env(e, &c->env);
	text_fini(&all);
}

static void plan_middle(struct lab_plan *p, const struct lab_plan_of *of)
{
	struct args *a = &p->middle;
	switch (of->c->program) {
	case LAB_WEIR:
		plan_proxy(p, of);
		return;
	case LAB_NGINX:
	case LAB_HAPROXY:
		plan_peer(p, of);
		return;
	case LAB_NODE:
		args_add(a, of->tools->node);
		args_add(a, of->tools->node_js);
		break;
	case LAB_GO:
		args_add(a, of->tools->go_middleware);
		break;
	case LAB_PYTHON:
		args_add(a, "python3");
		args_add(a, of->tools->python_py);
		break;
	case LAB_COMMAND:
		add_shell(a, of->c->command);
		break;
	}
	add_middle_env(p, of);
}

/* --- the callers --- */

static void plan_load(struct lab_plan *p, const struct lab_plan_of *of)
{
	const struct lab_case *c = of->c;
	struct args *a = &p->client;
	args_add(a, of->tools->weir);
	args_add(a, "load");
	args_add(a, "--schedule");
	if (c->callers.replay)
		args_add(a, c->callers.replay);
	else
		args_addf(a, "%s/" LAB_ARRIVALS_FILE, of->dir);
	if (c->warm_up)
		add_ms(a, "--warm-up", c->warm_up);
	add_options(a, &c->callers.options);
	/* A peer that holds its slots leaves giving up to the callers. */
	if (c->peer.held && c->peer.deadline != NS_NEVER &&
		!pairs_find(&c->callers.options, "timeout"))
		add_ms(a, "--timeout", c->peer.deadline);
	args_add(a, "--json");
	args_add(a, "--quiet");
	args_addf(a, "http://%s:%d/", lab_middle_ip(c), LAB_MIDDLE_PORT);
}

static void plan_client(struct lab_plan *p, const struct lab_plan_of *of)
{
	const struct lab_case *c = of->c;
	struct args *e = &p->client_env;
	if (!c->callers.command) {
		plan_load(p, of);
		return;
	}
	add_shell(&p->client, c->callers.command);
	add_weir_env(e, of);
	args_addf(e, "TARGET=http://%s:%d/", lab_middle_ip(c), LAB_MIDDLE_PORT);
	args_addf(e, "FOR=%.6g", (double)c->callers.run_for / (double)NS_S);
	if (c->callers.rate > 0)
		args_addf(e, "RATE=%.6g", c->callers.rate);
	if (c->callers.replay)
		args_addf(e, "ARRIVALS=%s", c->callers.replay);
	else if (c->callers.rate > 0)
		args_addf(e, "ARRIVALS=%s/" LAB_ARRIVALS_FILE, of->dir);
	add_env(e, &c->callers.env);
}

/* --- the whole --- */

void lab_plan_init(struct lab_plan *p, const struct lab_plan_of *of)
{
	*p = (struct lab_plan){ .n_files = 0 };
	plan_server(p, of);
	plan_middle(p, of);
	plan_client(p, of);
}

void lab_plan_fini(struct lab_plan *p)
{
	args_fini(&p->server);
	args_fini(&p->middle);
	args_fini(&p->client);
	args_fini(&p->server_env);
	args_fini(&p->middle_env);
	args_fini(&p->client_env);
	for (uint32_t i = 0; i < p->n_files; i++)
		mem_free(p->files[i].text);
	p->n_files = 0;
}

/* Of one stretch with one rate. */
static void add_stretch(struct text *t, const struct lab_callers *c,
	const struct lab_phase *from, ns_t until, uint64_t seed)
{
	struct schedule s;
	if (!(from->rate > 0) || until <= from->at)
		return;
	schedule_init(&s, c->poisson ? SCHEDULE_POISSON : SCHEDULE_CONSTANT, from->rate,
		seed, until - from->at);
	for (; schedule_peek(&s) != NS_NEVER; schedule_take(&s)) {
		ns_t at = from->at + schedule_peek(&s);
		text_addf(t, "%lld.%06lldms\n", (long long)(at / NS_MS),
			(long long)(at % NS_MS));
	}
}

void text_add_arrivals(struct text *t, const struct lab_callers *c, uint64_t seed)
{
	struct lab_phase now = { 0, c->rate };
	for (uint32_t i = 0; i < c->n_phases; i++) {
		add_stretch(t, c, &now, ns_min(c->phases[i].at, c->run_for),
			seed * LAB_PHASES_MAX + i);
		now = c->phases[i];
	}
	add_stretch(t, c, &now, c->run_for, seed * LAB_PHASES_MAX + c->n_phases);
}

uint64_t lab_plan_files(const struct lab_case *c)
{
	/* Little's law: nobody waits longer than the patience and the wait after it; in a
	 * middleware each request holds its own socket and those of its calls. */
	const struct lab_callers *k = &c->callers;
	ns_t held_for = ns_min(ns_min(k->timeout, ns_add(k->patience, k->wait_for)),
		ns_min(ns_add(k->run_for, k->wait_for), 60 * NS_S));
	double rate = k->rate, seconds = (double)held_for / (double)NS_S;
	for (uint32_t i = 0; i < k->n_phases; i++)
		rate = k->phases[i].rate > rate ? k->phases[i].rate : rate;
	uint64_t slots = c->server.limit == UINT64_MAX ? 0 : c->server.limit;
	return (uint64_t)(rate * seconds * (double)(1 + c->calls)) + slots + 256;
}
