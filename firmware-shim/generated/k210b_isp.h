/** Ops, results and limits of the flash stub. Written by scripts/generate from protocol/isp; do not edit. */
#ifndef K210B_ISP_H
#define K210B_ISP_H

#define K210B_ISP_DEBUG_TEXT 0xD1u
#define K210B_ISP_STUB_GREETING 0xD2u
#define K210B_ISP_FLASH_ERASE 0xD3u
#define K210B_ISP_FLASH_WRITE 0xD4u
#define K210B_ISP_REBOOT 0xD5u
#define K210B_ISP_SET_BAUD 0xD6u
#define K210B_ISP_FLASH_INIT 0xD7u
#define K210B_ISP_INFO 0xE0u
#define K210B_ISP_HASH_SECTORS 0xE1u
#define K210B_ISP_HASH_RANGE 0xE2u
#define K210B_ISP_FLASH_READ 0xE3u
#define K210B_ISP_WRITE_OPEN 0xE4u
#define K210B_ISP_WRITE_SECTOR 0xE5u
#define K210B_ISP_WRITE_STATUS 0xE6u
#define K210B_ISP_RAM_WRITE 0xE7u
#define K210B_ISP_EXECUTE 0xE8u

/** X(handler, op, fewest data bytes, most data bytes, length word is an argument) for the dispatch table. */
#define K210B_ISP_COMMANDS(X) \
    X(stub_greeting, 0xD2u, 0u, 0u, 0) \
    X(flash_erase, 0xD3u, 0u, 0u, 1) \
    X(flash_write, 0xD4u, 4096u, 65536u, 0) \
    X(reboot, 0xD5u, 0u, 0u, 0) \
    X(set_baud, 0xD6u, 4u, 4u, 0) \
    X(flash_init, 0xD7u, 0u, 0u, 0) \
    X(info, 0xE0u, 0u, 0u, 0) \
    X(hash_sectors, 0xE1u, 4u, 4u, 0) \
    X(hash_range, 0xE2u, 4u, 4u, 0) \
    X(flash_read, 0xE3u, 4u, 4u, 0) \
    X(write_open, 0xE4u, 4u, 132u, 0) \
    X(write_sector, 0xE5u, 4096u, 4096u, 0) \
    X(write_status, 0xE6u, 0u, 0u, 0) \
    X(ram_write, 0xE7u, 1u, 4096u, 0) \
    X(execute, 0xE8u, 0u, 0u, 0)

#define K210B_ISP_FIRST_EXTENSION 0xE0u

#define K210B_ISP_RESULT_DEFAULT 0x00u
#define K210B_ISP_RESULT_OK 0xE0u
#define K210B_ISP_RESULT_BAD_LENGTH 0xE1u
#define K210B_ISP_RESULT_BAD_CHECKSUM 0xE2u
#define K210B_ISP_RESULT_BAD_COMMAND 0xE3u
#define K210B_ISP_RESULT_BAD_INIT 0xE4u
#define K210B_ISP_RESULT_EXECUTION 0xE5u

#define K210B_ISP_CAN_HASHES 1u
#define K210B_ISP_CAN_WINDOWED_WRITE 2u
#define K210B_ISP_CAN_READ 4u
#define K210B_ISP_CAN_RAM_EXECUTE 8u

#define K210B_ISP_VERSION 1u
#define K210B_ISP_SESSION_SECTORS 512u
#define K210B_ISP_WINDOW_SECTORS 32u

#endif
