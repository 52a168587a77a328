/* A part of a YAML file as JSON. */
#include "base/conf.h"
#include "base/json.h"

static void put_scalar(struct json *j, const struct conf_node *n, const char *key)
{
	struct slice text = slice_of(n->text);
	if (n->kind == CONF_NONE)
		json_null(j, key);
	else if (n->plain && json_is_valid(text))
		json_raw(j, key, text);
	else
		json_str(j, key, text);
}

/* Whether it has children, which come next. */
static bool put_node(struct json *j, const struct conf_node *n, const char *key)
{
	if (n->kind != CONF_LIST && n->kind != CONF_MAP) {
		put_scalar(j, n, key);
		return false;
	}
	if (n->kind == CONF_LIST)
		json_array(j, key);
	else
		json_object(j, key);
	if (!n->first)
		json_end(j);
	return n->first != NULL;
}

void conf_json(const struct conf_node *node, struct text *out)
{
	const struct conf_node *around[CONF_DEPTH_MAX + 1]; /* what is open */
	const struct conf_node *n = node;
	size_t depth = 0;
	struct json j;
	json_init(&j, out, false);
	for (;;) {
		bool in_map = depth && around[depth - 1]->kind == CONF_MAP;
		if (put_node(&j, n, in_map ? n->key : NULL)) {
			CHECK(depth < ARRAY_LEN(around));
			around[depth++] = n;
			n = n->first;
			continue;
		}
		while (depth && !n->next) {
			n = around[--depth];
			json_end(&j);
		}
		if (!depth)
			return;
		n = n->next;
	}
}
