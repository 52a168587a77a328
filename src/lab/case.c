#include "lab/case.h"

#include <math.h>

#include "base/dist.h"

const char *const lab_server_words[] = { "weir", "fasthttp", "node", "nginx", "command",
	NULL };
const char *const lab_role_words[] = { "fault", "witness", "cure", "weir", NULL };

static const char *const nothing[] = { NULL };
static const char *const variant_words[] = { "about", "role", "weir", "nginx", "haproxy",
	"program", "command", "env", "callers", "server", "sysctls", NULL };
static const char *const arrival_words[] = { "rate", "arrivals", "for", "phase", "replay",
	NULL };

/* What a case is read with. */
struct hand {
	struct lab_case *c;
	struct reader *r;
	const struct case_source *source;
	struct reader_levels callers, server;
};

static void complain_at(
	struct hand *h, const struct reader_levels *l, const char *key, const char *text)
{
	const struct conf_node *node = reader_find(l, key);
	conf_complain(h->r->conf, node ? node->at : h->source->at, "%s: %s", key, text);
}

/* --- figures that options refer to --- */

static void add_rate_figure(struct hand *h, const char *name, double per_second)
{
	char text[64];
	snprintf(text, sizeof(text), "%.6g/s", per_second);
	pairs_add(h->r->figures, name, reader_keep(h->r, text));
}

static void add_count_figure(struct hand *h, const char *name, uint64_t value)
{
	char text[24] = "none";
	if (value != UINT64_MAX)
		snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	pairs_add(h->r->figures, name, reader_keep(h->r, text));
}

static uint64_t scaled(const struct hand *h, uint64_t n)
{
	if (n == UINT64_MAX)
		return n;
	double d = round((double)n * h->source->options->scale);
	return d < 1 ? 1 : (uint64_t)d;
}

/* --- callers --- */

static const char *beside(struct hand *h, const char *path)
{
	const char *file = h->source->dir_of, *slash = file ? strrchr(file, '/') : NULL;
	struct text t;
	if (*path == '/' || !slash)
		return path;
	text_init(&t);
	text_addf(&t, "%.*s/%s", (int)(slash - file), file, path);
	path = reader_keep(h->r, t.ptr);
	text_fini(&t);
	return path;
}

/* "10s: rate=320/s" */
static bool parse_phase(const char *text, struct lab_phase *out, struct problem *p)
{
	struct slice s = slice_of(text);
	size_t colon = slice_find(s, ':');
	struct slice rest = slice_trim(slice_cut(s, colon + 1, SIZE_MAX));
	if (colon == s.len || !slice_starts(rest, SLICE("rate=")))
		return problem_set(p,
			"'%s' is no change of the rate: write it as 10s: rate=320/s",
			text);
	return units_duration(slice_trim(slice_cut(s, 0, colon)), &out->at, p) &&
	       units_rate(slice_cut(rest, strlen("rate="), SIZE_MAX), &out->rate, p);
}

static void read_phases(struct hand *h, struct lab_callers *c)
{
	const struct conf_node *node = reader_find(&h->callers, "phase");
	struct lab_pairs texts;
	if (!node)
		return;
	pairs_init(&texts);
	reader_list(h->r, node, &texts);
	for (uint32_t i = 0; i < texts.n; i++) {
		struct problem p = { "" };
		struct lab_phase *at = &c->phases[c->n_phases];
		if (c->n_phases == LAB_PHASES_MAX)
			problem_set(&p, "more than %d changes", LAB_PHASES_MAX);
		else if (parse_phase(texts.v[i].value, at, &p) && c->n_phases &&
			 at->at <= at[-1].at)
			problem_set(&p, "changes are in order of time");
		if (p.text[0])
			conf_complain(h->r->conf, node->at, "phase: %s", p.text);
		else
			c->n_phases++;
	}
	pairs_fini(&texts);
}

