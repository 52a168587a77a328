/* The one file that knows jansson. It cannot include json.h: some names clash. */
#include "base/json_read.h"

#include "base/ascii.h"

#include <errno.h>
#include <math.h>

#include <jansson.h>

#define KEY_BYTES 256
#define LOAD_FLAGS (JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL)

struct json_doc {
	json_t *root;
};

static struct json_doc *wrap(json_t *root)
{
	struct json_doc *d = mem_alloc(sizeof(*d));
	d->root = root;
	return d;
}

struct json_doc *json_doc_parse(struct slice text, struct problem *p)
{
	json_error_t why;
	json_t *root = json_loadb(text.len ? text.ptr : "", text.len, LOAD_FLAGS, &why);
	if (root)
		return wrap(root);
	problem_set(p, "line %d, column %d: %s", why.line, why.column, why.text);
	return NULL;
}

struct json_doc *json_doc_load(const char *file, struct problem *p)
{
	json_error_t why;
	json_t *root = NULL;
	FILE *in = fopen(file, "re");

	if (!in) {
		problem_set(p, "%s: %s", file, strerror(errno));
		return NULL;
	}
	root = json_loadf(in, LOAD_FLAGS, &why);
	fclose(in);
	if (root)
		return wrap(root);
	problem_set(p, "%s:%d:%d: %s", file, why.line, why.column, why.text);
	return NULL;
}

void json_doc_free(struct json_doc **d)
{
	if (!*d)
		return;
	json_decref((*d)->root);
	mem_free(*d);
	*d = NULL;
}

static const json_t *member(const json_t *at, const char *key, size_t len)
{
	char copy[KEY_BYTES];
	CHECK(len > 0 && len < sizeof(copy));
	memcpy(copy, key, len);
	copy[len] = '\0';
	return json_object_get(at, copy);
}

/* At "[": an index or a quoted key. Moves *path behind "]". */
static const json_t *bracket(const json_t *at, const char **path)
{
	const char *from = *path + 1;

	if (*from == '"') {
		const char *end = strstr(from + 1, "\"]");
		CHECK(end);
		*path = end + 2;
		return member(at, from + 1, (size_t)(end - from - 1));
	}
	char *end;
	CHECK(ascii_is_digit(*from));
	errno = 0;
	unsigned long index = strtoul(from, &end, 10);
	CHECK(*end == ']' && errno == 0);
	*path = end + 1;
	return json_array_get(at, index);
}

static const json_t *find(const struct json_doc *d, const char *path)
{
	const json_t *at = d->root;
	bool first = true;

	while (at && *path) {
		if (*path == '[') {
			at = bracket(at, &path);
		} else {
			if (!first) {
				CHECK(*path == '.');
				path++;
			}
			size_t len = strcspn(path, ".[");
			at = member(at, path, len);
			path += len;
		}
		first = false;
	}
	return at;
}

bool json_get_real(const struct json_doc *d, const char *path, double *out)
{
	const json_t *at = find(d, path);
	if (!json_is_number(at))
		return false;
	*out = json_number_value(at);
	return true;
}

bool json_get_int(const struct json_doc *d, const char *path, int64_t *out)
{
	const json_t *at = find(d, path);
	if (json_is_integer(at)) {
		*out = json_integer_value(at);
		return true;
	}
	double real = json_real_value(at);
	if (!json_is_real(at) || real != trunc(real) || fabs(real) >= 0x1p63)
		return false;
	*out = (int64_t)real;
	return true;
}

bool json_get_bool(const struct json_doc *d, const char *path, bool *out)
{
	const json_t *at = find(d, path);
	if (!json_is_boolean(at))
		return false;
	*out = json_is_true(at);
	return true;
}

bool json_get_str(const struct json_doc *d, const char *path, struct slice *out)
{
	const json_t *at = find(d, path);
	if (!json_is_string(at))
		return false;
	*out = (struct slice){ json_string_value(at), json_string_length(at) };
	return true;
}

bool json_get_ms(const struct json_doc *d, const char *path, ns_t *out)
{
	const json_t *at = find(d, path);
	if (json_is_null(at)) {
		*out = NS_NEVER;
		return true;
	}
	double us = json_number_value(at) * 1000;
	if (!json_is_number(at) || fabs(us) >= 0x1p63 / (double)NS_US)
		return false;
	*out = (ns_t)llrint(us) * NS_US;
	return true;
}

bool json_has(const struct json_doc *d, const char *path)
{
	return find(d, path) != NULL;
}

bool json_is_null_at(const struct json_doc *d, const char *path)
{
	return json_is_null(find(d, path));
}

size_t json_len(const struct json_doc *d, const char *path)
{
	const json_t *at = find(d, path);
	return json_is_array(at) ? json_array_size(at) : json_object_size(at);
}

bool json_get_key(const struct json_doc *d, const char *path, size_t i, struct slice *out)
{
	/* jansson's iterator takes a non-const object though it changes nothing. */
	union {
		const json_t *is;
		json_t *as;
	} at = { .is = find(d, path) };
	void *item = json_object_iter(at.as);

	while (item && i-- > 0)
		item = json_object_iter_next(at.as, item);
	if (!item)
		return false;
	*out = slice_of(json_object_iter_key(item));
	return true;
}

char *json_dump_at(const struct json_doc *d, const char *path)
{
	const json_t *at = find(d, path);
	if (!at)
		return NULL;
	/* 15 digits: 0.1 stays 0.1. */
	char *text = json_dumps(
		at, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
	CHECK(text);
	return text;
}
