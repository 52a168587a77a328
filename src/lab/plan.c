#include "lab/plan.h"

#include <math.h>

static uint64_t scaled(uint64_t n, double scale)
{
	double d = round((double)n * scale);
	return d < 1 ? 1 : (uint64_t)d;
}

struct lab_setting lab_setting_of(
	const struct lab_act *act, const struct lab_options *options)
{
	double scale = options->scale > 0 ? options->scale : 1;
	return (struct lab_setting){
		.rate = (options->rate > 0 ? options->rate : act->rate) * scale,
		.run_for = options->run_for == NS_NEVER ? act->run_for : options->run_for,
		.patience = act->patience,
		.wait_for = act->wait_for,
		.gather = act->gather,
		.addresses = act->addresses,
		.limit = scaled(act->limit, scale),
		.pool = scaled(act->pool, scale),
	};
}

/* `word` with {limit}, {pool} and {gather} filled in. */
static void add_filled(struct args *a, const struct lab_setting *set, const char *word)
{
	const struct {
		const char *name;
		uint64_t value;
	} figures[] = { { "{limit}", set->limit }, { "{pool}", set->pool },
		{ "{gather}", set->gather } };
	struct text t;
	text_init(&t);
	for (const char *at = word; *at;) {
		size_t i = 0;
		while (i < ARRAY_LEN(figures) &&
			strncmp(at, figures[i].name, strlen(figures[i].name)) != 0)
			i++;
		if (i < ARRAY_LEN(figures)) {
			text_addf(&t, "%llu", (unsigned long long)figures[i].value);
			at += strlen(figures[i].name);
		} else {
			text_add_char(&t, *at++);
		}
	}
	args_add(a, t.len ? t.ptr : "");
	text_fini(&t);
}

static void add_all(
	struct args *a, const struct lab_setting *set, const char *const *words)
{
	for (; words && *words; words++)
		add_filled(a, set, *words);
}

static void add_ms(struct args *a, const char *name, ns_t value)
{
	args_add(a, name);
	args_addf(a, "%lldms", (long long)(value / NS_MS));
}

static void plan_server(struct lab_plan *p, const struct lab_plan_of *of)
{
	struct args *a = &p->server;
	if (of->options->origin == LAB_ORIGIN_FASTHTTP) {
		args_add(a, of->tools->fasthttp);
	} else {
		args_add(a, of->tools->weir);
		args_add(a, "origin");
	}
	args_add(a, "--listen");
	args_addf(a, "0.0.0.0:%d", LAB_SERVER_PORT);
	args_add(a, "--admin");
	args_addf(a, "unix:%s/server.sock", of->dir);
	args_add(a, "--limit");
	args_addf(a, "%llu", (unsigned long long)p->set.limit);
	args_add(a, "--latency");
	args_add(a, of->act->latency);
}

static void plan_proxy(struct lab_plan *p, const struct lab_plan_of *of)
{
	struct args *a = &p->middle;
	args_add(a, of->tools->weir);
	args_add(a, "proxy");
	args_add(a, "--listen");
	args_addf(a, "%s:%d", LAB_MIDDLE_IP_IN, LAB_MIDDLE_PORT);
	args_add(a, "--upstream");
	args_addf(a, "http://%s:%d", LAB_SERVER_IP_1, LAB_SERVER_PORT);
	if (p->set.addresses > 1) {
		args_add(a, "--upstream");
		args_addf(a, "http://%s:%d", LAB_SERVER_IP_2, LAB_SERVER_PORT);
	}
	args_add(a, "--admin");
	args_addf(a, "unix:%s/middleware.sock", of->dir);
	args_add(a, "--gather");
	args_addf(a, "%u", p->set.gather);
	add_all(a, &p->set, of->variant->args);
}

static void plan_other(struct lab_plan *p, const struct lab_plan_of *of)
{
	switch (of->variant->program) {
	case LAB_NODE:
		args_add(&p->middle, of->tools->node);
		args_add(&p->middle, of->tools->node_js);
		break;
	case LAB_GO:
		args_add(&p->middle, of->tools->go_middleware);
		break;
	case LAB_COMMAND:
		args_add(&p->middle, "sh");
		args_add(&p->middle, "-c");
		args_add(&p->middle, of->options->middleware);
		break;
	case LAB_PROXY:
		return;
	}
	struct args *e = &p->middle_env;
	args_addf(e, "WEIR_LISTEN_HOST=%s", LAB_MIDDLE_IP_IN);
	args_addf(e, "WEIR_LISTEN_PORT=%d", LAB_MIDDLE_PORT);
	args_addf(e, "PORT=%d", LAB_MIDDLE_PORT);
	args_addf(e, "WEIR_UPSTREAM=http://%s:%d", LAB_SERVER_IP_1, LAB_SERVER_PORT);
	if (p->set.addresses > 1)
		args_addf(e, "WEIR_UPSTREAMS=http://%s:%d,http://%s:%d", LAB_SERVER_IP_1,
			LAB_SERVER_PORT, LAB_SERVER_IP_2, LAB_SERVER_PORT);
	else
		args_addf(e, "WEIR_UPSTREAMS=http://%s:%d", LAB_SERVER_IP_1,
			LAB_SERVER_PORT);
	args_addf(e, "WEIR_GATHER=%u", p->set.gather);
	add_all(e, &p->set, of->variant->env);
}

