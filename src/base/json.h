/*
 * json: a streaming writer over struct text. Commas and indentation are its business;
 * keys come first. (Reading JSON is jansson's business, in base/json_read.c.)
 *
 * RULES   1. Inside an object every value call names its key; inside an array key is
 *            NULL. CHECKed.
 *         2. Strings are escaped; bytes that are not UTF-8 become U+FFFD. NaN and
 *            infinities become null.
 */
#ifndef WEIR_BASE_JSON_H
#define WEIR_BASE_JSON_H

#include "base/text.h"

/* jansson has these names too; as symbols they would stand in for its own inside it. */
#define json_object weir_json_object
#define json_array weir_json_array
#define json_real weir_json_real
#define json_null weir_json_null

struct json {
	struct text *out;
	bool pretty;
	uint8_t depth;
	uint32_t has_item, is_array; /* bit per depth */
};

void json_init(struct json *j, struct text *out, bool pretty);
void json_object(struct json *j, const char *key);
void json_array(struct json *j, const char *key);
void json_end(struct json *j); /* the innermost object or array */
void json_str(struct json *j, const char *key, struct slice value);
void json_base64(struct json *j, const char *key, struct slice bytes); /* a string */
void json_cstr(struct json *j, const char *key, const char *value);    /* NULL: null */
void json_int(struct json *j, const char *key, int64_t value);
void json_real(
	struct json *j, const char *key, double value); /* up to 6 significant decimals */
void json_bool(struct json *j, const char *key, bool value);
void json_null(struct json *j, const char *key);
/* Duration as milliseconds with µs precision: key should end in _ms. NS_NEVER: null. */
void json_ms(struct json *j, const char *key, ns_t value);
/* Already valid JSON, inserted as it is. */
void json_raw(struct json *j, const char *key, struct slice value);
/* Whether it is one JSON text and nothing else (RFC 8259, UTF-8, no half of a surrogate pair),
 * with at most 64 levels: fit for json_raw, whoever wrote it. */
bool json_is_valid(struct slice text);

#endif
