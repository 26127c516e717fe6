/** Decodes output maps: k210b-decode CARD.bin MAP0.bin [MAP1.bin ...]. Prints JSON with the boxes. */
#include <stdio.h>
#include <stdlib.h>

#include "host_files.h"

int main(int argc, char **argv)
{
    k210b_card_t card;
    k210b_output_map_t maps[K210B_CARD_OUTPUTS];
    k210b_box_t boxes[K210B_CANDIDATES];
    uint8_t *files[K210B_CARD_OUTPUTS];
    uint32_t len = 0, count = 0;
    uint8_t *bytes = argc > 2 ? read_file(argv[1], 1, &len) : NULL;
    if (!bytes || argc - 2 > K210B_CARD_OUTPUTS)
        return 2;
    int status = k210b_card_parse(&card, bytes, len);
    for (int i = 2; i < argc; i++, count++) {
        files[count] = read_file(argv[i], 1, &maps[count].bytes);
        maps[count].data = files[count];
    }
    int found = status ? status : k210b_decode_boxes(&card, maps, count, boxes, K210B_CANDIDATES);
    printf("{\"card\":%d", status);
    print_box_list(boxes, found);
    printf("}\n");
    for (uint32_t i = 0; i < count; i++)
        free(files[i]);
    free(bytes);
    return found < 0;
}
