#include "base/wrap.h"

enum { WRAP = 96 };

size_t text_wrap_width(size_t columns)
{
	return columns && columns < WRAP ? columns : WRAP;
}

void text_add_wrapped(struct text *t, const char *words, size_t indent, size_t width)
{
	size_t column = indent;

	while (*words) {
		size_t len = strcspn(words, " ");

		if (column > indent && column + 1 + len > width) {
			text_add_char(t, '\n');
			for (size_t i = 0; i < indent; i++)
				text_add_char(t, ' ');
			column = indent;
		} else if (column > indent) {
			text_add_char(t, ' ');
			column++;
		}
		text_add_slice(t, (struct slice){ words, len });
		column += len;
		words += len;
		words += strspn(words, " ");
	}
	text_add_char(t, '\n');
}
