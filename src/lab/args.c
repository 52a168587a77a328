#include "lab/args.h"

#include <stdarg.h>

#include "base/ascii.h"

void args_init(struct args *a)
{
	*a = (struct args){ 0 };
}

void args_fini(struct args *a)
{
	for (uint32_t i = 0; i < a->n; i++)
		mem_free(a->v[i]);
	mem_free(a->v);
	args_init(a);
}

void args_add(struct args *a, const char *word)
{
	if (a->n + 1 >= a->cap) {
		a->cap = a->cap ? a->cap * 2 : 16;
		a->v = mem_realloc(a->v, a->cap * sizeof(*a->v));
	}
	a->v[a->n++] = mem_strdup(word);
	a->v[a->n] = NULL;
}

void args_addf(struct args *a, const char *fmt, ...)
{
	char *word = NULL;
	va_list ap;
	va_start(ap, fmt);
	int len = vasprintf(&word, fmt, ap);
	va_end(ap);
	CHECK(len >= 0);
	args_add(a, word);
	free(word);
}

const char *const *args_v(const struct args *a)
{
	union {
		char **from;
		const char *const *to;
	} v = { .from = a->v };
	return v.to;
}

static bool is_plain(const char *word)
{
	if (!*word)
		return false;
	for (const char *c = word; *c; c++) {
		if (!ascii_is_alnum(*c) && !strchr("_-+=./:,@%", *c))
			return false;
	}
	return true;
}

void text_add_args(struct text *t, const struct args *a)
{
	for (uint32_t i = 0; i < a->n; i++) {
		if (i)
			text_add_char(t, ' ');
		if (is_plain(a->v[i])) {
			text_add(t, a->v[i]);
			continue;
		}
		text_add_char(t, '\'');
		for (const char *c = a->v[i]; *c; c++) {
			if (*c == '\'')
				text_add(t, "'\\''");
			else
				text_add_char(t, *c);
		}
		text_add_char(t, '\'');
	}
}
