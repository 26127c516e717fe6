/** Files and JSON for the native test tools. */
#ifndef K210B_HOST_FILES_H
#define K210B_HOST_FILES_H

#include <stdint.h>

#include "k210b/decode.h"

/** Fresh memory, aligned; NULL when there is none. Release with free(). */
uint8_t *new_block(uint32_t alignment, uint32_t bytes);
/** Whole file in fresh aligned memory of exactly its length (so that sanitizers see reads past it); NULL on failure. */
uint8_t *read_file(const char *path, uint32_t alignment, uint32_t *len);
int write_file(const char *path, const uint8_t *data, uint32_t len);
/** Prints `,"boxes":[...]`, or `,"decodeStatus":n` for a negative count. */
void print_box_list(const k210b_box_t *boxes, int count);

#endif
