/* A plan's names: looked up before it is opened, those of a reload while the plan before goes
 * on. */
#include "proxy/proxy.h"

static bool has_names(const struct plan *plan)
{
	for (uint32_t i = 0; i < plan->upstream_count; i++)
		for (uint32_t k = 0; k < plan->upstreams[i].source_count; k++)
			if (names_source_is_name(&plan->upstreams[i].sources[k]))
				return true;
	return false;
}

/* The resolver that runs, unless the nameservers are others. */
static bool make_dns(
	struct plan *plan, struct proxy *p, struct io_loop *loop, struct problem *why)
{
	const struct dns_cfg cfg = { .servers = plan->opt->dns };
	bool needed = plan->egress || has_names(plan);
	if (!needed || (p->dns && str_eq(p->dns_servers, plan->opt->dns)))
		return true;
	plan->dns = dns_new(loop, &cfg, why);
	return plan->dns != NULL;
}

static void on_settled(void *ctx)
{
	struct plan *plan = ctx;
	if (plan_is_found(plan))
		plan->on_found(plan);
}

bool plan_look_up(
	struct plan *plan, struct proxy *p, struct io_loop *loop, struct problem *why)
{
	plan->proxy = p;
	if (!make_dns(plan, p, loop, why))
		return false;
	for (uint32_t i = 0; i < plan->upstream_count; i++) {
		struct plan_upstream *u = &plan->upstreams[i];
		if (p->plan && target_is_there(p, u))
			continue; /* known already */
		u->names = names_new(&(struct names_cfg){ .loop = loop,
			.dns = plan->dns ? plan->dns : p->dns,
			.sources = u->sources,
			.count = u->source_count,
			.on_settled = on_settled,
			.ctx = plan });
	}
	return true;
}

bool plan_is_found(const struct plan *plan)
{
	for (uint32_t i = 0; i < plan->upstream_count; i++)
		if (plan->upstreams[i].names &&
			!names_are_settled(plan->upstreams[i].names))
			return false;
	return true;
}

static void check_source(struct plan *plan, const struct plan_upstream *u, uint32_t nth,
	struct text *warnings)
{
	const char *url = u->cfg->at.opt.upstream.v[nth];
	const char *why = names_why(u->names, nth);
	struct slice host = u->sources[nth].host;
	if (names_is_no_name(u->names, nth))
		config_complain(plan->config,
			(struct config_option){ &u->cfg->at, "upstream", nth },
			" %s: cannot resolve '%.*s': %s", url, SLICE_ARG(host), why);
	else if (names_state(u->names, nth) == NAMES_LOST)
		text_addf(warnings,
			"weir proxy: %s: cannot resolve '%.*s': %s; until it can, requests "
			"that need it are answered 502\n",
			url, SLICE_ARG(host), why);
}

bool plan_check_names(struct plan *plan, struct text *warnings)
{
	for (uint32_t i = 0; i < plan->upstream_count; i++) {
		const struct plan_upstream *u = &plan->upstreams[i];
		for (uint32_t k = 0; u->names && k < u->source_count; k++)
			check_source(plan, u, k, warnings);
	}
	return config_is_good(plan->config);
}

void plan_open_dns(struct plan *plan, struct proxy *p)
{
	struct list *const lists[] = { &p->targets, &p->retired };
	struct problem ignored;
	/* A copy has none: its thread asks by itself where its callers' hosts are. Without one
	 * they are not found. */
	if (!plan->dns && plan->egress)
		(void)!make_dns(plan, p, p->worker.loop, &ignored);
	if (!plan->dns)
		return;
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		LIST_EACH (lists[i], n, after) {
			struct target *t = CONTAINER_OF(n, struct target, node);
			if (t->names)
				names_set_dns(t->names, plan->dns);
		}
	}
	dns_free(&p->dns);
	mem_free(p->dns_servers);
	p->dns = plan->dns;
	p->dns_servers = plan->opt->dns ? mem_strdup(plan->opt->dns) : NULL;
	plan->dns = NULL;
}
