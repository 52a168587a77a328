/*
 * The answers of a gather as one document.
 *
 *     {"parts": [{"status": 200, "body": "..."},
 *                {"missing": "deadline", "why": "no answer within the deadline"}]}
 *
 * of N calls alike; of named parts, in their order,
 *
 *     {"parts": {"user": {"id": 7}, "news": []},
 *      "about": {"user": {"status": 200, "as": "json"},
 *                "news": {"missing": "deadline", "why": "...", "as": "default"},
 *                "orders": {"missing": "part-status", "why": "...", "status": 503}}}
 *
 * or multipart/mixed (RFC 2046 5.1.3).
 */
#include "base/json.h"
#include "base/rng.h"
#include "proxy/gather.h"

static bool is_missing(const struct part *part)
{
	return part->why != ERR_OK;
}

static struct slice why_missing(const struct part *part)
{
	return part->body.len ? text_slice(&part->body) : slice_of(err_text(part->why));
}

/* --- the status --- */

static uint16_t part_verdict(const struct part *part)
{
	if (is_missing(part))
		return err_status(part->why) ? err_status(part->why) : 502;
	return part->status >= 200 && part->status < 400 ? 200 : 502;
}

struct gather_verdict gather_judge(const struct gather *g)
{
	struct gather_verdict v = { .status = 200, .why = ERR_OK };
	for (uint32_t i = 0; i < g->n; i++) {
		const struct part *part = &g->parts[i];
		/* Given up because another one had failed: that one counts. */
		if ((part->cfg && part->cfg->optional) || part->why == ERR_ABANDONED)
			continue;
		v.status = part_verdict(part);
		if (v.status == 200)
			continue;
		v.why = is_missing(part) ? part->why : ERR_GATHER;
		v.blamed = part;
		return v;
	}
	return v;
}

void gather_name_missing(const struct gather *g, struct text *out)
{
	for (uint32_t i = 0; i < g->n; i++)
		if (g->parts[i].cfg && is_missing(&g->parts[i]))
			text_addf(
				out, "%s%s", out->len ? ", " : "", g->parts[i].cfg->name);
}

/* --- N alike --- */

static void merge_alike(struct gather *g, struct json *j)
{
	json_object(j, NULL);
	json_array(j, "parts");
	for (uint32_t i = 0; i < g->n; i++) {
		const struct part *part = &g->parts[i];
		json_object(j, NULL);
		if (is_missing(part)) {
			json_cstr(j, "missing", err_label(part->why));
			json_str(j, "why", why_missing(part));
		} else {
			json_int(j, "status", part->status);
			json_str(j, "body", text_slice(&part->body));
		}
		json_end(j);
	}
	json_end(j);
	json_end(j);
}

/* --- named parts as JSON --- */

enum embed { EMBED_NULL, EMBED_JSON, EMBED_TEXT, EMBED_BASE64 };

static bool ends_nocase(struct slice s, struct slice end)
{
	return s.len >= end.len &&
	       slice_eq_nocase(slice_cut(s, s.len - end.len, SIZE_MAX), end);
}

static bool says_json(struct slice type)
{
	type = slice_trim(slice_cut(type, 0, slice_find(type, ';')));
	return slice_eq_nocase(type, SLICE("application/json")) ||
	       ends_nocase(type, SLICE("+json"));
}

/* What a string of JSON holds as it is: others would be escaped at six bytes each. */
static bool is_text(struct slice s)
{
	for (size_t i = 0; i < s.len;) {
		unsigned char c = (unsigned char)s.ptr[i];
		size_t len = slice_utf8_len(slice_cut(s, i, SIZE_MAX));
		if (len == 0 || c == 0x7f ||
			(c < 0x20 && c != '\t' && c != '\n' && c != '\r'))
			return false;
		i += len;
	}
	return true;
}

