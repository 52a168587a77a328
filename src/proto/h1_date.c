/* IMF-fixdate (RFC 9110 5.6.7) without the C library's locale and time zone. */
#include "proto/h1.h"

#define DAY_S 86400
#define YEAR_10000_S 253402300800 /* four digits end here */

static void put_two(char *out, unsigned n)
{
	out[0] = (char)('0' + n / 10);
	out[1] = (char)('0' + n % 10);
}

struct day {
	unsigned year, month, day; /* month 0..11, day 1..31 */
};

/* Days since 1970-01-01 to the Gregorian calendar, by years that begin in March, so that
 * the leap day is the last of its year. */
static struct day day_of(uint32_t days)
{
	const uint32_t since = days + 719468; /* from 0000-03-01 */
	const uint32_t era = since / 146097, in_era = since % 146097;
	const uint32_t year = (in_era - in_era / 1460 + in_era / 36524 -
				      in_era / 146096) /
			      365;
	const uint32_t in_year = in_era - (365 * year + year / 4 - year / 100);
	const uint32_t march = (5 * in_year + 2) / 153; /* 0: March */
	return (struct day){
		.year = era * 400 + year + (march >= 10),
		.month = (march + 2) % 12,
		.day = in_year - (153 * march + 2) / 5 + 1,
	};
}

void h1_date(char out[H1_DATE_BYTES], int64_t wall_s)
{
	static const char days[] =
		"ThuFriSatSunMonTueWed"; /* 1970-01-01 was a Thursday */
	static const char form[H1_DATE_BYTES] = "ddd, DD mmm YYYY HH:MM:SS GMT";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	if (wall_s < 0)
		wall_s = 0;
	if (wall_s >= YEAR_10000_S)
		wall_s = YEAR_10000_S - 1;
	const uint32_t n = (uint32_t)(wall_s / DAY_S), s = (uint32_t)(wall_s % DAY_S);
	const struct day d = day_of(n);
	memcpy(out, form, sizeof form);
	memcpy(out, &days[n % 7 * 3], 3);
	put_two(out + 5, d.day);
	memcpy(out + 8, &months[d.month * 3], 3);
	put_two(out + 12, d.year / 100);
	put_two(out + 14, d.year % 100);
	put_two(out + 17, s / 3600);
	put_two(out + 20, s / 60 % 60);
	put_two(out + 23, s % 60);
}
