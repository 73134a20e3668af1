#ifndef NETWRIGHT_WORDS_H
#define NETWRIGHT_WORDS_H

/* The number behind --threads; 0 for auto. Ends the program with a message if it is none. */
int take_threads(const char *text);

/* Ends the program once a text, such as its help, is printed. */
void end_text(void);

/* Prints the manifest, with the features that this CPU lacks of those that the code requires, and ends the program. */
void tell_manifest(void);

#endif
