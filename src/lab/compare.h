/*
 * compare: two results side by side: which figures moved by more than their runs differ.
 */
#ifndef WEIR_LAB_COMPARE_H
#define WEIR_LAB_COMPARE_H

/* Each a samples.json or its folder. Exit status as diff has it: 0: no figure's ranges lie
 * apart; 1: some do; 2: they cannot be compared. */
int compare_main(const char *before, const char *after);

#endif
