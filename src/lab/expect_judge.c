/* Judging a line of expect.h: at each point it speaks of, and what did not hold, in words. */
#include <math.h>

#include "base/units.h"
#include "lab/expect.h"

#define FREE_MAX 16     /* parameters that a line leaves free */
#define VALUES_MAX 128  /* of one */
#define FIGURES_SHOWN 4 /* in the sentence why */
#define ALIKE 1e-9      /* == of figures that were computed */

/* A parameter that goes through its values. */
struct free_axis {
	const char *name;
	const char *value[VALUES_MAX];
	uint32_t n, at;
};

struct judge {
	const struct lab_expect *e;
	const struct expect_world *world;
	struct free_axis axis[FREE_MAX];
	uint32_t n;
};

typedef bool (*factor_fn)(struct judge *j, const struct expect_factor *f);

/* Until one says false. */
static bool each_figure(struct judge *j, factor_fn fn)
{
	const struct expect_sum *sums[] = { &j->e->left, &j->e->right };
	for (size_t s = 0; s < ARRAY_LEN(sums); s++) {
		for (uint32_t i = 0; i < sums[s]->n; i++) {
			const struct expect_term *t = &sums[s]->term[i];
			for (uint32_t k = 0; k < t->n; k++) {
				if (t->factor[k].is_figure && !fn(j, &t->factor[k]))
					return false;
			}
		}
	}
	return true;
}

static struct free_axis *axis_named(struct judge *j, const char *name)
{
	for (uint32_t i = 0; i < j->n; i++) {
		if (!strcmp(j->axis[i].name, name))
			return &j->axis[i];
	}
	if (j->n == FREE_MAX)
		return NULL;
	j->axis[j->n] = (struct free_axis){ .name = name };
	return &j->axis[j->n++];
}

static void add_value(struct free_axis *a, const char *value)
{
	for (uint32_t i = 0; i < a->n; i++) {
		if (!strcmp(a->value[i], value))
			return;
	}
	if (a->n < VALUES_MAX)
		a->value[a->n++] = value;
}

/* The case fits what the factor fixes. */
static bool fits_fixed(const struct judge *j, const struct expect_factor *f, uint32_t i)
{
	const struct lab_pairs *point = j->world->point(j->world->of, i);
	if (strcmp(j->world->name(j->world->of, i), f->variant) != 0)
		return false;
	for (uint32_t k = 0; k < f->at.n; k++) {
		const struct lab_pair *has = pairs_find(point, f->at.v[k].name);
		if (!has || strcmp(has->value, f->at.v[k].value) != 0)
			return false;
	}
	return true;
}

static bool collect_axes(struct judge *j, const struct expect_factor *f)
{
	for (uint32_t i = 0; i < j->world->n; i++) {
		const struct lab_pairs *point = j->world->point(j->world->of, i);
		if (!fits_fixed(j, f, i))
			continue;
		for (uint32_t k = 0; k < point->n; k++) {
			struct free_axis *a = pairs_find(&f->at, point->v[k].name)
						      ? NULL
						      : axis_named(j, point->v[k].name);
			if (a)
				add_value(a, point->v[k].value);
		}
	}
	return true;
}

/* The case of a factor at the values where the axes stand; UINT32_MAX: there is none. */
static uint32_t case_of(const struct judge *j, const struct expect_factor *f)
{
	for (uint32_t i = 0; i < j->world->n; i++) {
		const struct lab_pairs *point = j->world->point(j->world->of, i);
		bool fits = fits_fixed(j, f, i);
		for (uint32_t k = 0; fits && k < j->n; k++) {
			const struct free_axis *a = &j->axis[k];
			const struct lab_pair *has = pairs_find(&f->at, a->name)
							     ? NULL
							     : pairs_find(point, a->name);
			fits = !has || !strcmp(has->value, a->value[a->at]);
		}
		if (fits)
			return i;
	}
	return UINT32_MAX;
}

static bool has_case(struct judge *j, const struct expect_factor *f)
{
	return case_of(j, f) != UINT32_MAX;
}

static double factor_value(const struct judge *j, const struct expect_factor *f)
{
	if (!f->is_figure)
		return f->number;
	return j->world->figure(j->world->of, case_of(j, f), f->figure);
}

static double sum_value(const struct judge *j, const struct expect_sum *sum)
{
	double total = 0;
	for (uint32_t i = 0; i < sum->n; i++) {
		const struct expect_term *t = &sum->term[i];
		double product = t->minus ? -1 : 1;
		for (uint32_t k = 0; k < t->n; k++) {
			double v = factor_value(j, &t->factor[k]);
			product = t->factor[k].divides ? product / v : product * v;
		}
		total += product;
	}
	return total;
}

