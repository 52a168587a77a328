/* The classes of bytes, as rules rather than as numbers. */
#include "proto/h1_span.h"

#define IS_DIGIT(c) ((c) >= '0' && (c) <= '9')
#define IS_ALPHA(c) (((c) | 0x20) >= 'a' && ((c) | 0x20) <= 'z')
#define IS_ALNUM(c) (IS_DIGIT(c) || IS_ALPHA(c))
#define IS_HEX(c) (IS_DIGIT(c) || (((c) | 0x20) >= 'a' && ((c) | 0x20) <= 'f'))
/* RFC 9110 5.6.2 */
#define IS_TCHAR(c) \
	(IS_ALNUM(c) || (c) == '!' || (c) == '#' || (c) == '$' || (c) == '%' || \
		(c) == '&' || (c) == '\'' || (c) == '*' || (c) == '+' || (c) == '-' || \
		(c) == '.' || (c) == '^' || (c) == '_' || (c) == '`' || (c) == '|' || \
		(c) == '~')
#define IS_TARGET(c) ((c) > 0x20 && (c) < 0x7f && (c) != '#')
/* RFC 9110 5.5 */
#define IS_VALUE(c) (((c) >= 0x20 && (c) != 0x7f) || (c) == '\t')
/* RFC 3986 2.3 unreserved and 2.2 sub-delims, without the comma */
#define IS_HOST(c) \
	(IS_ALNUM(c) || (c) == '-' || (c) == '.' || (c) == '_' || (c) == '~' || \
		(c) == '!' || (c) == '$' || (c) == '&' || (c) == '\'' || (c) == '(' || \
		(c) == ')' || (c) == '*' || (c) == '+' || (c) == ';' || (c) == '=')
/* RFC 9110 5.6.4 qdtext */
#define IS_QUOTED(c) (IS_VALUE(c) && (c) != '"' && (c) != '\\')

#define CLASS(c) \
	(IS_TCHAR(c) ? H1_CLASS_TOKEN : 0) | (IS_TARGET(c) ? H1_CLASS_TARGET : 0) | \
		(IS_VALUE(c) ? H1_CLASS_VALUE : 0) | (IS_HOST(c) ? H1_CLASS_HOST : 0) | \
		(IS_QUOTED(c) ? H1_CLASS_QUOTED : 0) | \
		(IS_DIGIT(c) ? H1_CLASS_DIGIT : 0) | (IS_HEX(c) ? H1_CLASS_HEX : 0)
#define FOUR(c) CLASS(c), CLASS((c) + 1), CLASS((c) + 2), CLASS((c) + 3)
#define ROW(c) FOUR(c), FOUR((c) + 4), FOUR((c) + 8), FOUR((c) + 12)

const uint8_t h1_class[256] = {
	ROW(0x00), ROW(0x10), ROW(0x20), ROW(0x30), /* controls, punctuation, digits */
	ROW(0x40), ROW(0x50), ROW(0x60), ROW(0x70), /* letters */
	ROW(0x80), ROW(0x90), ROW(0xa0), ROW(0xb0), /* obs-text */
	ROW(0xc0), ROW(0xd0), ROW(0xe0), ROW(0xf0), /* obs-text */
};
