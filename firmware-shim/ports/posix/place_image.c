/**
 * Picture to network input as the shim does it: k210b-image CARD.bin PLANES.bin WIDTH HEIGHT OUT.bin X Y W H
 * Writes the dense input and prints box (X, Y, W, H of the input) in picture pixels.
 */
#include <stdio.h>
#include <stdlib.h>

#include "host_files.h"
#include "k210b/image.h"

int main(int argc, char **argv)
{
    uint32_t card_bytes, planes_bytes;
    k210b_card_t card;
    k210b_image_map_t map;
    if (argc != 10)
        return 2;
    uint8_t *bytes = read_file(argv[1], 1, &card_bytes), *planes = read_file(argv[2], 1, &planes_bytes);
    if (!bytes || !planes || k210b_card_parse(&card, bytes, card_bytes))
        return 2;
    if (k210b_image_map(&map, &card, (uint16_t)atoi(argv[3]), (uint16_t)atoi(argv[4])))
        return 2;
    uint32_t channels = card.colour == K210B_COLOUR_GREY ? 1 : 3, row_bytes = card.width;
    uint8_t *out = new_block(1, channels * card.height * row_bytes);
    for (uint32_t i = 0; i < channels * card.height; i++)
        k210b_image_row(&map, planes, i / card.height, i % card.height, out + i * row_bytes);
    write_file(argv[5], out, channels * card.height * row_bytes);
    k210b_box_t box = {(float)atof(argv[6]), (float)atof(argv[7]), (float)atof(argv[8]), (float)atof(argv[9]), 1, 0, 0};
    k210b_image_map_boxes(&map, &box, 1);
    printf("{\"identity\":%d", map.identity);
    print_box_list(&box, 1);
    printf("}\n");
    free(out);
    free(planes);
    free(bytes);
    return 0;
}
