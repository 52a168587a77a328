#include "lab/markdown.h"

#define MARKS "\\`*_{}[]<>#|~&$@"
#define FENCE_LEAST 3

/* Whether the sign at `at` would mark something up. A digit cannot be escaped, the dot or
 * bracket behind it can. */
static bool is_mark(const char *words, const char *at)
{
	size_t digits = strspn(words, "0123456789");
	if (strchr(MARKS, *at))
		return true;
	if (at == words)
		return strchr("-+=", *at) != NULL;
	if (digits && at == words + digits)
		return (*at == '.' || *at == ')') && (at[1] == ' ' || !at[1]);
	return *at == ':' && at[1] == '/'; /* an address would become a link */
}

void markdown_add(struct text *t, const char *words)
{
	for (const char *at = words; *at; at++) {
		if ((unsigned char)*at < 0x20 || *at == 0x7f) {
			text_add_char(t, ' ');
			continue;
		}
		if (is_mark(words, at))
			text_add_char(t, '\\');
		text_add_char(t, *at);
	}
}

static size_t longest_run(const char *words, char c)
{
	size_t best = 0, now = 0;
	for (; *words; words++) {
		now = *words == c ? now + 1 : 0;
		best = now > best ? now : best;
	}
	return best;
}

static void add_fence(struct text *t, size_t n)
{
	while (n--)
		text_add_char(t, '`');
}

void markdown_add_block(struct text *t, const char *words)
{
	size_t fence = longest_run(words, '`') + 1;
	if (fence < FENCE_LEAST)
		fence = FENCE_LEAST;
	add_fence(t, fence);
	text_add(t, "text\n");
	for (; *words; words++) {
		/* what a terminal would obey is not text */
		bool hidden = ((unsigned char)*words < 0x20 && *words != '\n' &&
				      *words != '\t') ||
			      *words == 0x7f;
		text_add_char(t, hidden ? ' ' : *words);
	}
	text_add_char(t, '\n');
	add_fence(t, fence);
	text_add_char(t, '\n');
}