/* How far from failing, relative to the size of both; below 0: it fails. */
static double margin(enum expect_compare c, double left, double right)
{
	double size = fmax(fmax(fabs(left), fabs(right)), 1e-12);
	double over = (left - right) / size;
	bool alike = fabs(over) <= ALIKE;
	switch (c) {
	case EXPECT_EQ:
		return alike ? 0 : -fabs(over);
	case EXPECT_NE:
		return alike ? -1 : fabs(over);
	case EXPECT_LT:
		return alike ? -ALIKE : -over;
	case EXPECT_LE:
		return alike ? 0 : -over;
	case EXPECT_GT:
		return alike ? -ALIKE : over;
	case EXPECT_GE:
		return alike ? 0 : over;
	}
	NEVER_HERE();
}

static bool next_point(struct judge *j)
{
	for (uint32_t i = j->n; i-- > 0;) {
		if (++j->axis[i].at < j->axis[i].n)
			return true;
		j->axis[i].at = 0;
	}
	return false;
}

static void keep_point(struct expect_verdict *v, const struct judge *j)
{
	v->point.n = 0;
	for (uint32_t i = 0; i < j->n; i++)
		pairs_add(&v->point, j->axis[i].name, j->axis[i].value[j->axis[i].at]);
}

/* "naive[timeout=300ms].good", as the line has it. */
static void add_name(struct text *t, const struct expect_factor *f)
{
	text_add(t, f->variant);
	for (uint32_t i = 0; i < f->at.n; i++)
		text_addf(
			t, "%s%s=%s", i ? ", " : "[", f->at.v[i].name, f->at.v[i].value);
	text_addf(t, "%s.%s", f->at.n ? "]" : "", figure_table[f->figure].name);
}

/* "naive[timeout=300ms].good is 12, weir.good is 10" at the values where the axes stand. */
static void add_figures(struct text *t, const struct judge *j)
{
	const struct expect_sum *sums[] = { &j->e->left, &j->e->right };
	uint32_t shown = 0;
	for (size_t s = 0; s < ARRAY_LEN(sums); s++) {
		for (uint32_t i = 0; i < sums[s]->n * EXPECT_FACTORS_MAX; i++) {
			const struct expect_term
				*term = &sums[s]->term[i / EXPECT_FACTORS_MAX];
			uint32_t k = i % EXPECT_FACTORS_MAX;
			if (k >= term->n || !term->factor[k].is_figure ||
				shown == FIGURES_SHOWN)
				continue;
			const struct expect_factor *f = &term->factor[k];
			text_add(t, shown++ ? ", " : "");
			add_name(t, f);
			text_add(t, " is ");
			double value = factor_value(j, f);
			if (isnan(value))
				text_add(t, "not known");
			else
				text_add_figure(t, f->figure, value);
		}
	}
}

/* Counts as they stand in the sentence before it. */
static void add_side(struct text *t, double value)
{
	if (value >= 0 && value < 1e15 && value == floor(value))
		text_add_count(t, (uint64_t)value);
	else
		text_addf(t, "%.6g", value);
}

static char *sentence(const struct judge *j, const struct expect_verdict *v)
{
	struct text t;
	text_init(&t);
	add_figures(&t, j);
	for (uint32_t i = 0; i < v->point.n; i++)
		text_addf(&t, "%s%s=%s", i ? ", " : " at ", v->point.v[i].name,
			v->point.v[i].value);
	if (v->outcome == EXPECT_FAILED && !isnan(v->right)) {
		text_add(&t, ": ");
		add_side(&t, v->left);
		text_add(&t, " against ");
		add_side(&t, v->right);
		if (j->e->left.power)
			text_add(&t, j->e->left.power > 0 ? " s" : " a second");
	}
	return text_take(&t);
}

void expect_judge(struct expect_verdict *v, const struct lab_expect *e,
	const struct expect_world *world)
{
	struct judge *j = mem_zalloc(sizeof(*j));
	double least = INFINITY;
	int worst = -1;
	*v = (struct expect_verdict){ EXPECT_UNKNOWN, NAN, NAN, { NULL, 0, 0 }, NULL };
	*j = (struct judge){ .e = e, .world = world };
	(void)each_figure(j, collect_axes);
	for (bool any = true; any; any = next_point(j)) {
		if (!each_figure(j, has_case))
			continue;
		double left = sum_value(j, &e->left), right = sum_value(j, &e->right);
		bool unknown = isnan(left) || isnan(right);
		double by = unknown ? 0 : margin(e->compare, left, right);
		/* What fails stands before what is unknown, and that before what holds. */
		int how = unknown ? 1 : by < 0 ? 2 : 0;
		if (how < worst || (how == worst && by >= least))
			continue;
		worst = how;
		least = by;
		v->outcome = (enum expect_outcome[]){ EXPECT_HELD, EXPECT_UNKNOWN,
			EXPECT_FAILED }[how];
		v->left = left;
		v->right = right;
		keep_point(v, j);
		mem_free(v->why);
		v->why = how ? sentence(j, v) : NULL;
	}
	if (v->outcome == EXPECT_UNKNOWN && !v->why)
		v->why = mem_strdup("its variants have no point in common that was run");
	mem_free(j);
}

void expect_verdict_fini(struct expect_verdict *v)
{
	pairs_fini(&v->point);
	mem_free(v->why);
	v->why = NULL;
}
