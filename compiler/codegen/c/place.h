/* Where results go: whole files, or devices, pipes and standard output. */
#ifndef NETWRIGHT_PLACE_H
#define NETWRIGHT_PLACE_H

#include <stdio.h>

/* Writes the content; 0, or -1 with errno set. */
typedef int place_writer(FILE *file, const char *path, const void *content);

/* Ends the program with a message if it can't be written; a file that was there is then unchanged. */
void write_content(const char *path, place_writer *write, const void *content);

/* Removes a file that is only half written, for a program that is about to be ended by a signal. */
void remove_unfinished(void);

#endif
