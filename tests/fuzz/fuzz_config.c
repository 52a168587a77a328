/* Any bytes as a configuration: each fault has its place in the file, what has none has
 * everything a proxy needs, and reading it once more says the same. */
#include "base/json.h"
#include "fuzz.h"
#include "proxy/config.h"

static void plain_options(struct proxy_options *o)
{
	const struct verb verb = { .name = "proxy",
		.opts = proxy_opts,
		.opt_count = PROXY_OPT_COUNT,
		.options_size = sizeof(*o) };
	struct opt_texts words;
	struct problem p = { "" };
	CHECK(opts_parse(&verb, 0, NULL, o, &words, &p) == OPTS_RUN);
}

static void check_parts(const struct config *c, const struct config_gather *g)
{
	CHECK(g->count >= 1 && g->count <= PROXY_PARTS_MAX && g->upstreams[0]);
	for (uint32_t i = 0; i < g->count; i++) {
		const struct config_part *part = &g->parts[i];
		struct problem why = { "" };
		struct text out;
		CHECK(part->upstream < c->upstream_count && part->path.count > 0);
		CHECK(!part->instead || json_is_valid(slice_of(part->instead)));
		text_init(&out);
		if (template_expand(
			    &part->path, SLICE("a/%2E/b"), SLICE("a=1&b"), &out, &why))
			CHECK(out.len && out.ptr[0] == '/');
		else
			CHECK(why.text[0]);
		text_fini(&out);
	}
}

static void check_routes(const struct config *c)
{
	for (uint32_t i = 0; i < c->route_count; i++) {
		const struct config_route *r = &c->routes[i];
		CHECK(r->upstream < c->upstream_count);
		CHECK(r->method_count <= PROXY_METHODS_MAX);
		CHECK(r->at.opt.gather >= 1 && r->at.opt.gather <= r->at.opt.limit);
		CHECK(r->at.opt.timeout > 0);
		if (r->parts)
			check_parts(c, r->parts);
		if (r->host)
			(void)config_host_matches(r->host, SLICE("a.example.com"));
		if (r->path)
			CHECK(!config_path_matches(r->path, SLICE("no/path")));
	}
}

static void check_good(const struct config *c)
{
	bool reverse = !config_is_forward_only(c);
	CHECK((c->upstream_count > 0) == reverse && (c->route_count > 0) == reverse);
	CHECK(c->at.opt.listen.n + c->at.opt.forward_listen.n > 0);
	CHECK(c->at.opt.clients > 0);
	for (uint32_t i = 0; i < c->upstream_count; i++) {
		CHECK(c->upstreams[i].at.opt.upstream.n > 0);
		CHECK(c->upstreams[i].at.opt.limit > 0);
		CHECK(c->upstreams[i].name[0]);
	}
	check_routes(c);
}

static struct config *read_once(
	const struct proxy_options *o, struct slice in, struct text *t)
{
	struct config *c = config_of(o, conf_parse("x", in));
	config_show(c, t);
	CHECK(config_is_good(c) == (t->len == 0));
	CHECK(!c->problem.text[0]);
	return c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = { (const char *)data, size };
	struct proxy_options o;
	struct text first, second;
	plain_options(&o);
	text_init(&first);
	text_init(&second);
	struct config *a = read_once(&o, in, &first), *b = read_once(&o, in, &second);
	CHECK(slice_eq(text_slice(&first), text_slice(&second)));
	if (config_is_good(a))
		check_good(a);
	else
		fuzz_check_complaints(text_slice(&first), in);
	config_unref(&a);
	config_unref(&b);
	text_fini(&first);
	text_fini(&second);
	return 0;
}
