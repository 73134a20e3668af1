
/* Weights in a file that `netwright compile --emit weights` wrote for this library: maps it into memory, where all
   processes that use it share it. Returns NETWRIGHT_OTHER_WEIGHTS if the file is for another network than the one that
   this library computes. To change weights while calls run: open the new file as another model, let new calls take it,
   and close the old one once its last call has returned. A file that is in use must not be changed; write a new file
   and rename it. */
int32_t @PREFIX@_open(@PREFIX@_model *model, const char *path);
void @PREFIX@_close(@PREFIX@_model *model);