static void check_arrivals(struct hand *h, struct lab_callers *c)
{
	const struct conf_node *own = h->source->map ? conf_get(h->source->map, "callers")
						     : NULL;
	for (const char *const *w = arrival_words; own && *w; w++) {
		const struct conf_node *node = conf_get(own, *w);
		if (node)
			conf_complain(h->r->conf, node->key_at,
				"'%s' does not belong in a variant: all meet the same "
				"arrivals. Write it in the act's callers",
				*w);
	}
	if (!c->command && !c->replay && !reader_find(&h->callers, "rate") &&
		!(c->rate > 0))
		conf_complain(h->r->conf,
			h->source->levels.map[h->source->levels.n - 1]->at,
			"callers: rate is missing: write rate: 100/s");
	if (c->rate > LAB_RATE_MAX)
		complain_at(h, &h->callers, "rate", "at most 1,000,000/s");
	if (c->run_for <= 0 || c->run_for > LAB_RUN_MAX)
		complain_at(h, &h->callers, "for",
			"write a duration above zero, a day at most, such as 30s");
	if (h->c->warm_up && h->c->warm_up >= c->run_for)
		complain_at(h, &h->source->levels, "warm-up",
			"is not shorter than the run itself");
	for (uint32_t i = 0; i < h->callers.n; i++) {
		const struct conf_node *rate = conf_get(h->callers.map[i], "rate");
		if (rate && conf_get(h->callers.map[i], "replay"))
			conf_complain(h->r->conf, rate->at,
				"rate: replay says when requests come in: leave it out");
	}
}

/* One key stands at a stronger level than the other. */
static bool is_stronger(const struct reader_levels *l, const char *one, const char *other)
{
	for (uint32_t i = 0; i < l->n; i++) {
		if (conf_get(l->map[i], other))
			return false;
		if (conf_get(l->map[i], one))
			return true;
	}
	return false;
}

/* Options that the plan and the figures must know of as well. */
static void note_option(const struct lab_pairs *options, const char *name, ns_t *out)
{
	const struct lab_pair *o = pairs_find(options, name);
	struct problem p = { "" };
	if (!o)
		return;
	*out = NS_NEVER;
	if (strcmp(o->value, "none") != 0 && !units_duration(slice_of(o->value), out, &p))
		*out = NS_NEVER;
}

static void read_callers(struct hand *h)
{
	static const char *const arrivals[] = { "constant", "poisson", NULL };
	static const char *const own[] = { "rate", "replay", "command", "env", "arrivals",
		"for", "phase", NULL };
	static const char *const taken[] = { "schedule", "seed", "json", "merge", "log",
		"interval", "quiet", "warm-up", NULL };
	const struct lab_options *o = h->source->options;
	struct lab_callers *c = &h->c->callers;
	struct reader_levels env;
	const char *replay = NULL;
	int kind = 0;
	reader_below(h->r, &h->callers, &h->source->levels, "callers");
	c->run_for = 10 * NS_S;
	reader_rate(h->r, &h->callers, "rate", &c->rate);
	reader_duration(h->r, &h->callers, "for", &c->run_for);
	reader_choice(h->r, &h->callers, "arrivals", arrivals, &kind);
	reader_word(h->r, &h->callers, "command", &c->command);
	reader_word(h->r, &h->callers, "replay", &replay);
	read_phases(h, c);
	c->poisson = kind == 1;
	if (replay && is_stronger(&h->callers, "rate", "replay"))
		replay = NULL;
	c->replay = replay ? beside(h, replay) : NULL;
	c->rate = (o->rate > 0 ? o->rate : c->rate) * o->scale;
	for (uint32_t i = 0; i < c->n_phases; i++)
		c->phases[i].rate *= o->scale;
	if (o->run_for != NS_NEVER)
		c->run_for = o->run_for;
	check_arrivals(h, c);
	add_rate_figure(h, "rate", c->rate);
	reader_below(h->r, &env, &h->callers, "env");
	reader_map(h->r, &env, &c->env);
	reader_options(h->r, &h->callers, &(struct reader_options){ "load", own, taken },
		&c->options);
	c->patience = c->timeout = NS_NEVER;
	c->wait_for = 30 * NS_S;
}

/* --- the server --- */

