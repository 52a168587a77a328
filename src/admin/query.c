#include "admin/query.h"

/* Decodes into *buf and moves it past what was written; never longer than `in`. */
static bool decode(struct slice in, char **buf, struct slice *out, struct problem *p)
{
	char *at = *buf;

	for (size_t i = 0; i < in.len; i++) {
		char c = in.ptr[i];
		if (c == '%') {
			int coded = slice_percent(in, i);
			if (coded < 0)
				return problem_set(p,
					"'%.*s': after %% two hex digits are due; a "
					"percent sign itself is written %%25",
					SLICE_ARG(in));
			c = (char)coded;
			i += 2;
		} else if (c == '+') {
			c = ' ';
		}
		*at++ = c;
	}
	*out = (struct slice){ *buf, (size_t)(at - *buf) };
	*buf = at;
	return true;
}

bool query_parse(struct query *q, struct slice text, char *buf, struct problem *p)
{
	q->n = 0;
	while (text.len) {
		size_t end = slice_find(text, '&');
		struct slice pair = slice_cut(text, 0, end);
		size_t eq = slice_find(pair, '=');
		struct admin_pair *out = &q->pairs[q->n];

		text = slice_cut(text, end + 1, text.len);
		if (!pair.len)
			continue;
		if (q->n == QUERY_PAIRS_MAX)
			return problem_set(p, "more than %d values", QUERY_PAIRS_MAX);
		if (eq == pair.len)
			return problem_set(p, "'%.*s' has no value: write name=value",
				SLICE_ARG(pair));
		if (!decode(slice_cut(pair, 0, eq), &buf, &out->name, p) ||
			!decode(slice_cut(pair, eq + 1, pair.len), &buf, &out->value, p))
			return false;
		q->n++;
	}
	return true;
}
