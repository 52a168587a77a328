/*
 * json_causes: the parts of the report that say where and why, as a program reads them:
 * docs/json/watch.md.
 */
#ifndef WEIR_WATCH_JSON_CAUSES_H
#define WEIR_WATCH_JSON_CAUSES_H

#include "base/json.h"
#include "watch/causes.h"

/* "places": closes by place, most first, `top` at most. */
void watch_json_places(struct json *j, const struct places *p, uint32_t top);
/* "words": what servers said; null: nobody listened. */
void watch_json_heard(struct json *j, const struct heard *h);
/* "diagnosis" and "not_the_cause"; the first is null when nobody stayed to see closes. */
void watch_json_causes(struct json *j, const struct causes *c, bool stayed);

#endif