/* Who is called by https, and can. */
static void check_tls(struct hand *h, const struct lab_server *s)
{
	if (s->tls && (s->program == LAB_SERVER_NODE || s->program == LAB_SERVER_NGINX))
		complain_at(h, &h->server, "tls",
			"weir origin, fasthttp and a command of your own speak it, node "
			"and nginx do not");
}

/* What programs other than weir origin know. */
static void check_server_options(struct hand *h, struct lab_server *s)
{
	bool body = s->program == LAB_SERVER_FASTHTTP || s->program == LAB_SERVER_NODE;
	for (uint32_t i = 0; i < s->options.n && s->program != LAB_SERVER_WEIR; i++) {
		const char *name = s->options.v[i].name;
		const struct conf_node *node = reader_find(&h->server, name);
		if (body && !strcmp(name, "body"))
			continue;
		conf_complain(h->r->conf, node ? node->key_at : h->source->at,
			"%s knows no '%s': that is weir origin's",
			lab_server_program_name(s->program), name);
	}
	if (s->program == LAB_SERVER_NGINX && s->latency)
		complain_at(
			h, &h->server, "latency", "nginx answers at once: it has none");
}

static void check_latency(struct hand *h, const char *latency)
{
	struct problem p = { "" };
	struct dist *d = latency ? dist_parse(slice_of(latency), &p) : NULL;
	if (latency && !d)
		complain_at(h, &h->server, "latency", p.text);
	dist_free(&d);
}

static void read_server(struct hand *h)
{
	static const char *const own[] = { "program", "command", "env", "addresses",
		"limit", "latency", "tls", NULL };
	static const char *const taken[] = { "listen", "admin", "seed", "cert", "key",
		NULL };
	static const char *const tls[] = { "no", "yes", NULL };
	struct lab_server *s = &h->c->server;
	struct reader_levels env;
	uint64_t addresses = 1;
	int program = LAB_SERVER_WEIR, speaks_tls = 0;
	reader_choice(h->r, &h->server, "program", lab_server_words, &program);
	reader_choice(h->r, &h->server, "tls", tls, &speaks_tls);
	reader_word(h->r, &h->server, "command", &s->command);
	reader_count(h->r, &h->server, "addresses", &addresses);
	reader_word(h->r, &h->server, "latency", &s->latency);
	check_latency(h, s->latency);
	if (addresses < 1 || addresses > LAB_ADDRESSES_MAX)
		complain_at(h, &h->server, "addresses", "between 1 and 8");
	if (program == LAB_SERVER_COMMAND && !s->command)
		complain_at(h, &h->server, "program", "command: says which?");
	s->addresses = (uint32_t)addresses;
	s->program = s->command ? LAB_SERVER_COMMAND : (enum lab_server_program)program;
	if (s->program == LAB_SERVER_WEIR &&
		h->source->options->origin == LAB_ORIGIN_FASTHTTP)
		s->program = LAB_SERVER_FASTHTTP;
	s->tls = speaks_tls == 1;
	check_tls(h, s);
	reader_below(h->r, &env, &h->server, "env");
	reader_map(h->r, &env, &s->env);
	reader_options(h->r, &h->server, &(struct reader_options){ "origin", own, taken },
		&s->options);
	check_server_options(h, s);
}

/* --- what stands in the middle --- */

static void read_peer(struct hand *h, const struct reader_levels *l)
{
	static const char *const words[] = { "manner", "deadline", "slots", "hold-for",
		"connections", NULL };
	static const char *const manners[] = { "deadline", "held", NULL };
	static const char *const connections[] = { "pool", "close", NULL };
	struct lab_peer *p = &h->c->peer;
	int manner = 0, close = 0;
	*p = (struct lab_peer){
		.deadline = NS_NEVER, .hold_for = 30 * NS_S, .slots = UINT64_MAX
	};
	reader_check_keys(h->r, l->map[0], words);
	reader_choice(h->r, l, "manner", manners, &manner);
	reader_choice(h->r, l, "connections", connections, &close);
	reader_duration(h->r, l, "deadline", &p->deadline);
	reader_duration(h->r, l, "hold-for", &p->hold_for);
	reader_count(h->r, l, "slots", &p->slots);
	p->held = manner == 1;
	p->close = close == 1;
	if (p->slots == 0)
		complain_at(h, l, "slots", "1 at least, or none");
	if (p->deadline <= 0 || p->hold_for <= 0 || p->hold_for == NS_NEVER)
		complain_at(h, l, p->deadline <= 0 ? "deadline" : "hold-for",
			"write a duration above zero");
}

