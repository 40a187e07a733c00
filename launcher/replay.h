#pragma once

enum { CODE_SIZE = 8 };

/* Runs again what is kept of this very command line; returns where there is nothing, or it cannot be used.  `code`
 * stands for the package's sources. */
void replay(const char *code, char **words, char **environment);
