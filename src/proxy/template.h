/*
 * template: the path of a gathered part, made of pieces of the caller's path and query.
 *
 * MODEL   "/users/{1}/orders?since={query.since|today}&in={2}". In braces stands
 *             {1} ... {9}     a segment of what the * of the route's path stands for
 *             {*}             all of that, segment by segment
 *             {query.NAME}    the value of that parameter of the query
 *         and behind a | what is taken where the caller gives none, or an empty one.
 * RULES   1. A piece can never end the place it stands in: it is decoded, and every byte that
 *            is not unreserved (RFC 3986 2.3) is encoded anew; in a query a + stays one.
 *         2. In a path, a piece that holds a / or \ or a control byte, and a segment that comes
 *            out as . or .., is refused, however it was encoded.
 *         3. What is missing, and a parameter that is there twice, is refused.
 * OWNS    slices point into the text that was parsed.
 * COST    one pass; a parameter is looked for from the query's beginning.
 */
#ifndef WEIR_PROXY_TEMPLATE_H
#define WEIR_PROXY_TEMPLATE_H

#include "base/err.h"
#include "base/text.h"

#define TEMPLATE_PIECES_MAX 32
#define TEMPLATE_OUT_MAX 8192 /* bytes of what it comes to */

enum template_kind { TEMPLATE_TEXT, TEMPLATE_SEGMENT, TEMPLATE_REST, TEMPLATE_QUERY };

struct template_piece {
	enum template_kind kind;
	uint8_t nth;            /* of a segment, from 0 */
	bool in_query;          /* behind the ? */
	struct slice text;      /* as it is, or the parameter's name */
	struct slice otherwise; /* ptr NULL: it must be there */
};

struct template
{
	struct template_piece pieces[TEMPLATE_PIECES_MAX];
	uint32_t count;
	bool needs_rest; /* has {1} or {*}: the route's path must end in * */
};

MUST_USE bool template_parse(struct template *t, const char *text, struct problem *p);
/*
 * Adds the path and query to `out`. `rest` is what the * stands for, as the caller wrote it;
 * `query` what is behind its ?. False and a problem: it cannot be (rules 2 and 3), and that is
 * the caller's fault.
 */
MUST_USE bool template_expand(const struct template *t, struct slice rest,
	struct slice query, struct text *out, struct problem *p);

#endif
