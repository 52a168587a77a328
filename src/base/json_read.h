/*
 * json_read: a JSON document read whole, and values out of it by path. For results and
 * settings, never on the hot path. (json.h writes; the two share no names.)
 *
 * MODEL   A path is what one would write in a program: "rows[2].latency.p99_ms". A key
 *         that holds dots or brackets is quoted: "by_peer[\"10.0.0.2:80\"].count". ""
 *         is the whole document.
 * RULES   1. A getter returns false, and leaves *out alone, when there is nothing at the
 *            path or it is of another kind. A malformed path is our bug: CHECKed.
 * OWNS    the document owns its strings: slices live until json_doc_free.
 * COST    a getter walks the path; keys are hashed.
 */
#ifndef WEIR_BASE_JSON_READ_H
#define WEIR_BASE_JSON_READ_H

#include "base/err.h"
#include "base/slice.h"

struct json_doc;

/* NULL and a problem with line and column; json_doc_load also with the file's name. A key
 * given twice in one object is an error. */
MUST_USE struct json_doc *json_doc_parse(struct slice text, struct problem *p);
MUST_USE struct json_doc *json_doc_load(const char *file, struct problem *p);
void json_doc_free(struct json_doc **d);

MUST_USE bool json_get_real(const struct json_doc *d, const char *path, double *out);
/* Also a number written with a fraction of zero; not one that does not fit. */
MUST_USE bool json_get_int(const struct json_doc *d, const char *path, int64_t *out);
MUST_USE bool json_get_bool(const struct json_doc *d, const char *path, bool *out);
MUST_USE bool json_get_str(const struct json_doc *d, const char *path, struct slice *out);
/* What json_ms wrote: milliseconds, to the microsecond. null is NS_NEVER. */
MUST_USE bool json_get_ms(const struct json_doc *d, const char *path, ns_t *out);

/* Something is there, null included. */
bool json_has(const struct json_doc *d, const char *path);
bool json_is_null_at(const struct json_doc *d, const char *path);
/* Items of the array, or keys of the object, at path; 0 for anything else. */
size_t json_len(const struct json_doc *d, const char *path);
/* Key number i, in the order of the text, of the object at path; false beyond the last. */
MUST_USE bool json_get_key(
	const struct json_doc *d, const char *path, size_t i, struct slice *out);
/* The value at path as compact JSON, for json_raw; mem_free. NULL: nothing there. */
MUST_USE char *json_dump_at(const struct json_doc *d, const char *path);

#endif
