/*
 * mask: takes secrets out of what is shown: values of fields, of queries, userinfo of URLs, and what
 * looks like one of these in running text.
 *
 * RULES   1. A name is secret if a word that secrets go by is in it: token, key, auth, cookie,
 *            password, signature ... Rather one too many: "monkey" is masked.
 *         2. What is masked leaves *** in its place, so that one sees that it was there.
 * OWNS    nothing. `w` cuts what does not fit.
 */
#ifndef WEIR_OBS_MASK_H
#define WEIR_OBS_MASK_H

#include "base/text.h"

/* Of a header field or a query's parameter, as sent (percent-encoding undone for the look). */
bool mask_is_secret(struct slice name);
/* A request target or URL: userinfo and values of secret names masked; keep_query: of the query
 * nothing is. */
void mask_target(struct wire *w, struct slice target, bool keep_query);
/* "Name: value\n": a secret field's value is masked, one that holds a URL as mask_target. All or
 * nothing. */
void mask_field(struct wire *w, struct slice name, struct slice value, bool keep_query);

/*
 * Running text, as of an error's body. Masked are
 * - values behind `name=`, `name:`, `"name":`, `name=>`, <name> (with attributes, too) and, in a
 *   query that is a value in another, name%3D, of secret names: words, what is in quotes, whole
 *   arrays, objects and elements, and where these have no end, as in a text that is cut off, all that
 *   is left. Not of `code:` and `state:`, which are an error's there;
 * - what follows Bearer, and userinfo of URLs;
 * - private keys (PEM), and words that begin as keys and tokens do that are given out so that they
 *   are known: those of AWS (AKIA...), of GitHub (ghp_...), JWTs (eyJ...).
 * Any other secret without a name is shown.
 */
void mask_text(struct wire *w, struct slice text);

#endif
