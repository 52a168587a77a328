/*
 * ascii: what a byte is as a character of ASCII, in no locale; any other int, as that of a negative
 * char or of an end, is none.
 */
#ifndef WEIR_BASE_ASCII_H
#define WEIR_BASE_ASCII_H

#include "base/base.h"

static inline bool ascii_is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static inline bool ascii_is_upper(int c)
{
	return c >= 'A' && c <= 'Z';
}

static inline bool ascii_is_lower(int c)
{
	return c >= 'a' && c <= 'z';
}

static inline bool ascii_is_letter(int c)
{
	return ascii_is_upper(c) || ascii_is_lower(c);
}

static inline bool ascii_is_alnum(int c)
{
	return ascii_is_digit(c) || ascii_is_letter(c);
}

static inline char ascii_lower(char c)
{
	return ascii_is_upper(c) ? (char)(c - 'A' + 'a') : c;
}

static inline char ascii_upper(char c)
{
	return ascii_is_lower(c) ? (char)(c - 'a' + 'A') : c;
}

/* Of a hexadecimal digit; -1: it is none. */
static inline int ascii_hex(int c)
{
	if (ascii_is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

#endif
