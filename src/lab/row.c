#include "lab/row.h"

#include <math.h>

void lab_row_init(struct lab_row *row, const struct lab_case *c,
	const struct lab_run *const *runs, uint32_t n)
{
	const struct figures **all = mem_alloc((n + 1) * sizeof(*all));
	*row = (struct lab_row){
		.name = c->label, .what = c->what, .role = c->role, .valid = true
	};
	for (uint32_t i = 0; i < n; i++) {
		all[i] = &runs[i]->figures;
		if (row->valid && (runs[i]->invalid || runs[i]->note)) {
			row->valid = false;
			row->invalid_why = runs[i]->note ? runs[i]->note
							 : runs[i]->invalid;
		}
	}
	for (int i = 0; i < FIGURES; i++)
		row->f.of[i] = figure_spread(all, n, i).median;
	row->known = !isnan(row->f.of[FIG_started]);
	mem_free(all);
}

uint64_t row_count(const struct lab_row *row, enum figure_id id)
{
	double value = row->f.of[id];
	return value > 0 ? (uint64_t)(value + 0.5) : 0;
}
