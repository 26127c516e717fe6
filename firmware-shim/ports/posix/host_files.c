#include "host_files.h"

#include <stdio.h>
#include <stdlib.h>

uint8_t *new_block(uint32_t alignment, uint32_t bytes)
{
    void *data = NULL;
    uint32_t least = sizeof(void *);
    return posix_memalign(&data, alignment < least ? least : alignment, bytes ? bytes : 1) == 0 ? data : NULL;
}

uint8_t *read_file(const char *path, uint32_t alignment, uint32_t *len)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    rewind(f);
    *len = (uint32_t)size;
    uint8_t *data = new_block(alignment, *len);
    if (data && fread(data, 1, (size_t)size, f) != (size_t)size) {
        free(data);
        data = NULL;
    }
    fclose(f);
    return data;
}

int write_file(const char *path, const uint8_t *data, uint32_t len)
{
    FILE *f = fopen(path, "wb");
    if (!f)
        return -1;
    size_t done = fwrite(data, 1, len, f);
    return fclose(f) == 0 && done == len ? 0 : -1;
}

void print_box_list(const k210b_box_t *boxes, int count)
{
    if (count < 0) {
        printf(",\"decodeStatus\":%d", count);
        return;
    }
    printf(",\"boxes\":[");
    for (int i = 0; i < count; i++)
        printf("%s{\"x\":%.9g,\"y\":%.9g,\"w\":%.9g,\"h\":%.9g,\"score\":%.9g,\"label\":%u}", i ? "," : "",
               boxes[i].x, boxes[i].y, boxes[i].w, boxes[i].h, boxes[i].score, boxes[i].label);
    printf("]");
}