static void read_weir(struct hand *h, const struct reader_levels *l)
{
	static const char *const taken[] = { "listen", "upstream", "admin", "config",
		"gather", NULL };
	reader_options(h->r, l, &(struct reader_options){ "proxy", nothing, taken },
		&h->c->options);
}

static void read_shipped(struct hand *h, const struct reader_levels *own)
{
	static const char *const words[] = { "node", "go", "python", NULL };
	static const enum lab_program programs[] = { LAB_NODE, LAB_GO, LAB_PYTHON };
	int program = 0;
	reader_choice(h->r, own, "program", words, &program);
	h->c->program = programs[program];
}

/* Which of the words says what the variant is; NULL after a complaint. */
static const char *kind_of(struct hand *h)
{
	static const char *const kinds[] = { "weir", "nginx", "haproxy", "program",
		"command" };
	const char *kind = NULL;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct conf_node *node = conf_get(h->source->map, kinds[i]);
		if (node && kind)
			conf_complain(h->r->conf, node->key_at,
				"%s is %s already: a variant is one program",
				h->source->name, kind);
		if (node && !kind)
			kind = kinds[i];
	}
	if (!kind)
		conf_complain(h->r->conf, h->source->at,
			"%s: what is it? One of weir, nginx, haproxy, program and command "
			"says so",
			h->source->name);
	return kind;
}

static void read_middle(struct hand *h)
{
	struct reader_levels own = { { h->source->map }, 1 }, below;
	struct lab_case *c = h->c;
	const char *kind = kind_of(h);
	int role = LAB_WITNESS;
	reader_check_keys(h->r, h->source->map, variant_words);
	reader_word(h->r, &own, "about", &c->what);
	reader_choice(h->r, &own, "role", lab_role_words, &role);
	c->role = (enum lab_role)role;
	reader_below(h->r, &below, &own, "env");
	reader_map(h->r, &below, &c->env);
	if (!kind)
		return;
	if (!strcmp(kind, "command")) {
		c->program = LAB_COMMAND;
		reader_word(h->r, &own, "command", &c->command);
		return;
	}
	if (!strcmp(kind, "program")) {
		read_shipped(h, &own);
		return;
	}
	c->program = !strcmp(kind, "weir")    ? LAB_WEIR
		     : !strcmp(kind, "nginx") ? LAB_NGINX
					      : LAB_HAPROXY;
	reader_below(h->r, &below, &own, kind);
	if (c->program != LAB_WEIR && c->calls != 1)
		conf_complain(h->r->conf, h->source->at,
			"%s makes one call for each request, and calls says %llu: leave "
			"it out of this act",
			kind, (unsigned long long)c->calls);
	if (c->program != LAB_WEIR && c->server.tls)
		conf_complain(h->r->conf, h->source->at,
			"%s calls the server without TLS here: leave it out of this act",
			kind);
	if (below.n && c->program == LAB_WEIR)
		read_weir(h, &below);
	else if (below.n)
		read_peer(h, &below);
}

static void read_yours(struct hand *h)
{
	h->c->program = LAB_COMMAND;
	h->c->role = LAB_WITNESS;
	h->c->command = h->c->what = h->source->options->middleware;
}

/* --- the whole --- */

