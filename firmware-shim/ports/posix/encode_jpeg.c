/** Planar RGB to JPEG: k210b-jpeg PLANES.bin WIDTH HEIGHT QUALITY OUT.jpg [ROWS_A_CALL [CAPACITY]]. Prints JSON. */
#include <stdio.h>
#include <stdlib.h>

#include "host_files.h"
#include "k210b/jpeg.h"

static int encode(k210b_jpeg_t *jpeg, uint8_t *planes, char **argv, uint16_t rows, uint8_t *out, uint32_t cap)
{
    uint16_t width = (uint16_t)atoi(argv[2]), height = (uint16_t)atoi(argv[3]);
    uint8_t quality = (uint8_t)atoi(argv[4]);
    if (rows == 0)
        return k210b_jpeg_encode(jpeg, planes, width, height, quality, out, cap);
    int status = k210b_jpeg_begin(jpeg, planes, width, height, quality, out, cap);
    while (status == 0)
        status = k210b_jpeg_rows(jpeg, rows);
    return status < 0 ? status : k210b_jpeg_finish(jpeg);
}

int main(int argc, char **argv)
{
    if (argc < 6)
        return 2;
    uint32_t len;
    uint8_t *planes = read_file(argv[1], 1, &len);
    if (!planes || len != 3u * (uint32_t)atoi(argv[2]) * (uint32_t)atoi(argv[3]))
        return 2;
    uint32_t cap = argc > 7 ? (uint32_t)atoi(argv[7]) : len + 4096;
    uint8_t *out = new_block(1, cap);
    k210b_jpeg_t jpeg;
    int bytes = encode(&jpeg, planes, argv, argc > 6 ? (uint16_t)atoi(argv[6]) : 0, out, cap);
    printf("{\"bytes\":%d}\n", bytes);
    if (bytes > 0)
        write_file(argv[5], out, (uint32_t)bytes);
    free(out);
    free(planes);
    return bytes > 0 ? 0 : 1;
}