static void plan_client(struct lab_plan *p, const struct lab_plan_of *of)
{
	struct args *a = &p->client;
	args_add(a, of->tools->weir);
	args_add(a, "load");
	args_add(a, "--rate");
	args_addf(a, "%.6g/s", p->set.rate);
	add_ms(a, "--for", p->set.run_for);
	add_ms(a, "--patience", p->set.patience);
	add_ms(a, "--wait-for", p->set.wait_for);
	args_add(a, "--connections");
	args_add(a, of->act->manner);
	args_add(a, "--json");
	args_add(a, "--quiet");
	args_addf(a, "http://%s:%d/", LAB_MIDDLE_IP_IN, LAB_MIDDLE_PORT);
}

void lab_plan_init(struct lab_plan *p, const struct lab_plan_of *of)
{
	p->set = lab_setting_of(of->act, of->options);
	args_init(&p->server);
	args_init(&p->middle);
	args_init(&p->middle_env);
	args_init(&p->client);
	plan_server(p, of);
	if (of->variant->program == LAB_PROXY)
		plan_proxy(p, of);
	else
		plan_other(p, of);
	plan_client(p, of);
}

void lab_plan_fini(struct lab_plan *p)
{
	args_fini(&p->server);
	args_fini(&p->middle);
	args_fini(&p->middle_env);
	args_fini(&p->client);
}

uint64_t lab_plan_files(const struct lab_setting *set)
{
	/* Little's law: nobody waits longer than the patience and the wait after it; in a
	 * middleware each request holds its own socket and those of its calls. */
	double seconds = (double)(set->patience + set->wait_for) / (double)NS_S;
	double held = set->rate * seconds * (1 + set->gather);
	return (uint64_t)held + set->limit + 256;
}

/* Whether `name` is one of the comma-separated names. */
static bool is_among(const char *names, const char *name)
{
	struct slice rest = slice_of(names), item;
	while (slice_next_item(&rest, &item)) {
		if (slice_eq(item, slice_of(name)))
			return true;
	}
	return false;
}

/* A name in --only that no act of the scenario has is a slip of the pen. */
static bool check_only(const struct lab_scenario *s, const struct lab_options *options,
	struct problem *p)
{
	const char *known[LAB_VARIANTS_MAX * 4];
	size_t n = 0;
	for (size_t i = 0; i < s->n_acts; i++) {
		const struct lab_act *act = &s->acts[i];
		for (size_t k = 0; k < act->n_variants && n + 1 < ARRAY_LEN(known); k++)
			known[n++] = act->variants[k].name;
	}
	if (options->middleware)
		known[n++] = "yours";
	struct slice rest = slice_of(options->only), item;
	while (slice_next_item(&rest, &item)) {
		size_t k = 0;
		while (k < n && !slice_eq(item, slice_of(known[k])))
			k++;
		if (k < n)
			continue;
		const char *near = units_nearest(item, known, n);
		return problem_set(p,
			"--only: there is no variant '%.*s'%s%s%s; `weir lab "
			"show %s` lists them",
			SLICE_ARG(item), near ? ": did you mean '" : "", near ? near : "",
			near ? "'?" : "", s->name);
	}
	return true;
}

bool lab_cast_init(struct lab_cast *c, const struct lab_scenario *scenario,
	const struct lab_act *act, const struct lab_options *options, struct problem *p)
{
	c->n = 0;
	if (options->only && !check_only(scenario, options, p))
		return false;
	for (size_t i = 0; i < act->n_variants; i++) {
		const struct lab_variant *v = &act->variants[i];
		if (!options->only || is_among(options->only, v->name))
			c->v[c->n++] = *v;
		if (i == 0 && options->middleware &&
			(!options->only || is_among(options->only, "yours")))
			c->v[c->n++] = (struct lab_variant){ .name = "yours",
				.what = options->middleware,
				.program = LAB_COMMAND,
				.role = LAB_WITNESS };
	}
	return true;
}