static void read_links(struct hand *h)
{
	static const char *const words[] = { "callers", "server", NULL };
	static const char *const delay[] = { "delay", NULL };
	struct reader_levels links, one;
	ns_t *const to[] = { &h->c->delay_callers, &h->c->delay_server };
	reader_below(h->r, &links, &h->source->levels, "links");
	for (uint32_t i = 0; i < links.n; i++)
		reader_check_keys(h->r, links.map[i], words);
	for (size_t i = 0; i < ARRAY_LEN(to); i++) {
		reader_below(h->r, &one, &links, words[i]);
		for (uint32_t k = 0; k < one.n; k++)
			reader_check_keys(h->r, one.map[k], delay);
		reader_duration(h->r, &one, "delay", to[i]);
		if (*to[i] < 0 || *to[i] > 10 * NS_S)
			complain_at(h, &one, "delay", "at most 10s");
	}
}

/* Of the network alone: those are a namespace's own. */
static bool is_net_sysctl(const char *name)
{
	return !strncmp(name, "net.", 4) &&
	       name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-")] == '\0';
}

static void read_sysctls(struct hand *h)
{
	struct reader_levels below;
	struct lab_pairs *s = &h->c->sysctls;
	reader_below(h->r, &below, &h->source->levels, "sysctls");
	reader_map(h->r, &below, s);
	for (uint32_t i = 0; i < s->n; i++) {
		if (!is_net_sysctl(s->v[i].name))
			complain_at(h, &below, s->v[i].name,
				"names begin with net., as net.ipv4.tcp_tw_reuse");
	}
}

static void read_setting(struct hand *h)
{
	static const char *const hosts[] = { "three", "one", NULL };
	const struct reader_levels *l = &h->source->levels;
	struct lab_case *c = h->c;
	uint64_t pool = UINT64_MAX;
	int one = 0;
	c->calls = 1;
	reader_below(h->r, &h->r->let, l, "let");
	reader_below(h->r, &h->server, l, "server");
	reader_count(h->r, l, "calls", &c->calls);
	reader_count(h->r, l, "pool", &pool);
	reader_duration(h->r, l, "warm-up", &c->warm_up);
	reader_choice(h->r, l, "hosts", hosts, &one);
	c->server.limit = UINT64_MAX;
	reader_count(h->r, &h->server, "limit", &c->server.limit);
	if (c->calls < 1 || c->calls > 64)
		complain_at(h, l, "calls", "between 1 and 64");
	c->one_host = one == 1;
	add_count_figure(h, "calls", c->calls);
	if (pool != UINT64_MAX)
		add_count_figure(h, "pool", scaled(h, pool));
	read_links(h);
	read_sysctls(h);
}

static char *label_of(const struct lab_case *c)
{
	struct text t;
	text_init(&t);
	text_add(&t, c->name);
	for (uint32_t i = 0; i < c->point.n; i++)
		text_addf(&t, " %s=%s", c->point.v[i].name, c->point.v[i].value);
	return text_take(&t);
}

void case_read(struct lab_case *c, struct reader *r, const struct case_source *source)
{
	struct case_source inner = *source;
	struct hand h = { .c = c, .r = r, .source = &inner };
	/* callers and server of the variant stand before those of its act. */
	inner.levels.n = 0;
	reader_add_level(&inner.levels, source->map);
	for (uint32_t i = 0; i < source->levels.n; i++)
		reader_add_level(&inner.levels, source->levels.map[i]);
	c->name = source->name;
	read_setting(&h);
	c->server.limit = scaled(&h, c->server.limit);
	add_count_figure(&h, "limit", c->server.limit);
	read_callers(&h);
	read_server(&h);
	if (source->map)
		read_middle(&h);
	else
		read_yours(&h);
	note_option(&c->callers.options, "patience", &c->callers.patience);
	note_option(&c->callers.options, "wait-for", &c->callers.wait_for);
	note_option(&c->callers.options, "timeout", &c->callers.timeout);
	reader_point(r, &c->point);
	c->label = label_of(c);
}

void case_fini(struct lab_case *c)
{
	pairs_fini(&c->point);
	pairs_fini(&c->options);
	pairs_fini(&c->sysctls);
	pairs_fini(&c->env);
	pairs_fini(&c->callers.options);
	pairs_fini(&c->callers.env);
	pairs_fini(&c->server.options);
	pairs_fini(&c->server.env);
	mem_free(c->label);
}