static enum embed embed_of(const struct part *part)
{
	struct slice body = text_slice(&part->body);
	if (body.len == 0)
		return EMBED_NULL;
	if (part->coded)
		return EMBED_BASE64;
	if (says_json(text_slice(&part->type)) && json_is_valid(body))
		return EMBED_JSON;
	return is_text(body) ? EMBED_TEXT : EMBED_BASE64;
}

static void put_value(struct json *j, const struct part *part, enum embed as)
{
	const char *name = part->cfg->name;
	struct slice body = text_slice(&part->body);
	switch (as) {
	case EMBED_NULL:
		json_null(j, name);
		return;
	case EMBED_JSON:
		json_raw(j, name, body);
		return;
	case EMBED_TEXT:
		json_str(j, name, body);
		return;
	case EMBED_BASE64:
		json_base64(j, name, body);
		return;
	}
	NEVER_HERE();
}

static void put_missing(struct json *j, const struct part *part)
{
	json_cstr(j, "missing", err_label(part->why));
	json_str(j, "why", why_missing(part));
	if (part->why == ERR_PART_STATUS)
		json_int(j, "status", part->status);
	if (part->cfg->instead)
		json_cstr(j, "as", "default");
}

static void put_about(struct json *j, const struct part *part, enum embed as)
{
	static const char *const words[] = { "null", "json", "text", "base64" };
	json_object(j, part->cfg->name);
	if (is_missing(part)) {
		put_missing(j, part);
	} else {
		json_int(j, "status", part->status);
		json_cstr(j, "as", words[as]);
		if (as != EMBED_JSON && part->type.len)
			json_str(j, "type", text_slice(&part->type));
		if (part->coding.len)
			json_str(j, "coding", text_slice(&part->coding));
	}
	json_end(j);
}

static void merge_named(struct gather *g, struct json *j)
{
	enum embed as[PROXY_PARTS_MAX] = { EMBED_NULL };
	json_object(j, NULL);
	json_object(j, "parts");
	for (uint32_t i = 0; i < g->n; i++) {
		struct part *part = &g->parts[i];
		const struct config_part *cfg = part->cfg;
		if (!is_missing(part)) {
			as[i] = embed_of(part);
			put_value(j, part, as[i]);
			text_fini(&part->body);
		} else if (cfg->instead) {
			json_raw(j, cfg->name, slice_of(cfg->instead));
		}
	}
	json_end(j);
	json_object(j, "about");
	for (uint32_t i = 0; i < g->n; i++)
		put_about(j, &g->parts[i], as[i]);
	json_end(j);
	json_end(j);
}

/* --- named parts as multipart/mixed --- */

#define BOUNDARY_BYTES 64

static bool is_in_a_body(const struct gather *g, const char *boundary)
{
	for (uint32_t i = 0; i < g->n; i++) {
		const struct text *body = &g->parts[i].body;
		if (body->len && memmem(body->ptr, body->len, boundary, strlen(boundary)))
			return true;
	}
	return false;
}

/* None of the bodies has it in it: no server can end its own part. */
static void draw_boundary(const struct gather *g, char boundary[BOUNDARY_BYTES])
{
	uint64_t n = g->proxy->exchanges_total;
	uint64_t seed = g->x.route->plan->id;
	do {
		snprintf(boundary, BOUNDARY_BYTES, "weir-%016llx%016llx",
			(unsigned long long)rng_mix(seed, n),
			(unsigned long long)rng_mix(~seed, n));
		n += UINT64_C(1) << 32;
	} while (is_in_a_body(g, boundary));
}

static void put_line(struct text *t, const char *name, struct slice value)
{
	if (value.len)
		text_addf(t, "%s: %.*s\r\n", name, SLICE_ARG(value));
}

static void put_present(struct text *t, const struct part *part)
{
	text_addf(t, "Weir-Status: %u\r\n", part->status);
	put_line(t, "Content-Type",
		part->type.len ? text_slice(&part->type)
			       : SLICE("application/octet-stream"));
	put_line(t, "Content-Encoding", text_slice(&part->coding));
	text_add(t, "\r\n");
	text_add_slice(t, text_slice(&part->body));
}

