/*
 * page: the report as one HTML file, and as Markdown, both made of the result's JSON alone.
 *
 * RULES   1. The JSON stands in the page as data, every `<` of it escaped: nothing a run
 *            brought can end that element. The page's own policy runs no script but ours.
 */
#ifndef WEIR_LAB_PAGE_H
#define WEIR_LAB_PAGE_H

#include "base/json_read.h"
#include "base/text.h"

void lab_page_html(struct text *t, const struct json_doc *result);
void lab_page_markdown(struct text *t, const struct json_doc *result);

#endif
