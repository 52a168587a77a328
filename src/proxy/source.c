#include "proxy/source.h"

#include <stdio.h>

#include "io/diag.h"

/* --- addresses --- */

static bool read_one(struct slice item, struct addr *out, struct problem *p)
{
	struct problem ignored = { "" };
	struct text t;
	text_init(&t);
	bool v6 = slice_find(item, ':') < item.len;
	text_addf(&t, v6 ? "[%.*s]:0" : "%.*s:0", SLICE_ARG(item));
	bool ok = addr_parse(text_slice(&t), out, &ignored) && !addr_is_any(out);
	text_fini(&t);
	if (!ok)
		problem_set(p, "%.*s: write an address of this host, such as 10.0.0.5",
			SLICE_ARG(item));
	return ok;
}

static bool add_one(struct upstream_cfg *u, struct slice item, struct problem *p)
{
	struct addr a;
	if (!read_one(item, &a, p))
		return false;
	for (uint32_t i = 0; i < u->source_count; i++)
		if (addr_eq(&u->sources[i], &a)) {
			problem_set(p, "%.*s is there twice", SLICE_ARG(item));
			return false;
		}
	if (u->source_count == UPSTREAM_SOURCES_MAX) {
		problem_set(p, "more than %d addresses", UPSTREAM_SOURCES_MAX);
		return false;
	}
	u->sources[u->source_count++] = a;
	return true;
}

bool sources_read(const struct opt_texts *texts, struct upstream_cfg *u, uint32_t *nth,
	struct problem *p)
{
	u->source_count = 0;
	for (*nth = 0; *nth < texts->n; ++*nth) {
		struct slice rest = slice_of(texts->v[*nth]), item;
		uint32_t before = u->source_count;
		while (slice_next_item(&rest, &item))
			if (!add_one(u, item, p))
				return false;
		if (u->source_count == before) {
			problem_set(p, "it is empty");
			return false;
		}
	}
	return true;
}

bool sources_check(const struct upstream_cfg *u, struct problem *p)
{
	for (uint32_t i = 0; i < u->source_count; i++) {
		char ip[64];
		struct wire w;
		if (addr_is_of_host(&u->sources[i]))
			continue;
		wire_init(&w, ip, sizeof(ip));
		wire_put_addr_ip(&w, &u->sources[i]);
		problem_set(p, "%.*s is no address of this host (`ip addr` lists them)",
			(int)w.len, ip);
		return false;
	}
	return true;
}

/* --- ports --- */

static void on_half(void *ctx, const struct ports_view *v)
{
	struct text t;
	(void)ctx;
	text_init(&t);
	text_addf(&t, "weir proxy: half of the local ports to %s are taken: ", v->name);
	text_add_count(&t, v->open);
	text_add(&t, " by connections, ");
	text_add_count(&t, v->lingering);
	text_add(&t, " by closed ones (TIME_WAIT), of ");
	text_add_count(&t, v->range);
	text_add(&t,
		"; keep connections (connections: pool; odd-bodies: any, if GETs have bodies "
		"that the server reads), or give more addresses (source)\n");
	fputs(t.ptr, stderr);
	text_fini(&t);
}

void ports_linger_as(struct ports_cfg *cfg, const struct diag_ports *host)
{
	ns_t again = ns_min(host->reuse_after_ms * NS_MS, PORTS_LINGER_FOR);
	cfg->linger_for = host->reuse == DIAG_REUSE_ALL ? again : PORTS_LINGER_FOR;
	cfg->linger_near_for = host->reuse == DIAG_REUSE_NONE ? PORTS_LINGER_FOR : again;
}

struct ports *ports_of_host(void)
{
	struct ports_cfg cfg = { .linger_for = PORTS_LINGER_FOR,
		.linger_near_for = PORTS_LINGER_FOR,
		.on_half = on_half };
	struct problem ignored = { "" };
	struct diag_net net;
	struct diag_ports *found = mem_zalloc(sizeof(*found));
	if (diag_net_open(&net, &ignored)) {
		if (diag_net_ports(&net, found) == ERR_OK) {
			cfg.range = found->usable;
			ports_linger_as(&cfg, found);
		}
		diag_net_close(&net);
	}
	mem_free(found);
	return ports_new(&cfg);
}

static void way_json(void *ctx, const struct ports_view *v)
{
	struct json *j = ctx;
	json_object(j, NULL);
	json_cstr(j, "to", v->name);
	json_int(j, "open", v->open);
	json_int(j, "lingering", v->lingering);
	if (v->range)
		json_int(j, "range", v->range);
	else
		json_null(j, "range");
	json_end(j);
}

void ports_json(struct json *j, const char *key, struct ports *p, ns_t now)
{
	json_array(j, key);
	if (p)
		ports_each(p, now, way_json, j);
	json_end(j);
}
