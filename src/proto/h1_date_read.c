/* The three forms of a date (RFC 9110 5.6.7), read. */
#include "proto/h1.h"

#define DAY_S 86400

struct reader {
	struct slice rest;
	bool bad;
};

static char next(struct reader *r)
{
	if (r->rest.len == 0) {
		r->bad = true;
		return '\0';
	}
	char c = *r->rest.ptr;
	r->rest = slice_cut(r->rest, 1, SIZE_MAX);
	return c;
}

static void expect(struct reader *r, const char *text)
{
	for (; *text; text++)
		r->bad |= next(r) != *text;
}

static int number(struct reader *r, int digits)
{
	int n = 0;
	for (int i = 0; i < digits; i++) {
		char c = next(r);
		r->bad |= c < '0' || c > '9';
		n = n * 10 + (r->bad ? 0 : c - '0');
	}
	return n;
}

/* Which of the names of three letters it is. */
static int name(struct reader *r, const char *names)
{
	const struct slice word = slice_cut(r->rest, 0, 3);
	for (int i = 0; word.len == 3 && names[i * 3]; i++) {
		if (memcmp(names + i * 3, word.ptr, 3) != 0)
			continue;
		r->rest = slice_cut(r->rest, 3, SIZE_MAX);
		return i;
	}
	r->bad = true;
	return 0;
}

static int day_name(struct reader *r)
{
	return name(r, "SunMonTueWedThuFriSat");
}

static int month_name(struct reader *r)
{
	return name(r, "JanFebMarAprMayJunJulAugSepOctNovDec");
}

struct date {
	int year, month, day, hour, minute, second; /* month 0..11, day 1..31 */
};

static void read_clock(struct reader *r, struct date *d)
{
	d->hour = number(r, 2);
	expect(r, ":");
	d->minute = number(r, 2);
	expect(r, ":");
	d->second = number(r, 2);
}

/* What both forms with GMT have behind the day's name. */
static void read_date(
	struct reader *r, struct date *d, const char *between, int year_digits)
{
	d->day = number(r, 2);
	expect(r, between);
	d->month = month_name(r);
	expect(r, between);
	d->year = number(r, year_digits);
	expect(r, " ");
	read_clock(r, d);
	expect(r, " GMT");
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static void read_fixdate(struct reader *r, struct date *d)
{
	(void)day_name(r);
	expect(r, ", ");
	read_date(r, d, " ", 4);
}

/* "Sunday, 06-Nov-94 08:49:37 GMT" */
static void read_rfc850(struct reader *r, struct date *d)
{
	static const char *const ends[] = { "day, ", "day, ", "sday, ", "nesday, ",
		"rsday, ", "day, ", "urday, " };
	expect(r, ends[day_name(r)]);
	read_date(r, d, "-", 2);
}

/* "Sun Nov  6 08:49:37 1994" */
static void read_asctime(struct reader *r, struct date *d)
{
	(void)day_name(r);
	expect(r, " ");
	d->month = month_name(r);
	expect(r, " ");
	bool one = r->rest.len && *r->rest.ptr == ' ';
	if (one)
		expect(r, " ");
	d->day = number(r, one ? 1 : 2);
	expect(r, " ");
	read_clock(r, d);
	expect(r, " ");
	d->year = number(r, 4);
}

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static bool is_possible(const struct date *d)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int last = days[d->month] + (d->month == 1 && is_leap(d->year));
	/* 60: a leap second */
	return d->year >= 1601 && d->day >= 1 && d->day <= last && d->hour <= 23 &&
	       d->minute <= 59 && d->second <= 60;
}

/* By years that begin in March, so that the leap day is the last of its year. */
static int64_t seconds_of(const struct date *d)
{
	const int64_t year = d->year - (d->month < 2);
	const int64_t march = (d->month + 10) % 12; /* 0: March */
	const int64_t in_year = (153 * march + 2) / 5 + d->day - 1;
	const int64_t days = 365 * year + year / 4 - year / 100 + year / 400 + in_year -
			     719468;
	return days * DAY_S + d->hour * 3600 + d->minute * 60 + d->second;
}

bool h1_date_read(struct slice s, int64_t wall_s, int64_t *out)
{
	struct reader r = { s, false };
	struct date d = { 0 };
	bool two_digits = false;
	if (s.len > 3 && s.ptr[3] == ',') {
		read_fixdate(&r, &d);
	} else if (s.len > 3 && s.ptr[3] == ' ') {
		read_asctime(&r, &d);
	} else {
		read_rfc850(&r, &d);
		d.year += 2000;
		two_digits = true;
	}
	if (r.bad || r.rest.len > 0)
		return false;
	for (int i = 0; two_digits && i < 2; i++)
		if (seconds_of(&d) > wall_s + (int64_t)50 * 366 * DAY_S)
			d.year -= 100;
	if (!is_possible(&d))
		return false;
	*out = seconds_of(&d);
	return true;
}
