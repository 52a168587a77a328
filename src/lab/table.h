/*
 * table: rows as people read them: in columns on a terminal. Pure.
 *
 * MODEL   Columns stand in groups. Where the whole is wider than the page, the groups
 *         that do not fit go into a block below, each block with the names again.
 */
#ifndef WEIR_LAB_TABLE_H
#define WEIR_LAB_TABLE_H

#include "lab/row.h"

/* `width` columns wide at most, if a single group fits; lines end with '\n'. */
void lab_table_text(struct text *t, const struct lab_row *rows, size_t n, size_t width);

#endif