static void put_absent(struct text *t, const struct part *part)
{
	struct json j;
	text_addf(t, "Weir-Missing: %s\r\nContent-Type: application/json\r\n\r\n",
		err_label(part->why));
	if (part->cfg->instead) {
		text_add(t, part->cfg->instead);
		return;
	}
	json_init(&j, t, false);
	json_object(&j, NULL);
	put_missing(&j, part);
	json_end(&j);
}

static void merge_multipart(struct gather *g, const char *boundary)
{
	struct text *t = &g->merged;
	for (uint32_t i = 0; i < g->n; i++) {
		struct part *part = &g->parts[i];
		text_addf(t, "--%s\r\nContent-Disposition: inline; name=\"%s\"\r\n",
			boundary, part->cfg->name);
		if (is_missing(part))
			put_absent(t, part);
		else
			put_present(t, part);
		text_add(t, "\r\n");
		text_fini(&part->body);
	}
	text_addf(t, "--%s--\r\n", boundary);
}

/* --- which --- */

/* In thousandths; what is no number counts as 1 (RFC 9110 12.4.2). */
static unsigned quality(struct slice parameters)
{
	while (parameters.len) {
		struct slice one = slice_cut(parameters, 0, slice_find(parameters, ';'));
		parameters = slice_cut(parameters, one.len + 1, SIZE_MAX);
		one = slice_trim(one);
		if (one.len < 3 || (one.ptr[0] | 0x20) != 'q' || one.ptr[1] != '=')
			continue;
		unsigned q = 0, unit = 1000;
		for (size_t i = 2; i < one.len && unit; i++) {
			char c = one.ptr[i];
			if (c == '.')
				continue;
			if (c < '0' || c > '9')
				return 1000;
			q += (unsigned)(c - '0') * unit;
			unit /= 10;
		}
		return q;
	}
	return 1000;
}

/* multipart/mixed by its name, and JSON no less welcome than that: then it is JSON. */
static bool wants_multipart(const struct h1_head *head)
{
	unsigned multipart = 0, json = 0;
	for (uint16_t i = 0; i < head->field_count; i++) {
		struct slice rest = head->fields[i].value, item;
		if (!slice_eq_nocase(head->fields[i].name, SLICE("Accept")))
			continue;
		while (slice_next_item(&rest, &item)) {
			size_t end = slice_find(item, ';');
			struct slice type = slice_trim(slice_cut(item, 0, end));
			unsigned q = quality(slice_cut(item, end + 1, SIZE_MAX));
			if (slice_eq_nocase(type, SLICE("multipart/mixed")) ||
				slice_eq_nocase(type, SLICE("multipart/*")))
				multipart = q > multipart ? q : multipart;
			if (slice_eq_nocase(type, SLICE("application/json")))
				json = q > json ? q : json;
		}
	}
	return multipart > json;
}

static bool is_multipart(const struct gather *g)
{
	const struct config_gather *cfg = g->x.route->gathered;
	if (!cfg || cfg->as == CONFIG_AS_JSON)
		return false;
	return cfg->as == CONFIG_AS_MULTIPART || wants_multipart(sconn_head(g->client));
}

void gather_merge(struct gather *g, struct text *type)
{
	char boundary[BOUNDARY_BYTES];
	struct json j;
	if (is_multipart(g)) {
		draw_boundary(g, boundary);
		text_addf(type, "multipart/mixed; boundary=%s", boundary);
		merge_multipart(g, boundary);
		return;
	}
	text_add(type, "application/json");
	json_init(&j, &g->merged, false);
	if (g->x.route->parts)
		merge_named(g, &j);
	else
		merge_alike(g, &j);
	text_add_char(&g->merged, '\n');
}
